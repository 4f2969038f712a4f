package linksim

import (
	"fmt"
	"hash/fnv"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Behaviour is how the origin answers every request for an object. The zero
// value is a well-behaved origin.
type Behaviour struct {
	// NoRanges answers every request with 200 and the whole object.
	NoRanges bool
	// NoLength sends bodies chunked, without Content-Length.
	NoLength bool
	// RangeOnlyStar leaves the total out: "Content-Range: bytes 0-9/*".
	RangeOnlyStar bool
	// OutOfRangeIs200 answers a range that goes beyond the end with 200 and
	// the whole object, as OSS does.
	OutOfRangeIs200 bool
	// WeakETag marks the entity tag weak.
	WeakETag bool
	// ETagPerLink gives each link an entity tag of its own.
	ETagPerLink bool
	// NoETag and NoLastModified leave the header out.
	NoETag, NoLastModified bool
	// Delay is the time before the first byte of each answer for the object.
	Delay time.Duration
	// BytesPerSecond is the speed of one connection; 0 is as fast as can be.
	BytesPerSecond int64
}

// SetBehaviour changes the behaviour of one object, from the next request on.
// With the empty id it changes that of all objects that have none of their
// own, which is to say the zero one.
func (o *Origin) SetBehaviour(id string, b Behaviour) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if id == "" {
		o.behaviour = b
		return
	}
	if old, ok := o.objects[id]; ok {
		changed := *old
		changed.Behaviour = b
		o.objects[id] = &changed
	}
}

// span is a range [start, limit) of an object.
type span struct{ start, limit int64 }

func (s span) length() int64 { return s.limit - s.start }

// parseRange reads a Range header of one range. Its limit may lie beyond size,
// as may its start. What is not understood is to be ignored, as if no range
// had been asked for.
func parseRange(header string, size int64) (s span, ok bool) {
	spec, ok := strings.CutPrefix(header, "bytes=")
	first, last, dash := strings.Cut(strings.TrimSpace(spec), "-")
	if !ok || !dash {
		return span{}, false
	}
	if first == "" {
		n, err := strconv.ParseUint(last, 10, 63)
		return span{size - min(int64(n), size), size}, err == nil
	}
	start, err := strconv.ParseUint(first, 10, 63)
	if err != nil {
		return span{}, false
	}
	if last == "" {
		return span{int64(start), max(size, int64(start))}, true
	}
	end, err := strconv.ParseUint(last, 10, 63)
	if err != nil || end < start {
		return span{}, false
	}
	return span{int64(start), int64(min(end, math.MaxInt64-1)) + 1}, true
}

// answer is what a well-meaning origin of this behaviour says to r.
func (b Behaviour) answer(r *http.Request, obj *object, l *link) *reply {
	size := obj.Content.Size()
	p := &reply{
		status: http.StatusOK, header: b.header(obj, l), content: obj.Content,
		span: span{0, size}, delay: b.Delay, rate: b.BytesPerSecond,
	}
	asked, ok := parseRange(r.Header.Get("Range"), size)
	switch {
	case !ok || b.NoRanges, b.OutOfRangeIs200 && (asked.limit > size || asked.start >= size):
	case asked.start >= size:
		p = xmlReply(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The range lies beyond the end.")
		p.header.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
		p.delay = b.Delay
		return p
	default:
		p.status = http.StatusPartialContent
		p.span = span{asked.start, min(asked.limit, size)}
		p.setContentRange(p.span, b.total(size))
	}
	p.length = p.span.length()
	if b.NoLength {
		p.length = lengthUntold
	}
	return p
}

func (b Behaviour) total(size int64) string {
	if b.RangeOnlyStar {
		return "*"
	}
	return strconv.FormatInt(size, 10)
}

func (b Behaviour) header(obj *object, l *link) http.Header {
	h := http.Header{"Content-Type": {obj.ContentType}}
	if !b.NoRanges {
		h.Set("Accept-Ranges", "bytes")
	}
	if !b.NoLastModified {
		h.Set("Last-Modified", obj.ModTime.UTC().Format(http.TimeFormat))
	}
	if tag := b.etag(obj, l); tag != "" {
		h.Set("ETag", tag)
	}
	return h
}

func (b Behaviour) etag(obj *object, l *link) string {
	if b.NoETag || obj.ETag == NoETag {
		return ""
	}
	tag := obj.ETag
	if b.ETagPerLink && l != nil {
		tag = `"` + hash(tag, l.signature) + `"`
	}
	if b.WeakETag {
		tag = "W/" + tag
	}
	return tag
}

// hash is a short text that stands for parts.
func hash(parts ...string) string {
	h := fnv.New64a()
	for _, part := range parts {
		_, _ = h.Write([]byte(part))
		_, _ = h.Write([]byte{0})
	}
	return fmt.Sprintf("%016x", h.Sum64())
}
