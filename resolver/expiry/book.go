package expiry

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// maxMargin is how long before its end a long-lived link is no longer
	// lent: a request sent now is to arrive while the link lives.
	maxMargin = 30 * time.Second
	// marginShare bounds the margin of short-lived links: a tenth of the life.
	marginShare = 10
	// sameClock is the difference that two clocks in step may show: a Date
	// header has whole seconds, and it travels.
	sameClock = 2 * time.Second
	// sightings is how many times a host's clock is remembered; their median
	// survives a reply that was held up or comes from a cache.
	sightings = 5
	// maxHosts bounds what is remembered. Providers hand out links to a few.
	maxHosts = 256
)

// The sources of a deadline.
const (
	fromNone  = "none"
	fromAPI   = "API"
	fromURL   = "URL"
	fromDocs  = "documented"
	fromDeath = "learnt"
)

// Book remembers what was learnt about the links of one provider: how far the
// clocks of their hosts are from ours, and how long links really live. It
// remembers a bounded number of hosts. The zero value is ready; methods may be
// called in parallel.
type Book struct {
	mu    sync.Mutex // guards the following
	hosts map[string]*host
}

// host is what is known of one host of links. Book.mu guards it.
type host struct {
	used   time.Time
	clocks []sighting // the newest last
	learnt learnt
}

// sighting is what a host's clock showed at a time of ours.
type sighting struct{ shown, at time.Time }

// Deadline returns when the link is no longer to be used, margin taken off, by
// our monotonic clock, and where that comes from in a word for the log. The
// deadline is zero if nothing says that the link ever dies, and not in the
// future if it is dead already. A link without Obtained counts as obtained now,
// each time.
func (b *Book) Deadline(link resolver.Link) (deadline time.Time, source string) {
	now := time.Now()
	c := b.clockOf(link, now)
	life, source := c.told(link)
	if learnt := b.learntLife(link, now); learnt > 0 && (source == fromNone || learnt < life) {
		life, source = learnt, fromDeath
	}
	if source == fromNone {
		return time.Time{}, source
	}
	left := life - min(maxMargin, life/marginShare) - c.age
	return now.Add(max(0, left)), source
}

// Clock notes that the link's host showed this time just now, as the Date header
// of a reply that no cache on the way had kept.
func (b *Book) Clock(link resolver.Link, shown time.Time) {
	if !told(shown) {
		return
	}
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hostLocked(link, now)
	if len(h.clocks) == sightings {
		h.clocks = slices.Delete(h.clocks, 0, 1)
	}
	h.clocks = append(h.clocks, sighting{shown, now})
}

// Died notes that the link's host no longer took it at this age, though its
// deadline was not reached; served is the age at which it had served last, 0 if
// it never did.
func (b *Book) Died(link resolver.Link, age, served time.Duration) {
	now := time.Now()
	b.mu.Lock()
	defer b.mu.Unlock()
	b.hostLocked(link, now).learnt.died(age, served, now)
}

// Outlived notes that the link served at this age. It is to be told once of a
// link, when it is given up.
func (b *Book) Outlived(link resolver.Link, age time.Duration) {
	now := time.Now()
	life, source := b.clockOf(link, now).told(link)
	if source == fromNone {
		life = forgetAt
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if h := b.hosts[key(link)]; h != nil {
		h.used = now
		h.learnt.outlived(age, life)
	}
}

func (b *Book) learntLife(link resolver.Link, now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hosts[key(link)]
	if h == nil {
		return 0
	}
	h.used = now
	h.learnt.fade(now)
	return h.learnt.life
}

// hostLocked returns what is known of the link's host, making room for a new
// one at the cost of the one that was not asked for longest.
func (b *Book) hostLocked(link resolver.Link, now time.Time) *host {
	name := key(link)
	h := b.hosts[name]
	if h == nil {
		if len(b.hosts) >= maxHosts {
			b.evictLocked()
		}
		if b.hosts == nil {
			b.hosts = make(map[string]*host)
		}
		h = &host{}
		b.hosts[name] = h
	}
	h.used = now
	return h
}

func (b *Book) evictLocked() {
	var oldest string
	for name, h := range b.hosts {
		if o := b.hosts[oldest]; o == nil || h.used.Before(o.used) {
			oldest = name
		}
	}
	delete(b.hosts, oldest)
}

func key(link resolver.Link) string { return strings.ToLower(link.Host()) }
