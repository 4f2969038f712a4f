package stream

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

func TestRangeHeader(t *testing.T) {
	assert.Equal(t, "bytes=0-0", byteRange{0, 1}.header())
	assert.Equal(t, "bytes=5-9", byteRange{5, 10}.header())
	assert.Equal(t, "bytes=5-", byteRange{5, unknown}.header())
}

func TestParseContentRange(t *testing.T) {
	for s, want := range map[string]struct {
		got   byteRange
		total int64
	}{
		"bytes 0-0/1":      {byteRange{0, 1}, 1},
		"bytes 5-9/10":     {byteRange{5, 10}, 10},
		"BYTES 5-9/11":     {byteRange{5, 10}, 11},
		"bytes 5-9/*":      {byteRange{5, 10}, unknown},
		"bytes */0":        {byteRange{}, 0},
		"bytes */4711":     {byteRange{}, 4711},
		"bytes 00-09/0010": {byteRange{0, 10}, 10},
		fmt.Sprint("bytes 0-", int64(1)<<62-1, "/*"): {byteRange{0, 1 << 62}, unknown},
	} {
		got, total, err := parseContentRange(s)
		require.NoError(t, err, s)
		assert.Equal(t, want.got, got, s)
		assert.Equal(t, want.total, total, s)
	}
	for _, s := range []string{
		"", "bytes", "bytes ", "bytes /", "bytes -/", "bytes 0-1", "0-1/2", "items 0-1/2", "bytes=0-1/2",
		"bytes 1-0/2", "bytes 0-2/2", "bytes 0-1/-2", "bytes -1-1/2", "bytes 0--1/2", "bytes +0-1/2",
		"bytes  0-1/2", "bytes 0 - 1/2", "bytes 0-1/2 ", "bytes */*", "bytes 0-*/2", "bytes *-1/2", "bytes 0/1",
		"bytes 0-1/0x2", "bytes 0-1_0/20", "bytes 0-1/2/3", "bytes 0-9223372036854775807/*",
		"bytes 0-4611686018427387904/*", "bytes 0-18446744073709551616/*",
	} {
		_, _, err := parseContentRange(s)
		assert.ErrorIs(t, err, errContentRange, "%q", s)
	}
}

func FuzzContentRange(f *testing.F) {
	for _, s := range []string{"bytes 0-0/1", "bytes 5-9/*", "bytes */7", "bytes 1-0/2", "BYTES 0-4611686018427387903/*", ""} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, total, err := parseContentRange(s)
		if err != nil {
			assert.ErrorIs(t, err, errContentRange)
			return
		}
		length := "*"
		if total != unknown {
			assert.GreaterOrEqual(t, total, int64(0))
			length = strconv.FormatInt(total, 10)
		}
		span := "*"
		if got != (byteRange{}) {
			assert.GreaterOrEqual(t, got.start, int64(0))
			assert.Less(t, got.start, got.limit)
			assert.True(t, total == unknown || got.limit <= total, "%v of %d", got, total)
			span = fmt.Sprintf("%d-%d", got.start, got.limit-1)
		}
		again, total2, err := parseContentRange("bytes " + span + "/" + length)
		require.NoError(t, err)
		assert.Equal(t, got, again)
		assert.Equal(t, total, total2)
	})
}

