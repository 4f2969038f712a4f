package cache

import (
	"fmt"
	"sync"
	"sync/atomic"
)

const slabSize = PagesPerBlock * PageSize

// Pool makes pages out of memory outside the Go heap and uses them again. Its
// methods may be called in parallel. It never refuses a page.
type Pool struct {
	keep    int    // pages whose memory is held on to
	relieve func() // called when a remembered page can be evicted and more than keep are in use

	inUse atomic.Int64 // pages not free
	busy  atomic.Int64 // pages somebody holds; those that are only remembered are not counted

	mu     sync.Mutex // guards the following
	slabs  [][]byte
	warm   []*Page // free, with memory behind them; the last released is used first
	cold   []*Page // free, with no memory behind them
	closed bool
}

// NewPool returns a pool that holds on to keep bytes of memory; what is in use
// beyond them goes back to the system when it is released.
func NewPool(keep int64) *Pool { return &Pool{keep: int(keep / PageSize)} }

// NewPage returns an empty page with one reference, the caller's.
func (l *Pool) NewPage() *Page {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.warm)+len(l.cold) == 0 {
		l.grow()
	}
	free := &l.warm
	if len(l.warm) == 0 {
		free = &l.cold
	}
	last := len(*free) - 1
	p := (*free)[last]
	*free = (*free)[:last]
	p.len = 0
	p.state.Store(1)
	l.inUse.Add(1)
	l.busy.Add(1)
	return p
}

// InUse is the number of pages that are not free.
func (l *Pool) InUse() int { return int(l.inUse.Load()) }

// Close gives the memory back to the system, at once or with the release of
// the last page.
func (l *Pool) Close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	return l.unmap()
}

func (l *Pool) grow() {
	slab := mapSlab()
	l.slabs = append(l.slabs, slab)
	pages := make([]Page, PagesPerBlock)
	for i := range pages {
		pages[i].pool = l
		pages[i].buf = slab[i*PageSize : (i+1)*PageSize : (i+1)*PageSize]
		l.cold = append(l.cold, &pages[i])
	}
}

// put takes back a page that nobody refers to.
func (l *Pool) put(p *Page) {
	poison(p.buf)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.InUse()+len(l.warm) > l.keep {
		discard(p.buf)
		l.cold = append(l.cold, p)
	} else {
		l.warm = append(l.warm, p)
	}
	if l.inUse.Add(-1) == 0 && l.closed {
		_ = l.unmap() // nobody is left to be told
	}
}

// unpinned is told that a page is remembered and no longer held.
func (l *Pool) unpinned() {
	if l.relieve != nil && l.InUse() > l.keep {
		l.relieve()
	}
}

// unmap gives back all memory if no page is in use.
func (l *Pool) unmap() error {
	if l.InUse() > 0 {
		return nil
	}
	var failed error
	for _, slab := range l.slabs {
		if err := unmapSlab(slab); err != nil {
			failed = fmt.Errorf("unmap pages: %w", err)
		}
	}
	l.slabs, l.warm, l.cold = nil, nil, nil
	return failed
}
