package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// breath is how long an endpoint rests after an answer that says "too
	// often" and not for how long.
	breath = time.Second

	// tellEvery is the least time between two waits that are told at Info: who
	// wonders why it is slow finds it, and a busy hour does not fill the log.
	tellEvery = time.Minute
)

// obey makes the endpoint's bucket follow what the provider said of its limits.
func (c *Client) obey(e *Endpoint, err error) error {
	var told *Error
	if !errors.As(err, &told) {
		return err
	}
	pause := told.after
	switch {
	case errors.Is(told.Kind, resolver.ErrQuota):
		c.bucket(e).Exhaust()
		pause = 0
	case errors.Is(told.Kind, resolver.ErrThrottled):
		pause = cmp.Or(pause, breath)
	case !errors.Is(told.Kind, resolver.ErrUnavailable):
		return err
	}
	if pause > 0 {
		c.bucket(e).Pause(pause)
		c.waits.tell(e.Name, pause)
	}
	if told.after > 0 {
		return resolver.WithRetryAfter(err, told.after)
	}
	return err
}

// waits tells the log of the waits that the provider asks for.
type waits struct {
	log *slog.Logger

	mu   sync.Mutex // guards the following
	next time.Time  // at Info
}

func (w *waits) tell(endpoint string, pause time.Duration) {
	w.log.Log(context.Background(), w.level(time.Now()), "asked to wait", "endpoint", endpoint, "for", pause)
}

func (w *waits) level(now time.Time) slog.Level {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now.Before(w.next) {
		return slog.LevelDebug
	}
	w.next = now.Add(tellEvery)
	return slog.LevelInfo
}
