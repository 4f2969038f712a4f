package broker

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/expiry"
)

// errClosed is what callers get from a broker that was closed.
var errClosed = fmt.Errorf("broker closed: %w", resolver.ErrUnavailable)

// Broker lends leases on the links of one provider. Its methods may be called
// in parallel.
type Broker struct {
	provider resolver.Provider
	cfg      Config
	log      *slog.Logger
	book     expiry.Book

	ctx     context.Context // lifetime of the broker; calls run on it
	cancel  context.CancelCauseFunc
	running sync.WaitGroup // dispatchers and calls

	mu         sync.Mutex // guards the following
	closed     bool
	revision   string // of the provider, when it was last asked for a lease
	generation uint64
	arrivals   uint64 // of requests
	deaths     uint64 // early ones of links: deadlines are read again after each
	epoch      uint64 // counts how often all was to be forgotten
	sweep      int
	files      map[resolver.ID]*record
	lanes      map[string]*lane
}

// New returns a broker for provider. The caller closes it.
func New(provider resolver.Provider, cfg Config, log *slog.Logger) *Broker {
	if cfg.Gate == nil {
		cfg.Gate = open{}
	}
	cfg.Parallel = max(1, cfg.Parallel)
	ctx, cancel := context.WithCancelCause(context.Background())
	b := &Broker{
		provider: provider, cfg: cfg, log: log, ctx: ctx, cancel: cancel,
		sweep: sweepAt, files: make(map[resolver.ID]*record), lanes: make(map[string]*lane),
	}
	b.revision = b.currentRevision() // or the first lease would forget what was seeded before
	return b
}

// Close ends the calls under way and waits for them. It may be called twice.
func (b *Broker) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel(errClosed)
	b.running.Wait()
	return nil
}

// Acquire lends a lease on the file's link, asking the provider when none is
// at hand, again if it has no answer now. How urgently, and for which program,
// tells the demand of ctx. It returns early when ctx ends, with its cause and,
// if it is known, why there was no link until then: what the provider answered
// last, or resolver.ErrThrottled if the call still waited for its turn. The
// call goes on for the others who wait for it.
func (b *Broker) Acquire(ctx context.Context, f resolver.File) (*resolver.Lease, error) {
	lease, ending, err := b.lend(f.ID, b.currentRevision())
	if ending {
		b.renew(f)
	}
	if lease != nil || err != nil {
		return lease, err
	}
	batch, err := b.batchOf(f.ID)
	if err != nil {
		return nil, fmt.Errorf("lease: %w", err)
	}
	demand := resolver.DemandOf(ctx)
	w := &waiter{demand: demand, client: demand.Client()}
	for {
		r, lease, err := b.join(f, batch, w)
		if r == nil {
			return lease, err
		}
		b.log.Debug("link wanted", "file", f.ID)
		select {
		case <-r.done:
			if r.epoch >= w.epoch {
				return r.lease, r.err
			}
		case <-ctx.Done():
			return nil, b.leave(r, w, context.Cause(ctx))
		}
	}
}

// Peek returns the lease at hand without asking the provider, or nil.
func (b *Broker) Peek(id resolver.ID) *resolver.Lease {
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.files[id]; r != nil && b.liveLocked(r, time.Now()) {
		return r.lease
	}
	return nil
}

// Seed remembers a link that came with a listing, unless it is dead by now or
// one is at hand that can serve.
func (b *Broker) Seed(id resolver.ID, link resolver.Link) {
	now := time.Now()
	if end, _ := b.book.Deadline(link); !end.IsZero() && !now.Before(end) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if r := b.recordLocked(id); !b.liveLocked(r, now) {
		b.replaceLocked(id, r, link)
	}
}

// Expire forgets all links and refusals, so that the provider is asked again.
// The link of a call that is under way is lent to those who wait for it by now
// and to nobody else.
func (b *Broker) Expire() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.expireLocked()
}

// currentRevision is the provider's, if it can tell one.
func (b *Broker) currentRevision() string {
	if r, ok := b.provider.(resolver.Revisioner); ok {
		return r.Revision()
	}
	return ""
}

// lend returns a lease or an error from memory; neither when the provider has
// to be asked. An ending lease is to be renewed.
func (b *Broker) lend(id resolver.ID, revision string) (lease *resolver.Lease, ending bool, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if revision != b.revision { // what it would lend now may be something else
		b.expireLocked()
		b.revision = revision
	}
	return b.lendLocked(id)
}

func (b *Broker) lendLocked(id resolver.ID) (lease *resolver.Lease, ending bool, err error) {
	if b.closed {
		return nil, false, errClosed
	}
	now := time.Now()
	r := b.files[id]
	switch {
	case r == nil:
		return nil, false, nil
	case b.liveLocked(r, now):
		return r.lease, r.ending(now), nil
	case r.refused != nil && now.Before(r.until):
		return nil, false, r.refused
	}
	return nil, false, nil
}

// join makes w wait for the file, unless it can be lent by now.
func (b *Broker) join(f resolver.File, batch resolver.Batch, w *waiter) (*request, *resolver.Lease, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if lease, _, err := b.lendLocked(f.ID); lease != nil || err != nil {
		return nil, lease, err
	}
	rec := b.recordLocked(f.ID)
	r := rec.request
	if r == nil {
		r = b.requestLocked(f, batch)
		rec.request = r
		b.enqueueLocked(r)
	}
	r.file, r.asked = f, true
	r.waiters = append(r.waiters, w)
	w.epoch = b.epoch
	if turn := b.turnLocked(r); turn != nil {
		turn.Raise(w.demand.Urgency())
	}
	return r, nil, nil
}

// leave ends w's wait and returns cause with what it waited for, if that is
// known.
func (b *Broker) leave(r *request, w *waiter, cause error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	r.leave(w)
	switch {
	case r.trouble != nil:
		return fmt.Errorf("%w: %w", r.trouble, cause)
	case b.turnLocked(r) != nil:
		return fmt.Errorf("lease: waiting for a turn: %w: %w", resolver.ErrThrottled, cause)
	}
	return cause
}

// renew asks for the file's next link while this one still serves.
func (b *Broker) renew(f resolver.File) {
	batch, err := b.batchOf(f.ID)
	b.mu.Lock()
	defer b.mu.Unlock()
	rec, now := b.files[f.ID], time.Now()
	if b.closed || rec == nil || !b.liveLocked(rec, now) || !rec.ending(now) {
		return // others were quicker
	}
	if err != nil {
		rec.renew = now.Add(rec.life / renewAgain)
		return
	}
	rec.renew = time.Time{}
	rec.request = b.requestLocked(f, batch)
	rec.request.ahead = true
	b.log.Debug("renewing a link ahead of its end", "file", f.ID, "lease", rec.lease)
	b.enqueueLocked(rec.request)
}
