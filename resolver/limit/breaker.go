package limit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// newFailures in a row open the breaker of a provider that never answered:
	// a wrong address should show at once.
	newFailures = 3
	// newTrouble opens it with any failure that comes so late: an address that
	// swallows everything should not be waited for three times.
	newTrouble = 5 * time.Second
	// A provider that has answered gets time: short trouble is for the retries
	// of others.
	knownFailures = 5
	knownTrouble  = 15 * time.Second

	// The pauses between probes, which double.
	firstProbe = 2 * time.Second
	lastProbe  = 30 * time.Second
	// probeTimeout is what a person would be given, too.
	probeTimeout = 10 * time.Second
)

// Breaker keeps calls from a provider that does not answer: it opens, so that
// they fail at once, probes from time to time, and closes with the first answer.
// Its methods may be called in parallel.
type Breaker struct {
	log    *slog.Logger
	probe  func(context.Context) error
	ctx    context.Context // of the probes
	cancel context.CancelFunc
	probes sync.WaitGroup

	mu       sync.Mutex // guards the following
	answered bool       // at any time
	asked    time.Time  // the first call of a provider that never answered
	failures int        // in a row
	since    time.Time  // the first of them
	why      error      // the last of them
	open     bool
	probing  bool          // a probe of our own is under way
	pause    time.Duration // before the next probe
	next     time.Time     // when a probe may go
}

// NewBreaker returns the closed breaker of one provider, which log names. Probe
// makes a cheap call of the provider; it is called with ten seconds of time when
// a call was refused, never twice at a time. With a nil probe a call is let
// through instead. A nil log means slog.Default. Close it in the end.
func NewBreaker(probe func(context.Context) error, log *slog.Logger) *Breaker {
	b := &Breaker{log: cmp.Or(log, slog.Default()), probe: probe}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	return b
}

// Close ends a probe that is under way and waits for it. There are no more
// afterwards. Closing again is harmless.
func (b *Breaker) Close() error {
	b.mu.Lock()
	b.cancel()
	b.mu.Unlock()
	b.probes.Wait()
	return nil
}

// Allow returns nil if a call may be made, whose end is then to be told to
// Report. Else it is resolver.ErrDown at once, with since when and why.
func (b *Breaker) Allow() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := time.Now()
	if !b.open {
		if b.asked.IsZero() {
			b.asked = now
		}
		return nil
	}
	if b.due(now) {
		b.pause = min(2*b.pause, lastProbe)
		b.next = now.Add(b.pause)
		if b.probe == nil {
			return nil
		}
		b.probing = true
		b.probes.Go(b.ask)
	}
	return fmt.Errorf("no answer since %s: %v: %w", b.since.Format(time.TimeOnly), b.why, resolver.ErrDown)
}

// due reports whether it is time for a probe. Callers hold mu.
func (b *Breaker) due(now time.Time) bool {
	return !b.probing && !now.Before(b.next) && b.ctx.Err() == nil
}

// ask makes a probe and reports what came of it.
func (b *Breaker) ask() {
	late := fmt.Errorf("no answer within %v: %w", probeTimeout, resolver.ErrUnavailable)
	ctx, cancel := context.WithTimeoutCause(b.ctx, probeTimeout, late)
	defer cancel()
	err := b.guarded(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	b.mu.Lock()
	b.probing = false
	b.next = time.Now().Add(b.pause)
	b.mu.Unlock()
	b.Report(err)
}

// guarded calls probe. One that panics has failed; the text of a panic may hold
// anything, a link too, and is left out.
func (b *Breaker) guarded(ctx context.Context) (err error) {
	defer func() {
		if p := recover(); p != nil {
			b.log.Error("panic in provider", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in provider: %w", resolver.ErrUnavailable)
		}
	}()
	return b.probe(ctx)
}

// Report tells what came of a call that was allowed. Unavailability and errors
// of no kind are failures; all other errors are answers of the provider, but for
// context.Canceled and a [Bucket]'s refusal during a pause, which say nothing of
// it.
func (b *Breaker) Report(err error) {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, errPaused):
		b.forget()
	case answers(err):
		b.succeed()
	default:
		b.fail(err)
	}
}

// answers reports whether a call that ended with err reached the provider.
func answers(err error) bool {
	if err == nil {
		return true
	}
	if errors.Is(err, resolver.ErrUnavailable) {
		return false
	}
	for _, kind := range []error{
		resolver.ErrNotExist, resolver.ErrPermission, resolver.ErrUnsupported,
		resolver.ErrThrottled, resolver.ErrQuota, resolver.ErrChanged,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// forget is for a call of which nothing came: how long it took is not the
// provider's doing.
func (b *Breaker) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.asked = time.Time{}
}

func (b *Breaker) succeed() {
	b.mu.Lock()
	closing, since := b.open, b.since
	b.answered = true
	b.failures = 0
	b.open = false
	b.mu.Unlock()
	if closing {
		b.log.Info("the provider answers again", "after", time.Since(since).Round(time.Second))
	}
}

func (b *Breaker) fail(err error) {
	b.mu.Lock()
	opening := b.failed(err, time.Now())
	since := b.since
	b.mu.Unlock()
	if opening {
		b.log.Warn("the provider does not answer, its calls fail at once until it does", "since", since, "error", err)
	}
}

// failed notes a failure and reports whether it opens the breaker. Callers hold
// mu.
func (b *Breaker) failed(err error, now time.Time) (opening bool) {
	if b.failures++; b.failures == 1 {
		b.since = now
	}
	b.why = err
	if b.open || !b.enough(now) {
		return false
	}
	b.open, b.pause, b.next = true, firstProbe, now.Add(firstProbe)
	return true
}

// enough reports whether the failures are worth opening. Callers hold mu.
func (b *Breaker) enough(now time.Time) bool {
	if b.answered {
		return b.failures >= knownFailures && now.Sub(b.since) >= knownTrouble
	}
	return b.failures >= newFailures || !b.asked.IsZero() && now.Sub(b.asked) >= newTrouble
}
