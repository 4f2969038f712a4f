package linksim_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
)

const (
	faultySize  = 100_000
	faultyRange = "bytes=20000-29999"
)

// TestFault_Answers plays the faults whose answers can be read to their end.
func TestFault_Answers(t *testing.T) {
	o := start(t, faultySize)
	whole := bytesOf(t, linksim.Pattern(1, faultySize))
	right := whole[20000:30000]
	const asked = "bytes 20000-29999/100000"
	tests := []struct {
		fault        linksim.Fault
		status       int
		contentRange string
		length       int64
		body         []byte
	}{
		{linksim.Fault{Kind: linksim.Whole200}, 200, "", faultySize, whole},
		{linksim.Fault{Kind: linksim.WrongStart}, 206, "bytes 15904-25903/100000", 10000, whole[15904:25904]},
		{linksim.Fault{Kind: linksim.WrongTotal}, 206, "bytes 20000-29999/100001", 10000, right},
		{linksim.Fault{Kind: linksim.NoContentRange}, 206, "", 10000, right},
		{linksim.Fault{Kind: linksim.WrongBytes}, 206, asked, 10000, whole[24096:34096]},
		{linksim.Fault{Kind: linksim.ShortBody}, 206, asked, 5000, right[:5000]},
		{linksim.Fault{Kind: linksim.ShortBody, After: 7}, 206, asked, 7, right[:7]},
		{linksim.Fault{Kind: linksim.LongBody}, 206, asked, 14096, whole[20000:34096]},
		{linksim.Fault{Kind: linksim.LongChunked, After: 5}, 206, asked, -1, whole[20000:30005]},
		{linksim.Fault{Kind: linksim.Late}, 206, asked, 10000, right},
		{linksim.Fault{Kind: linksim.Status}, 503, "", 0, []byte{}},
		{linksim.Fault{Kind: linksim.Status, Status: 429, Body: []byte("slow")}, 429, "", 4, []byte("slow")},
		{linksim.Fault{Kind: linksim.Page200, Body: []byte("{}")}, 200, "", 2, []byte("{}")},
	}
	for _, c := range tests {
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			c.fault.Times = 1
			o.Inject(id, c.fault)
			res, body := served(t, o.FileURL(id), faultyRange, nil)
			assert.Equal(t, c.status, res.StatusCode)
			assert.Equal(t, c.contentRange, res.Header.Get("Content-Range"))
			assert.Equal(t, c.length, res.ContentLength)
			assert.Equal(t, c.body, body)
			res, body = served(t, o.FileURL(id), faultyRange, nil)
			assert.Equal(t, asked, res.Header.Get("Content-Range"), "only once")
			assert.Equal(t, right, body)
		})
	}
}

func TestFault_LongBodyGoesOnAfterTheEnd(t *testing.T) {
	o := start(t, 10)
	o.Inject(id, linksim.Fault{Kind: linksim.LongBody, After: 3})
	_, body := served(t, o.FileURL(id), "", nil)
	assert.Equal(t, append(bytesOf(t, linksim.Pattern(1, 10)), 0, 0, 0), body)
}

// TestFault_Cuts plays the faults that end an answer too early.
func TestFault_Cuts(t *testing.T) {
	o := start(t, faultySize)
	whole := bytesOf(t, linksim.Pattern(1, faultySize))
	for _, c := range []struct {
		fault linksim.Fault
		err   string
	}{
		{linksim.Fault{Kind: linksim.CutBody, After: 5000}, "reset by peer"},
		{linksim.Fault{Kind: linksim.CleanCut, After: 5000}, "unexpected EOF"},
		{linksim.Fault{Kind: linksim.CleanCut}, "unexpected EOF"},
		{linksim.Fault{Kind: linksim.Refuse}, "EOF"},
	} {
		t.Run(string(c.fault.Kind), func(t *testing.T) {
			c.fault.Times = 1
			o.ResetCounts()
			o.Inject(id, c.fault)
			_, body, err := get(t, http.MethodGet, o.FileURL(id), "", nil)
			assert.ErrorContains(t, err, c.err)
			assert.True(t, bytes.HasPrefix(whole, body))
			assert.LessOrEqual(t, int64(len(body)), c.fault.After)
			assert.Equal(t, c.fault.After, o.CountsOf(id).Bytes)
		})
	}
}

func TestFault_Gzip(t *testing.T) {
	o := start(t, faultySize)
	o.Swap(id, linksim.Bytes(bytes.Repeat([]byte("compressible "), 10_000)))
	o.Inject(id, linksim.Fault{Kind: linksim.Gzip})
	res, body := served(t, o.FileURL(id), "bytes=13-130012", nil)
	assert.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
	assert.Less(t, len(body), 10_000)
	unzip, err := gzip.NewReader(bytes.NewReader(body))
	require.NoError(t, err)
	plain, err := io.ReadAll(unzip)
	require.NoError(t, err)
	assert.Equal(t, bytes.Repeat([]byte("compressible "), 9_999), plain)
}

