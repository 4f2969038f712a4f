package broker

import (
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
	// maxMargin is how long before its end a long-lived link is no longer
	// lent: a request sent now is to arrive while the link lives.
	maxMargin = 30 * time.Second
	// marginShare bounds the margin of short-lived links: a tenth of the life.
	marginShare = 10
	// barrenLimit is how many links in a row may fail without having served
	// before the file counts as refused: the one at hand, and a fresh one.
	barrenLimit = 2
	// firstPause and lastPause bound the wait before a provider that had no
	// answer is asked again; it doubles in between.
	firstPause = 100 * time.Millisecond
	lastPause  = 5 * time.Second
	// sweepAt is the number of remembered files from which on dead ones are
	// forgotten when another is added.
	sweepAt = 4096
)

// errClosed is what callers get from a broker that was closed.
var errClosed = fmt.Errorf("broker closed: %w", resolver.ErrUnavailable)

// Config says how a broker treats its provider.
type Config struct {
	// CallTimeout bounds one call to the provider.
	CallTimeout time.Duration
	// Patience is how long a provider that has no answer now is asked again
	// for those who wait, all calls included; the first one is always made.
	Patience time.Duration
	// RefusalTTL is how long a refusal is answered from memory.
	RefusalTTL time.Duration
}

// DefaultConfig returns what attachfs uses when nothing is configured.
func DefaultConfig() Config {
	return Config{CallTimeout: 10 * time.Second, Patience: 30 * time.Second, RefusalTTL: 5 * time.Second}
}

// Broker lends leases on the links of one provider. Its methods may be called
// in parallel.
type Broker struct {
	provider resolver.Provider
	cfg      Config
	log      *slog.Logger

	ctx    context.Context // lifetime of the broker; shared calls run on it
	cancel context.CancelCauseFunc
	calls  sync.WaitGroup

	mu         sync.Mutex // guards the following
	closed     bool
	revision   string // of the provider, when it was last asked for a lease
	generation uint64
	sweep      int
	files      map[resolver.ID]*record
}

// record is what the broker knows of one file. Broker.mu guards it.
type record struct {
	lease   *resolver.Lease // the newest link, nil when there is none to lend
	call    *call           // the provider is being asked
	barren  int             // links failed in a row without having served
	refused error           // answered until refusedUntil
	until   time.Time
}

// call is one question to the provider, asked until there is an answer, and
// those who wait for it.
type call struct {
	waiting int // callers; Broker.mu guards it
	done    chan struct{}
	lease   *resolver.Lease // set before done is closed
	err     error
}

// New returns a broker for provider. The caller closes it.
func New(provider resolver.Provider, cfg Config, log *slog.Logger) *Broker {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Broker{
		provider: provider, cfg: cfg, log: log, ctx: ctx, cancel: cancel,
		sweep: sweepAt, files: make(map[resolver.ID]*record),
	}
}

// Close ends the calls under way and waits for them. It may be called twice.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel(errClosed)
	b.calls.Wait()
	return nil
}

// Acquire lends a lease on the file's link, asking the provider when none is
// at hand, again if it has no answer now. It returns early when ctx ends; the
// call to the provider goes on for the others who wait for it.
func (b *Broker) Acquire(ctx context.Context, f resolver.File) (*resolver.Lease, error) {
	lease, c, err := b.lend(f.ID)
	if c == nil {
		return lease, err
	}
	select {
	case <-c.done:
		return c.lease, c.err
	case <-ctx.Done():
		b.leave(c)
		return nil, context.Cause(ctx)
	}
}

func (b *Broker) leave(c *call) {
	b.mu.Lock()
	defer b.mu.Unlock()
	c.waiting--
}

// Peek returns the lease at hand without asking the provider, or nil.
func (b *Broker) Peek(id resolver.ID) *resolver.Lease {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.files[id]; r != nil && r.lease != nil && r.lease.Live(time.Now()) {
		return r.lease
	}
	return nil
}

// Seed remembers a link that came with a listing, unless one is at hand that
// can serve.
func (b *Broker) Seed(id resolver.ID, link resolver.Link) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.recordLocked(id)
	if r.lease == nil || !r.lease.Live(time.Now()) {
		r.lease = b.leaseLocked(id, link)
	}
}

// Expire forgets all links and refusals, so that the provider is asked again.
func (b *Broker) Expire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expireLocked()
}

func (b *Broker) expireLocked() {
	for _, r := range b.files {
		r.lease, r.refused = nil, nil
	}
}

// lend returns a lease or an error from memory, or the call that will bring
// one.
func (b *Broker) lend(id resolver.ID) (*resolver.Lease, *call, error) {
	revision := b.currentRevision()
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil, nil, errClosed
	}
	if revision != b.revision { // what it would lend now may be something else
		b.expireLocked()
		b.revision = revision
	}
	now := time.Now()
	r := b.recordLocked(id)
	switch {
	case r.lease != nil && r.lease.Live(now):
		return r.lease, nil, nil
	case r.refused != nil && now.Before(r.until):
		return nil, nil, r.refused
	case r.call == nil:
		c := &call{done: make(chan struct{})}
		r.call = c
		b.calls.Go(func() { b.ask(id, c) })
	}
	r.call.waiting++
	return nil, r.call, nil
}

// currentRevision is the provider's, if it can tell one.
func (b *Broker) currentRevision() string {
	if r, ok := b.provider.(resolver.Revisioner); ok {
		return r.Revision()
	}
	return ""
}

