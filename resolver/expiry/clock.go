package expiry

import (
	"slices"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// clock reads the times that concern one link.
type clock struct {
	obtained time.Time     // by our clock
	age      time.Duration // since then
	server   time.Time     // by the server's clock when it was obtained; zero when not known
}

func (b *Book) clockOf(link resolver.Link, now time.Time) clock {
	c := clock{obtained: link.Obtained}
	if c.obtained.IsZero() {
		c.obtained = now
	}
	c.age = max(0, now.Sub(c.obtained))
	switch server, ok := b.serverNow(link, now); {
	case told(link.ServerTime):
		c.server = inStep(link.ServerTime, c.obtained)
	case ok:
		c.server = inStep(server, now).Add(-c.age)
	}
	return c
}

// serverNow is the median of what the clock of the link's host shows now by
// the times that it was seen. Between them and now our monotonic clock counts.
func (b *Book) serverNow(link resolver.Link, now time.Time) (server time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	h := b.hosts[key(link)]
	if h == nil || len(h.clocks) == 0 {
		return time.Time{}, false
	}
	shows := make([]time.Time, len(h.clocks))
	for i, s := range h.clocks {
		shows[i] = s.shown.Add(now.Sub(s.at))
	}
	slices.SortFunc(shows, time.Time.Compare)
	return shows[len(shows)/2], true
}

// inStep returns the server's time, or ours if the two are in step.
func inStep(server, ours time.Time) time.Time {
	if server.Sub(ours).Abs() < sameClock {
		return ours
	}
	return server
}

// told returns how long the link lives from when it was obtained, as its
// provider and the link itself say.
func (c clock) told(link resolver.Link) (life time.Duration, source string) {
	source = fromNone
	take := func(d time.Duration, from string) {
		if source == fromNone || d < life {
			life, source = d, from
		}
	}
	if d, ok := c.until(claim{end: link.Expires}); ok && told(link.Expires) {
		take(d, fromAPI)
	}
	for _, cl := range claims(link) {
		if d, ok := c.until(cl); ok {
			take(d, fromURL)
		}
	}
	if link.Lifetime > 0 {
		take(link.Lifetime, fromDocs)
	}
	return life, source
}

// until is how long after the link was obtained the claimed end is. It is false
// if the claim says nothing: it speaks of another clock, or of something else.
func (c clock) until(cl claim) (time.Duration, bool) {
	switch {
	case cl.end.IsZero():
		return cl.life, true
	case c.server.IsZero() && !cl.start.IsZero():
		return cl.end.Sub(cl.start), true
	case c.server.IsZero():
		d := cl.end.Sub(c.obtained)
		return d, d > 0 && cl.credible(d)
	default:
		d := cl.end.Sub(c.server)
		return max(0, d), cl.credible(d)
	}
}
