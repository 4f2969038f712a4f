package stream

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/verdict"
)

const (
	// judged is how much of a reply is looked at to find out what it means.
	judged = 4 << 10
	// message is the length up to which a reply may be an error message in
	// place of a file.
	message = 16 << 10
)

// unknown stands for a length that nobody told.
const unknown = resolver.SizeUnknown

// byteRange is a half-open range [start, limit) of a file. A limit of unknown
// means to the end.
type byteRange struct{ start, limit int64 }

// whole is the range of a request without a Range header.
var whole = byteRange{0, unknown}

// header is the one place where a range becomes an inclusive "bytes=a-b".
func (r byteRange) header() string {
	if r.limit == unknown {
		return fmt.Sprintf("bytes=%d-", r.start)
	}
	return fmt.Sprintf("bytes=%d-%d", r.start, r.limit-1)
}

// reply is what an origin's answer says of itself, after it was checked.
type reply struct {
	byteRange       // what the body holds; limit unknown when the length is not told
	total     int64 // length of the file, or unknown
	etag      string
	modified  string
	ranged    bool // answered as a range
}

// failure is an answer that did not bring the bytes, and what it means for the
// link that was used.
type failure struct {
	class resolver.Class // zero: the link is not to blame, the time is
	after time.Duration  // the origin asked to wait so long
	err   error
}

func (f *failure) Error() string { return f.err.Error() }
func (f *failure) Unwrap() error { return f.err }

func isFailure(err error) bool {
	var f *failure
	return errors.As(err, &f)
}

// wrong is a reply that is not the bytes that were asked for.
func wrong(format string, args ...any) *failure {
	err := fmt.Errorf("wrong reply: "+format+": %w", append(args, resolver.ErrUnavailable)...)
	return &failure{class: resolver.Wrong, err: err}
}

// check reads the head of resp, the answer to a request for want (whole: no
// range was asked for) of a file of the given size and name. Only a reply that
// can be exactly those bytes, or honestly the whole file, passes.
func check(resp *http.Response, want byteRange, size int64, name string) (reply, error) {
	if err := checkStatus(resp, size); err != nil {
		return reply{}, err
	}
	if enc := resp.Header.Get("Content-Encoding"); enc != "" && !strings.EqualFold(enc, "identity") {
		return reply{}, wrong("encoded, though it was not asked for")
	}
	r := reply{
		total:    unknown,
		etag:     strongETag(resp.Header.Get("ETag")),
		modified: resp.Header.Get("Last-Modified"),
	}
	switch resp.StatusCode {
	case http.StatusRequestedRangeNotSatisfiable: // of an empty file, or of other content
		_, r.total, _ = parseContentRange(resp.Header.Get("Content-Range"))
		return r, nil
	case http.StatusOK:
		r, err := checkWhole(resp, r, want, size, name)
		if err != nil || size == unknown && doubtful(name, resp) {
			if v := judge(resp); v.Class != 0 {
				return r, refused(v, "200 with something else than the file")
			}
		}
		return r, err
	default:
		return checkPart(resp, r, want, size)
	}
}

// checkWhole checks a 200: it must be the whole file. One of another length can
// be other content only if the whole was asked for and a validator says so; a
// page of text never is.
func checkWhole(resp *http.Response, r reply, want byteRange, size int64, name string) (reply, error) {
	length, contentType := resp.ContentLength, mediaType(resp.Header.Get("Content-Type"))
	resized := size != unknown && length >= 0 && length != size
	_, page := pages[contentType]
	if resized && (want != whole || page || (r.etag == "" && r.modified == "")) {
		return r, wrong("%d bytes where the file has %d", length, size)
	}
	if size == unknown && foreign(name, contentType) {
		return r, wrong("a page of %s in place of the file", contentType)
	}
	r.byteRange, r.total = byteRange{0, length}, length // -1 is unknown
	return r, nil
}

// checkPart checks a 206: it must start where it was asked to, hold no more
// than was asked, and as much as there is.
func checkPart(resp *http.Response, r reply, want byteRange, size int64) (reply, error) {
	if want == whole {
		return r, wrong("a part where the whole was asked for")
	}
	got, total, err := parseContentRange(resp.Header.Get("Content-Range"))
	if err != nil {
		return r, wrong("%w", err)
	}
	r.total = total
	end := total
	if end == unknown {
		end = size
	}
	expected := want
	if end != unknown && (expected.limit == unknown || expected.limit > end) {
		expected.limit = end
	}
	short := end == unknown && got.limit < expected.limit // the file may end there
	if got.start != want.start || (expected.limit != unknown && got.limit != expected.limit && !short) {
		return r, wrong("bytes [%d, %d) where [%d, %d) were asked for", got.start, got.limit, want.start, expected.limit)
	}
	if resp.ContentLength >= 0 && resp.ContentLength != got.limit-got.start {
		return r, wrong("%d bytes for a range of %d", resp.ContentLength, got.limit-got.start)
	}
	r.byteRange, r.ranged = got, true
	return r, nil
}

// checkStatus turns a status that brings no bytes into what it means for the
// link.
func checkStatus(resp *http.Response, size int64) error {
	code := resp.StatusCode
	switch code {
	case http.StatusOK, http.StatusPartialContent:
		return nil
	case http.StatusRequestedRangeNotSatisfiable:
		_, total, err := parseContentRange(resp.Header.Get("Content-Range"))
		if empty := total == 0 && size == unknown; err == nil && (empty || size != unknown && total != size) {
			return nil
		}
	}
	// The reason is ours: theirs may quote the link.
	looks := strings.TrimSpace(fmt.Sprintf("%d %s", code, http.StatusText(code)))
	if v := judge(resp); v.Class != 0 {
		return refused(v, looks)
	}
	return wrong("%s", looks)
}

