package cache

import (
	"sync"
	"time"
)

// patience is how long callers wait in all for a full queue before pages are
// dropped until it has drained: a slow disk must not make reading slow.
const patience = time.Second

// queue holds the pages that wait to be written. One goroutine takes them out;
// all who take or change what is in it hold Disk.writing.
type queue struct {
	overflow func()        // called when patience has run out
	slots    chan struct{} // one sent for each page in the queue
	ready    chan struct{} // wakes wait
	closing  chan struct{}

	mu      sync.Mutex // guards the following
	order   []pageKey
	pages   map[pageKey]*Page
	waited  time.Duration // since the queue was last empty
	resumes time.Time     // no page is taken before
	closed  bool
	ends    time.Time // when the rest is left unwritten; set when closed
}

type pageKey struct {
	object Object
	page   int64
}

func newQueue(pages int, overflow func()) *queue {
	return &queue{
		overflow: overflow,
		slots:    make(chan struct{}, pages),
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
	q.mu.Unlock()
	q.wake()
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

// wait returns true when there is a page to write, false when there will be
// none.
func (q *queue) wait() bool {
	for {
		q.mu.Lock()
		pages, closed, late := len(q.order), q.closed, q.closed && time.Now().After(q.ends)
		q.mu.Unlock()
		if pages > 0 || closed {
			return pages > 0 && !late
		}
		<-q.ready
	}
}

// first returns the page to be written next, which stays in the queue, or nil.
func (q *queue) first() (pageKey, *Page) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.order) == 0 {
		return pageKey{}, nil
	}
	return q.order[0], q.pages[q.order[0]]
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

// removeFirst removes what first returned.
func (q *queue) removeFirst() {
	q.mu.Lock()
	defer q.mu.Unlock()
	k := q.order[0]
	q.order = q.order[1:]
	q.remove(k)
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
	for _, k := range q.order {
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

// remove takes the page k, which is no longer in order, out of the rest.
func (q *queue) remove(k pageKey) {
	p := q.pages[k]
	delete(q.pages, k)
	<-q.slots
	p.Release()
	q.drained()
}

func (q *queue) drained() {
	if len(q.order) == 0 {
		q.waited = 0
	}
}

func (q *queue) wake() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