func TestCheck(t *testing.T) {
	const size = 1000
	part := byteRange{100, 200}
	type head map[string]string
	for name, c := range map[string]struct {
		code   int
		length int64
		head   head
		want   byteRange
		size   int64
		reply  reply // expected when class is 0 and kind is nil
		class  resolver.Class
		kind   error // of the failure
		after  time.Duration
	}{
		"part": {
			code: 206, length: 100, head: head{"Content-Range": "bytes 100-199/1000", "ETag": `"a"`, "Last-Modified": "then"},
			want: part, size: size, reply: reply{part, size, `"a"`, "then", true},
		},
		"part, size not known": {
			code: 206, length: 100, head: head{"Content-Range": "bytes 100-199/1000"}, want: part, size: unknown,
			reply: reply{byteRange: part, total: size, ranged: true},
		},
		"part without a total of a known size": {
			code: 206, length: 100, head: head{"Content-Range": "bytes 100-199/*"}, want: part, size: size,
			reply: reply{byteRange: part, total: unknown, ranged: true},
		},
		"part without a total of an unknown size": {
			code: 206, length: 100, head: head{"Content-Range": "bytes 100-199/*"}, want: part, size: unknown,
			reply: reply{byteRange: part, total: unknown, ranged: true},
		},
		"part without a length": {
			code: 206, length: -1, head: head{"Content-Range": "bytes 100-199/1000"}, want: part, size: size,
			reply: reply{byteRange: part, total: size, ranged: true},
		},
		"part to the end": {
			code: 206, length: 900, head: head{"Content-Range": "bytes 100-999/1000"}, want: byteRange{100, unknown}, size: size,
			reply: reply{byteRange: byteRange{100, 1000}, total: size, ranged: true},
		},
		"the file is shorter than what was asked for to learn its size": {
			code: 206, length: 10, head: head{"Content-Range": "bytes 0-9/10"}, want: byteRange{0, sizing}, size: unknown,
			reply: reply{byteRange: byteRange{0, 10}, total: 10, ranged: true},
		},
		"whole to a request for the whole": {
			code: 200, length: size, head: head{"ETag": `W/"a"`}, want: whole, size: size,
			reply: reply{byteRange: byteRange{0, size}, total: size},
		},
		"whole to a ranged request": {
			code: 200, length: size, want: part, size: size, reply: reply{byteRange: byteRange{0, size}, total: size},
		},
		"whole of unknown size": {
			code: 200, length: 7, want: part, size: unknown, reply: reply{byteRange: byteRange{0, 7}, total: 7},
		},
		"whole without a length": {
			code: 200, length: -1, want: whole, size: size, reply: reply{byteRange: whole, total: unknown},
		},
		"whole without a length of unknown size": {
			code: 200, length: -1, want: whole, size: unknown, reply: reply{byteRange: whole, total: unknown},
		},
		"identity is no encoding": {
			code: 200, length: size, head: head{"Content-Encoding": "Identity"}, want: whole, size: size,
			reply: reply{byteRange: byteRange{0, size}, total: size},
		},
		"a page of the file's length is the file": {
			code: 200, length: size, head: head{"Content-Type": "text/html"}, want: whole, size: size,
			reply: reply{byteRange: byteRange{0, size}, total: size},
		},
		"empty file": {
			code: 416, head: head{"Content-Range": "bytes */0"}, want: byteRange{0, sizing}, size: unknown, reply: reply{},
		},
		"gzip":       {code: 200, length: size, head: head{"Content-Encoding": "gzip"}, want: whole, size: size, class: resolver.Wrong},
		"short page": {code: 200, length: 7, want: whole, size: size, class: resolver.Wrong},
		"page of a login": {
			code: 200, length: 7, head: head{"Content-Type": "text/html; charset=utf-8"}, want: byteRange{0, sizing}, size: unknown, class: resolver.Wrong,
		},
		"part of a whole":            {code: 206, length: size, head: head{"Content-Range": "bytes 0-999/1000"}, want: whole, size: size, class: resolver.Wrong},
		"part without Content-Range": {code: 206, length: 100, want: part, size: size, class: resolver.Wrong},
		"other total": { // judged by compare
			code: 206, length: 100, head: head{"Content-Range": "bytes 100-199/1001"}, want: part, size: size,
			reply: reply{byteRange: part, total: 1001, ranged: true},
		},
		"other start":                    {code: 206, length: 100, head: head{"Content-Range": "bytes 99-198/1000"}, want: part, size: size, class: resolver.Wrong},
		"earlier start, same end":        {code: 206, length: 101, head: head{"Content-Range": "bytes 99-199/1000"}, want: part, size: size, class: resolver.Wrong},
		"less than asked":                {code: 206, length: 99, head: head{"Content-Range": "bytes 100-198/1000"}, want: part, size: size, class: resolver.Wrong},
		"more than asked":                {code: 206, length: 101, head: head{"Content-Range": "bytes 100-200/1000"}, want: part, size: size, class: resolver.Wrong},
		"no range at all":                {code: 206, length: 0, head: head{"Content-Range": "bytes */1000"}, want: part, size: size, class: resolver.Wrong},
		"length that is not the range's": {code: 206, length: 99, head: head{"Content-Range": "bytes 100-199/1000"}, want: part, size: size, class: resolver.Wrong},
		"not satisfiable":                {code: 416, head: head{"Content-Range": "bytes */1000"}, want: part, size: size, class: resolver.Wrong},
		"empty, but it is not": { // judged by compare
			code: 416, head: head{"Content-Range": "bytes */0"}, want: part, size: size,
		},
		"not satisfiable, no total": {code: 416, want: byteRange{0, sizing}, size: unknown, class: resolver.Wrong},
		"redirect to nowhere":       {code: 302, want: part, size: size, class: resolver.Wrong},
		"no content":                {code: 204, want: part, size: size, class: resolver.Wrong},
		"400":                       {code: 400, want: part, size: size, class: resolver.Denied, kind: resolver.ErrPermission},
		"401":                       {code: 401, want: part, size: size, class: resolver.Denied, kind: resolver.ErrPermission},
		"403":                       {code: 403, want: part, size: size, class: resolver.Denied, kind: resolver.ErrPermission},
		"404":                       {code: 404, want: part, size: size, class: resolver.Gone, kind: resolver.ErrNotExist},
		"410":                       {code: 410, want: part, size: size, class: resolver.Gone, kind: resolver.ErrNotExist},
		"408":                       {code: 408, want: part, size: size, kind: resolver.ErrUnavailable},
		"429":                       {code: 429, head: head{"Retry-After": "7"}, want: part, size: size, kind: resolver.ErrThrottled, after: 7 * time.Second},
		"500":                       {code: 500, want: part, size: size, kind: resolver.ErrUnavailable},
		"503":                       {code: 503, head: head{"Retry-After": "2"}, want: part, size: size, kind: resolver.ErrUnavailable, after: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			resp := &http.Response{StatusCode: c.code, Status: strconv.Itoa(c.code), ContentLength: c.length, Header: make(http.Header)}
			for k, v := range c.head {
				resp.Header.Set(k, v)
			}
			got, err := check(resp, c.want, c.size, "file.bin")
			if c.class == 0 && c.kind == nil {
				require.NoError(t, err)
				assert.Equal(t, c.reply, got)
				return
			}
			var fail *failure
			require.ErrorAs(t, err, &fail)
			assert.Equal(t, c.class, fail.class)
			assert.Equal(t, c.after, fail.after)
			if c.kind == nil {
				c.kind = resolver.ErrUnavailable
			}
			assert.ErrorIs(t, err, c.kind)
		})
	}
}

