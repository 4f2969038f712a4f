package broker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// heedEvery is how often those who wait for a turn are looked at: their demands
// are raised, and they leave, without a word to the one who waits for them.
const heedEvery = 20 * time.Millisecond

// errUnwanted ends what nobody waits for.
var errUnwanted = errors.New("nobody waits")

// lane is what waits for one limit of the provider (see [resolver.Batch]).
type lane struct {
	name   string
	places chan struct{} // one for each call under way
	wake   chan struct{} // holds one when a request has joined

	// Broker.mu guards the following.
	pending     []*request
	dispatching bool             // a goroutine is at it
	turn        *resolver.Demand // of the turn waited for, nil if none is
	batches     int
	answered    time.Time         // when a call last was
	lost        int               // calls since then that were not
	probe       time.Time         // the next one, while that is an outage
	served      map[job]time.Time // when a batch last took of those that wait
}

// turnLocked is the demand of the turn that the request waits for, or nil.
func (b *Broker) turnLocked(r *request) *resolver.Demand {
	if l := b.lanes[r.batch.Lane]; l != nil && !r.riding {
		return l.turn
	}
	return r.turn
}

// enqueueLocked makes the request pending in its lane.
func (b *Broker) enqueueLocked(r *request) {
	l := b.lanes[r.batch.Lane]
	if l == nil {
		l = &lane{name: r.batch.Lane, places: make(chan struct{}, b.cfg.Parallel), wake: make(chan struct{}, 1)}
		b.lanes[r.batch.Lane] = l
	}
	r.riding = false
	l.pending = append(l.pending, r)
	if !l.dispatching {
		l.dispatching = true
		b.running.Go(func() { b.dispatch(l) })
	}
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// dispatch makes calls for the lane while requests are pending in it.
func (b *Broker) dispatch(l *lane) {
	for {
		switch pause, more := b.tidy(l); {
		case !more:
			return
		case pause > 0:
			l.wait(b.ctx, pause)
		default:
			b.dispatchOne(l)
		}
	}
}

// tidy drops what is not worth a call any more and returns how long nothing of
// the lane is due. When nothing is pending dispatching ends.
func (b *Broker) tidy(l *lane) (pause time.Duration, more bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	pause = math.MaxInt64
	l.pending = slices.DeleteFunc(l.pending, func(r *request) bool {
		switch {
		case b.closed:
			b.endLocked(r, errClosed)
		case now.Before(r.ready):
			pause = min(pause, r.ready.Sub(now))
			return false
		case !r.wanted():
			b.endLocked(r, errUnwanted)
		case r.spent(now):
			b.endLocked(r, r.trouble)
		default:
			pause = 0
			return false
		}
		return true
	})
	l.dispatching = len(l.pending) > 0
	return pause, l.dispatching
}

// wait returns after d, or when a request joins the lane, or ctx ends.
func (l *lane) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.wake:
	case <-ctx.Done():
	}
}

// sleep returns after d, or with false when ctx ends.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// dispatchOne waits until a call may be made and starts it for those who then
// need it most.
func (b *Broker) dispatchOne(l *lane) {
	select {
	case l.places <- struct{}{}:
	case <-b.ctx.Done():
		return
	}
	demand := resolver.NewDemand(resolver.Background, nil)
	if err := b.takeTurn(l, demand); err != nil {
		<-l.places
		b.noTurn(l, err)
		return
	}
	b.collect(l)
	riders := b.choose(l)
	if len(riders) == 0 {
		b.cfg.Gate.Report(context.Canceled)
		<-l.places
		return
	}
	b.running.Go(func() {
		defer func() { <-l.places }()
		b.ask(l, b.fill(riders), demand, &search{})
	})
}

// takeTurn is admit for the lane as a whole.
func (b *Broker) takeTurn(l *lane, demand *resolver.Demand) error {
	b.mu.Lock()
	l.turn = demand
	b.mu.Unlock()
	defer func() {
		b.mu.Lock()
		l.turn = nil
		b.mu.Unlock()
	}()
	return b.admit(l.name, demand, func() bool {
		b.mu.Lock()
		defer b.mu.Unlock()
		now := time.Now()
		return raise(demand, l.pending, func(r *request) bool { return r.due(now) })
	})
}

// raise makes the demand as urgent as the most urgent of those that count, and
// reports whether any does.
func raise(demand *resolver.Demand, requests []*request, counts func(*request) bool) bool {
	found := false
	for _, r := range requests {
		if counts(r) {
			found = true
			u, _ := r.urgency()
			demand.Raise(u)
		}
	}
	return found
}

// admit returns when one call for the lane may be made. While it waits it heeds
// those whom the call is for; it is errUnwanted when there are none.
func (b *Broker) admit(lane string, demand *resolver.Demand, heed func() bool) error {
	if !heed() {
		return errUnwanted
	}
	if err := b.cfg.Gate.Allow(); err != nil {
		return err
	}
	pacer, ok := b.provider.(resolver.Pacer)
	if !ok {
		return nil
	}
	ctx, cancel := context.WithCancelCause(resolver.WithDemand(b.ctx, demand))
	var watching sync.WaitGroup
	watching.Go(func() {
		for sleep(ctx, heedEvery) {
			if !heed() {
				cancel(errUnwanted)
			}
		}
	})
	defer watching.Wait()
	defer cancel(nil)
	err := b.guard("provider", func() error { return pacer.Turn(ctx, lane) })
	if err == nil {
		return nil
	}
	switch {
	case ctx.Err() != nil:
		b.cfg.Gate.Report(context.Canceled)
		return context.Cause(ctx)
	case errors.Is(err, resolver.ErrQuota), errors.Is(err, resolver.ErrThrottled):
		b.cfg.Gate.Report(context.Canceled) // our own limits say nothing of the provider
	default:
		b.cfg.Gate.Report(err) // such as a login that fails
	}
	return err
}

// noTurn deals out what the lane's turn ended with.
func (b *Broker) noTurn(l *lane, err error) {
	if errors.Is(err, errUnwanted) || b.ctx.Err() != nil {
		return // tidy knows what to do
	}
	b.log.Debug("no turn for link calls", "lane", l.name, "error", err)
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	pending := l.pending
	l.pending = nil
	for _, r := range pending {
		u, _ := r.urgency()
		if turnMayCome(err) && !r.due(now) || errors.Is(err, resolver.ErrReserved) && u > resolver.Ahead {
			l.pending = append(l.pending, r)
			continue
		}
		b.turnedAwayLocked(r, err, now)
	}
}

// turnedAwayLocked ends a request with what its turn ended with, which is not
// remembered: who comes next asks for a turn again. Only what may pass soon is
// met with patience.
func (b *Broker) turnedAwayLocked(r *request, err error, now time.Time) {
	if !turnMayCome(err) {
		b.endLocked(r, fmt.Errorf("lease: %w", err))
		return
	}
	r.start(now, b.cfg.Patience)
	b.failedLocked(r, err, now)
}

// turnMayCome reports whether asking for a turn again soon can help. One that is
// throttled would have waited if it could.
func turnMayCome(err error) bool {
	return !final(err) && !errors.Is(err, resolver.ErrThrottled) && !errors.Is(err, resolver.ErrDown)
}

// guard makes an error of a panic in what others wrote. Its text may hold
// anything, a link too, and is left out.
func (b *Broker) guard(what string, call func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			b.log.Error("panic in "+what, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in %s: %w", what, resolver.ErrUnavailable)
		}
	}()
	return call()
}
