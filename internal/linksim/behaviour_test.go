package linksim_test

import (
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
)

func TestRanges(t *testing.T) {
	o := start(t, 1000)
	whole := bytesOf(t, linksim.Pattern(1, 1000))
	for header, want := range map[string]struct {
		status       int
		contentRange string
		body         []byte
	}{
		"":                                {200, "", whole},
		"bytes=0-0":                       {206, "bytes 0-0/1000", whole[:1]},
		"bytes=10-19":                     {206, "bytes 10-19/1000", whole[10:20]},
		"bytes=990-":                      {206, "bytes 990-999/1000", whole[990:]},
		"bytes=-5":                        {206, "bytes 995-999/1000", whole[995:]},
		"bytes=-5000":                     {206, "bytes 0-999/1000", whole},
		"bytes=990-5000":                  {206, "bytes 990-999/1000", whole[990:]},
		"bytes=990-9223372036854775807":   {206, "bytes 990-999/1000", whole[990:]},
		"bytes=1000-":                     {416, "bytes */1000", nil},
		"bytes=5000-6000":                 {416, "bytes */1000", nil},
		"bytes=-0":                        {416, "bytes */1000", nil},
		"bytes=20-10":                     {200, "", whole},
		"bytes=0-1,5-6":                   {200, "", whole},
		"bytes=0-99999999999999999999999": {200, "", whole},
		"lines=1-2":                       {200, "", whole},
	} {
		t.Run(header, func(t *testing.T) {
			res, body := served(t, o.FileURL(id), header, nil)
			assert.Equal(t, want.status, res.StatusCode)
			assert.Equal(t, want.contentRange, res.Header.Get("Content-Range"))
			if want.body != nil {
				assert.Equal(t, want.body, body)
				assert.Equal(t, int64(len(want.body)), res.ContentLength)
			}
		})
	}
	o.Swap(id, linksim.Bytes(nil))
	res, _ := served(t, o.FileURL(id), "bytes=0-", nil)
	assert.Equal(t, http.StatusRequestedRangeNotSatisfiable, res.StatusCode)
	res, body := served(t, o.FileURL(id), "", nil)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Empty(t, body)
}

func TestBehaviour(t *testing.T) {
	o := start(t, 1000)
	whole := bytesOf(t, linksim.Pattern(1, 1000))
	tests := map[string]struct {
		behaviour linksim.Behaviour
		byteRange string
		status    int
		length    int64
		body      []byte
		header    map[string]string
	}{
		"well-behaved": {byteRange: "bytes=1-9", status: 206, length: 9, body: whole[1:10],
			header: map[string]string{"Content-Range": "bytes 1-9/1000", "Accept-Ranges": "bytes"}},
		"no ranges": {linksim.Behaviour{NoRanges: true}, "bytes=1-9", 200, 1000, whole,
			map[string]string{"Content-Range": "", "Accept-Ranges": ""}},
		"no length": {linksim.Behaviour{NoLength: true, NoRanges: true}, "", 200, -1, whole, nil},
		"no length of a range": {linksim.Behaviour{NoLength: true}, "bytes=1-9", 206, -1, whole[1:10],
			map[string]string{"Content-Range": "bytes 1-9/1000"}},
		"total is a star": {linksim.Behaviour{RangeOnlyStar: true}, "bytes=1-9", 206, 9, whole[1:10],
			map[string]string{"Content-Range": "bytes 1-9/*"}},
		"no validators": {linksim.Behaviour{NoETag: true, NoLastModified: true}, "", 200, 1000, whole,
			map[string]string{"ETag": "", "Last-Modified": ""}},
		"end out of range":   {linksim.Behaviour{OutOfRangeIs200: true}, "bytes=1-1000", 200, 1000, whole, nil},
		"start out of range": {linksim.Behaviour{OutOfRangeIs200: true}, "bytes=1000-", 200, 1000, whole, nil},
		"just in range":      {linksim.Behaviour{OutOfRangeIs200: true}, "bytes=1-999", 206, 999, whole[1:], nil},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			o.SetBehaviour("", c.behaviour)
			res, body := served(t, o.FileURL(id), c.byteRange, nil)
			assert.Equal(t, c.status, res.StatusCode)
			assert.Equal(t, c.length, res.ContentLength)
			assert.Equal(t, c.body, body)
			for name, value := range c.header {
				assert.Equal(t, value, res.Header.Get(name), name)
			}
		})
	}
}

func TestBehaviour_OwnComesBeforeDefault(t *testing.T) {
	o := start(t, 100)
	o.SetBehaviour("", linksim.Behaviour{NoETag: true})
	o.SetBehaviour(id, linksim.Behaviour{NoRanges: true})
	res, _ := served(t, o.FileURL(id), "bytes=0-0", nil)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.NotEmpty(t, res.Header.Get("ETag"))
	o.SetBehaviour(id, linksim.Behaviour{})
	res, _ = served(t, o.FileURL(id), "bytes=0-0", nil)
	assert.Equal(t, http.StatusPartialContent, res.StatusCode)
	assert.Empty(t, res.Header.Get("ETag"))
}

func TestBehaviour_ETags(t *testing.T) {
	o := start(t, 100)
	etags := func() (first, second string) {
		address, _ := o.Link(id, linksim.Terms{})
		res, _ := served(t, address, "", nil)
		address, _ = o.Link(id, linksim.Terms{})
		again, _ := served(t, address, "", nil)
		return res.Header.Get("ETag"), again.Header.Get("ETag")
	}
	first, second := etags()
	assert.Equal(t, first, second)
	assert.Regexp(t, `^"[0-9a-f]+"$`, first)

	o.SetBehaviour(id, linksim.Behaviour{WeakETag: true})
	weak, _ := etags()
	assert.Equal(t, "W/"+first, weak)

	o.SetBehaviour(id, linksim.Behaviour{ETagPerLink: true})
	first, second = etags()
	assert.NotEqual(t, first, second)
	assert.NotContains(t, first, linksim.Marker)

	o.Put(linksim.Object{Path: id, ETag: linksim.NoETag})
	first, _ = etags()
	assert.Empty(t, first)
}

func TestBehaviour_DelayAndSpeed(t *testing.T) {
	o := start(t, 100_000)
	o.SetBehaviour(id, linksim.Behaviour{Delay: 50 * time.Millisecond, BytesPerSecond: 1_000_000})
	began := time.Now()
	res, err := http.Get(o.FileURL(id))
	require.NoError(t, err)
	defer res.Body.Close()
	assert.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
	_, err = io.Copy(io.Discard, res.Body)
	require.NoError(t, err)
	assert.GreaterOrEqual(t, time.Since(began), 150*time.Millisecond)
}

// How fast is a plain download? It has to be well above what a mount reaches.
func BenchmarkDirectDownload(b *testing.B) {
	const size = 1 << 30
	o := start(b, size)
	b.SetBytes(size)
	buf := make([]byte, 1<<20)
	for b.Loop() {
		res, err := http.Get(o.FileURL(id))
		require.NoError(b, err)
		n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, res.Body, buf)
		require.NoError(b, err)
		require.Equal(b, int64(size), n)
		require.NoError(b, res.Body.Close())
	}
}

func BenchmarkPattern(b *testing.B) {
	p, buf := linksim.Pattern(1, 1<<40), make([]byte, 512<<10)
	b.SetBytes(int64(len(buf)))
	var off int64
	for b.Loop() {
		_, err := p.ReadAt(buf, off)
		require.NoError(b, err)
		off += int64(len(buf))
	}
}
