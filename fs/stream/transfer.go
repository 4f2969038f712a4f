package stream

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

const (
	// strikes is how many links in a row may fail one transfer without a byte:
	// the one at hand, a fresh one, and one or two that others used up or
	// outlived in between. Usually the broker refuses before.
	strikes = 4
	// firstPause and lastPause bound the wait before a broken transfer goes
	// on; it doubles in between.
	firstPause = 50 * time.Millisecond
	lastPause  = 5 * time.Second
)

// transfer brings the range [pos, limit) of a file.
type transfer struct {
	f      *file
	ctx    context.Context // lifetime of the transfer, not of a reader
	cancel context.CancelCauseFunc
	demand *resolver.Demand // as urgent as the readers who wait; ctx carries it

	// file.mu guards the following.
	pos     int64 // the next page to come starts here
	limit   int64 // unknown: to the end of a file of unknown length
	spool   bool  // the one GET of the file: it goes on though nobody reads
	lent    bool  // it has a link, or had one, and its turn: what it costs is spent
	begun   bool  // it knows what to ask for, by the terms of a link
	unsized bool  // the reply tells no length: its pages are kept apart in temp
	reached int64 // the furthest byte that somebody had to wait for

	// The following belong to run.
	page  *cache.Page  // the page that is arriving
	fill  int          // bytes of it that are here
	temp  cache.Object // where pages of a reply without length are, until it is complete
	seen  sight        // what that reply showed
	tries int
}

// newTransfer returns a transfer for r, which d wants. Its bytes are filed by
// page, so r must begin at one; its end may be the end of the file, or must be
// at one, too.
func newTransfer(f *file, d *resolver.Demand, r byteRange) *transfer {
	if r.start%cache.PageSize != 0 || (r.limit != unknown && r.limit != f.size && r.limit%cache.PageSize != 0) {
		panic(fmt.Sprintf("stream: range [%d, %d) of %d bytes is not of whole pages", r.start, r.limit, f.size))
	}
	t := &transfer{f: f, pos: r.start, limit: r.limit, demand: resolver.NewDemand(d.Urgency(), d.Client)}
	t.ctx, t.cancel = context.WithCancelCause(resolver.WithDemand(f.src.ctx, t.demand))
	return t
}

// coversLocked reports whether the transfer brings the page at off. Of a reply
// without length no page is here before the last one.
func (t *transfer) coversLocked(off int64) bool {
	return t.unsized || off >= t.pos && (t.limit == unknown || off < t.limit)
}

// run brings the range, or fails those who wait for it.
func (t *transfer) run() {
	err := t.bring()
	t.dropPage()
	t.cancel(errAbandoned)
	t.end(err)
	t.f.src.forget(t.f)
}

// end takes the transfer off the file's list. Those who waited for it alone get
// its error; if it was abandoned or replaced they look again.
func (t *transfer) end(err error) {
	f := t.f
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.transfers, t)
	if f.spool == t {
		f.spool = nil
	}
	if len(f.transfers) == 0 {
		f.trouble = nil
	}
	f.src.note(f.key, err)
	if err != nil && err != errAbandoned {
		f.src.log.Debug("transfer ended", "provider", f.src.Name, "file", f.entry.Name, "error", err)
	}
	if errors.Is(err, errAbandoned) || errors.Is(err, resolver.ErrReserved) {
		err = nil // a late comer gets a try of his own
	}
	if err != nil {
		f.fallen = &fallen{byteRange{t.pos, t.limit}, err}
	}
	for p := range f.waiting {
		if !f.comingLocked(p) {
			f.arriveLocked(p, nil, err)
		}
	}
}

