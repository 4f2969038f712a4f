package cache

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// Memory is the tier in memory. All pages that it makes count against one
// budget: those remembered, those being filled and those that readers hold.
type Memory struct {
	pages int // the budget
	pool  *Pool

	mu     sync.Mutex // guards the following
	blocks *simplelru.LRU[blockKey, *block]
	closed bool
}

type blockKey struct {
	object Object
	block  int64
}

// block holds the remembered pages of one block, nil where there is none.
type block [PagesPerBlock]*Page

// NewMemory returns an empty tier with a budget in bytes, at least a block.
func NewMemory(budget int64) *Memory {
	budget = max(budget, BlockSize)
	// Eviction is by pages in use, not by the number of blocks.
	blocks, err := simplelru.NewLRU[blockKey, *block](math.MaxInt, nil)
	if err != nil {
		panic(err) // only a size below one is refused
	}
	m := &Memory{pages: int(budget / PageSize), pool: NewPool(budget), blocks: blocks}
	m.pool.relieve = m.relieve
	return m
}

// NewPage returns an empty page with one reference, the caller's. It evicts
// what was used least recently to stay within the budget, and goes beyond it
// rather than wait when all pages are held.
func (m *Memory) NewPage() *Page {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.evict(m.pages - 1)
	return m.pool.NewPage()
}

// Budget is the most that is used when not everything is held, in bytes.
func (m *Memory) Budget() int64 { return int64(m.pages) * PageSize }

// Free is what the budget leaves to new pages when everything that can be
// evicted is, in bytes; negative when more is held than the budget allows.
func (m *Memory) Free() int64 { return m.Budget() - m.pool.busy.Load()*PageSize }

// Bytes is the memory of all pages in use, held or only remembered.
func (m *Memory) Bytes() int64 { return m.pool.inUse.Load() * PageSize }

// Get is [Store]'s; it does not allocate.
func (m *Memory) Get(o Object, page int64) *Page {
	m.mu.Lock()
	defer m.mu.Unlock()
	if p := m.find(o, page); p != nil {
		return p.pin()
	}
	return nil
}

// Has is [Store]'s.
func (m *Memory) Has(o Object, page int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.find(o, page) != nil
}

// Put is [Store]'s. The page must be one that NewPage made.
func (m *Memory) Put(o Object, page int64, p *Page) {
	if !o.fits(page, p.len) {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return
	}
	p.keep()
	m.insert(o, page, p)
}

// Adopt is [Store]'s.
func (m *Memory) Adopt(from, to Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for key, b := range m.take(from) {
		for i, p := range b {
			page := key.block*PagesPerBlock + int64(i)
			switch {
			case p == nil:
			case to.fits(page, p.len):
				m.insert(to, page, p)
			default:
				p.forget()
			}
		}
	}
}

// Drop is [Store]'s.
func (m *Memory) Drop(o Object) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, b := range m.take(o) {
		b.forget()
	}
}

// Capacity is [Store]'s.
func (m *Memory) Capacity() int64 { return m.Budget() }

// Close is [Store]'s. The memory goes back with the release of the last page.
func (m *Memory) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.closed = true
	for _, b := range m.blocks.Values() {
		b.forget()
	}
	m.blocks.Purge()
	return m.pool.Close()
}

// find returns the page, or nil, and marks its block as used.
func (m *Memory) find(o Object, page int64) *Page {
	if page < 0 {
		return nil
	}
	b, ok := m.blocks.Get(blockKey{o, page / PagesPerBlock})
	if !ok {
		return nil
	}
	return b[page%PagesPerBlock]
}

// insert puts a kept page where it belongs, and forgets it if there is one.
func (m *Memory) insert(o Object, page int64, p *Page) {
	key := blockKey{o, page / PagesPerBlock}
	b, ok := m.blocks.Get(key)
	if !ok {
		b = new(block)
		m.blocks.Add(key, b)
	}
	place := &b[page%PagesPerBlock]
	if *place != nil {
		p.forget()
		return
	}
	*place = p
}

// take removes the blocks of o and returns them.
func (m *Memory) take(o Object) map[blockKey]*block {
	taken := make(map[blockKey]*block)
	for _, key := range m.blocks.Keys() {
		if key.object == o {
			taken[key], _ = m.blocks.Peek(key)
			m.blocks.Remove(key)
		}
	}
	return taken
}

// relieve evicts what a peak left beyond the budget.
func (m *Memory) relieve() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.evict(m.pages)
}

// evict forgets pages, oldest blocks first, until no more than pages are in
// use or all that are left are held. A block of which a page is held counts as
// used just now.
func (m *Memory) evict(pages int) {
	for range m.blocks.Len() {
		if m.pool.InUse() <= pages {
			return
		}
		key, b, _ := m.blocks.GetOldest()
		if b.forgetUnpinned() {
			m.blocks.Remove(key)
		} else {
			m.blocks.Get(key)
		}
	}
}

func (b *block) forget() {
	for _, p := range b {
		if p != nil {
			p.forget()
		}
	}
}

// forgetUnpinned forgets the pages that nobody holds, and reports whether that
// leaves the block empty. New holders come by Memory only, whose lock is held.
func (b *block) forgetUnpinned() (empty bool) {
	empty = true
	for i, p := range b {
		switch {
		case p == nil:
		case p.pinned():
			empty = false
		default:
			b[i] = nil
			p.forget()
		}
	}
	return empty
}
