package stream

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"strconv"
	"sync"
	"sync/atomic"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

// rememberedFailures is of how many files the last failure is remembered.
const rememberedFailures = 1024

// rememberedHosts is of how many hosts the pace is remembered.
const rememberedHosts = 64

// errClosed is what readers get after Close.
var errClosed = fmt.Errorf("mount is being closed: %w", resolver.ErrUnavailable)

// Lender lends leases; a broker is one.
type Lender interface {
	// Acquire returns a lease on the file's link, a fresh one if the last was
	// failed.
	Acquire(ctx context.Context, f resolver.File) (*resolver.Lease, error)
	// Peek returns the lease at hand, or nil.
	Peek(id resolver.ID) *resolver.Lease
}

// Streams reads the files of all providers of a mount: one cache, one
// configuration, one lifetime. Its methods may be called in parallel.
type Streams struct {
	cfg   Config
	cache *cache.Tiered
	log   *slog.Logger

	ctx    context.Context // lifetime of all transfers
	cancel context.CancelCauseFunc

	mu        sync.Mutex // guards the following
	closed    bool
	transfers sync.WaitGroup
	readers   int // handles that are read in sequence, for fair windows
	sources   []*Source
}

// New returns a Streams that keeps bytes in store, which stays the caller's.
func New(cfg Config, store *cache.Tiered, log *slog.Logger) *Streams {
	ctx, cancel := context.WithCancelCause(context.Background())
	return &Streams{cfg: cfg, cache: store, log: log, ctx: ctx, cancel: cancel}
}

// Close ends all transfers and waits for them. It may be called twice.
func (s *Streams) Close() error {
	s.mu.Lock()
	s.closed = true
	sources := s.sources
	s.mu.Unlock()
	s.cancel(errClosed)
	s.transfers.Wait()
	for _, src := range sources {
		src.origin.close()
	}
	return nil
}

// start runs fn as a transfer, unless the Streams is closed.
func (s *Streams) start(fn func()) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errClosed
	}
	s.transfers.Go(fn)
	return nil
}

// window is how far one of the sequential readers may have bytes fetched ahead
// of it: all of them together take half of the memory, so that what was fetched
// is still there when it is read.
func (s *Streams) window() int64 {
	s.mu.Lock()
	readers := max(1, s.readers)
	s.mu.Unlock()
	return max(cache.BlockSize, pageDown(min(s.cfg.Window, s.cache.Budget()/2/int64(readers))))
}

func (s *Streams) countReader(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readers += n
}

// SourceConfig says whose files a Source reads.
type SourceConfig struct {
	// Name and Account keep the cached bytes of one provider apart from those
	// of another.
	Name, Account string
	// InsecureHosts may be plain http or private addresses: "host" or
	// "host:port".
	InsecureHosts []string
	Lender        Lender
	Ledger        Ledger
	// Following yields the files after f in its directory whose sizes are known,
	// in the order in which programs read them, from memory only. Nil where
	// nothing is to be fetched ahead of readers of directories.
	Following func(f resolver.File) iter.Seq[resolver.File]
	// Doubtful says that listings may tell sizes that are not true: what two
	// replies show counts then, as a change of the file.
	Doubtful bool
}

// Source reads the files of one provider. Its methods may be called in
// parallel.
type Source struct {
	*Streams
	SourceConfig
	origin  *origin
	failed  *lru.Cache[fileKey, error] // how the last transfer of a file failed
	spools  atomic.Uint64              // replies without length so far
	paces   *lru.Cache[string, *pace]  // of hosts
	walking walking

	mu    sync.Mutex // guards the following
	files map[fileKey]*file
}

// fileKey tells versions of files apart.
type fileKey struct {
	id       resolver.ID
	version  string
	revision int
}

// Source returns a reader of one provider's files.
func (s *Streams) Source(cfg SourceConfig) *Source {
	src := &Source{
		Streams: s, SourceConfig: cfg,
		origin: newOrigin(cfg.InsecureHosts, s.cfg.UserAgent),
		files:  make(map[fileKey]*file),
	}
	src.walking.src = src
	// They fail only for sizes below 1.
	src.failed, _ = lru.New[fileKey, error](rememberedFailures)
	src.paces, _ = lru.New[string, *pace](rememberedHosts)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sources = append(s.sources, src)
	return src
}

