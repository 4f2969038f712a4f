package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// retryDelay is how long a failed refresh is not tried again, so that a
	// directory that does not answer costs one call in a while however often
	// it is looked at.
	retryDelay = 5 * time.Second
	// refusalTTL is how long a refused file is not asked for again.
	refusalTTL = time.Minute
)

var errClosed = fmt.Errorf("catalog is closed: %w", resolver.ErrUnavailable)

// Config is what a [Catalog] lets its owner choose.
type Config struct {
	// ListingTTL is how long a complete listing is served without asking the
	// provider again.
	ListingTTL time.Duration
	// Log is told of listings that could not be renewed; nil means
	// slog.Default.
	Log *slog.Logger
}

// DefaultConfig returns the configuration that suits most providers.
func DefaultConfig() Config { return Config{ListingTTL: 5 * time.Minute} }

// Validate reports what is wrong with the configuration.
func (c Config) Validate() error {
	if c.ListingTTL <= 0 {
		return fmt.Errorf("listing TTL is %s: must be more than zero", c.ListingTTL)
	}
	return nil
}

// Sizer learns what an origin says of a file whose size is not known. It
// records the answer in the [Learnt] that the catalog uses, before it returns,
// and asks once for callers of the same file at the same time.
type Sizer interface {
	Learn(ctx context.Context, f resolver.File) (resolver.Identity, error)
}

// Catalog answers names of one provider. Its methods may be called in parallel.
type Catalog struct {
	provider resolver.Provider
	learnt   *Learnt
	sizer    Sizer
	ttl      time.Duration
	log      *slog.Logger

	ctx     context.Context // ends with Close; refreshes run on it
	cancel  context.CancelCauseFunc
	flights sync.WaitGroup
	serial  atomic.Uint64

	mu      sync.Mutex // guards the following
	dirs    map[resolver.ID]*directory
	refused map[fileVersion]refusal
}

// directory is what the catalog holds of one directory, guarded by Catalog.mu.
type directory struct {
	listing *listing // the last complete one; nil before the first
	err     error    // why there is no listing yet
	// until is when the provider is to be asked again, as long as its
	// revision stays the same.
	until    time.Time
	revision string
	stale    bool    // the last refresh failed and the listing is older
	flight   *flight // the refresh under way, or nil
}

// settled reports whether the directory is answered without the provider.
func (d *directory) settled(revision string, now time.Time) bool {
	return d.revision == revision && now.Before(d.until)
}

// flight is one refresh of a directory and what came of it, which may be read
// when done is closed.
type flight struct {
	revision string   // the provider's when the flight began
	before   *listing // what is to be replaced, or nil
	outdated bool     // Expire came in between; guarded by Catalog.mu
	done     chan struct{}
	listing  *listing
	err      error
}

type fileVersion struct {
	id      resolver.ID
	version string
}

type refusal struct {
	err   error
	until time.Time
}

// New makes a catalog of p, which it asks until Close. The configuration must be
// valid.
func New(p resolver.Provider, learnt *Learnt, sizer Sizer, cfg Config) *Catalog {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Catalog{
		provider: p,
		learnt:   learnt,
		sizer:    sizer,
		ttl:      cfg.ListingTTL,
		log:      cmp.Or(cfg.Log, slog.Default()),
		ctx:      ctx,
		cancel:   cancel,
		dirs:     make(map[resolver.ID]*directory),
		refused:  make(map[fileVersion]refusal),
	}
}

// Close ends the refreshes under way and waits for them. A closed catalog
// answers from memory while its listings last. Closing again is harmless.
func (c *Catalog) Close() error {
	c.mu.Lock()
	c.cancel(errClosed)
	c.mu.Unlock()
	c.flights.Wait()
	return nil
}

// Expire makes the provider be asked again for every directory and every refused
// file, the next time that it is needed. Listings are kept for the case that it
// does not answer.
func (c *Catalog) Expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, d := range c.dirs {
		d.until = time.Time{}
		if d.flight != nil {
			d.flight.outdated = true
		}
	}
	clear(c.refused)
}

// Readdir returns what dir holds, as far as it is known without asking an
// origin: a size may be SizeUnknown, and Refused is never set. It is ErrNotExist
// when the directory is gone; any other trouble is an error only when there is
// no older listing to serve.
func (c *Catalog) Readdir(ctx context.Context, dir resolver.ID) (resolver.Listing, error) {
	l, err := c.list(ctx, dir)
	if err != nil {
		return resolver.Listing{}, err
	}
	return l.show(c.learnt, &c.serial), nil
}

// Lookup returns the node of that name, its size true: one that is not known is
// learnt through the sizer first. A file that the provider refuses is a node
// with Refused set. A name that is not there is ErrNotExist; a size that cannot
// be had now is the sizer's error.
func (c *Catalog) Lookup(ctx context.Context, dir resolver.ID, name string) (resolver.Node, error) {
	l, err := c.list(ctx, dir)
	if err != nil {
		return resolver.Node{}, err
	}
	listed, ok := l.find(name)
	if !ok {
		return resolver.Node{}, fmt.Errorf("look up %q in %q: %w", name, dir, resolver.ErrNotExist)
	}
	n, ok := c.remembered(listed)
	if !ok {
		return c.learn(ctx, n)
	}
	return n, nil
}

