package stream

import (
	"errors"
	"fmt"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

// Where each request is a call of the provider's API, of which there are so many
// a day, bytes are cheap and requests are not. A file is cut into pieces of what
// a request should bring at least, and whoever needs a byte of a piece has
// fetched all of it that is missing: so nobody, however he reads, costs much more
// requests than the file has pieces.

// errTurn is why readers wait whose transfer may not send its request yet.
var errTurn = fmt.Errorf("waiting for a turn: %w", resolver.ErrThrottled)

// least is the size of the pieces where links ask for one: whole pages, and so
// few that the pieces of all readers fit into the cache together.
func (s *Streams) least(asked int64) int64 {
	s.mu.Lock()
	readers := max(1, s.readers)
	s.mu.Unlock()
	return max(cache.BlockSize, pageDown(min(asked, s.cache.Capacity()/2/int64(readers))))
}

// heedLocked notes the terms of a lease that a transfer is about to begin with.
func (t *transfer) heedLocked(link resolver.Link) {
	f := t.f
	if link.Least > 0 && f.least == 0 {
		f.least = f.src.least(link.Least)
	}
	if f.least > 0 && f.size != unknown && !t.begun && !f.oneGet {
		t.restartLocked(f.pieceLocked(byteRange{t.pos, t.limit}, func(off int64) bool {
			return f.hasLocked(off/cache.PageSize) || t.othersBringLocked(off)
		}))
	}
	t.begun = true
}

// othersBringLocked reports whether a transfer that has begun brings the page at
// off. One that has not gives way.
func (t *transfer) othersBringLocked(off int64) bool {
	for o := range t.f.transfers {
		if o != t && o.begun && o.coversLocked(off) {
			return true
		}
	}
	return false
}

// pieceLocked is what to fetch for need: what is missing around its first
// missing page, as far as the pieces reach that need touches. It is empty when
// nothing of need is missing. There tells which pages are not missing.
func (f *file) pieceLocked(need byteRange, there func(off int64) bool) byteRange {
	start := need.start
	for start < need.limit && there(start) {
		start += cache.PageSize
	}
	if start >= need.limit {
		return byteRange{need.start, need.start}
	}
	end := min((need.limit+f.least-1)/f.least*f.least, f.size)
	limit := start + cache.PageSize
	for limit < end && !there(limit) {
		limit += cache.PageSize
	}
	for start > start/f.least*f.least && !there(start-cache.PageSize) {
		start -= cache.PageSize
	}
	return byteRange{start, min(limit, end)}
}

// endOfLocked is where a request for what begins at off ends, if it may bring chunk.
func (f *file) endOfLocked(off, chunk, limit int64) int64 {
	if f.least > 0 {
		return min((off/f.least+1)*f.least, f.size)
	}
	return min(off+chunk, limit)
}

// turn waits until the transfer may send its request, of which readers who leave
// meanwhile make an end.
func (t *transfer) turn(m resolver.Meter) error {
	before := t.trouble()
	t.troubled(errTurn)
	err := m.Turn(t.ctx)
	t.troubled(before)
	if err != nil {
		return err
	}
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if t.f.holders == 0 && !t.lent {
		return errAbandoned
	}
	t.lent = true
	return nil
}

// tell passes on that a request was one too many, or refused.
func tell(m resolver.Meter, err error) {
	var fail *failure
	if m == nil || !errors.As(err, &fail) {
		return
	}
	switch {
	case errors.Is(err, resolver.ErrThrottled):
		m.Throttled(fail.after)
	case fail.class == resolver.Denied:
		m.Denied()
	}
}

// pieces is the size of the file's pieces, 0 if it has none.
func (f *file) pieces() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.least
}
