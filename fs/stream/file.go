package stream

import (
	"context"
	"fmt"
	"strconv"
	"sync"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

// identityPage stands for the identity among the pages that readers wait for:
// it arrives with the first good reply.
const identityPage = -1

// maxLooks bounds how often a reader looks again for a page that came and went:
// a transfer is replaced once or twice, more often is a file that the cache
// cannot hold.
const maxLooks = 8

// file is one version of one file, while somebody holds it or bytes of it are
// on their way.
type file struct {
	src   *Source
	key   fileKey
	entry resolver.File

	mu        sync.Mutex // guards the following
	holders   int
	digest    *digest      // nil as long as none was promised
	size      int64        // unknown until pinned, if the listing did not tell
	pinned    *sight       // what the first good reply showed; nil before
	object    cache.Object // what the pages are remembered as; set with pinned
	doubt     int64        // another length that a reply told; 0 for none
	trouble   error        // why a transfer is not getting on; nil while one does
	oneGet    bool         // links are counted or ranges ignored: see plan.go
	least     int64        // what a request brings at least, 0 for anything: see meter.go
	pace      *pace        // of the host that it came from last; nil before
	spool     *transfer    // the one GET that goes on to the end
	transfers map[*transfer]struct{}
	waiting   map[int64]*arrival
	moved     chan struct{} // closed when somebody waits for more, or leaves; nil if nobody looks
	fallen    *fallen       // the transfer that failed last; nil if none did
	err       error         // no byte of this version can be had any more
}

// fallen is a transfer that failed: what it did not bring, and why.
type fallen struct {
	missing byteRange
	err     error
}

// covers reports whether page p is among what did not come.
func (l *fallen) covers(p int64) bool {
	off := p * cache.PageSize
	return p == identityPage || off >= l.missing.start && (l.missing.limit == unknown || off < l.missing.limit)
}

// arrival is a page that readers wait for.
type arrival struct {
	p    int64
	done chan struct{} // closed when page or err is set, or to look again
	n    int           // readers who wait
	page *cache.Page   // holds a reference for each of them
	err  error
}

func newFile(src *Source, key fileKey, entry resolver.File) *file {
	f := &file{
		src: src, key: key, entry: entry, size: entry.Size,
		digest:    newDigest(entry),
		transfers: make(map[*transfer]struct{}),
		waiting:   make(map[int64]*arrival),
	}
	if entry.Size == 0 { // there is nothing to be seen of it
		f.pinned = &sight{}
		f.object = f.objectOf(f.pinned.Identity)
	}
	if l := entry.Learnt; l != nil && (entry.Size == unknown || entry.Size == l.Size) {
		f.pinned, f.size = &sight{Identity: *l}, l.Size
		f.object = f.objectOf(*l)
	}
	return f
}

// objectOf names the bytes of one identity in the cache.
func (f *file) objectOf(id resolver.Identity) cache.Object {
	return cache.NewObject(id.Size, f.src.Name, f.src.Account, string(f.entry.ID), f.entry.Version,
		id.ETag, id.LastModified, strconv.FormatInt(id.Size, 10))
}

// identity returns what was pinned; only to be called when that is known.
func (f *file) identity() resolver.Identity {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pinned.Identity
}

// shows reports whether a strong tag is the one that was pinned.
func (f *file) shows(etag string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pinned != nil && etag != "" && etag == f.pinned.ETag
}

// release gives up a hold. With the last one, transfers that still wait for a
// link end, and those that fetch ahead, unless they are nearly done or have cost
// a call.
func (f *file) release() {
	f.mu.Lock()
	f.holders--
	if f.holders == 0 {
		for t := range f.transfers {
			if !t.lent || !t.spool && f.least == 0 && t.limit-t.pos > cache.BlockSize {
				t.cancel(errAbandoned)
			}
		}
		f.moveLocked()
	}
	f.mu.Unlock()
	f.src.forget(f)
}

// await returns when the identity, and with it the size, is known.
func (f *file) await(ctx context.Context) error {
	for {
		a, err := f.expect(resolver.DemandOf(ctx), identityPage, byteRange{0, sizing}, true, f.lastFallen())
		if a == nil || err != nil {
			return err
		}
		if _, err := f.wait(ctx, a); err != nil {
			return err
		}
	}
}

// page returns a page with a reference for the caller, from the cache or from a
// transfer that brings it; one for need is started if none does. waited tells
// that the page was not there yet. What failed since the caller began, as
// lastFallen told him then, is not tried again for him.
func (f *file) page(ctx context.Context, p int64, need byteRange, since *fallen) (page *cache.Page, waited bool, err error) {
	for look := 0; ; look++ {
		if look > maxLooks {
			return nil, true, fmt.Errorf("page %d does not stay in the cache: %w", p, resolver.ErrUnavailable)
		}
		if page := f.cached(p); page != nil {
			return page, waited, nil
		}
		a, err := f.expect(resolver.DemandOf(ctx), p, need, !waited, since)
		if err != nil {
			return nil, true, err
		}
		waited = true
		if a == nil {
			continue
		}
		if page, err := f.wait(ctx, a); page != nil || err != nil {
			return page, true, err
		}
	}
}

func (f *file) lastFallen() *fallen {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.fallen
}

func (f *file) cached(p int64) *cache.Page {
	if object, known := f.knownObject(); known {
		return f.src.cache.Get(object, p)
	}
	return nil
}

// glance is cached for a page that goes to the kernel as a whole, and so is not
// wanted again for as long as the kernel keeps it.
func (f *file) glance(p int64) *cache.Page {
	if object, known := f.knownObject(); known {
		return f.src.cache.Glance(object, p)
	}
	return nil
}

func (f *file) knownObject() (o cache.Object, known bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.object, f.pinned != nil
}

func (f *file) hasLocked(p int64) bool {
	return f.pinned != nil && f.src.cache.Has(f.object, p)
}

// expect joins those who wait for page p; need is asked for if it is not coming.
// With look, nil is returned if the page is here, or the identity known: it may
// have come since the caller looked.
func (f *file) expect(d *resolver.Demand, p int64, need byteRange, look bool, since *fallen) (*arrival, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if here := p == identityPage && f.pinned != nil || f.hasLocked(p); look && here {
		return nil, nil
	}
	return f.expectLocked(d, p, need, since)
}

// expectLocked joins those who wait for page p, and makes sure that a transfer
// brings it. The first transfer of a file goes alone: what it finds out decides
// how the others ask, and who comes meanwhile waits for the identity.
func (f *file) expectLocked(d *resolver.Demand, p int64, need byteRange, since *fallen) (*arrival, error) {
	switch {
	case f.err != nil:
		return nil, f.err
	case f.comingLocked(p):
	case f.fallen != since && f.fallen.covers(p):
		return nil, f.fallen.err
	case f.pinned == nil && len(f.transfers) > 0:
		p = identityPage
	default:
		if err := f.startLocked(d, need); err != nil {
			return nil, err
		}
	}
	a := f.waiting[p]
	if a == nil {
		a = &arrival{p: p, done: make(chan struct{})}
		f.waiting[p] = a
	}
	a.n++
	for t := range f.transfers {
		off := p * cache.PageSize
		if p == identityPage || t.coversLocked(off) {
			t.demand.Raise(d.Urgency())
			t.reached = max(t.reached, off)
		}
	}
	f.moveLocked()
	return a, nil
}

// wait waits for an arrival. Neither a page nor an error means: look again.
func (f *file) wait(ctx context.Context, a *arrival) (*cache.Page, error) {
	select {
	case <-a.done:
		return a.page, a.err
	case <-ctx.Done():
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	a.n--
	if a.page != nil {
		a.page.Release()
	}
	if a.n == 0 && f.waiting[a.p] == a {
		delete(f.waiting, a.p)
	}
	if f.trouble != nil {
		return nil, fmt.Errorf("%w: %w", f.trouble, context.Cause(ctx))
	}
	return nil, context.Cause(ctx)
}

// comingLocked reports whether a transfer under way brings page p.
func (f *file) comingLocked(p int64) bool {
	for t := range f.transfers {
		if p == identityPage || t.coversLocked(p*cache.PageSize) {
			return true
		}
	}
	return false
}

// arriveLocked ends the wait for page p, with a page or an error, or with
// neither to look again.
func (f *file) arriveLocked(p int64, page *cache.Page, err error) {
	a := f.waiting[p]
	if a == nil {
		return
	}
	delete(f.waiting, p)
	if page != nil {
		for range a.n {
			page.Retain()
		}
	}
	a.page, a.err = page, err
	close(a.done)
}

// pin checks what a reply showed against what the first one did; the first one
// it remembers.
func (f *file) pin(seen sight) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pinned != nil {
		return f.matchLocked(seen)
	}
	if seen.Size == unknown {
		seen.Size = f.size
	}
	if f.size != unknown && seen.Size != f.size {
		if f.src.Doubtful && f.doubt == seen.Size {
			err := changed("length")
			f.src.Ledger.Change(f.entry.ID, f.entry.Version, seen.Identity)
			f.endVersionLocked(err)
			return err
		}
		f.doubt = seen.Size
		return wrong("total of %d where the file has %d", seen.Size, f.size)
	}
	f.pinned, f.size = &seen, seen.Size
	f.object = f.objectOf(seen.Identity)
	f.src.Ledger.Learn(f.entry.ID, f.entry.Version, seen.Identity)
	f.arriveLocked(identityPage, nil, nil)
	return nil
}

// matchLocked compares a reply with what was pinned. Other content ends the
// version. So does a length that contradicts one that was itself only learnt, if
// a second reply tells it too: then it was the first that was wrong.
func (f *file) matchLocked(seen sight) error {
	err := compare(*f.pinned, seen)
	if learnt := f.entry.SizeLearnt || f.entry.Size == unknown; isFailure(err) && learnt {
		if f.doubt == seen.Size {
			err = changed("length")
		}
		f.doubt = seen.Size
	}
	if err != nil && !isFailure(err) {
		f.src.Ledger.Change(f.entry.ID, f.entry.Version, seen.Identity)
		f.endVersionLocked(err)
	}
	return err
}

// endVersionLocked ends everything that waits for bytes of this version.
func (f *file) endVersionLocked(err error) {
	f.err = err
	for t := range f.transfers {
		t.cancel(err)
	}
	for p := range f.waiting {
		f.arriveLocked(p, nil, err)
	}
}

// promise takes the digest that a reply told, if there is none yet.
func (f *file) promise(told *digest) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.digest == nil {
		f.digest = told
	}
}