func TestStrongETag(t *testing.T) {
	for tag, want := range map[string]string{
		`"a"`: `"a"`, `"a b"`: `"a b"`, `W/"a"`: "", `w/"a"`: "", `""`: "", `"`: "", "": "", "a": "", `"a`: "", `a"`: "",
	} {
		assert.Equal(t, want, strongETag(tag), "%q", tag)
	}
}

// What a reply says of itself decides what becomes of the link.
func TestCheck_LooksAtTheBody(t *testing.T) {
	const whole = `{"a": "a real file"}`
	for name, c := range map[string]struct {
		code        int
		contentType string
		body        string
		file        string
		size        int64
		class       resolver.Class
		kind        error
	}{
		"expired":                    {code: 403, body: "<Error><Code>AccessDenied</Code><Message>Request has expired.</Message></Error>", size: 9, class: resolver.Expired, kind: resolver.ErrPermission},
		"expired token with 400":     {code: 400, body: "<Error><Code>ExpiredToken</Code></Error>", size: 9, class: resolver.Expired, kind: resolver.ErrPermission},
		"denied":                     {code: 403, body: "<Error><Code>AccessDenied</Code><Message>no</Message></Error>", size: 9, class: resolver.Denied, kind: resolver.ErrPermission},
		"throttled with 400":         {code: 400, body: `{"code":99991400,"msg":"request trigger frequency limit"}`, size: 9, kind: resolver.ErrThrottled},
		"200 with an error":          {code: 200, contentType: "application/json", body: `{"code":1061004,"msg":"forbidden"}`, file: "f.bin", size: 900, class: resolver.Denied, kind: resolver.ErrPermission},
		"200 with an error, no size": {code: 200, contentType: "application/json", body: `{"code":1061007,"msg":"deleted"}`, file: "f", size: unknown, class: resolver.Gone, kind: resolver.ErrNotExist},
		"a file without extension":   {code: 200, contentType: "application/json", body: whole, file: "f", size: unknown},
		"a file of its size":         {code: 200, contentType: "application/json", body: whole, file: "f", size: int64(len(whole))},
	} {
		t.Run(name, func(t *testing.T) {
			resp := &http.Response{
				StatusCode: c.code, ContentLength: int64(len(c.body)),
				Header: http.Header{"Content-Type": {c.contentType}},
				Body:   io.NopCloser(strings.NewReader(c.body)),
			}
			_, err := check(resp, byteRange{0, unknown}, c.size, c.file)
			if c.kind == nil {
				require.NoError(t, err)
				left, err := io.ReadAll(resp.Body)
				require.NoError(t, err)
				assert.Equal(t, c.body, string(left), "what was looked at is still to be read")
				return
			}
			var fail *failure
			require.ErrorAs(t, err, &fail)
			assert.Equal(t, c.class, fail.class)
			assert.ErrorIs(t, err, c.kind)
		})
	}
}

func TestForeign(t *testing.T) {
	for _, c := range []struct {
		name, mediaType string
		want            bool
	}{
		{"a.pdf", "text/html", true},
		{"a.pdf", "Text/HTML; charset=utf-8", true},
		{"a.pdf", "application/json", true},
		{"a.pdf", "application/xml", true},
		{"a.pdf", "text/xml;charset=gbk", true},
		{"a.pdf", "application/pdf", false},
		{"a.pdf", "application/octet-stream", false},
		{"a.pdf", "text/plain", false},
		{"a.pdf", "", false},
		{"a.html", "text/html", false},
		{"A.HTM", "text/html", false},
		{"a.html", "application/json", true},
		{"a.json", "application/json; charset=utf-8", false},
		{"a.json", "text/html", true},
		{"a.svg", "application/xml", false},
		{"invoice.ofd", "text/xml", false},
		{"a.b/c", "text/html", false},
		{"README", "text/html", false},
		{"", "text/html", false},
	} {
		assert.Equal(t, c.want, foreign(c.name, mediaType(c.mediaType)), "%s as %s", c.name, c.mediaType)
	}
}

func TestFailure_TellsItsKindAndIsNoOtherError(t *testing.T) {
	err := fmt.Errorf("around: %w", wrong("%d bytes", 7))
	assert.True(t, isFailure(err))
	assert.ErrorIs(t, err, resolver.ErrUnavailable)
	assert.True(t, strings.Contains(err.Error(), "7 bytes"), err)
	assert.False(t, isFailure(changed("ETag")))
}
