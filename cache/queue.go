package cache

import (
	"sync"
	"time"
)

// patience is how long callers wait in all for a full queue before pages are
// dropped until it has drained: a slow disk must not make reading slow.
const patience = time.Second

// gather is how long a few pages wait for those behind them: a block is written
// by one call at two thirds of the processor time that its pages take one by one.
const gather = 20 * time.Millisecond

// queue holds the pages that wait to be written. One goroutine takes them out;
// all who take or change what is in it hold Disk.writing.
type queue struct {
	overflow func()        // called when patience has run out
	slots    chan struct{} // one sent for each page in the queue
	enough   int           // pages that need not wait for more
	ready    chan struct{} // wakes wait
	closing  chan struct{}

	mu     sync.Mutex // guards the following
	order  []pageKey  // of coming; those that are no longer in pages were written with others
	pages  map[pageKey]*Page
	waited time.Duration // since the queue was last empty
	// gathered tells that pages were waited for since then.
	gathered bool
	resumes  time.Time // no page is taken before
	closed   bool
	ends     time.Time // when the rest is left unwritten; set when closed
}

type pageKey struct {
	object Object
	page   int64
}

func newQueue(pages int, overflow func()) *queue {
	return &queue{
		overflow: overflow,
		slots:    make(chan struct{}, pages),
		enough:   min(PagesPerBlock, pages),
		ready:    make(chan struct{}, 1),
		closing:  make(chan struct{}),
		pages:    make(map[pageKey]*Page),
	}
}

// put adds a page with a reference of its own, or drops it.
func (q *queue) put(k pageKey, p *Page) {
	if !q.open() || !q.slot() {
		return
	}
	q.mu.Lock()
	_, there := q.pages[k]
	if there || q.closed || time.Now().Before(q.resumes) {
		<-q.slots
	} else {
		q.pages[k] = p.Retain()
		q.order = append(q.order, k)
	}
	pages := len(q.pages)
	q.mu.Unlock()
	if pages == 1 || pages == q.enough {
		q.wake()
	}
}

// open reports whether pages are taken now.
func (q *queue) open() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return !q.closed && q.waited < patience && !time.Now().Before(q.resumes)
}

// slot takes a slot and reports whether there was one in time.
func (q *queue) slot() bool {
	select {
	case q.slots <- struct{}{}:
		return true
	default:
	}
	q.mu.Lock()
	left := patience - q.waited
	q.mu.Unlock()
	start := time.Now()
	timer := time.NewTimer(left)
	defer timer.Stop()
	got := false
	select {
	case q.slots <- struct{}{}:
		got = true
	case <-q.closing:
	case <-timer.C:
	}
	q.mu.Lock()
	before := q.waited
	q.waited += time.Since(start)
	ranOut := before < patience && q.waited >= patience
	q.mu.Unlock()
	if ranOut {
		q.overflow()
	}
	return got
}

// wait returns true when there are pages to write, false when there will be
// none. A few of them wait for more to come; once they have, all are written until
// the queue is empty.
func (q *queue) wait() bool {
	var gathering <-chan time.Time
	for {
		q.mu.Lock()
		pages, gathered := len(q.pages), q.gathered
		closed, late := q.closed, q.closed && time.Now().After(q.ends)
		q.mu.Unlock()
		switch {
		case closed:
			return pages > 0 && !late
		case pages >= q.enough || pages > 0 && gathered:
			return true
		case pages > 0 && gathering == nil:
			gathering = time.After(gather)
		}
		select {
		case <-q.ready:
		case <-gathering:
			q.mu.Lock()
			q.gathered = len(q.pages) > 0
			q.mu.Unlock()
			gathering = nil
		}
	}
}

// next returns the page that waits for longest, with those behind it in the
// object that wait, too, as many as a block has. They stay in the queue; none
// are returned from an empty one.
func (q *queue) next() (first pageKey, pages []*Page) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.order) > 0 && q.pages[q.order[0]] == nil {
		q.order = q.order[1:]
	}
	if len(q.order) == 0 {
		return pageKey{}, nil
	}
	first = q.order[0]
	for k := first; len(pages) < PagesPerBlock; k.page++ {
		p := q.pages[k]
		if p == nil {
			break
		}
		pages = append(pages, p)
		if p.len < PageSize {
			break
		}
	}
	return first, pages
}

// find returns a waiting page, retained for the caller, or nil.
func (q *queue) find(k pageKey) *Page {
	q.mu.Lock()
	defer q.mu.Unlock()
	if p, ok := q.pages[k]; ok {
		return p.Retain()
	}
	return nil
}

func (q *queue) has(k pageKey) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	_, ok := q.pages[k]
	return ok
}

// written removes n pages from first on.
func (q *queue) written(first pageKey, n int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for k, end := first, first.page+int64(n); k.page < end; k.page++ {
		q.remove(k)
	}
}

// drop removes the pages of an object.
func (q *queue) drop(o Object) {
	q.rename(func(k pageKey) (pageKey, bool) { return k, k.object != o })
}

// adopt makes the pages of one object those of another.
func (q *queue) adopt(from, to Object) {
	q.rename(func(k pageKey) (pageKey, bool) {
		if k.object != from {
			return k, true
		}
		renamed := pageKey{to, k.page}
		_, there := q.pages[renamed]
		return renamed, !there && to.fits(k.page, q.pages[k].len)
	})
}

// rename gives each page another key, or removes it.
func (q *queue) rename(key func(pageKey) (renamed pageKey, keep bool)) {
	q.mu.Lock()
	defer q.mu.Unlock()
	kept := q.order[:0]
	for _, k := range q.order {
		if q.pages[k] == nil {
			continue
		}
		renamed, keep := key(k)
		switch {
		case !keep:
			q.remove(k)
		case renamed != k:
			q.pages[renamed] = q.pages[k]
			delete(q.pages, k)
			fallthrough
		default:
			kept = append(kept, renamed)
		}
	}
	q.order = kept
	q.drained()
}

// clear removes all pages and takes none for a while.
func (q *queue) clear(pause time.Duration) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.resumes = time.Now().Add(pause)
	for k := range q.pages {
		q.remove(k)
	}
	q.order = nil
	q.drained()
}

// close ends the taking of pages; those that are there are written within the
// time given.
func (q *queue) close(within time.Duration) {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		q.ends = time.Now().Add(within)
		close(q.closing)
	}
	q.mu.Unlock()
	q.wake()
}

// remove takes the page k out of all but order.
func (q *queue) remove(k pageKey) {
	p := q.pages[k]
	delete(q.pages, k)
	<-q.slots
	p.Release()
	q.drained()
}

func (q *queue) drained() {
	if len(q.pages) == 0 {
		q.waited, q.gathered = 0, false
	}
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