func TestFault_MultipartRanges(t *testing.T) {
	o := start(t, faultySize)
	o.Inject(id, linksim.Fault{Kind: linksim.MultipartRanges})
	res, body := served(t, o.FileURL(id), "bytes=5-14", nil)
	assert.Equal(t, http.StatusPartialContent, res.StatusCode)
	assert.Equal(t, int64(len(body)), res.ContentLength)
	_, params, err := mime.ParseMediaType(res.Header.Get("Content-Type"))
	require.NoError(t, err)
	part, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).NextPart()
	require.NoError(t, err)
	content, err := io.ReadAll(part)
	require.NoError(t, err)
	assert.Equal(t, "bytes 5-14/100000", part.Header.Get("Content-Range"))
	assert.Equal(t, bytesOf(t, linksim.Pattern(1, faultySize))[5:15], content)
}

func TestFault_StallAndTrickle(t *testing.T) {
	for _, c := range []struct {
		kind linksim.FaultKind
		more bool
	}{{linksim.Stall, false}, {linksim.Trickle, true}} {
		t.Run(string(c.kind), func(t *testing.T) {
			o := start(t, faultySize)
			o.Inject(id, linksim.Fault{Kind: c.kind, After: 1000})
			res, err := http.Get(o.FileURL(id))
			require.NoError(t, err)
			first := make([]byte, 1000)
			_, err = io.ReadFull(res.Body, first)
			require.NoError(t, err)
			assert.Equal(t, bytesOf(t, linksim.Pattern(1, 1000)), first)
			next := make(chan int, 1)
			go func() {
				n, _ := res.Body.Read(make([]byte, 10))
				next <- n
			}()
			select {
			case n := <-next:
				assert.True(t, c.more)
				assert.Equal(t, 1, n)
			case <-time.After(1500 * time.Millisecond):
				assert.False(t, c.more)
			}
			require.NoError(t, res.Body.Close())
		})
	}
}

func TestFault_Schedule(t *testing.T) {
	tests := map[string]struct {
		faults []linksim.Fault
		want   []int
	}{
		"for ever":        {[]linksim.Fault{{}}, []int{503, 503, 503, 503, 503, 503}},
		"twice":           {[]linksim.Fault{{Times: 2}}, []int{503, 503, 200, 200, 200, 200}},
		"after two":       {[]linksim.Fault{{Skip: 2, Times: 1}}, []int{200, 200, 503, 200, 200, 200}},
		"every third":     {[]linksim.Fault{{Every: 3}}, []int{200, 200, 503, 200, 200, 503}},
		"third after one": {[]linksim.Fault{{Skip: 1, Every: 3, Times: 1}}, []int{200, 200, 200, 503, 200, 200}},
		"one by one": {[]linksim.Fault{{Times: 1, Status: 500}, {Times: 1, Status: 501}},
			[]int{500, 501, 200, 200, 200, 200}},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			o := start(t, 10)
			for _, f := range c.faults {
				f.Kind = linksim.Status
				o.Inject(id, f)
			}
			o.Inject("another", linksim.Fault{Kind: linksim.Page200})
			var got []int
			for range c.want {
				res, _ := served(t, o.FileURL(id), "", nil)
				got = append(got, res.StatusCode)
			}
			assert.Equal(t, c.want, got)
		})
	}
}

func TestFault_BefallsTheRightRequests(t *testing.T) {
	o := start(t, 10)
	o.Inject("", linksim.Fault{Kind: linksim.NoContentRange, Times: 1})
	served(t, o.FileURL(id), "", nil)
	address, _ := o.Link(id, linksim.Terms{Uses: 1})
	o.ExpireLinks()
	served(t, address, "bytes=0-1", nil)
	res, _ := served(t, o.FileURL(id), "bytes=0-1", nil)
	assert.Empty(t, res.Header.Get("Content-Range"), "whole and dead requests do not count")

	o.Inject("", linksim.Fault{Kind: linksim.Refuse})
	o.ClearFaults()
	served(t, o.FileURL(id), "", nil)
}

func TestFault_RedirectElsewhere(t *testing.T) {
	o := start(t, 10)
	o.Inject(id, linksim.Fault{Kind: linksim.Redirect})
	address, header := o.Link(id, linksim.Terms{Header: http.Header{"X-Bound": {"{signature}"}}})
	res, _ := served(t, address, "", header)
	require.Equal(t, http.StatusFound, res.StatusCode)
	res, body := served(t, res.Header.Get("Location"), "", http.Header{"X-Bound": {"leaked"}})
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, bytesOf(t, linksim.Pattern(1, 10)), body)
	require.Len(t, o.ElsewhereHeaders(), 1)
	assert.Equal(t, "leaked", o.ElsewhereHeaders()[0].Get("X-Bound"))
	requests := o.Requests()
	assert.False(t, requests[0].Elsewhere)
	assert.True(t, requests[1].Elsewhere)
}

func TestFault_RedirectLoop(t *testing.T) {
	o := start(t, 10)
	o.Inject(id, linksim.Fault{Kind: linksim.RedirectLoop})
	_, err := http.Get(o.FileURL(id))
	assert.ErrorContains(t, err, "stopped after 10 redirects")
}

func TestFault_Delay(t *testing.T) {
	o := start(t, 10)
	o.Inject(id, linksim.Fault{Kind: linksim.Status, Delay: 50 * time.Millisecond})
	began := time.Now()
	res, _ := served(t, o.FileURL(id), "", nil)
	assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode)
	assert.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
}
