package broker

import (
	"iter"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// Config says how a broker treats its provider.
type Config struct {
	// CallTimeout bounds one call to the provider.
	CallTimeout time.Duration
	// Patience is how long a provider that has no answer now is asked again
	// for those who wait, counted from the first call; that one is always made.
	Patience time.Duration
	// RefusalTTL is how long a refusal is answered from memory, at least: one of a
	// file that says when to ask again (see resolver.WithRetryAfter) holds until then.
	RefusalTTL time.Duration
	// Parallel is how many calls of a lane are under way at a time, at least 1.
	Parallel int
	// Collect is how long the first of several files waits for others to ride
	// with it, if it need not wait for a turn anyway.
	Collect time.Duration
	// Siblings yields the files that are likely to be asked for after f: those
	// that follow it in its directory, then those before it, and so on. Free
	// places of a call go to them. It is called without locks held; nil is none.
	Siblings func(f resolver.File) iter.Seq[resolver.ID]
	// Gate is asked before each call; nil lets every call pass.
	Gate Gate
}

// Gate keeps calls from a provider that does not answer. Its methods may be
// called in parallel.
type Gate interface {
	// Allow returns nil when a call may be made, which is reported then, or
	// resolver.ErrDown, which ends the wait of those who asked.
	Allow() error
	// Report says what came of an allowed call; context.Canceled says that
	// nothing did.
	Report(err error)
}

// open is the gate of a broker without one.
type open struct{}

func (open) Allow() error { return nil }

func (open) Report(error) {}

// DefaultConfig returns what attachfs uses when nothing is configured.
func DefaultConfig() Config {
	return Config{
		CallTimeout: 10 * time.Second,
		Patience:    30 * time.Second,
		RefusalTTL:  5 * time.Second,
		Parallel:    8,
		Collect:     2 * time.Millisecond,
	}
}