// bring tries until the range is here, the time without progress is up, nobody
// wants it any longer, or no attempt can help.
func (t *transfer) bring() (err error) {
	defer func() {
		if p := recover(); p != nil {
			// Its text may hold anything, a link too.
			t.f.src.log.Error("panic in a transfer", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("internal error: %w", resolver.ErrUnavailable)
		}
	}()
	var struck int
	var last error
	pause, since, from := firstPause, time.Now(), t.progress()
	for {
		err := t.attempt()
		if now := t.progress(); now > from {
			from, pause, since, struck = now, firstPause, time.Now(), 0
			t.troubled(nil)
		}
		var fail *failure
		switch {
		case err == nil:
			return nil
		case t.ctx.Err() != nil:
			return context.Cause(t.ctx)
		case !errors.As(err, &fail):
			if last != nil && !errors.Is(err, resolver.ErrChanged) {
				err = fmt.Errorf("%w (%v)", err, last)
			}
			return err
		case fail.class != 0:
			last = err
			if struck++; struck >= strikes {
				return err
			}
			if !t.attended() {
				return fmt.Errorf("%w: %w", errAbandoned, err)
			}
			continue // the broker sees to it that a fresh link is one call
		}
		t.troubled(err)
		if time.Since(since) > t.f.src.cfg.Deadline {
			return err
		}
		if !t.wanted() {
			return fmt.Errorf("%w: %w", errAbandoned, err)
		}
		if err := t.sleep(max(pause, min(fail.after, t.f.src.cfg.Deadline))); err != nil {
			return err
		}
		pause = min(2*pause, lastPause)
	}
}

// attempt borrows a lease, sends one GET, and takes from the reply what it
// gives.
func (t *transfer) attempt() error {
	src := t.f.src
	src.connectAhead(t.f.entry.ID)
	lease, err := src.Lender.Acquire(t.ctx, t.f.entry)
	if err != nil {
		return err
	}
	want, err := t.begin(lease)
	if err != nil || want.start == want.limit {
		return err
	}
	meter := lease.Link().Meter
	if meter != nil {
		if err := t.turn(meter); err != nil {
			return err
		}
	}
	if !lease.Use() {
		lease.Fail(resolver.UsedUp)
		return &failure{class: resolver.UsedUp, err: fmt.Errorf("no use left: %w", resolver.ErrUnavailable)}
	}
	err = t.request(lease, want)
	if t.unsized && err != nil {
		t.startOver()
	}
	tell(meter, err)
	var fail *failure
	if errors.As(err, &fail) && fail.class != 0 {
		lease.Fail(fail.class)
	}
	return err
}

// begin decides what to ask for, now that the terms of the lease are known.
// Nothing is asked for when another transfer brings it, or nothing is missing,
// and errAbandoned is returned when all readers left while it waited.
func (t *transfer) begin(lease *resolver.Lease) (want byteRange, err error) {
	f := t.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.holders == 0 && !t.lent {
		return byteRange{}, errAbandoned
	}
	if err := context.Cause(t.ctx); err != nil { // others may have come since it was given up
		return byteRange{}, err
	}
	t.lent = t.lent || lease.Link().Meter == nil
	if lease.Counted() || lease.Link().Ranged == resolver.RangedNo {
		f.oneGet = true
	}
	learning := f.size == unknown && !lease.Counted()
	if f.oneGet && !t.spool && !learning {
		if f.spool != nil {
			return byteRange{}, nil
		}
		t.spool, f.spool = true, t
		t.restartLocked(byteRange{f.firstMissingLocked(), f.size})
	}
	t.heedLocked(lease.Link())
	if t.limit != unknown && t.pos >= t.limit {
		return byteRange{}, nil
	}
	want = byteRange{t.pos + int64(t.fill), t.limit}
	if want.start == 0 && t.limit == f.size {
		want = whole
	}
	return want, nil
}

// restartLocked makes the transfer bring another range, from its start.
func (t *transfer) restartLocked(r byteRange) {
	t.pos, t.limit, t.fill = r.start, r.limit, 0
}

// request sends the GET and takes in its reply.
func (t *transfer) request(lease *resolver.Lease, want byteRange) error {
	src, name := t.f.src, t.f.entry.Name
	watch := newWatchdog(t.ctx, src.cfg.Stall)
	defer watch.stop()
	t.tries++
	pace, from := t.pace(lease.Link().Host()), t.progress()
	done := pace.begin()
	defer func() { done(t.progress() - from) }()
	resp, err := src.origin.get(watch.ctx, lease.Link(), want, t.tries)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.Request.URL.Host == lease.Link().Host() { // a redirect may have led elsewhere
		lease.Clock(dateOf(resp))
	}
	r, err := check(resp, want, t.knownSize(), name)
	if err != nil {
		return err
	}
	if err := t.accept(lease, r, want); err != nil {
		return err
	}
	if !t.unsized { // else it is not known to be the file yet
		lease.Serve()
		t.f.promise(toldDigest(resp.Header, lease.Link()))
	}
	err = t.take(watch, resp.Body)
	if t.unsized && err == nil {
		lease.Serve()
	}
	return err
}

// pace returns what is known of the speed of a host, from which the file comes now.
func (t *transfer) pace(host string) *pace {
	p := t.f.src.paceOf(host)
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	t.f.pace = p
	return p
}

// knownSize is what replies have to fit. One that shows another length than a
// doubtful listing is judged when the file is pinned.
func (t *transfer) knownSize() int64 {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	if t.f.src.Doubtful && t.f.pinned == nil {
		return unknown
	}
	return t.f.size
}

// accept makes sure that the reply is of the content that was pinned, and that
// the transfer goes on where the reply does.
func (t *transfer) accept(lease *resolver.Lease, r reply, want byteRange) error {
	f := t.f
	seen := sight{
		Identity:   resolver.Identity{Size: r.total, ETag: r.etag, LastModified: r.modified},
		generation: lease.Generation(),
	}
	learning := t.knownSize() == unknown
	if r.ranged && r.total == unknown && learning {
		return t.askWhole()
	}
	if r.limit == unknown && f.shows(seen.ETag) {
		r.limit = f.identity().Size // it is the file: nothing has to be kept apart
	}
	t.setUnsized(r.limit == unknown)
	if t.unsized {
		t.temp, t.seen = f.src.spoolObject(), seen
	} else if err := f.pin(seen); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.ranged:
		t.limit = r.limit
	case want != whole && learning && !t.unsized && r.total > wholeFile && !lease.Counted():
		// A big file whose origin ignores ranges: its size is known now, its
		// bytes are asked for when somebody reads.
		f.oneGet = true
		t.restartLocked(byteRange{0, sizing})
	case t.spool || f.spool == nil:
		if want != whole {
			f.oneGet = true
		}
		t.spool, f.spool = true, t
		t.restartLocked(byteRange{0, r.limit})
	default:
		t.restartLocked(byteRange{0, 0}) // the other one brings it
	}
	return nil
}

