package catalog

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// refusalTTL is how long a refused file is not asked for again.
	refusalTTL = time.Minute
	// fullListing is the usual WholeTTL.
	fullListing = 24 * time.Hour
)

var errClosed = fmt.Errorf("catalog is closed: %w", resolver.ErrUnavailable)

// Config is what a [Catalog] lets its owner choose.
type Config struct {
	// ListingTTL is how long a complete listing is served without asking the
	// provider again.
	ListingTTL time.Duration
	// WholeTTL is how long a listing is renewed by what is new alone, where the
	// provider can tell that (see resolver.Updater), before everything is
	// listed again; 0 means 24 hours.
	WholeTTL time.Duration
	// Listings keeps listings over restarts; nil keeps them in memory only.
	Listings *Listings
	// Changed is told when a listing gave way to a different one: the names
	// in dir that vanished, appeared or are something else now. Nil names
	// mean that any may be. It is called from one goroutine, without locks and
	// not on behalf of a caller of the catalog, which it may call; Close waits
	// for it. Nil: nobody wants to know.
	Changed func(dir resolver.ID, names []string)
	// Seed is given the links that a listing or an update brought along. Nil: they
	// are dropped.
	Seed func(id resolver.ID, link resolver.Link)
	// Gate is asked before each call of the provider; nil is always open.
	Gate Gate
	// Log is told of listings that could not be renewed; nil means
	// slog.Default.
	Log *slog.Logger
}

// Gate decides whether a provider is asked at all. Its methods may be called in
// parallel.
type Gate interface {
	// Allow returns nil when a call may be made, which is reported then.
	Allow() error
	// Report says what came of an allowed call.
	Report(err error)
}

// DefaultConfig returns the configuration that suits most providers.
func DefaultConfig() Config { return Config{ListingTTL: 5 * time.Minute, WholeTTL: fullListing} }

// Validate reports what is wrong with the configuration.
func (c Config) Validate() error {
	if c.ListingTTL <= 0 {
		return fmt.Errorf("listing TTL is %s: must be more than zero", c.ListingTTL)
	}
	if c.WholeTTL < 0 {
		return fmt.Errorf("TTL of whole listings is %s: must not be less than zero", c.WholeTTL)
	}
	return nil
}

// Sizer learns what an origin says of a file whose size is not known. It
// records the answer in the [Learnt] that the catalog uses, before it returns,
// and asks once for callers of the same file at the same time, as urgently as
// the most urgent of their contexts demands (see [resolver.Demand]).
type Sizer interface {
	Learn(ctx context.Context, f resolver.File) (resolver.Identity, error)
}

// Catalog answers names of one provider. Its methods may be called in parallel.
type Catalog struct {
	cfg      Config
	provider resolver.Provider
	learnt   *Learnt
	sizer    Sizer
	log      *slog.Logger
	notices  *notices
	places   chan struct{} // one for each size that is learnt ahead

	ctx     context.Context // ends with Close; refreshes run on it
	cancel  context.CancelCauseFunc
	flights sync.WaitGroup
	serial  atomic.Uint64

	mu      sync.Mutex // guards the following
	dirs    map[resolver.ID]*directory
	expired time.Time // when Expire came last
	refused map[fileVersion]refusal
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
	cfg.WholeTTL = cmp.Or(cfg.WholeTTL, fullListing)
	ctx, cancel := context.WithCancelCause(context.Background())
	c := &Catalog{
		cfg:      cfg,
		provider: p,
		learnt:   learnt,
		sizer:    sizer,
		log:      cmp.Or(cfg.Log, slog.Default()),
		places:   make(chan struct{}, aheadParallel),
		ctx:      ctx,
		cancel:   cancel,
		dirs:     make(map[resolver.ID]*directory),
		refused:  make(map[fileVersion]refusal),
	}
	if cfg.Changed != nil {
		c.notices = newNotices(cfg.Changed)
		c.flights.Go(func() { c.notices.run(ctx) })
	}
	return c
}

// Close ends what the catalog has under way and waits for it. A closed catalog
// answers from memory. Closing again is harmless.
func (c *Catalog) Close() error {
	c.mu.Lock()
	c.cancel(errClosed)
	c.mu.Unlock()
	c.flights.Wait()
	return nil
}

// Expire makes the provider be asked again for every directory and every refused
// file, the next time that it is needed, and callers wait for the answer. The
// listings there are serve when it fails or takes longer than ten seconds.
func (c *Catalog) Expire() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expired = time.Now()
	for _, d := range c.dirs {
		d.source.expire()
	}
	clear(c.refused)
}

