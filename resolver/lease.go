package resolver

import (
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"
)

// Class is what a reader says of a lease that did not serve it. The broker
// decides by it whether the link is given to others again.
type Class int

// The classes of failure.
const (
	// Expired: the origin no longer takes the link.
	Expired Class = iota + 1
	// UsedUp: a counted link has no use left.
	UsedUp
	// Denied: the origin refuses, for whatever reason.
	Denied
	// Gone: the origin says that there is no such file.
	Gone
	// Wrong: the origin answered with something that is not the file.
	Wrong
	// Throttled: asked too often. The link is not to blame.
	Throttled
	// Temporary: no answer now. The link is not to blame.
	Temporary
)

// Blames reports whether the class is about the link, so that another one may
// help.
func (c Class) Blames() bool { return c != 0 && c != Throttled && c != Temporary }

// String names the class as the log does.
func (c Class) String() string {
	switch c {
	case Expired:
		return "expired"
	case UsedUp:
		return "used up"
	case Denied:
		return "denied"
	case Gone:
		return "gone"
	case Wrong:
		return "wrong answer"
	case Throttled:
		return "throttled"
	case Temporary:
		return "temporary"
	default:
		return fmt.Sprintf("class %d", int(c))
	}
}

// Lease is a [Link] on loan from the broker. All holders of one generation of
// a file's link share it, so that its uses are counted together. Its methods
// may be called in parallel.
type Lease struct {
	link       Link
	generation uint64
	deadline   time.Time
	holder     Holder
	uses       atomic.Int64
	made       time.Time
	served     atomic.Int64 // age at which the link served last; 0 is never
}

// Holder is told how the lease fares; the broker is one. Its methods may be
// called in parallel.
type Holder interface {
	// Fail says that the link does not serve.
	Fail(l *Lease, c Class)
	// Clock says what the origin's clock showed just now.
	Clock(l *Lease, origin time.Time)
}

// NewLease makes a lease on link. Generation counts the links that the file
// has had; deadline is when the link is no longer to be used, zero for never;
// holder is told how it fares, and may be nil. The broker calls this; tests may.
func NewLease(link Link, generation uint64, deadline time.Time, holder Holder) *Lease {
	l := &Lease{link: link, generation: generation, deadline: deadline, holder: holder, made: time.Now()}
	l.uses.Store(int64(link.Uses))
	return l
}

// Link returns the link.
func (l *Lease) Link() Link { return l.link }

// Generation tells the file's links apart; a renewed one has a higher number.
func (l *Lease) Generation() uint64 { return l.generation }

// Deadline is when the link is no longer to be used; zero for never.
func (l *Lease) Deadline() time.Time { return l.deadline }

// Counted reports whether the link survives a limited number of requests.
func (l *Lease) Counted() bool { return l.link.Uses > 0 }

// UsesLeft is how many requests the link still survives. It means nothing when
// the lease is not counted.
func (l *Lease) UsesLeft() int { return int(max(0, l.uses.Load())) }

// Use takes one use, to be called before each request of any kind. It is false
// when none is left: the request must not be sent then.
func (l *Lease) Use() bool { return !l.Counted() || l.uses.Add(-1) >= 0 }

// Live reports whether the lease can serve one more request at time now.
func (l *Lease) Live(now time.Time) bool {
	return (l.deadline.IsZero() || now.Before(l.deadline)) && (!l.Counted() || l.uses.Load() > 0)
}

// Serve notes that the link answered a request with the file's bytes.
func (l *Lease) Serve() { l.served.Store(int64(max(1, l.Age()))) }

// HasServed reports whether the link ever answered with the file's bytes.
func (l *Lease) HasServed() bool { return l.served.Load() != 0 }

// Served is the age at which the link last answered with the file's bytes, 0 if
// it never did.
func (l *Lease) Served() time.Duration { return time.Duration(l.served.Load()) }

// Age is how long the lease is there.
func (l *Lease) Age() time.Duration { return time.Since(l.made) }

// Clock tells the broker what the origin's clock showed just now, so that the
// ends that links name can be read by it.
func (l *Lease) Clock(origin time.Time) {
	if l.holder != nil && !origin.IsZero() {
		l.holder.Clock(l, origin)
	}
}

// Fail tells the broker that the link does not serve. However many holders
// say so of one generation, it is renewed once.
func (l *Lease) Fail(c Class) {
	if l.holder != nil {
		l.holder.Fail(l, c)
	}
}

// String shows the link without its secrets, and the generation.
func (l *Lease) String() string {
	return fmt.Sprintf("%s, generation %d", l.link, l.generation)
}

// LogValue shows what String shows.
func (l *Lease) LogValue() slog.Value { return slog.StringValue(l.String()) }
