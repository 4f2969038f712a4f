package linksim

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Marker is part of every signature that the origin makes up. A test that
// finds it in a log has found a leak.
const Marker = "SIMSECRET"

// Terms are the conditions of a link. The zero value is a signed link that
// lives for ever.
type Terms struct {
	// Lifetime is how long the link says that it lives; 0 is for ever.
	Lifetime time.Duration
	// Early is how much sooner than it says the link dies.
	Early time.Duration
	// HideExpires keeps the lifetime out of the URL and of the API's answer.
	HideExpires bool
	// Uses is how many requests of any method the link survives; 0 is any
	// number.
	Uses int
	// HideUses keeps the uses out of the API's answer.
	HideUses bool
	// Header has to be sent with the link, one value a name. In a value
	// "{signature}" becomes the link's own signature, so that the header of
	// one link does not serve another.
	Header http.Header
	// Ranged is what the API says of ranged requests; nil says nothing.
	Ranged *bool
	// TellSize makes the API's answer tell the size.
	TellSize bool
	// URL is what the API gives out instead of an address of this origin.
	URL string
	// Listed makes each listing of the file bring a link of its own, and tell
	// when it was issued.
	Listed bool
	// Refusal is what the API does instead of answering with a link, once.
	Refusal Refusal
}

// Refusal is what the API does with an id instead of answering with a link,
// once.
type Refusal string

// The refusals.
const (
	// Forbidden and Unsupported are errors of one id among others.
	Forbidden   Refusal = "forbidden"
	Unsupported Refusal = "unsupported"
	// Missing leaves the id out of the answer.
	Missing Refusal = "missing"
	// NoURL answers with an empty URL.
	NoURL Refusal = "no-url"
	// Twice answers with a link, and with the same again.
	Twice Refusal = "twice"
	// Stranger answers with the link, but for an id that nobody asked for.
	Stranger Refusal = "stranger"
	// Spoils makes the whole call fail with 400.
	Spoils Refusal = "spoils"
)

// link is one issued link. What is below used never changes.
type link struct {
	used int // guarded by Origin.mu

	id        string
	url       string
	signature string
	header    http.Header
	terms     Terms
	expires   time.Time // as told, by the origin's clock; zero for never
	dies      time.Time // really; zero for never
}

// issue makes a link to the object of that id, which need not exist.
// o.mu is held.
func (o *Origin) issue(id string, t Terms) *link {
	l := &link{id: id, terms: t, signature: Marker + rand.Text(), header: http.Header{}}
	query := url.Values{"Signature": {l.signature}}
	if t.Lifetime > 0 {
		now := time.Now()
		l.dies = now.Add(t.Lifetime - t.Early)
		if !t.HideExpires {
			l.expires = now.Add(o.ahead + t.Lifetime)
			query.Set("Expires", strconv.FormatInt(l.expires.Add(time.Second-1).Unix(), 10))
		}
	}
	for name := range t.Header {
		l.header.Set(name, strings.ReplaceAll(t.Header.Get(name), "{signature}", l.signature))
	}
	l.url = o.URL() + "/d/" + o.address(id) + "?" + query.Encode()
	if t.URL != "" {
		l.url = t.URL
	}
	o.links[l.signature] = l
	o.latest[id] = l
	o.sweep()
	o.tally.add(id, func(c *Counts) { c.LinksIssued++ })
	return l
}

// sweep forgets links that died by themselves, each time that twice as many
// are there as were left the last time: to be dead and to be unknown is the
// same. o.mu is held.
func (o *Origin) sweep() {
	if len(o.links) < o.sweepAt {
		return
	}
	for signature, l := range o.links {
		if !l.alive() {
			delete(o.links, signature)
		}
	}
	o.sweepAt = max(firstSweep, 2*len(o.links))
}

const firstSweep = 10_000

func (l *link) alive() bool { return l.dies.IsZero() || time.Now().Before(l.dies) }

// Link issues a link as the API would, on terms of its own: its address and
// the headers to send with it. The object need not be there.
func (o *Origin) Link(id string, t Terms) (address string, header http.Header) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.issue(id, t)
	return l.url, l.header.Clone()
}

// ExpireLinks kills all links that were issued so far.
func (o *Origin) ExpireLinks() {
	o.mu.Lock()
	defer o.mu.Unlock()
	clear(o.links)
}

// ExpireLinksOf kills all links to one object that were issued so far.
func (o *Origin) ExpireLinksOf(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for signature, l := range o.links {
		if l.id == id {
			delete(o.links, signature)
		}
	}
}

// SetDeadStatus says how the origin answers a request with a dead or unknown
// link: 403 with XML (the default), 401 with JSON, 404 with HTML, 410 with
// text, 200 with JSON, any other status with XML.
func (o *Origin) SetDeadStatus(status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.deadStatus = status
}

// SetUsedUpStatus says how the origin answers a request with a link that has
// no use left; the choice is that of [Origin.SetDeadStatus].
func (o *Origin) SetUsedUpStatus(status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.usedUpStatus = status
}

// present takes one use of the link that r came with. The refusal is nil if
// the link serves.
func (o *Origin) present(r *http.Request, id string) (*link, *reply) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l := o.links[r.URL.Query().Get("Signature")]
	if l == nil || l.id != id || !l.alive() {
		o.tally.add(id, func(c *Counts) { c.DeadUses++ })
		return nil, deadReply(o.deadStatus, "Request has expired.")
	}
	for name := range l.header {
		if r.Header.Get(name) != l.header.Get(name) {
			o.tally.add(id, func(c *Counts) { c.BadHeaders++ })
			return l, xmlReply(http.StatusForbidden, "SignatureDoesNotMatch", "A signed header is missing or wrong.")
		}
	}
	l.used++
	if l.terms.Uses > 0 && l.used > l.terms.Uses {
		o.tally.add(id, func(c *Counts) { c.OverUses++ })
		return l, deadReply(o.usedUpStatus, "The link has been used up.")
	}
	if r.Method == http.MethodHead {
		return l, xmlReply(http.StatusForbidden, "SignatureDoesNotMatch", "The link is signed for GET.")
	}
	return l, nil
}

// deadReply refuses a link in the way that goes with status.
func deadReply(status int, message string) *reply {
	switch status {
	case http.StatusOK, http.StatusUnauthorized:
		return jsonReply(status, map[string]any{"code": 1061044, "msg": message})
	case http.StatusNotFound:
		return textReply(status, "text/html; charset=utf-8", "<html><body><h1>Not Found</h1>"+message+"</body></html>\n")
	case http.StatusGone:
		return textReply(status, "text/plain; charset=utf-8", message+"\n")
	default:
		return xmlReply(status, "AccessDenied", message)
	}
}
