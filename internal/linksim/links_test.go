package linksim_test

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
)

func TestLink_LooksSigned(t *testing.T) {
	o := start(t, 10)
	address, _ := o.Link(id, linksim.Terms{Lifetime: time.Hour})
	u, err := url.Parse(address)
	require.NoError(t, err)
	assert.Contains(t, u.Query().Get("Signature"), linksim.Marker)
	assert.Contains(t, u.Path, "/report.pdf")
	expires, err := strconv.ParseInt(u.Query().Get("Expires"), 10, 64)
	require.NoError(t, err)
	assert.InDelta(t, time.Now().Add(time.Hour).Unix(), expires, 30)

	address, _ = o.Link(id, linksim.Terms{Lifetime: time.Hour, HideExpires: true})
	assert.NotContains(t, address, "Expires")
}

func TestLink_Dies(t *testing.T) {
	o := start(t, 10)
	early := linksim.Terms{Lifetime: time.Hour, Early: time.Hour}
	tests := map[string]struct {
		terms linksim.Terms
		kill  func()
		alive bool
	}{
		"lives for ever":   {kill: func() {}, alive: true},
		"lives its time":   {terms: linksim.Terms{Lifetime: time.Hour}, kill: func() {}, alive: true},
		"early death":      {terms: early, kill: func() {}},
		"all links expire": {kill: o.ExpireLinks},
		"its links expire": {kill: func() { o.ExpireLinksOf(id) }},
		"others expire":    {kill: func() { o.ExpireLinksOf("another") }, alive: true},
	}
	for name, c := range tests {
		t.Run(name, func(t *testing.T) {
			o.ResetCounts()
			address, _ := o.Link(id, c.terms)
			c.kill()
			res, _ := served(t, address, "", nil)
			if c.alive {
				assert.Equal(t, http.StatusOK, res.StatusCode)
				assert.Equal(t, linksim.Counts{Gets: 1, Bytes: 10, LinksIssued: 1}, o.CountsOf(id))
			} else {
				assert.Equal(t, http.StatusForbidden, res.StatusCode)
				assert.Equal(t, 1, o.CountsOf(id).DeadUses)
			}
		})
	}
}

func TestLink_DeadAndUsedUpAnswers(t *testing.T) {
	o := start(t, 10)
	for status, contentType := range map[int]string{
		200: "application/json", 401: "application/json", 403: "application/xml",
		404: "text/html; charset=utf-8", 410: "text/plain; charset=utf-8", 418: "application/xml",
	} {
		t.Run(strconv.Itoa(status), func(t *testing.T) {
			o.SetDeadStatus(status)
			o.SetUsedUpStatus(http.StatusTeapot)
			dead, _ := o.Link(id, linksim.Terms{})
			o.ExpireLinks()
			res, _ := served(t, dead, "", nil)
			assert.Equal(t, status, res.StatusCode)
			assert.Equal(t, contentType, res.Header.Get("Content-Type"))

			o.SetDeadStatus(http.StatusTeapot)
			o.SetUsedUpStatus(status)
			spent, _ := o.Link(id, linksim.Terms{Uses: 1})
			served(t, spent, "", nil)
			res, _ = served(t, spent, "", nil)
			assert.Equal(t, status, res.StatusCode)
			assert.Equal(t, contentType, res.Header.Get("Content-Type"))
		})
	}
}

func TestLink_UsesAreCounted(t *testing.T) {
	o := start(t, 10)
	address, _ := o.Link(id, linksim.Terms{Uses: 2})
	res, _, err := get(t, http.MethodHead, address, "", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusForbidden, res.StatusCode, "HEAD is not what was signed")
	res, _ = served(t, address, "bytes=0-0", nil)
	assert.Equal(t, http.StatusPartialContent, res.StatusCode)
	res, _ = served(t, address, "", nil)
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
	assert.Equal(t, linksim.Counts{Gets: 2, Heads: 1, Bytes: 1 + res.ContentLength, OverUses: 1, LinksIssued: 1}, o.CountsOf(id))
}

func TestLink_OpensOneObject(t *testing.T) {
	o := start(t, 10)
	o.Put(linksim.Object{Path: "other"})
	address, _ := o.Link(id, linksim.Terms{})
	_, query, _ := strings.Cut(address, "?")
	other, _ := o.Link("other", linksim.Terms{})
	other, _, _ = strings.Cut(other, "?")
	res, _ := served(t, other+"?"+query, "", nil)
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
}

func TestLink_BoundHeaders(t *testing.T) {
	o := start(t, 10)
	terms := linksim.Terms{Header: http.Header{"X-Date": {"today"}, "Authorization": {"sign {signature}"}}}
	address, header := o.Link(id, terms)
	_, others := o.Link(id, terms)
	for name, c := range map[string]struct {
		header http.Header
		status int
	}{
		"right":   {header, http.StatusOK},
		"missing": {http.Header{"X-Date": {"today"}}, http.StatusForbidden},
		"others":  {others, http.StatusForbidden},
	} {
		t.Run(name, func(t *testing.T) {
			res, _ := served(t, address, "", c.header)
			assert.Equal(t, c.status, res.StatusCode)
		})
	}
	assert.Equal(t, 2, o.Counts().BadHeaders)
}

func TestFileURL_HasNoTerms(t *testing.T) {
	o := start(t, 10)
	o.ExpireLinks()
	res, _, err := get(t, http.MethodHead, o.FileURL(id), "", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, int64(10), res.ContentLength)
	assert.NotContains(t, o.FileURL(id), linksim.Marker)
}

func TestLink_OutlivesManyDeadOnes(t *testing.T) {
	o := start(t, 10)
	address, _ := o.Link(id, linksim.Terms{})
	for range 25_000 {
		o.Link(id, linksim.Terms{Lifetime: 1, Early: 1})
	}
	res, _ := served(t, address, "", nil)
	assert.Equal(t, http.StatusOK, res.StatusCode)
}
