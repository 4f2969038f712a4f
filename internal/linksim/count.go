package linksim

import (
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// requestLog is how many of the last requests are remembered: about 20 MB.
const requestLog = 100_000

// Counts is what the origin was asked since it started or since
// [Origin.ResetCounts].
type Counts struct {
	// Lists, LinkCalls and TokenCalls are calls of the API, refused ones
	// included.
	Lists, LinkCalls, TokenCalls int
	// Throttled are calls that came too soon, OverQuota those for which the
	// quota was spent.
	Throttled, OverQuota int
	// LinksIssued counts links, by the API, in listings, too, and by Link.
	LinksIssued int
	// Gets and Heads are requests for objects, refused ones included.
	Gets, Heads int
	// Bytes is how much of bodies was sent in answer to Gets.
	Bytes int64
	// DeadUses are requests with links that no longer lived.
	DeadUses int
	// OverUses are requests with links that had no use left.
	OverUses int
	// BadHeaders are requests without the headers their links are bound to.
	BadHeaders int
}

// Request is one request for an object.
type Request struct {
	Time   time.Time
	ID     string
	Method string
	// Range is the header as it came.
	Range string
	// Status is 0 until the answer began, and if it never did.
	Status int
	// Bytes is how much of the body was sent so far.
	Bytes int64
	// Header has the names of the headers that came, sorted.
	Header []string
	// Elsewhere tells that it came to the second listener.
	Elsewhere bool
}

// exchange is a request under way: what is known of it from the start, and
// what is still changing.
type exchange struct {
	Request
	status atomic.Int64
	bytes  atomic.Int64
	tally  *tally
}

// sent counts n more bytes of body; n is negative for bytes that were counted
// and then could not be sent.
func (x *exchange) sent(n int) {
	x.bytes.Add(int64(n))
	if x.tally != nil {
		x.tally.add(x.ID, func(c *Counts) { c.Bytes += int64(n) })
	}
}

// tally keeps the counts and the log. Its zero value is ready.
type tally struct {
	mu    sync.Mutex // guards the following
	total Counts
	of    map[string]Counts
	log   []*exchange // a ring once it is full
	next  int         // where the ring's oldest is
}

// add changes the counts as a whole and those of id, if there is one.
func (t *tally) add(id string, change func(*Counts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.total)
	if id == "" {
		return
	}
	if t.of == nil {
		t.of = make(map[string]Counts)
	}
	c := t.of[id]
	change(&c)
	t.of[id] = c
}

// begin counts and logs a request for an object.
func (t *tally) begin(r *http.Request, id string, elsewhere bool) *exchange {
	x := &exchange{tally: t, Request: Request{
		Time: time.Now(), ID: id, Method: r.Method, Range: r.Header.Get("Range"),
		Header: slices.Sorted(maps.Keys(r.Header)), Elsewhere: elsewhere,
	}}
	t.add(id, func(c *Counts) {
		if r.Method == http.MethodHead {
			c.Heads++
		} else {
			c.Gets++
		}
	})
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.log) < requestLog {
		t.log = append(t.log, x)
	} else {
		t.log[t.next] = x
		t.next = (t.next + 1) % requestLog
	}
	return x
}

// Counts returns what both listeners were asked, all objects together.
func (o *Origin) Counts() Counts {
	o.tally.mu.Lock()
	defer o.tally.mu.Unlock()
	return o.tally.total
}

// CountsOf returns what concerns one object, or the Lists of one directory.
// LinkCalls are not told apart by object; LinksIssued are.
func (o *Origin) CountsOf(id string) Counts {
	o.tally.mu.Lock()
	defer o.tally.mu.Unlock()
	return o.tally.of[id]
}

// Requests returns the last 100,000 requests for objects in the order in which
// they came, those under way included.
func (o *Origin) Requests() []Request {
	t := &o.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	requests := make([]Request, 0, len(t.log))
	for i := range t.log {
		x := t.log[(t.next+i)%len(t.log)]
		q := x.Request
		q.Status, q.Bytes = int(x.status.Load()), x.bytes.Load()
		requests = append(requests, q)
	}
	return requests
}

// ResetCounts forgets the counts and the requests.
func (o *Origin) ResetCounts() {
	t := &o.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	t.total, t.of, t.log, t.next = Counts{}, nil, nil, 0
}