// Open returns a handle on a file whose size is known. The caller closes it.
// It is resolver.ErrChanged when the file has got other content since f was
// looked up.
func (s *Source) Open(f resolver.File) (*Handle, error) {
	if f.Refused != nil {
		return nil, f.Refused
	}
	if _, revision, _ := s.Ledger.Get(f.ID, f.Version); revision > f.Revision {
		return nil, changed("content")
	}
	return &Handle{file: s.hold(f), size: f.Size, ends: hasTwoEnds(f)}, nil
}

// Learn returns what the origin shows of a file whose size is not known, and
// tells it to the ledger before it returns. It costs one small request, or
// where requests are counted the file's one download, which goes on behind.
func (s *Source) Learn(ctx context.Context, entry resolver.File) (resolver.Identity, error) {
	f := s.hold(entry)
	defer f.release()
	if identity, revision, known := s.Ledger.Get(entry.ID, entry.Version); known && revision == entry.Revision {
		return identity, nil // somebody learnt it since the caller looked
	}
	if err := f.await(ctx); err != nil {
		return resolver.Identity{}, fmt.Errorf("learning the size of %s: %w", entry.Name, err)
	}
	return f.identity(), nil
}

// Admits says why no file would be read through a link, as far as its address
// tells, without asking anybody: it leads to plain http or a private address. It
// is nil for others.
func (s *Source) Admits(link resolver.Link) error {
	_, err := s.origin.request(s.ctx, link, whole, 0)
	return err
}

// Status is what can be told of a file without asking anybody.
type Status struct {
	// Cached is how much of the file is remembered, in percent.
	Cached int
	// Lease is the lease at hand, nil if there is none.
	Lease *resolver.Lease
	// Err is how the last transfer ended, nil if it brought what it should.
	Err error
}

// Status tells how a file is doing.
func (s *Source) Status(entry resolver.File) Status {
	f := s.hold(entry)
	defer f.release()
	st := Status{Lease: s.Lender.Peek(entry.ID)}
	st.Err, _ = s.failed.Peek(f.key)
	f.mu.Lock()
	defer f.mu.Unlock()
	st.Cached = f.cachedPercentLocked()
	return st
}

// note remembers how a transfer ended.
func (s *Source) note(key fileKey, err error) {
	switch err {
	case nil:
		s.failed.Remove(key)
	case errAbandoned: // unless it was in trouble, too
	default:
		s.failed.Add(key, err)
	}
}

// connectAhead opens a connection to where the last file came from, if there may
// be none any more and a link has to be asked for first.
func (s *Source) connectAhead(id resolver.ID) {
	if d := s.origin.guard.dialer; s.Lender.Peek(id) == nil && d.wants() {
		_ = s.start(func() { d.openAhead(s.ctx) }) // who cannot start it needs none
	}
}

// paceOf returns what is known of the speed of a host.
func (s *Source) paceOf(host string) *pace {
	fresh := new(pace)
	if known, ok, _ := s.paces.PeekOrAdd(host, fresh); ok {
		return known
	}
	return fresh
}

// spoolObject names the pages of one reply without length.
func (s *Source) spoolObject() cache.Object {
	return cache.NewObject(unknown, s.Name, s.Account, strconv.FormatUint(s.spools.Add(1), 10))
}

// hold returns the file, shared with all who hold the same version.
func (s *Source) hold(entry resolver.File) *file {
	key := fileKey{entry.ID, entry.Version, entry.Revision}
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.files[key]
	if f == nil {
		// It may have been learnt since the lookup, and forgotten here.
		if identity, revision, known := s.Ledger.Get(entry.ID, entry.Version); known && revision == entry.Revision {
			entry.Learnt = &identity
		}
		f = newFile(s, key, entry)
		s.files[key] = f
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.holders++
	return f
}

// forget drops the file from the table when nobody needs it there any longer.
func (s *Source) forget(f *file) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.mu.Lock()
	defer f.mu.Unlock()
	idle := f.holders == 0 && len(f.transfers) == 0
	if s.files[f.key] == f && (idle || errors.Is(f.err, resolver.ErrChanged)) {
		delete(s.files, f.key)
	}
}
