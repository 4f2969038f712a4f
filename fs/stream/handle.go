package stream

import (
	"context"
	"fmt"
	"os"
	"sync"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

// Handle is one open of a file. Its methods may be called in parallel; the
// kernel's read-ahead does so.
type Handle struct {
	file *file
	size int64

	mu     sync.Mutex // guards the following
	closed bool
	ahead  readAhead
	taken  int64 // bytes that were read, those read twice included
	missed bool  // bytes had to be waited for
	ends   bool  // the other end is to be fetched with the first read at one
}

// Close gives the handle up. It may be called twice.
func (h *Handle) Close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	h.closed = true
	if h.ahead.sequential() {
		h.file.src.countReader(-1)
	}
	h.file.release()
}

// Settled reports whether the size of the file is beyond doubt: it may not be
// where listings are not to be trusted.
func (h *Handle) Settled() bool {
	if !h.file.src.Doubtful {
		return true
	}
	h.file.mu.Lock()
	defer h.file.mu.Unlock()
	return h.file.pinned != nil
}

// Settle returns when the size is beyond doubt, after the file's first reply. It
// is ErrChanged when the file turns out to be another than was opened.
func (h *Handle) Settle(ctx context.Context) error { return h.file.await(ctx) }

// ReadAt returns a view of the bytes [off, off+n), cut at the end of the file;
// it is whole, or there is an error. The caller calls Done on the view, once.
func (h *Handle) ReadAt(ctx context.Context, off int64, n int) (*View, error) {
	limit := min(off+int64(n), h.size)
	if off < 0 || off >= limit {
		return &View{}, nil
	}
	since := h.file.lastFallen()
	h.fetch(resolver.DemandOf(ctx), byteRange{off, limit})
	v := newView(off, int(limit-off))
	starved := false
	for p := off / cache.PageSize; p*cache.PageSize < limit; p++ {
		page, waited, err := h.page(ctx, p, byteRange{off, limit}, since)
		if err != nil {
			v.Done()
			return nil, err
		}
		starved = starved || waited
		v.pages = append(v.pages, page)
		if len(page.Bytes()) < int(min(cache.PageSize, h.size-p*cache.PageSize)) {
			v.Done()
			return nil, fmt.Errorf("page %d is short: %w", p, resolver.ErrUnavailable)
		}
	}
	h.took(byteRange{off, limit}, starved)
	return v, nil
}

// page returns page p for a read of r; see [file.page].
func (h *Handle) page(ctx context.Context, p int64, r byteRange, since *fallen) (page *cache.Page, waited bool, err error) {
	start, limit := p*cache.PageSize, min((p+1)*cache.PageSize, h.size)
	if r.start <= start && limit <= r.limit {
		if page := h.file.glance(p); page != nil {
			return page, false, nil
		}
	}
	return h.file.page(ctx, p, byteRange{start, pageUp(r.limit)}, since)
}

// took notes that a range was read. A reader who starved has his window grow; who
// has read as much as there is may go on with the next file.
func (h *Handle) took(r byteRange, starved bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if starved {
		h.starvedLocked(r.start)
	}
	if other := otherEnd(r, h.size); h.ends && starved && other.limit > 0 && !h.closed && h.file.pieces() == 0 {
		h.ends = false
		h.file.fetch(resolver.NewDemand(resolver.Ahead, nil), other, other.start, other.limit-other.start)
	}
	before := h.taken
	h.taken += r.limit - r.start
	h.missed = h.missed || starved
	if before < h.size && h.taken >= h.size {
		h.file.src.walking.finished(h.file.entry, h.missed)
	}
}

// Whole returns a local file that holds all bytes of this one and nothing else,
// for the kernel to read by itself; nil if there is none now. The caller closes
// it. It stays true: content that changes is another file.
func (h *Handle) Whole() *os.File {
	object, ok := h.file.settled()
	if !ok {
		return nil
	}
	return h.file.src.cache.Whole(object)
}

// fetch starts what brings the range, and what is ahead of it.
func (h *Handle) fetch(d *resolver.Demand, r byteRange) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return
	}
	was := h.ahead.sequential()
	run := h.ahead.note(r)
	switch now := h.ahead.sequential(); {
	case now && !was:
		h.file.src.countReader(1)
	case was && !now:
		h.file.src.countReader(-1)
	}
	run.window = min(run.window, h.file.src.window())
	if want, chunk := run.plan(r, h.size, h.file.src.cfg.Streams); want.start < want.limit {
		run.fetched = h.file.fetch(d, want, r.limit, chunk)
	}
}

// starvedLocked lets the window of the reader at off grow, because he had to
// wait. What is ahead of him is looked at again by the next read: it may have
// been on its way and not have come.
func (h *Handle) starvedLocked(off int64) {
	window := h.file.src.window()
	if run := h.ahead.grow(off, window); run != nil {
		// Who is through with a whole piece will want the next ones.
		if least := h.file.pieces(); least > 0 && off >= least {
			run.window = min(max(run.window, 2*least), window)
		}
		run.fetched = min(run.fetched, run.next)
	}
}

// viewPages is how many pages the largest request of the kernel touches, 1 MiB
// from anywhere.
const viewPages = 1<<20/cache.PageSize + 1

// View is some bytes of a file, as slices of the cache's pages.
type View struct {
	pages []*cache.Page
	off   int // of the first byte in the first page
	n     int

	pageSpace  [viewPages]*cache.Page // where pages begins
	sliceSpace [viewPages][]byte      // where Slices puts its answer
}

var views = sync.Pool{New: func() any { return new(View) }}

func newView(off int64, n int) *View {
	v := views.Get().(*View)
	v.pages, v.off, v.n = v.pageSpace[:0], int(off%cache.PageSize), n
	return v
}

// Size is the number of bytes.
func (v *View) Size() int { return v.n }

// Slices returns the bytes in order. They, and the slice of them, are valid until
// Done, and must not be written to.
func (v *View) Slices() [][]byte {
	slices := v.sliceSpace[:0]
	off, left := v.off, v.n
	for _, page := range v.pages {
		b := page.Bytes()[off:]
		b = b[:min(left, len(b))]
		slices = append(slices, b)
		off, left = 0, left-len(b)
	}
	return slices
}

// Done gives the pages back to the cache. The view must not be used after it.
func (v *View) Done() {
	for _, page := range v.pages {
		page.Release()
	}
	clear(v.pageSpace[:])
	clear(v.sliceSpace[:])
	v.pages = nil
	views.Put(v)
}