// ask brings a fresh link from the provider for all who wait. What may pass
// with time is tried again, while patience lasts and somebody waits.
func (b *Broker) ask(id resolver.ID, c *call) {
	end, limit := time.Now().Add(b.cfg.Patience), b.cfg.CallTimeout
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		link, err := b.resolve(id, limit)
		left := time.Until(end) - pause
		again := err != nil && !final(err) && left > 0
		if again {
			b.log.Debug("no link now, asking again", "file", id, "error", err, "pause", pause)
			b.sleep(pause)
		}
		if b.settle(id, c, link, err, again) {
			return
		}
		limit = min(b.cfg.CallTimeout, left)
	}
}

// settle ends a call with what came of it. It is false, and the call goes on,
// when it is to be tried again and somebody still waits.
func (b *Broker) settle(id resolver.ID, c *call, link resolver.Link, err error, again bool) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if again && c.waiting > 0 && !b.closed {
		return false
	}
	r := b.recordLocked(id)
	r.call = nil
	switch {
	case b.closed:
		c.err = errClosed
	case err != nil:
		c.err = fmt.Errorf("lease: %w", err)
		if final(err) {
			b.refuseLocked(r, c.err)
		}
	default:
		if r.lease != nil && r.lease.HasServed() {
			r.barren = 0
		}
		r.lease, r.refused = b.leaseLocked(id, link), nil
		c.lease = r.lease
		b.log.Debug("link lent", "file", id, "lease", r.lease, "uses", link.Uses)
	}
	close(c.done)
	return true
}

// sleep returns after d, or when the broker is closed.
func (b *Broker) sleep(d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-b.ctx.Done():
	}
}

// resolve asks the provider for one link, once, and gives it limit to answer.
func (b *Broker) resolve(id resolver.ID, limit time.Duration) (link resolver.Link, err error) {
	defer func() {
		if p := recover(); p != nil { // its text may hold anything, a link too
			b.log.Error("panic in provider", "file", id, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in provider: %w", resolver.ErrUnavailable)
		}
	}()
	late := fmt.Errorf("no answer within %v: %w", limit, resolver.ErrUnavailable)
	ctx, cancel := context.WithTimeoutCause(b.ctx, limit, late)
	defer cancel()
	answers, err := b.provider.Resolve(ctx, []resolver.ID{id})
	switch {
	case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
		return resolver.Link{}, context.Cause(ctx)
	case err != nil:
		return resolver.Link{}, err
	case len(answers) != 1:
		return resolver.Link{}, fmt.Errorf("%d answers for one file: %w", len(answers), resolver.ErrUnavailable)
	case answers[0].Err != nil:
		return resolver.Link{}, answers[0].Err
	case len(answers[0].Link.URLs) == 0:
		return resolver.Link{}, fmt.Errorf("answer without a link: %w", resolver.ErrUnavailable)
	}
	return answers[0].Link, nil
}

// final reports whether asking again soon cannot help.
func final(err error) bool {
	return resolver.Refused(err) || errors.Is(err, resolver.ErrNotExist) || errors.Is(err, resolver.ErrQuota)
}

// leaseLocked makes the next generation of the file's lease.
func (b *Broker) leaseLocked(id resolver.ID, link resolver.Link) *resolver.Lease {
	b.generation++
	return resolver.NewLease(link, b.generation, deadline(link, time.Now()), holder{b, id})
}

// holder listens to the leases of one file.
type holder struct {
	b  *Broker
	id resolver.ID
}

func (h holder) Fail(l *resolver.Lease, c resolver.Class) { h.b.fail(h.id, l, c) }

func (h holder) Clock(*resolver.Lease, time.Time) {}

// fail takes a link out of service, if it is still the one that is lent.
func (b *Broker) fail(id resolver.ID, lease *resolver.Lease, class resolver.Class) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.files[id]
	if r == nil || r.lease != lease {
		return
	}
	r.lease = nil
	b.log.Debug("link failed", "file", id, "lease", lease, "class", class, "served", lease.HasServed())
	switch {
	case lease.HasServed():
		r.barren = 0
	case class != resolver.UsedUp:
		r.barren++
	}
	if r.barren >= barrenLimit {
		b.refuseLocked(r, refusal(class))
		r.barren = 0
	}
}

func (b *Broker) refuseLocked(r *record, err error) {
	r.refused, r.until = err, time.Now().Add(b.cfg.RefusalTTL)
}

// recordLocked returns the file's record, making room for a new one.
func (b *Broker) recordLocked(id resolver.ID) *record {
	r := b.files[id]
	if r == nil {
		if len(b.files) >= b.sweep {
			b.sweepLocked()
		}
		r = &record{}
		b.files[id] = r
	}
	return r
}

// sweepLocked forgets files of which nothing is worth remembering.
func (b *Broker) sweepLocked() {
	now := time.Now()
	for id, r := range b.files {
		if r.call == nil && (r.lease == nil || !r.lease.Live(now)) && now.After(r.until) {
			delete(b.files, id)
		}
	}
	b.sweep = max(sweepAt, 2*len(b.files))
}

// deadline is when a link obtained now is no longer to be used; zero is never.
// It is counted on the monotonic clock, so that a step of the wall clock does
// not move it. A link that comes with its end in the past speaks of another
// clock: it is used until its origin refuses it.
func deadline(link resolver.Link, now time.Time) time.Time {
	life := link.Expires.Sub(now)
	if link.Expires.IsZero() || life <= 0 {
		return time.Time{}
	}
	return now.Add(life - min(maxMargin, life/marginShare))
}

// refusal is the error for a file whose fresh link failed too.
func refusal(class resolver.Class) error {
	kind := resolver.ErrUnavailable
	switch class {
	case resolver.Denied:
		kind = resolver.ErrPermission
	case resolver.Gone:
		kind = resolver.ErrNotExist
	}
	return fmt.Errorf("a fresh link did not serve (%s): %w", class, kind)
}
