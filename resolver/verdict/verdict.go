package verdict

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// Reply is what is known of an answer. Start is the first bytes of the body; a
// few KiB are enough, and it may be cut anywhere.
type Reply struct {
	Status int
	Header http.Header
	Start  []byte
}

// Verdict is what a reply means. It holds nothing secret. The zero value says
// that the reply looks like what was asked for.
type Verdict struct {
	// Class is 0 if the reply looks like what was asked for.
	Class resolver.Class
	// After is how long the other side asks to wait, at most an hour; 0 if it
	// does not ask.
	After time.Duration
	// Code is the other side's own code, such as "AccessDenied" or
	// "99991400"; empty if it has none or none that is safe to print.
	Code string
}

// String is for errors and the log. It never quotes the body.
func (v Verdict) String() string {
	if v.Class == 0 {
		return "ok"
	}
	s := v.Class.String()
	if v.Code != "" {
		s += " (" + v.Code + ")"
	}
	if v.After > 0 {
		s += fmt.Sprintf(", wait %v", v.After)
	}
	return s
}

// Judge says what the reply means. An answer with a status of success passes
// unless it clearly is an error.
func Judge(r Reply) Verdict {
	n := read(r)
	v := Verdict{Code: printable(n.code)}
	switch {
	case r.Status >= 200 && r.Status < 300:
		if v.Class = success(r, n); v.Class == 0 {
			return Verdict{}
		}
	default:
		v.Class = failure(r, n)
	}
	switch v.Class {
	case resolver.Throttled:
		v.After = max(RetryAfter(r.Header), n.wait)
	case resolver.Temporary:
		v.After = asked(r.Header)
	}
	return v
}

// success judges a reply with a status of success, which has to be an error
// clearly.
func success(r Reply, n notice) resolver.Class {
	if attached(r.Header) {
		return 0
	}
	if n.challenge {
		return resolver.Temporary
	}
	if n.login && r.Status != http.StatusPartialContent {
		return resolver.Wrong
	}
	if !n.clear || longer(r.Header, maxError) {
		return 0
	}
	if class := classOf(n); class != 0 {
		return class
	}
	return resolver.Wrong
}

// failure judges a reply with any other status. What the service says counts
// more than the status, except where that leaves no doubt.
func failure(r Reply, n notice) resolver.Class {
	byStatus := statusClass(r.Status)
	if n.challenge {
		return resolver.Temporary
	}
	if class, ok := codeClass(n); ok {
		return class
	}
	class := wordClass(n.text)
	switch {
	case class == 0, byStatus == resolver.Throttled:
		return byStatus
	case r.Status < 400, r.Status >= 500: // their words may be about servers behind
		if class != resolver.Throttled {
			return byStatus
		}
	case byStatus == resolver.Gone && class != resolver.Throttled && class != resolver.Expired && class != resolver.UsedUp:
		return byStatus
	}
	return class
}

// statusClass is what a status means by itself.
func statusClass(status int) resolver.Class {
	switch status {
	case http.StatusNotFound, http.StatusGone, 612, 631: // Qiniu's own: no file, no bucket
		return resolver.Gone
	case http.StatusTooManyRequests, 509, 529, 573: // bandwidth, overload, Qiniu's limit
		return resolver.Throttled
	case http.StatusRequestTimeout, http.StatusMisdirectedRequest, http.StatusLocked, http.StatusTooEarly, 499:
		return resolver.Temporary
	case http.StatusRequestedRangeNotSatisfiable:
		return resolver.Wrong
	}
	switch {
	case status >= 500:
		return resolver.Temporary
	case status >= 400:
		return resolver.Denied
	default: // redirects and what nobody asked for
		return resolver.Wrong
	}
}

const (
	// maxCode bounds a code, so that it stays a word.
	maxCode = 48
	// maxError bounds what can be an error document of a few fields.
	maxError = 16 << 10
)

// printable returns the code if it is a number or a name. Texts in which letters
// and digits mix may be tokens.
func printable(code string) string {
	if len(code) > maxCode {
		return ""
	}
	if _, known := codes[strings.ToLower(code)]; known {
		return code
	}
	number, name := true, true
	for _, c := range code {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		number = number && ('0' <= c && c <= '9' || c == '-')
		name = name && (letter || c == '.' || c == '_' || c == '-')
	}
	if number && len(code) <= 20 || name {
		return code
	}
	return ""
}
