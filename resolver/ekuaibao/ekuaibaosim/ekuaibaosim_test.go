package ekuaibaosim_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/ekuaibao/ekuaibaosim"
)

// The names of the example that the page of downloadurls prints.
const (
	exampleID    = "61sbwX3DEAgk00"
	exampleKey   = "openapi0306c2d1-7a5b-4e96-8172-60c5ee0f971e-kotlin简介.docx"
	exampleDrive = `DP:{"fileId":"136634437985","fileName":"128163bbba83.jpg","fileSize":2985928,"fileType":"jpg","spaceId":"7215288789"}`
)

type object = map[string]any

// client is who asks a company.
type client struct {
	*ekuaibaosim.Server
	t     *testing.T
	token string
}

func start(t *testing.T) *client {
	t.Helper()
	s, err := ekuaibaosim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return &client{Server: s, t: t}
}

func (c *client) login() *client {
	c.t.Helper()
	status, text := c.send(http.MethodPost, c.URL()+"/api/openapi/v1/auth/getAccessToken",
		object{"appKey": ekuaibaosim.AppKey, "appSecurity": ekuaibaosim.AppSecurity})
	require.Equal(c.t, 200, status)
	var answer struct {
		Value struct {
			AccessToken string
			ExpireTime  int64
		}
	}
	require.NoError(c.t, json.Unmarshal(text, &answer))
	c.token = answer.Value.AccessToken
	assert.Contains(c.t, c.token, linksim.Marker)
	assert.Greater(c.t, answer.Value.ExpireTime, time.Now().UnixMilli())
	return c
}