// Peek is Lookup as far as memory goes: it makes no network call and does not
// wait. It is false when Lookup would have to ask, and for names that are not
// there.
func (c *Catalog) Peek(dir resolver.ID, name string) (resolver.Node, bool) {
	revision := c.revision()
	c.mu.Lock()
	var l *listing
	if d := c.dirs[dir]; d != nil && d.settled(revision, time.Now()) {
		l = d.listing
	}
	c.mu.Unlock()
	if l == nil {
		return resolver.Node{}, false
	}
	listed, ok := l.find(name)
	if !ok {
		return resolver.Node{}, false
	}
	return c.remembered(listed)
}

// remembered completes a listed node from memory; false when its size is still
// not known then.
func (c *Catalog) remembered(n resolver.Node) (resolver.Node, bool) {
	c.learnt.apply(&n)
	if n.Dir || n.Size != resolver.SizeUnknown {
		return n, true
	}
	c.mu.Lock()
	r, ok := c.refused[fileVersion{n.ID, n.Version}]
	c.mu.Unlock()
	if !ok || !time.Now().Before(r.until) {
		return n, false
	}
	return refusedNode(n, r.err), true
}

// learn completes a node whose size is not known by asking its origin.
func (c *Catalog) learn(ctx context.Context, n resolver.Node) (resolver.Node, error) {
	identity, err := c.sizer.Learn(ctx, n.File)
	switch {
	case resolver.Refused(err):
		c.mu.Lock()
		c.refused[fileVersion{n.ID, n.Version}] = refusal{err, time.Now().Add(refusalTTL)}
		c.mu.Unlock()
		return refusedNode(n, err), nil
	case err != nil:
		return resolver.Node{}, fmt.Errorf("learn the size of %q: %w", n.Name, err)
	case identity.Size < 0:
		return resolver.Node{}, fmt.Errorf("learn the size of %q: none told: %w", n.Name, resolver.ErrUnavailable)
	}
	c.learnt.apply(&n)
	if n.Size == resolver.SizeUnknown {
		n.Size, n.SizeLearnt, n.Learnt = identity.Size, true, &identity
	}
	return n, nil
}

func refusedNode(n resolver.Node, err error) resolver.Node {
	n.Size, n.Refused = 0, err
	return n
}

// list returns the directory's listing, from memory when it is settled.
// Revalidating behind an expired listing would return that listing here,
// instead of waiting for the flight.
func (c *Catalog) list(ctx context.Context, dir resolver.ID) (*listing, error) {
	revision := c.revision()
	c.mu.Lock()
	d := c.dirs[dir]
	if d == nil {
		d = &directory{}
		c.dirs[dir] = d
	}
	if d.settled(revision, time.Now()) {
		defer c.mu.Unlock()
		return d.listing, d.err
	}
	f := c.join(dir, d, revision)
	c.mu.Unlock()

	select {
	case <-f.done:
		return f.listing, f.err
	case <-ctx.Done():
		return nil, fmt.Errorf("list %q: %w", dir, ctx.Err())
	}
}

// fetch lists a directory to its end. A provider that panics has failed.
func (c *Catalog) fetch(dir resolver.ID) (entries []resolver.Entry, err error) {
	defer func() {
		if p := recover(); p != nil { // its text may hold anything, a token too
			c.log.Error("panic in provider", "directory", dir, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in provider: %w", resolver.ErrUnavailable)
		}
	}()
	return fetch(c.ctx, c.provider, dir)
}

// join returns the directory's refresh, and starts one if there is none. The
// caller holds c.mu.
func (c *Catalog) join(dir resolver.ID, d *directory, revision string) *flight {
	if d.flight != nil {
		return d.flight
	}
	f := &flight{revision: revision, before: d.listing, done: make(chan struct{})}
	if c.ctx.Err() != nil {
		f.err = errClosed
		close(f.done)
		return f
	}
	d.flight = f
	c.flights.Go(func() {
		defer close(f.done)
		entries, err := c.fetch(dir)
		var fresh *listing
		if err == nil {
			fresh = newListing(entries, f.before)
			c.learnt.load(fresh.ids())
		}
		c.land(dir, f, fresh, err)
	})
	return f
}

// land ends a flight: the directory takes the fresh listing, or makes do with
// the one before.
func (c *Catalog) land(dir resolver.ID, f *flight, fresh *listing, err error) {
	now := time.Now()
	c.mu.Lock()
	d := c.dirs[dir]
	d.flight, d.revision = nil, f.revision
	wasStale := d.stale
	d.stale = err != nil && d.listing != nil
	switch {
	case err == nil:
		d.listing, d.err, d.until = fresh, nil, now.Add(c.ttl)
	case errors.Is(err, resolver.ErrNotExist):
		delete(c.dirs, dir)
		d.listing, d.err, d.stale = nil, err, false
	case d.listing == nil:
		d.err, d.until = err, now.Add(retryDelay)
	default:
		d.until = now.Add(retryDelay)
	}
	if f.outdated {
		d.until = time.Time{}
	}
	f.listing, f.err = d.listing, d.err
	warn := d.stale && !wasStale
	maps.DeleteFunc(c.refused, func(_ fileVersion, r refusal) bool { return now.After(r.until) })
	c.mu.Unlock()

	if warn {
		c.log.Warn("listing could not be renewed, serving the old one", "directory", dir, "error", err)
	}
}

// revision is the provider's, or empty for one that has none.
func (c *Catalog) revision() string {
	if r, ok := c.provider.(resolver.Revisioner); ok {
		return r.Revision()
	}
	return ""
}
