package broker

import (
	"fmt"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// barrenLimit is how many links in a row may fail without having served
	// before the file counts as refused: the one at hand, and a fresh one.
	barrenLimit = 2
	// renewShare is the part of a link's life that is left when the next one
	// is asked for, renewAgain the part after which that is tried again.
	renewShare, renewAgain = 4, 10
	// sweepAt is the number of remembered files from which on dead ones are
	// forgotten when another is added.
	sweepAt = 4096
)

// record is what the broker knows of one file. Broker.mu guards it.
type record struct {
	lease   *resolver.Lease // the newest link, nil when there is none to lend
	end     time.Time       // of lending it, by what is known now; zero for never
	deaths  uint64          // Broker.deaths when end was read
	life    time.Duration   // it had when it was made
	renew   time.Time       // from when on the next link is asked for; zero for never
	request *request        // the provider is being asked
	barren  int             // links failed in a row without having served
	refused error           // answered until
	until   time.Time
}

// liveLocked reports whether the record has a lease to lend. When links were
// seen to die early, those made before count as dying with them.
func (b *Broker) liveLocked(r *record, now time.Time) bool {
	if r.lease == nil || !r.lease.Live(now) {
		return false
	}
	if r.deaths != b.deaths {
		end, _ := b.book.Deadline(r.lease.Link())
		b.lastLocked(r, end)
	}
	return r.end.IsZero() || now.Before(r.end)
}

// ending reports whether it is time to ask for the next link, and nobody does.
func (r *record) ending(now time.Time) bool {
	return r.request == nil && !r.renew.IsZero() && !now.Before(r.renew)
}

// lastLocked lets the record's lease be lent until end, or less if it was so
// before.
func (b *Broker) lastLocked(r *record, end time.Time) {
	r.deaths = b.deaths
	if end.IsZero() || !r.end.IsZero() && !end.Before(r.end) {
		return
	}
	r.end = end
	r.life = max(0, time.Until(end)+r.lease.Age())
	if !r.lease.Counted() {
		r.renew = end.Add(-r.life / renewShare)
	}
}

// replaceLocked makes link the next generation of the file's lease. One that
// comes dead, as far as is known, is lent until its origin refuses it: to ask
// for another instead, each time, would be a storm.
func (b *Broker) replaceLocked(id resolver.ID, r *record, link resolver.Link) {
	b.retireLocked(r)
	if link.Obtained.IsZero() {
		link.Obtained = time.Now()
	}
	end, source := b.book.Deadline(link)
	if !end.IsZero() && !time.Now().Before(end) {
		end, source = time.Time{}, "dead already"
	}
	b.generation++
	r.lease = resolver.NewLease(link, b.generation, end, holder{b, id})
	r.refused, r.end, r.life, r.renew = nil, time.Time{}, 0, time.Time{}
	b.lastLocked(r, end)
	b.log.Debug("link lent", "file", id, "lease", r.lease, "uses", link.Uses, "life", r.life, "says", source)
}

// retireLocked takes the record's lease out of service.
func (b *Broker) retireLocked(r *record) {
	if r.lease == nil {
		return
	}
	if r.lease.HasServed() {
		r.barren = 0
		b.book.Outlived(r.lease.Link(), before(r.lease)+r.lease.Served())
	}
	r.lease = nil
}

// before is how old the link was when the lease on it was made.
func before(l *resolver.Lease) time.Duration {
	return max(0, time.Since(l.Link().Obtained)-l.Age())
}

// holder listens to the leases of one file.
type holder struct {
	b  *Broker
	id resolver.ID
}

func (h holder) Fail(l *resolver.Lease, c resolver.Class) { h.b.fail(h.id, l, c) }

func (h holder) Clock(l *resolver.Lease, shown time.Time) { h.b.book.Clock(l.Link(), shown) }

// fail takes a link out of service, if it is to blame and still the one that
// is lent.
func (b *Broker) fail(id resolver.ID, lease *resolver.Lease, class resolver.Class) {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.files[id]
	if r == nil || r.lease != lease || !class.Blames() {
		return
	}
	b.log.Debug("link failed", "file", id, "lease", lease, "class", class, "age", lease.Age(), "served", lease.Served())
	if early(lease, class) {
		past, served := before(lease), lease.Served()
		if served > 0 {
			served += past
		}
		b.book.Died(lease.Link(), past+lease.Age(), served)
		b.deaths++
		r.lease = nil
	}
	b.retireLocked(r)
	switch {
	case lease.HasServed():
		r.barren = 0
	case class != resolver.UsedUp || !exhausted(lease):
		r.barren++
	}
	if r.barren >= barrenLimit {
		b.refuseLocked(r, refusal(class))
		r.barren = 0
	}
}

// exhausted reports whether we have taken all uses that the link had.
func exhausted(l *resolver.Lease) bool { return l.Counted() && l.UsesLeft() == 0 }

// early reports whether a link that failed died before its deadline. One that
// never served may be refused for other reasons, unless its origin says that it
// expired. That a counted one is used up says nothing of its life, nor does it
// that the file is gone or a reply was garbled.
func early(l *resolver.Lease, class resolver.Class) bool {
	switch {
	case !l.Deadline().IsZero() && !time.Now().Before(l.Deadline()):
		return false
	case class == resolver.Expired:
		return true
	case class == resolver.UsedUp && l.Counted(), class == resolver.Gone, class == resolver.Wrong:
		return false
	}
	return l.HasServed()
}

// refuseLocked remembers a refusal, for longer if it is of the file and says so
// itself.
func (b *Broker) refuseLocked(r *record, err error) {
	ttl := b.cfg.RefusalTTL
	if resolver.Refused(err) {
		ttl = max(ttl, resolver.RetryAfter(err))
	}
	r.refused, r.until = err, time.Now().Add(ttl)
}

// refusal is the error for a file whose fresh link failed too.
func refusal(class resolver.Class) error {
	kind := resolver.ErrUnavailable
	switch class {
	case resolver.Denied, resolver.Expired, resolver.UsedUp:
		kind = resolver.ErrPermission
	case resolver.Gone:
		kind = resolver.ErrNotExist
	}
	return fmt.Errorf("a fresh link did not serve (%s): %w", class, kind)
}

func (b *Broker) expireLocked() {
	b.epoch++
	for _, r := range b.files {
		b.retireLocked(r)
		r.refused = nil
	}
}

// recordLocked returns the file's record, making room for a new one.
func (b *Broker) recordLocked(id resolver.ID) *record {
	r := b.files[id]
	if r == nil {
		if len(b.files) >= b.sweep {
			b.sweepLocked()
		}
		r = &record{}
		b.files[id] = r
	}
	return r
}

// sweepLocked forgets files of which nothing is worth remembering.
func (b *Broker) sweepLocked() {
	now := time.Now()
	for id, r := range b.files {
		if r.request == nil && !b.liveLocked(r, now) && now.After(r.until) {
			b.retireLocked(r)
			delete(b.files, id)
		}
	}
	b.sweep = max(sweepAt, 2*len(b.files))
}
