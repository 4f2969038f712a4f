package linksim

import (
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// FaultKind names what goes wrong.
type FaultKind string

// Faults of answers to ranged requests. Other requests pass and do not count.
const (
	// Whole200 answers with 200 and the whole object.
	Whole200 FaultKind = "200-to-range"
	// WrongStart answers with a range that starts elsewhere, and says so. An
	// object of one byte has no elsewhere.
	WrongStart FaultKind = "wrong-start"
	// WrongTotal tells a total that is one too many.
	WrongTotal FaultKind = "wrong-total"
	// NoContentRange leaves the header out.
	NoContentRange FaultKind = "no-content-range"
	// WrongBytes sends other bytes under the headers that were asked for.
	WrongBytes FaultKind = "wrong-bytes"
	// MultipartRanges answers with multipart/byteranges of one part.
	MultipartRanges FaultKind = "multipart-ranges"
)

// Faults of bodies and connections, for requests of the API, too.
const (
	// ShortBody announces and sends only After bytes; half the body if 0.
	ShortBody FaultKind = "short-body"
	// LongBody announces and sends After bytes more than asked for; 4096 if 0.
	LongBody FaultKind = "long-body"
	// LongChunked does so without announcing a length.
	LongChunked FaultKind = "long-chunked"
	// CutBody resets the connection after After bytes. What the client has not
	// received by then may be lost with it.
	CutBody FaultKind = "cut-body"
	// CleanCut closes the connection after After bytes.
	CleanCut FaultKind = "clean-cut"
	// Gzip sends the body compressed.
	Gzip FaultKind = "gzip-unasked"
	// Stall sends After bytes, then nothing until the client leaves.
	Stall FaultKind = "stall"
	// Trickle sends After bytes, then one every second.
	Trickle FaultKind = "trickle"
	// Late answers rightly, after Delay.
	Late FaultKind = "late"
	// Refuse closes the connection instead of answering.
	Refuse FaultKind = "refuse"
	// Status answers with Status (503 if 0), Header and Body.
	Status FaultKind = "status"
	// Page200 answers with 200 and Body, a small page of HTML if nil. The
	// content type goes with the first byte of Body, or is in Header.
	Page200 FaultKind = "short-200"
	// Redirect answers with 302 to Location; to the same object at
	// [Origin.Elsewhere] if empty.
	Redirect FaultKind = "redirect"
	// RedirectLoop answers with 302 to the address that was asked for.
	RedirectLoop FaultKind = "redirect-loop"
)

// Faults of the API alone.
const (
	// EmptyPage answers a list call with no entry and a cursor that goes on
	// where this page would have been.
	EmptyPage FaultKind = "empty-page-with-more"
	// RepeatCursor answers a list call with the cursor that leads to the same
	// page again.
	RepeatCursor FaultKind = "repeated-cursor"
	// OldLinks answers a links call with the links that were issued last,
	// whether they live or not.
	OldLinks FaultKind = "poisoned-refresh"
)

// Fault is something that goes wrong with some requests.
type Fault struct {
	Kind FaultKind
	// After is in bytes of the body; see the kinds.
	After int64
	// Skip is how many requests pass before the first that is hit.
	Skip int
	// Every hits only each so many-th request of those that follow.
	Every int
	// Times is how many requests are hit; 0 is all.
	Times int
	// Delay comes before the answer, whatever the kind.
	Delay time.Duration

	// The following are for the kinds that mention them.
	Status   int
	Header   http.Header
	Body     []byte
	Location string
}

// Inject lets f befall requests for one object, or for any if id is empty:
// those that would have been served, with a live link or at the permanent
// address. Of several faults whose turn it is the first injected is played;
// they count the requests independently.
func (o *Origin) Inject(id string, f Fault) { o.objectFaults.add(id, f) }

// Call names a call of the API.
type Call string

// The calls. AnyCall is all of them.
const (
	AnyCall   Call = ""
	ListCall  Call = "list"
	LinkCall  Call = "links"
	TokenCall Call = "token"
)

// InjectAPI lets f befall calls of the API that are authorized and within its
// limits.
func (o *Origin) InjectAPI(call Call, f Fault) { o.apiFaults.add(string(call), f) }

// ClearFaults takes back all faults, but not what they are doing to requests
// under way.
func (o *Origin) ClearFaults() {
	o.objectFaults.clear()
	o.apiFaults.clear()
}

// script is faults waiting for their requests. Its zero value is ready.
type script struct {
	mu     sync.Mutex // guards the following
	faults []*scripted
}

type scripted struct {
	Fault
	target string // an id or a call; empty for any
	seen   int    // requests that it could have befallen
	played int
}

func (s *script) add(target string, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = append(s.faults, &scripted{Fault: f, target: target})
}

func (s *script) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// next returns the fault that befalls a request for target.
func (s *script) next(target string, ranged bool) (f Fault, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.faults {
		if c.target != "" && c.target != target || c.Kind.needsRange() && !ranged {
			continue
		}
		c.seen++
		if !ok && c.due() {
			c.played++
			f, ok = c.Fault, true
		}
	}
	s.faults = slices.DeleteFunc(s.faults, func(c *scripted) bool {
		return c.Times > 0 && c.played >= c.Times
	})
	return f, ok
}

func (c *scripted) due() bool {
	n := c.seen - c.Skip
	return n > 0 && n%max(1, c.Every) == 0
}

func (k FaultKind) needsRange() bool {
	switch k {
	case Whole200, WrongStart, WrongTotal, NoContentRange, WrongBytes, MultipartRanges:
		return true
	}
	return false
}

// replaces tells the faults that leave nothing of the right answer.
func (k FaultKind) replaces() bool {
	switch k {
	case Status, Page200, Redirect, RedirectLoop, Refuse:
		return true
	}
	return false
}

// elsewhereBy is how far away the bytes of wrong places are.
const elsewhereBy = 4096

// play changes p, the right answer to r, into the faulty one. Elsewhere is the
// address to redirect to by default.
func (f Fault) play(p *reply, r *http.Request, elsewhere string) {
	p.delay += f.Delay
	switch f.Kind {
	case Status, Page200, Redirect, RedirectLoop:
		f.playPage(p, r, elsewhere)
	case CutBody:
		p.ending, p.after = reset, f.After
	case CleanCut:
		p.ending, p.after = hangUp, f.After
	case Stall:
		p.ending, p.after = stall, f.After
	case Trickle:
		p.ending, p.after, p.pause = trickle, f.After, time.Second
	case Refuse:
		p.refused = true
	case Gzip:
		p.compress()
	case ShortBody, LongBody, LongChunked:
		f.playLength(p)
	default:
		if f.Kind.needsRange() {
			f.playRange(p)
		}
	}
}

// playPage replaces p, all but its delay.
func (f Fault) playPage(p *reply, r *http.Request, elsewhere string) {
	status, body, header := http.StatusFound, string(f.Body), f.Header.Clone()
	if header == nil {
		header = http.Header{}
	}
	switch f.Kind {
	case Status:
		status = orDefault(f.Status, http.StatusServiceUnavailable)
	case Page200:
		status = http.StatusOK
		body = orDefault(body, "<html><body><h1>Please log in</h1></body></html>\n")
	case Redirect:
		header.Set("Location", orDefault(f.Location, elsewhere))
	case RedirectLoop:
		header.Set("Location", r.URL.String())
	}
	delay := p.delay
	*p = *textReply(status, pageType(body), body)
	p.delay = delay
	for name, values := range header {
		p.header[http.CanonicalHeaderKey(name)] = values
	}
}

func pageType(body string) string {
	switch {
	case strings.HasPrefix(body, "{"):
		return "application/json"
	case strings.HasPrefix(body, "<?xml"):
		return "application/xml"
	case strings.HasPrefix(body, "<"):
		return "text/html; charset=utf-8"
	default:
		return "text/plain; charset=utf-8"
	}
}

func (f Fault) playLength(p *reply) {
	switch f.Kind {
	case ShortBody:
		short := min(orDefault(f.After, p.span.length()/2), p.span.length())
		p.limit = p.start + short
		p.length = short
	default:
		p.content = padded{p.content}
		p.limit += orDefault(f.After, elsewhereBy)
		p.length = p.span.length()
		if f.Kind == LongChunked {
			p.length = lengthUntold
		}
	}
}

// playRange changes p, which is a 206.
func (f Fault) playRange(p *reply) {
	size := p.content.Size()
	total := strconv.FormatInt(size, 10)
	switch f.Kind {
	case Whole200:
		p.status, p.span, p.length = http.StatusOK, span{0, size}, size
		p.header.Del("Content-Range")
	case WrongStart:
		p.span = wrongPlace(p.span, size)
		p.length = p.span.length()
		p.setContentRange(p.span, total)
	case WrongTotal:
		p.setContentRange(p.span, strconv.FormatInt(size+1, 10))
	case NoContentRange:
		p.header.Del("Content-Range")
	case WrongBytes:
		p.content = padded{p.content}
		p.span = span{p.start + elsewhereBy, p.limit + elsewhereBy}
	case MultipartRanges:
		before := fmt.Sprintf("--linksim\r\nContent-Type: %s\r\nContent-Range: %s\r\n\r\n",
			p.header.Get("Content-Type"), p.header.Get("Content-Range"))
		behind := "\r\n--linksim--\r\n"
		p.body = beside(before, io.NewSectionReader(p.content, p.start, p.span.length()), behind)
		p.length = int64(len(before)) + p.span.length() + int64(len(behind))
		p.header.Del("Content-Range")
		p.header.Set("Content-Type", "multipart/byteranges; boundary=linksim")
	}
}

// wrongPlace is another range than s: before it, or else behind its start.
func wrongPlace(s span, size int64) span {
	if s.start > 0 {
		by := min(s.start, elsewhereBy)
		return span{s.start - by, s.limit - by}
	}
	start := min(elsewhereBy, size-1)
	return span{start, min(start+s.length(), size)}
}

func orDefault[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}
