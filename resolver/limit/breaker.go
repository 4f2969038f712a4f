package limit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// newFailures in a row open the breaker of a provider that never answered:
	// a wrong address should show at once.
	newFailures = 3
	// A provider that has answered gets time: short trouble is for the retries
	// of others.
	knownFailures = 5
	knownTrouble  = 15 * time.Second

	// The pauses between probes, which double.
	firstProbe = 2 * time.Second
	lastProbe  = 30 * time.Second
	// probePatience is when a probe that was never reported is given up.
	probePatience = 30 * time.Second
)

// Breaker keeps calls from a provider that does not answer: it opens, so that
// they fail at once, lets one through from time to time, and closes with the
// first answer. Its methods may be called in parallel.
type Breaker struct {
	log *slog.Logger

	mu       sync.Mutex // guards the following
	answered bool       // at any time
	failures int        // in a row
	since    time.Time  // the first of them
	why      error      // the last of them
	open     bool
	probing  bool          // a probe is under way
	pause    time.Duration // before the next probe
	next     time.Time     // when a probe may go
}

// NewBreaker returns the closed breaker of one provider, which log names. A nil
// log means slog.Default.
func NewBreaker(log *slog.Logger) *Breaker { return &Breaker{log: cmp.Or(log, slog.Default())} }

// Allow returns nil if a call may be made, whose end is then to be told to
// Report. Else it is resolver.ErrDown, with since when and why.
func (b *Breaker) Allow() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.open {
		return nil
	}
	now := time.Now()
	if now.Before(b.next) {
		return fmt.Errorf("no answer since %s: %v: %w", b.since.Format(time.TimeOnly), b.why, resolver.ErrDown)
	}
	b.probing = true
	b.next = now.Add(probePatience)
	return nil
}

// Report tells what came of a call that was allowed. Unavailability and errors
// of no kind are failures; all other errors are answers of the provider, but for
// context.Canceled, which says nothing of it.
func (b *Breaker) Report(err error) {
	switch {
	case errors.Is(err, context.Canceled):
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

// forget makes room for another probe if that was one.
func (b *Breaker) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.probing {
		b.probing = false
		b.next = time.Now()
	}
}

func (b *Breaker) succeed() {
	b.mu.Lock()
	closing, since := b.open, b.since
	b.answered = true
	b.failures = 0
	b.open, b.probing = false, false
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
	switch {
	case b.open && b.probing:
		b.pause = min(2*b.pause, lastProbe)
	case b.open:
		return false // the call was allowed before it opened
	case !b.answered && b.failures < newFailures:
		return false
	case b.answered && (b.failures < knownFailures || now.Sub(b.since) < knownTrouble):
		return false
	default:
		b.open, b.pause, opening = true, firstProbe, true
	}
	b.probing = false
	b.next = now.Add(b.pause)
	return opening
}
