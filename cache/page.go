package cache

import (
	"math"
	"sync/atomic"
)

// Page is a counted buffer of 64 KiB. Whoever holds a reference may read it
// until he releases it; it is filled before it is shared.
type Page struct {
	pool *Pool
	buf  []byte
	len  int
	// state counts the references of holders in its lower half and the places
	// in which Memory keeps the page in its upper half. A page without holders
	// can be evicted; with neither it is free.
	state atomic.Uint64
}

const onceKept = 1 << 32

// Bytes is the filled part. It is immutable once the page was given to a Store.
func (p *Page) Bytes() []byte { return p.buf[:p.len:p.len] }

// Buf is the whole page, for the one who fills it. What it holds is undefined.
func (p *Page) Buf() []byte { return p.buf }

// SetLen says how many bytes of Buf are filled.
func (p *Page) SetLen(n int) {
	_ = p.buf[:n]
	p.len = n
}

// Retain adds a reference and returns the page. Only a holder may call it.
func (p *Page) Retain() *Page {
	switch p.state.Add(1) {
	case 1:
		panic("cache: page retained after its last release")
	default:
		return p
	}
}

// Release gives one reference back. The page must not be used after the last
// one; a release too many panics. It may be called with any lock held that
// comes before Memory's in the order of the package.
func (p *Page) Release() {
	state := p.state.Add(math.MaxUint64)
	switch {
	case uint32(state) == math.MaxUint32:
		panic("cache: page released more often than retained")
	case uint32(state) > 0:
		return
	}
	p.pool.busy.Add(-1)
	if state == 0 {
		p.pool.put(p)
	} else {
		p.pool.unpinned()
	}
}

// pin adds a reference to a page that Memory keeps.
func (p *Page) pin() *Page {
	if uint32(p.state.Add(1)) == 1 {
		p.pool.busy.Add(1)
	}
	return p
}

// keep marks the page as remembered; the caller holds a reference.
func (p *Page) keep() { p.state.Add(onceKept) }

// forget undoes one keep.
func (p *Page) forget() {
	if p.state.Add(-onceKept&math.MaxUint64) == 0 {
		p.pool.put(p)
	}
}

// pinned reports whether somebody but Memory holds the page.
func (p *Page) pinned() bool { return uint32(p.state.Load()) > 0 }
