package limit

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// maxPause bounds what a provider can ask for: an absurd Retry-After must
	// not stop a mount for good.
	maxPause = time.Hour
	// maxPatience is the longest rest of a pause that is waited for: half of
	// what a read is given, so that its caller can still be told why.
	maxPatience = 30 * time.Second
	// fairTurn is which turn goes to who has waited longest, so that a stream
	// of urgent calls starves nobody.
	fairTurn = 8
)

// errPaused is what callers are told who do not wait for the end of a pause.
var errPaused = fmt.Errorf("the provider asked to wait: %w", resolver.ErrThrottled)

// Bucket grants turns for one kind of call. Its methods may be called in
// parallel.
type Bucket struct {
	limits  *Limits
	tallies []*tally

	mu        sync.Mutex // guards the following
	windows   []*window
	queue     []*waiter // in order of arrival
	turns     int       // granted so far
	paused    time.Time // no turn before
	exhausted time.Time // refused before, if there is no budget that says it
	timer     *time.Timer
}

// waiter is one call of Wait.
type waiter struct {
	demand   *resolver.Demand
	deadline time.Time       // of the caller, zero for none
	left     <-chan struct{} // closed when the caller no longer waits
	turn     chan error      // holds what came of it
}

// Wait returns when one call may be made, which counts from then on whether it
// is made or not. Of those who wait the most urgent at the moment goes first
// (see [resolver.Demand]), then who came first.
//
// When a budget is spent, also while waiting, it is resolver.ErrQuota at once,
// which says which one and until when; for who asks for what nobody waits for it
// is resolver.ErrReserved when a tenth is left. When the provider asked for a pause that
// lasts 30 s more, or beyond the deadline of ctx, it is resolver.ErrThrottled at
// once, with what is left in resolver.RetryAfter. Else it ends with the cause of
// ctx, during a pause joined with that ErrThrottled.
func (b *Bucket) Wait(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w := &waiter{demand: resolver.DemandOf(ctx), left: ctx.Done(), turn: make(chan error, 1)}
	w.deadline, _ = ctx.Deadline()
	b.mu.Lock()
	b.queue = append(b.queue, w)
	b.mu.Unlock()
	b.serve()
	select {
	case err := <-w.turn:
		return err
	case <-ctx.Done():
	}
	paused := b.leave(w)
	select {
	case err := <-w.turn: // served at the last moment
		return err
	default:
	}
	if paused != nil {
		return fmt.Errorf("%w: %w", paused, context.Cause(ctx))
	}
	return context.Cause(ctx)
}

// Pause keeps all turns back for d, because the provider asked for it. It never
// shortens a longer pause, and is itself cut to an hour.
func (b *Bucket) Pause(d time.Duration) {
	until := time.Now().Add(min(d, maxPause))
	b.mu.Lock()
	if until.After(b.paused) {
		b.paused = until
	}
	b.mu.Unlock()
	b.serve()
}

// Exhaust says that by the provider's word the quota is spent. It does not say which
// one, so the budget that resets first counts as spent until then, for whoever
// shares it: who takes the month for spent that is not loses it. A bucket
// without budgets refuses for an hour, since nobody knows when there is more.
func (b *Bucket) Exhaust() {
	if len(b.tallies) > 0 {
		b.limits.ledger.exhaust(b.tallies)
		b.limits.serveAll()
		return
	}
	b.mu.Lock()
	b.exhausted = time.Now().Add(maxPause)
	b.mu.Unlock()
	b.serve()
}

// serve grants the turns that are due and sets the timer for the next one.
func (b *Bucket) serve() {
	b.mu.Lock()
	spent := false
	for len(b.queue) > 0 {
		now := time.Now()
		if err := b.refusal(now); err != nil {
			b.refuse(err)
			break
		}
		if b.dismiss(now); len(b.queue) == 0 {
			break
		}
		if delay := b.next().Sub(now); delay > 0 {
			b.ring(delay)
			break
		}
		if b.grant(now) {
			spent = true
		}
	}
	if len(b.queue) == 0 && b.timer != nil {
		b.timer.Stop()
	}
	b.mu.Unlock()
	if spent {
		b.limits.serveAll() // others may wait for the same budget
	}
}

// refusal is why nobody gets a turn, nil if somebody may. Callers hold mu.
func (b *Bucket) refusal(now time.Time) error {
	if now.Before(b.exhausted) {
		return fmt.Errorf("the provider says so, not asking before %s: %w",
			b.exhausted.Format(time.TimeOnly), resolver.ErrQuota)
	}
	return b.limits.ledger.check(b.tallies, now)
}

// refuse sends everybody away. Callers hold mu.
func (b *Bucket) refuse(err error) {
	for _, w := range b.queue {
		w.turn <- err
	}
	b.queue = nil
}

// dismiss sends those away who would wait too long for the end of a pause.
// Callers hold mu.
func (b *Bucket) dismiss(now time.Time) {
	err := b.pausedError(now)
	if err == nil {
		return
	}
	long := b.paused.Sub(now) > maxPatience
	b.queue = slices.DeleteFunc(b.queue, func(w *waiter) bool {
		if !long && (w.deadline.IsZero() || !b.paused.After(w.deadline)) {
			return false
		}
		w.turn <- err
		return true
	})
}

// pausedError is the error of who leaves during a pause, nil if there is none.
// Callers hold mu.
func (b *Bucket) pausedError(now time.Time) error {
	left := b.paused.Sub(now)
	if left <= 0 {
		return nil
	}
	return resolver.WithRetryAfter(fmt.Errorf("no call before %s: %w", b.paused.Format(time.TimeOnly), errPaused), left)
}

// next is when the next turn is due. Callers hold mu.
func (b *Bucket) next() time.Time {
	next := b.paused
	for _, w := range b.windows {
		if t := w.next(); t.After(next) {
			next = t
		}
	}
	return next
}

// ring has the queue served after d. Callers hold mu.
func (b *Bucket) ring(d time.Duration) {
	if b.timer == nil {
		b.timer = time.AfterFunc(d, b.serve)
		return
	}
	b.timer.Reset(d)
}

// grant gives the turn that is due to the waiter whose it is, if he is still
// there. It reports whether that spent a budget. Callers hold mu.
func (b *Bucket) grant(now time.Time) (spent bool) {
	w := b.pick()
	select {
	case <-w.left:
		return false
	default:
	}
	spent, err := b.limits.ledger.take(b.tallies, now, w.demand.Urgency())
	w.turn <- err
	if err != nil {
		return false
	}
	b.turns++
	for _, w := range b.windows {
		w.grant(now)
	}
	return spent
}

// pick takes the waiter whose turn is next from the queue, which has one.
// Callers hold mu.
func (b *Bucket) pick() *waiter {
	at := 0
	if b.turns%fairTurn != fairTurn-1 {
		highest := b.queue[0].demand.Urgency()
		for i, w := range b.queue {
			if u := w.demand.Urgency(); u > highest {
				at, highest = i, u
			}
		}
	}
	w := b.queue[at]
	b.queue = slices.Delete(b.queue, at, at+1)
	return w
}

// leave takes w from the queue if it is still there. It returns the error of who
// leaves during a pause, else nil.
func (b *Bucket) leave(w *waiter) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := slices.Index(b.queue, w); at >= 0 {
		b.queue = slices.Delete(b.queue, at, at+1)
	}
	if len(b.queue) == 0 && b.timer != nil {
		b.timer.Stop()
	}
	return b.pausedError(time.Now())
}