// verify adds a page to the digest, if one was promised. A version whose bytes
// turn out to be others ends and is forgotten, so that the next open begins
// anew.
func (f *file) verify(object cache.Object, p int64, page *cache.Page) error {
	f.mu.Lock()
	d := f.digest
	f.mu.Unlock()
	err := d.add(f.src.cache, object, p, page)
	if err != nil {
		f.mu.Lock()
		f.endVersionLocked(err) // first, or somebody would fetch again what is dropped
		f.mu.Unlock()
		f.src.cache.Drop(object)
	}
	return err
}

// settled returns what the pages are remembered as, if all that are there are known
// to be right: the page that completes a file is remembered once the digest that
// was promised is.
func (f *file) settled() (object cache.Object, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.object, f.pinned != nil && f.err == nil && len(f.transfers) == 0
}

// moveLocked wakes transfers that keep close to their readers.
func (f *file) moveLocked() {
	if f.moved != nil {
		close(f.moved)
		f.moved = nil
	}
}

func (f *file) cachedPercentLocked() int {
	if f.pinned == nil || f.size == 0 {
		return 0
	}
	pages, have := f.object.Pages(), int64(0)
	for p := range pages {
		if f.src.cache.Has(f.object, p) {
			have++
		}
	}
	return int(100 * have / pages)
}
