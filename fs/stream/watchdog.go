package stream

import (
	"context"
	"fmt"
	"time"
)

// watchdog ends a request that stands still: its context is cancelled when
// nobody kicked it for the time of a stall.
type watchdog struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	timer  *time.Timer
	stall  time.Duration
}

func newWatchdog(ctx context.Context, stall time.Duration) *watchdog {
	w := &watchdog{stall: stall}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(stall, func() {
		w.cancel(fmt.Errorf("no byte within %v", stall))
	})
	return w
}

// kick notes progress.
func (w *watchdog) kick() { w.timer.Reset(w.stall) }

// pause stops the clock until the next kick, while it is us who wait.
func (w *watchdog) pause() { w.timer.Stop() }

// stop ends the watch and the request.
func (w *watchdog) stop() {
	w.timer.Stop()
	w.cancel(nil)
}
