package linksim_test

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
)

const id = "docs/report.pdf"

// start starts an origin with one object of size bytes.
func start(t testing.TB, size int64, opts ...linksim.Option) *linksim.Origin {
	t.Helper()
	o, err := linksim.Start(opts...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, o.Close()) })
	o.Put(linksim.Object{Path: id, Content: linksim.Pattern(1, size)})
	return o
}

// bytesOf is what the object started by start holds.
func bytesOf(t testing.TB, s linksim.Content) []byte {
	t.Helper()
	p, err := io.ReadAll(io.NewSectionReader(s, 0, s.Size()))
	require.NoError(t, err)
	return p
}

// get sends a request that takes the answer as it is: no gzip, no redirect.
func get(t testing.TB, method, address, byteRange string, header http.Header) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequest(method, address, nil)
	require.NoError(t, err)
	for name := range header {
		req.Header.Set(name, header.Get(name))
	}
	if byteRange != "" {
		req.Header.Set("Range", byteRange)
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse
	}}
	res, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res, body, err
}

// served is get of a body that is there as a whole.
func served(t testing.TB, address, byteRange string, header http.Header) (*http.Response, []byte) {
	t.Helper()
	res, body, err := get(t, http.MethodGet, address, byteRange, header)
	require.NoError(t, err)
	return res, body
}

// call calls the API and decodes its answer into out.
func call(t testing.TB, o *linksim.Origin, method, path, body string, out any) *http.Response {
	t.Helper()
	req, err := http.NewRequest(method, o.URL()+path, strings.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+linksim.Marker)
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	defer http.DefaultClient.CloseIdleConnections()
	text, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, out), "%s", text)
	return res
}

func TestOrigin_ServesOverTLS(t *testing.T) {
	o := start(t, 3000, linksim.WithTLS())
	roots := x509.NewCertPool()
	require.True(t, roots.AppendCertsFromPEM(o.CertPEM()))
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
	defer transport.CloseIdleConnections()
	for _, address := range []string{o.FileURL(id), strings.Replace(o.FileURL(id), o.URL(), o.Elsewhere(), 1)} {
		res, err := (&http.Client{Transport: transport}).Get(address)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		assert.Equal(t, bytesOf(t, linksim.Pattern(1, 3000)), body)
		assert.Equal(t, "HTTP/1.1", res.Proto)
	}
}

func TestOrigin_DownAndUp(t *testing.T) {
	o := start(t, 10)
	require.NoError(t, o.Down())
	_, _, err := get(t, http.MethodGet, o.FileURL(id), "", nil)
	assert.ErrorContains(t, err, "refused")
	require.NoError(t, o.Up())
	require.NoError(t, o.Up())
	res, _ := served(t, o.FileURL(id), "", nil)
	assert.Equal(t, http.StatusOK, res.StatusCode)
}

func TestOrigin_CloseEndsStalledAnswers(t *testing.T) {
	o, err := linksim.Start()
	require.NoError(t, err)
	o.Put(linksim.Object{Path: id, Content: linksim.Pattern(1, 1<<20)})
	o.Inject(id, linksim.Fault{Kind: linksim.Stall, After: 1000})
	res, err := http.Get(o.FileURL(id))
	require.NoError(t, err)
	defer res.Body.Close()
	first := make([]byte, 1000)
	_, err = io.ReadFull(res.Body, first)
	require.NoError(t, err)
	require.NoError(t, o.Close())
	rest, err := io.ReadAll(res.Body)
	assert.Error(t, err)
	assert.Empty(t, rest)
	assert.NoError(t, o.Close())
}

func TestOrigin_SetClock(t *testing.T) {
	o := start(t, 10)
	o.SetClock(10 * time.Minute)
	link, _ := o.Link(id, linksim.Terms{})
	for name, address := range map[string]string{
		"origin": o.FileURL(id), "link": link, "elsewhere": strings.Replace(o.FileURL(id), o.URL(), o.Elsewhere(), 1),
		"API": o.URL() + "/api/list", "API error": o.URL() + "/api/unknown",
	} {
		t.Run(name, func(t *testing.T) {
			res, _ := served(t, address, "", nil)
			date, err := http.ParseTime(res.Header.Get("Date"))
			require.NoError(t, err)
			assert.WithinDuration(t, time.Now().Add(10*time.Minute), date, 30*time.Second)
		})
	}
}

