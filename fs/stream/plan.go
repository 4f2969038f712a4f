package stream

import (
	"errors"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

// What a transfer asks for. In this order:
//
//   - Links that are counted, or whose origin ignores ranges: one GET from the
//     first byte that is missing to the end, whatever part was asked for. The
//     next use of a counted link is kept for going on after a cut.
//   - Files of up to 4 MiB: one GET from the first missing byte to the end.
//   - Links whose requests are scarce: in pieces of what they ask for (meter.go).
//   - Others: the range that the reader needs, with what is ahead of him if he
//     reads in sequence, up to the next byte that is there or on its way.
//
// Whether links are counted is known when the first lease is at hand, so the
// first rule is applied again then (transfer.begin).

var errAbandoned = errors.New("nobody reads any longer")

// startLocked starts a transfer for need, which begins at a missing page; d
// wants it.
func (f *file) startLocked(d *resolver.Demand, need byteRange) error {
	t := newTransfer(f, d, f.planLocked(need))
	if f.oneGet && f.size != unknown {
		t.spool, f.spool = true, t
	}
	if err := f.src.start(t.run); err != nil {
		t.cancel(err)
		return err
	}
	f.transfers[t] = struct{}{}
	return nil
}

func (f *file) planLocked(need byteRange) byteRange {
	switch {
	case f.size == unknown:
		return need
	case f.oneGet && f.size > f.src.cache.Capacity(): // the beginning is forgotten, not missing
		return byteRange{need.start, f.size}
	case f.oneGet, f.size <= wholeFile:
		return byteRange{min(f.firstMissingLocked(), need.start), f.size}
	case f.least > 0:
		return f.pieceLocked(byteRange{need.start, min(need.limit, f.size)}, f.presentLocked)
	}
	limit := min(pageUp(need.limit), f.size)
	for off := need.start + cache.PageSize; off < limit; off += cache.PageSize {
		if f.presentLocked(off) {
			return byteRange{need.start, off}
		}
	}
	return byteRange{need.start, limit}
}

// fetch starts transfers for what is missing of r, none larger than chunk and no
// more at a time than are worth it, and returns up to where all is here or coming.
// Bytes beyond must, where d has not come yet, are left for later where they do
// not fill a chunk. Nothing waits for the transfers.
func (f *file) fetch(d *resolver.Demand, r byteRange, must, chunk int64) int64 {
	ahead := resolver.NewDemand(resolver.Ahead, d.Client)
	f.mu.Lock()
	defer f.mu.Unlock()
	streams := 1 // one request tells, or brings, what the others would
	if f.pinned != nil && !f.oneGet && f.size > wholeFile {
		streams = f.pace.streams(f.src.cfg.Streams)
	}
	off := pageDown(r.start)
	if f.oneGet && f.size > f.src.cache.Capacity() {
		return off // the spool keeps ahead by itself, and one from here would leave a gap
	}
	for off < r.limit && f.err == nil {
		if f.presentLocked(off) {
			off += cache.PageSize
			continue
		}
		if len(f.transfers) >= streams && (off >= must || streams == 1) {
			break
		}
		end := f.endOfLocked(off, chunk, r.limit)
		if off >= must && (end > r.limit || f.least == 0 && end-off < chunk && end < f.size) {
			break
		}
		if off >= must {
			d = ahead
		}
		if f.startLocked(d, byteRange{off, end}) != nil {
			break
		}
		off = end
	}
	return min(off, f.size)
}

// presentLocked reports whether the page at offset off is there or on its way.
func (f *file) presentLocked(off int64) bool {
	p := off / cache.PageSize
	return f.hasLocked(p) || f.comingLocked(p)
}

// firstMissingLocked is the offset of the first page that is not remembered.
func (f *file) firstMissingLocked() int64 {
	var off int64
	for off < f.size && f.hasLocked(off/cache.PageSize) {
		off += cache.PageSize
	}
	return max(0, min(off, f.size))
}

func pageDown(off int64) int64 { return off / cache.PageSize * cache.PageSize }
func pageUp(off int64) int64   { return pageDown(off + cache.PageSize - 1) }