// judge has a look at the beginning of the body, which stays to be read.
func judge(resp *http.Response) verdict.Verdict {
	if resp.Body == nil {
		return verdict.Judge(verdict.Reply{Status: resp.StatusCode, Header: resp.Header})
	}
	start, _ := io.ReadAll(io.LimitReader(resp.Body, judged))
	resp.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(start), resp.Body), resp.Body}
	return verdict.Judge(verdict.Reply{Status: resp.StatusCode, Header: resp.Header, Start: start})
}

// refused is the failure for a reply that is not the file: what it means, and
// what it looked like.
func refused(v verdict.Verdict, looks string) error {
	kind := resolver.ErrUnavailable
	switch v.Class {
	case resolver.Gone:
		kind = resolver.ErrNotExist
	case resolver.Throttled:
		kind = resolver.ErrThrottled
	case resolver.Denied, resolver.Expired, resolver.UsedUp:
		kind = resolver.ErrPermission
	}
	f := &failure{after: v.After, err: fmt.Errorf("origin answered %s, %v: %w", looks, v, kind)}
	if v.Class.Blames() {
		f.class = v.Class
	}
	return f
}

var errContentRange = errors.New("no usable Content-Range")

// parseContentRange reads "bytes a-b/total", "bytes a-b/*" and "bytes */total"
// (RFC 9110, 14.4). The range is half open; it is empty in the last form.
func parseContentRange(s string) (got byteRange, total int64, err error) {
	unit, rest, ok := strings.Cut(s, " ")
	span, length, ok2 := strings.Cut(rest, "/")
	if !ok || !ok2 || !strings.EqualFold(unit, "bytes") {
		return byteRange{}, 0, errContentRange
	}
	total = unknown
	if length != "*" {
		if total, err = parseOffset(length); err != nil {
			return byteRange{}, 0, err
		}
	}
	if span == "*" {
		if total == unknown {
			return byteRange{}, 0, errContentRange
		}
		return byteRange{}, total, nil
	}
	first, last, _ := strings.Cut(span, "-")
	start, err1 := parseOffset(first)
	end, err2 := parseOffset(last)
	if err1 != nil || err2 != nil || end < start || (total != unknown && end >= total) {
		return byteRange{}, 0, errContentRange
	}
	return byteRange{start, end + 1}, total, nil
}

// parseOffset takes digits only: no sign, no space, and room for one more.
func parseOffset(s string) (int64, error) {
	n, err := strconv.ParseUint(s, 10, 62)
	if err != nil {
		return 0, errContentRange
	}
	return int64(n), nil
}

// dateOf is what the origin's clock shows, zero if it does not tell or if the
// reply comes out of a cache.
func dateOf(resp *http.Response) time.Time {
	shown, err := http.ParseTime(resp.Header.Get("Date"))
	if err != nil || resp.Header.Get("Age") != "" {
		return time.Time{}
	}
	return shown
}

// strongETag returns the tag if it tells bytes apart, else nothing.
func strongETag(tag string) string {
	if len(tag) > 2 && strings.HasPrefix(tag, `"`) && strings.HasSuffix(tag, `"`) {
		return tag
	}
	return ""
}

func mediaType(contentType string) string {
	t, _, _ := strings.Cut(contentType, ";")
	return strings.ToLower(strings.TrimSpace(t))
}

// pages are the types in which services write their login pages and error
// messages, and the file types that may honestly come as such.
var pages = map[string][]string{
	"text/html":             {".html", ".htm", ".xhtml", ".mht", ".mhtml"},
	"application/xhtml+xml": {".html", ".htm", ".xhtml"},
	"application/json":      {".json", ".ipynb", ".geojson", ".har", ".map"},
	"text/xml":              {".xml", ".svg", ".rss", ".xsd", ".xsl", ".kml", ".gpx", ".ofd"},
	"application/xml":       {".xml", ".svg", ".rss", ".xsd", ".xsl", ".kml", ".gpx", ".ofd"},
}

// doubtful reports whether only a look at the reply can tell if it is the file,
// of which nobody knows the length: it is as short as an error message, and the
// name does not say that the file may look like one.
func doubtful(name string, resp *http.Response) bool {
	return resp.ContentLength <= message && !honest(name, mediaType(resp.Header.Get("Content-Type")))
}

// honest reports whether a file of this name may honestly be a page of the kind
// in which services write their messages: it comes as what it is, or as nothing
// in particular.
func honest(name, contentType string) bool {
	switch contentType {
	case "", "application/octet-stream", "binary/octet-stream", "text/plain":
		contentType = ""
	}
	ext := strings.ToLower(path.Ext(name))
	for kind, exts := range pages {
		if (contentType == "" || contentType == kind) && slices.Contains(exts, ext) {
			return true
		}
	}
	return false
}

// foreign reports whether a whole answer of this media type cannot be the file of
// this name, but is a page that talks about it. Names without an extension say
// nothing.
func foreign(name, contentType string) bool {
	honest, page := pages[contentType]
	ext := strings.ToLower(path.Ext(name))
	if !page || ext == "" {
		return false
	}
	for _, e := range honest {
		if e == ext {
			return false
		}
	}
	return mediaType(mime.TypeByExtension(ext)) != contentType
}