func TestOrigin_CountsWhatItWasAsked(t *testing.T) {
	o := start(t, 5000)
	served(t, o.FileURL(id), "bytes=10-19", http.Header{"X-Probe": {"1"}})
	_, _, err := get(t, http.MethodHead, o.FileURL(id), "", nil)
	require.NoError(t, err)
	served(t, o.URL()+"/f/unknown/file", "", nil)

	assert.Equal(t, linksim.Counts{Gets: 1, Heads: 1, Bytes: 10}, o.CountsOf(id))
	assert.Equal(t, 2, o.Counts().Gets)
	requests := o.Requests()
	require.Len(t, requests, 3)
	assert.Equal(t, "bytes=10-19", requests[0].Range)
	assert.Equal(t, http.StatusPartialContent, requests[0].Status)
	assert.Equal(t, int64(10), requests[0].Bytes)
	assert.Contains(t, requests[0].Header, "X-Probe")
	assert.Equal(t, http.MethodHead, requests[1].Method)
	assert.Equal(t, http.StatusNotFound, requests[2].Status)
	o.ResetCounts()
	assert.Empty(t, o.Requests())
	assert.Equal(t, linksim.Counts{}, o.Counts())
}

func TestOrigin_PutAgainAndRemove(t *testing.T) {
	o := start(t, 100)
	address, _ := o.Link(id, linksim.Terms{})
	before, _ := served(t, address, "", nil)
	require.True(t, o.Swap(id, linksim.Bytes([]byte("new"))))
	after, body := served(t, address, "", nil)
	assert.Equal(t, "new", string(body))
	assert.NotEqual(t, before.Header.Get("ETag"), after.Header.Get("ETag"))
	assert.NotEqual(t, before.Header.Get("Last-Modified"), after.Header.Get("Last-Modified"))

	o.Remove(id)
	gone, _ := served(t, address, "", nil)
	assert.Equal(t, http.StatusNotFound, gone.StatusCode)
	assert.False(t, o.Swap(id, linksim.Bytes(nil)))
}

func TestPattern(t *testing.T) {
	const size = 300<<10 + 5
	p := linksim.Pattern(7, size)
	whole := bytesOf(t, p)
	require.Len(t, whole, size)
	for _, off := range []int64{0, 1, 7, 4090, 4096, 100_000, size - 3} {
		part := make([]byte, 9000)
		n, err := p.ReadAt(part, off)
		want := whole[off:min(off+9000, size)]
		assert.Equal(t, want, part[:n], "at %d", off)
		assert.Equal(t, n < len(part), err == io.EOF, "at %d", off)
	}
	assert.NotEqual(t, whole, bytesOf(t, linksim.Pattern(8, size)))
}

func TestPattern_NoBlockTwice(t *testing.T) {
	const size = 16 << 20
	blocks := make(map[string]bool)
	for block := range slices.Chunk(bytesOf(t, linksim.Pattern(7, size)), 4096) {
		blocks[string(block)] = true
	}
	assert.Len(t, blocks, size/4096)
}

func TestOrigin_InParallel(t *testing.T) {
	o := start(t, 50_000)
	want := bytesOf(t, linksim.Pattern(1, 50_000))
	var wg sync.WaitGroup
	for i := range 8 {
		own := strconv.Itoa(i)
		wg.Go(func() {
			for range 10 {
				address, _ := o.Link(id, linksim.Terms{Uses: 1})
				req, err := http.NewRequest(http.MethodGet, address, nil)
				if !assert.NoError(t, err) {
					return
				}
				req.Header.Set("Range", "bytes=100-40099")
				res, err := http.DefaultClient.Do(req)
				if !assert.NoError(t, err) {
					return
				}
				body, err := io.ReadAll(res.Body)
				assert.NoError(t, errors.Join(err, res.Body.Close()))
				assert.Equal(t, want[100:40100], body)
				o.Put(linksim.Object{ID: own, Path: "other"})
				o.SetBehaviour(own, linksim.Behaviour{NoETag: true})
				o.Inject("nobody", linksim.Fault{Kind: linksim.Status})
				o.Requests()
			}
		})
	}
	wg.Wait()
	assert.Equal(t, 80, o.CountsOf(id).Gets)
	assert.Equal(t, int64(80*40_000), o.Counts().Bytes)
	assert.Zero(t, o.Counts().OverUses)
}