func (t *transfer) setUnsized(unsized bool) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	t.unsized = unsized
}

// askWhole gives up ranges for an origin that does not tell the total: without
// it a range cannot be known to be of this file.
func (t *transfer) askWhole() error {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	t.f.oneGet, t.spool, t.f.spool = true, true, t
	t.restartLocked(byteRange{0, t.f.size})
	return &failure{err: fmt.Errorf("origin does not tell the total: %w", resolver.ErrUnavailable)}
}

// wanted reports whether somebody waits for what the transfer brings.
func (t *transfer) wanted() bool {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	return t.wantedLocked()
}

func (t *transfer) wantedLocked() bool {
	for p := range t.f.waiting {
		if p == identityPage || t.coversLocked(p*cache.PageSize) {
			return true
		}
	}
	return false
}

// attended reports whether anybody has the file open, and so may come to wait
// for what the transfer brings.
func (t *transfer) attended() bool {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	return t.f.holders > 0
}

// trouble is what those who wait are told.
func (t *transfer) trouble() error {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	return t.f.trouble
}

// troubled tells those who wait why.
func (t *transfer) troubled(err error) {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	t.f.trouble = err
}

// progress is a number that changes whenever a byte came.
func (t *transfer) progress() int64 {
	t.f.mu.Lock()
	defer t.f.mu.Unlock()
	return t.pos + int64(t.fill)
}

func (t *transfer) sleep(d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-t.ctx.Done():
		return context.Cause(t.ctx)
	}
}