func (c *client) send(method, address string, body any) (int, []byte) {
	c.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(c.t, err)
	r, err := http.NewRequestWithContext(c.t.Context(), method, address, bytes.NewReader(text))
	require.NoError(c.t, err)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(c.t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err = io.ReadAll(answer.Body)
	require.NoError(c.t, err)
	return answer.StatusCode, text
}

// call makes a call with the token; query follows it.
func (c *client) call(method, path, query string, body any) (int, []byte) {
	c.t.Helper()
	return c.send(method, c.URL()+"/api/openapi"+path+"?accessToken="+url.QueryEscape(c.token)+query, body)
}

// links asks for links; those that are signed in headers come with them.
func (c *client) links(items ...object) (int, []answered) {
	c.t.Helper()
	status, text := c.call(http.MethodPost, "/v2/attachment/downloadurls", "", items)
	var list []answered
	if status == 200 {
		require.NoError(c.t, json.Unmarshal(text, &list), "%s", text)
	}
	return status, list
}

type answered struct {
	ID, Key, URL, ThumbURL string
	Headers                map[string]string
}

func item(id, key string) object { return object{"id": id, "key": key, "expiration": 1000} }

// get asks a store; headers are pairs.
func (c *client) get(method, address string, headers ...string) (*http.Response, []byte) {
	c.t.Helper()
	r, err := http.NewRequestWithContext(c.t.Context(), method, address, nil)
	require.NoError(c.t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(c.t, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	require.NoError(c.t, err)
	return answer, text
}

// example is the company of the page's example.
func example(t *testing.T) *client {
	c := start(t).login()
	c.AddDocument(ekuaibaosim.Document{Attachments: []ekuaibaosim.File{
		{ID: exampleID, Key: exampleKey, Name: "kotlin简介.docx", Content: linksim.Bytes([]byte("a document of words"))},
		{ID: "136634573449", Key: exampleDrive, Name: "128163bbba83.jpg", Store: ekuaibaosim.Drive, Content: linksim.Bytes([]byte("a picture"))},
	}})
	return c
}

func TestLinks_Example(t *testing.T) {
	c := example(t)
	status, list := c.links(item(exampleID, exampleKey), item("136634573449", exampleDrive), item("nobody", "knows"))
	require.Equal(t, 200, status)
	require.Len(t, list, 2, "what is not known is left out")
	drive, oss := list[0], list[1]
	require.Equal(t, exampleID, oss.ID, "in another order")
	assert.Equal(t, exampleKey, oss.Key)
	assert.Empty(t, oss.Headers)
	u, err := url.Parse(oss.URL)
	require.NoError(t, err)
	assert.Equal(t, "/"+exampleKey, u.Path)
	for _, name := range []string{"Expires", "OSSAccessKeyId", "Signature", "security-token"} {
		assert.True(t, u.Query().Has(name), name)
	}
	assert.Contains(t, oss.ThumbURL, "x-oss-process=image%2Fresize")
	answer, text := c.get(http.MethodGet, oss.URL)
	assert.Equal(t, 200, answer.StatusCode)
	assert.Equal(t, "a document of words", string(text))

	assert.Equal(t, exampleDrive, drive.Key)
	assert.Equal(t, drive.URL, drive.ThumbURL)
	assert.Regexp(t, `/yundisk0/\w+\.file$`, drive.URL)
	assert.Regexp(t, `^OSS \w+:\S+=$`, drive.Headers["Authorization"])
	date, err := http.ParseTime(drive.Headers["x-oss-date"])
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), date, 10*time.Minute)
	_, text = c.get(http.MethodGet, drive.URL, "Authorization", drive.Headers["Authorization"], "x-oss-date", drive.Headers["x-oss-date"], "Range", "bytes=2-4")
	assert.Equal(t, "pic", string(text))
}

func TestLinks_Refusals(t *testing.T) {
	many := make([]object, 101)
	for i := range many {
		many[i] = item(fmt.Sprint(i), "key")
	}
	c := example(t)
	status, text := c.call(http.MethodPost, "/v2/attachment/downloadurls", "", many)
	assert.Equal(t, 200, status)
	assert.False(t, json.Valid(text), "plain words")
	status, _ = c.links(object{"id": exampleID, "key": exampleKey, "expiration": 1801})
	assert.Equal(t, 400, status)
	status, _ = c.links(object{"id": exampleID, "key": exampleKey})
	assert.Equal(t, 400, status)

	c.Refuse(exampleID, ekuaibaosim.Spoils)
	status, _ = c.links(item("136634573449", exampleDrive), item(exampleID, exampleKey))
	assert.Equal(t, 500, status, "one spoils all")
	c.Refuse(exampleID, ekuaibaosim.NoURL)
	_, list := c.links(item(exampleID, exampleKey))
	require.Len(t, list, 1)
	assert.Empty(t, list[0].URL)
	for outage, want := range map[ekuaibaosim.DriveOutage]int{
		ekuaibaosim.DriveMissing: 200, ekuaibaosim.DriveNoURL: 200, ekuaibaosim.DriveFails: 500,
	} {
		c.SetDriveOutage(outage)
		status, list = c.links(item("136634573449", exampleDrive))
		assert.Equal(t, want, status, outage)
		for _, l := range list {
			assert.Empty(t, l.URL)
		}
	}
	calls := c.Calls(ekuaibaosim.LinksCall)
	assert.Equal(t, ekuaibaosim.Request{Call: ekuaibaosim.LinksCall, Items: 101, Status: 200}, calls[0])
	assert.Equal(t, 1, calls[len(calls)-1].Drive)
}

func TestStores_WantWhatWasSigned(t *testing.T) {
	for _, store := range ekuaibaosim.Stores() {
		t.Run(string(store), func(t *testing.T) {
			c, link, sign := stored(t, store)
			with := func(more ...string) []string { return append(append([]string(nil), sign...), more...) }
			denied := 403
			if store == ekuaibaosim.Qiniu {
				denied = 401
			}
			answer, text := c.get(http.MethodGet, link, with("Range", "bytes=0-99")...)
			require.Equal(t, 206, answer.StatusCode, "%s", text)
			assert.Equal(t, "bytes 0-99/1000", answer.Header.Get("Content-Range"))
			assert.Len(t, text, 100)
			assert.Regexp(t, `^"\w+"$`, answer.Header.Get("ETag"))
			if store != ekuaibaosim.Qiniu {
				assert.NotEmpty(t, answer.Header.Get("x-oss-hash-crc64ecma"))
				answer, _ = c.get(http.MethodHead, link, sign...)
				assert.Equal(t, 403, answer.StatusCode, "HEAD is not what was signed")
				answer, _ = c.get(http.MethodGet, link, with("Content-Type", "text/plain")...)
				assert.Equal(t, 403, answer.StatusCode)
				answer, _ = c.get(http.MethodGet, link, with("x-oss-range-behavior", "standard")...)
				assert.Equal(t, 403, answer.StatusCode)
			}
			other := link + "&a=b"
			if store == ekuaibaosim.Drive {
				other = link + "?a=b"
				answer, _ = c.get(http.MethodGet, link)
				assert.Equal(t, 403, answer.StatusCode, "headers on every request")
				assert.Zero(t, c.Totals().Leaks)
			} else {
				answer, _ = c.get(http.MethodGet, link, "Authorization", "OSS x:y")
				assert.Equal(t, 400, answer.StatusCode)
				assert.Equal(t, 1, c.Counts(store).Leaks)
			}
			answer, _ = c.get(http.MethodGet, other, sign...)
			assert.Equal(t, denied, answer.StatusCode, "another address")
			assert.EqualValues(t, 100, c.Links("file")[0].Bytes)

			c.ExpireLinks()
			answer, text = c.get(http.MethodGet, link, sign...)
			assert.Equal(t, denied, answer.StatusCode)
			assert.Contains(t, string(text), map[ekuaibaosim.Store]string{
				"oss": "Request has expired", "domain": "Request has expired", "qiniu": "token out of date", "drive": "RequestTimeTooSkewed",
			}[store])
			assert.Equal(t, 1, c.Links("file")[0].Dead)
		})
	}
}

// stored is a company with one file of 1000 bytes, and a link to it.
func stored(t *testing.T, store ekuaibaosim.Store) (c *client, link string, sign []string) {
	t.Helper()
	c = start(t).login()
	f := ekuaibaosim.File{ID: "file", Key: "发票 a+b.pdf", Store: store, Content: linksim.Pattern(1, 1000)}
	if store == ekuaibaosim.Drive {
		f.Key = exampleDrive
	}
	c.AddDocument(ekuaibaosim.Document{Attachments: []ekuaibaosim.File{f}})
	_, list := c.links(item("file", f.Key))
	require.Len(t, list, 1)
	for name, value := range list[0].Headers {
		sign = append(sign, name, value)
	}
	return c, list[0].URL, sign
}

func TestStores_OutOfRange(t *testing.T) {
	c, link, _ := stored(t, ekuaibaosim.OSS)
	ask := func(span string) (int, int) {
		answer, text := c.get(http.MethodGet, link, "Range", span)
		return answer.StatusCode, len(text)
	}
	for span, want := range map[string][2]int{
		"bytes=990-999": {206, 10}, "bytes=990-1000": {200, 1000}, "bytes=1000-1001": {200, 1000},
	} {
		status, n := ask(span)
		assert.Equal(t, want, [2]int{status, n}, span)
	}
	c.SetConduct(ekuaibaosim.OSS, ekuaibaosim.Conduct{Clamps: true})
	for span, want := range map[string][2]int{
		"bytes=990-999": {206, 10}, "bytes=990-1000": {206, 10}, "bytes=1000-1001": {416, 0},
	} {
		status, n := ask(span)
		assert.Equal(t, want, [2]int{status, n}, span)
	}
}

func TestLinks_Lives(t *testing.T) {
	c := example(t)
	c.SetLinkTerms(ekuaibaosim.LinkTerms{Life: time.Minute, ISODate: true})
	_, list := c.links(item(exampleID, exampleKey), item("136634573449", exampleDrive))
	require.Len(t, list, 2)
	date, err := time.Parse("20060102T150405Z", list[0].Headers["x-oss-date"])
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(time.Minute), date.Add(15*time.Minute), 30*time.Second)
	c.SetClock(2 * time.Minute)
	answer, _ := c.get(http.MethodGet, list[1].URL)
	assert.Equal(t, 403, answer.StatusCode)
}