// Readdir returns what dir holds, as far as it is known without asking an
// origin: a size may be SizeUnknown, and Refused is never set. A listing older
// than the TTL is returned at once and renewed behind. One from before Expire, or
// under another revision of the provider, is renewed first. What came along with
// the listing of its parent is as old as that, and renewed with it. It is
// ErrNotExist when the directory is gone; any other trouble is an error only
// when there is no older listing to serve.
func (c *Catalog) Readdir(ctx context.Context, dir resolver.ID) (resolver.Listing, error) {
	l, stale, err := c.list(ctx, c.directory(dir))
	if err != nil {
		return resolver.Listing{}, err
	}
	shown := l.show(c.learnt, &c.serial)
	shown.Stale = stale
	return shown, nil
}

// Lookup returns the node of that name, its size true: one that is not known is
// learnt through the sizer first. A file that the provider refuses is a node
// with Refused set. A name that is not there is ErrNotExist; a size that cannot
// be had now is the sizer's error. When sizes of one directory are learnt one
// after another, those of the following files are learnt ahead.
func (c *Catalog) Lookup(ctx context.Context, dir resolver.ID, name string) (resolver.Node, error) {
	d := c.directory(dir)
	l, stale, err := c.list(ctx, d)
	if err != nil {
		return resolver.Node{}, err
	}
	place, ok := l.find(name)
	if !ok {
		return resolver.Node{}, fmt.Errorf("look up %q in %q: %w", name, dir, resolver.ErrNotExist)
	}
	listed := l.at(place)
	listed.Stale = stale
	n, known := c.remembered(listed)
	if l.sizes[place] == resolver.SizeUnknown {
		c.learnFollowing(c.aheadOf(d), l, place, known)
	}
	if known {
		return n, nil
	}
	n, err = c.learn(ctx, n)
	c.aheadOf(d).heed(err)
	return n, err
}

// Peek is Lookup as far as memory goes: it makes no call and does not wait. It
// is false when Lookup would have to, and for names that are not there.
func (c *Catalog) Peek(dir resolver.ID, name string) (resolver.Node, bool) {
	revision := c.revision()
	c.mu.Lock()
	var l *listing
	if d := c.dirs[dir]; d != nil && d.held != nil && !d.source.outdated && d.source.revision == revision {
		l = d.held
	}
	c.mu.Unlock()
	if l == nil {
		return resolver.Node{}, false
	}
	place, ok := l.find(name)
	if !ok {
		return resolver.Node{}, false
	}
	return c.remembered(l.at(place))
}

// Siblings yields the other files of f's directory: those that follow f by name,
// then those before it, nearest first; and after them the files of directories
// beside it whose listings came along with the same one. It is made without a
// call, and yields nothing when the directory or f is not there.
func (c *Catalog) Siblings(f resolver.File) iter.Seq[resolver.ID] {
	return func(yield func(resolver.ID) bool) {
		l, place := c.place(f)
		if l == nil {
			return
		}
		for id := range l.siblings(place) {
			if !yield(id) {
				return
			}
		}
		for other := range c.beside(f.Dir) {
			for id := range other.files() {
				if !yield(id) {
					return
				}
			}
		}
	}
}

// Following yields the files after f in its directory, by name, as Lookup would
// answer them, but for those of which it would have to ask and those that are
// refused. It is made from memory only, and yields nothing when the directory
// or f is not there.
func (c *Catalog) Following(f resolver.File) iter.Seq[resolver.File] {
	return func(yield func(resolver.File) bool) {
		l, place := c.place(f)
		if l == nil {
			return
		}
		for i := place + 1; i < len(l.sizes); i++ {
			n, known := c.remembered(l.at(i))
			if known && !n.Dir && n.Refused == nil && !yield(n.File) {
				return
			}
		}
	}
}

// place finds f in the listing that is held of its directory, which is nil when
// f is not there.
func (c *Catalog) place(f resolver.File) (*listing, int) {
	c.mu.Lock()
	var l *listing
	if d := c.dirs[f.Dir]; d != nil {
		l = d.held
	}
	c.mu.Unlock()
	if l == nil {
		return nil, 0
	}
	if place, ok := l.find(f.Name); ok && l.nodes()[place].ID == f.ID {
		return l, place
	}
	return nil, 0
}

// Why returns why nothing can be shown of the provider: the error that its root
// directory met when it was asked last, as long as there is no listing of it. It
// is nil otherwise.
func (c *Catalog) Why() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d := c.dirs[resolver.Root]; d != nil && d.held == nil {
		return d.source.err
	}
	return nil
}
