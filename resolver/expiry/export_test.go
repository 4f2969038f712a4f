package expiry

import (
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// Hosts returns how many hosts are remembered.
func (b *Book) Hosts() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.hosts)
}

// FromLink returns when the link ends, and when it was signed, as its address
// or headers say by the server's clock; start is zero if they do not tell it.
// Of several ends the earliest counts. A link that tells only how long it lives
// is taken to be signed when it was obtained. It is false if the link says
// nothing that can be such a time.
func FromLink(link resolver.Link) (start, end time.Time, ok bool) {
	for _, cl := range claims(link) {
		if cl.end.IsZero() {
			cl.start = signed(link)
			cl.end = cl.start.Add(cl.life)
		}
		if cl.plausible() && (!ok || cl.end.Before(end)) {
			start, end, ok = cl.start, cl.end, true
		}
	}
	return start, end, ok
}

// signed is when a link that does not tell it was signed, by the server's clock
// as far as it is known.
func signed(link resolver.Link) time.Time {
	switch {
	case !link.ServerTime.IsZero():
		return link.ServerTime
	case !link.Obtained.IsZero():
		return link.Obtained
	default:
		return time.Now()
	}
}
