package expiry

import (
	"net/url"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// maxLife bounds what is taken for a duration.
	maxLife = 10 * 365 * 24 * time.Hour
	// aside is how far ahead an end of a doubtful name must be: a time of
	// signing under that name is about now.
	aside = time.Minute
)

var (
	clocksSet = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)
	notBefore = time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
	notAfter  = time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC)
)

// plausible reports whether t, read from some text, can be a time in the life
// of a link.
func plausible(t time.Time) bool { return t.After(notBefore) && t.Before(notAfter) }

// told reports whether t is a time that an API or a host told: neither missing
// nor by a clock that was never set.
func told(t time.Time) bool { return !t.Before(clocksSet) }

// claim is one thing that a link says of its own end: a time by the server's
// clock, or how long it lives from when it was obtained.
type claim struct {
	start time.Time     // when it was signed; zero when not told
	end   time.Time     // zero if life counts
	life  time.Duration // 0 if end counts
	// doubtful says that the name means other times too, such as the time
	// of signing: only an end that is well ahead counts.
	doubtful bool
}

// credible reports whether a claim of an end d from now can be one.
func (cl claim) credible(d time.Duration) bool { return !cl.doubtful || d > aside }

func (cl claim) plausible() bool {
	switch {
	case cl.end.IsZero():
		return cl.life > 0 && cl.life < maxLife
	case cl.start.IsZero():
		return plausible(cl.end)
	default:
		life := cl.end.Sub(cl.start)
		return plausible(cl.start) && plausible(cl.end) && life > 0 && life < maxLife
	}
}

// claims returns what can be true of what all addresses and the headers of the
// link say.
func claims(link resolver.Link) []claim {
	var found []claim
	read := func(f fields) {
		for _, r := range readers {
			if cl, ok := r(f); ok && cl.plausible() {
				found = append(found, cl)
			}
		}
	}
	for _, u := range link.URLs {
		read(queryOf(u.Reveal()))
	}
	header := fields{values: make(map[string]string, len(link.Header)), header: true}
	for name, value := range link.Header {
		header.values[strings.ToLower(name)] = value.Reveal()
	}
	read(header)
	return found
}

// fields are the named values of an address or of the headers, with names in
// lower case, and the path of the address.
type fields struct {
	values map[string]string
	path   string
	header bool
}

// queryOf takes addresses that are not well-formed too: what cannot be
// unescaped is taken as it is, and of equal names the first counts.
func queryOf(address string) fields {
	address, _, _ = strings.Cut(address, "#")
	path, query, _ := strings.Cut(address, "?")
	f := fields{values: make(map[string]string), path: path}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		name = strings.ToLower(unescape(name))
		if _, ok := f.values[name]; !ok {
			f.values[name] = unescape(value)
		}
	}
	return f
}

// unescape leaves a plus as it is: it stands for itself in the base64 and times
// that are read here.
func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// has reports whether one of the names has a value.
func (f fields) has(names ...string) bool {
	for _, name := range names {
		if f.values[name] != "" {
			return true
		}
	}
	return false
}
