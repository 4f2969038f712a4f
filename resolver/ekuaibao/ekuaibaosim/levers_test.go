package ekuaibaosim_test

import (
	"context"
	"hash/crc64"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/ekuaibao/ekuaibaosim"
)

func TestStores_Digest(t *testing.T) {
	c, link, _ := stored(t, ekuaibaosim.OSS)
	told := func() (string, string) {
		answer, _ := c.get(http.MethodGet, link, "Range", "bytes=0-9")
		require.Equal(t, 206, answer.StatusCode)
		return answer.Header.Get("x-oss-hash-crc64ecma"), answer.Header.Get("ETag")
	}
	crcOf := func(b []byte) string {
		return strconv.FormatUint(crc64.Checksum(b, crc64.MakeTable(crc64.ECMA)), 10)
	}
	_, whole := c.get(http.MethodGet, link)
	crc, tag := told()
	assert.Equal(t, crcOf(whole), crc, "that of the whole, with a range, too")

	c.SwapContent("file", linksim.Bytes([]byte("something else")))
	swapped, newTag := told()
	assert.Equal(t, crcOf([]byte("something else")), swapped)
	assert.NotEqual(t, tag, newTag)

	c.SetConduct(ekuaibaosim.OSS, ekuaibaosim.Conduct{WrongCRC: true})
	wrong, _ := told()
	assert.NotEqual(t, swapped, wrong)
	c.SetConduct(ekuaibaosim.OSS, ekuaibaosim.Conduct{NoCRC: true, NoETag: true})
	none, noTag := told()
	assert.Empty(t, none+noTag)
}

func TestStall(t *testing.T) {
	c, link, _ := stored(t, ekuaibaosim.OSS)
	c.Stall("file", 300, 1)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, link, nil)
	require.NoError(t, err)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer func() { _ = answer.Body.Close() }()
	_, err = io.ReadFull(answer.Body, make([]byte, 300))
	require.NoError(t, err)
	leave()
	_, err = answer.Body.Read(make([]byte, 1))
	require.ErrorIs(t, err, context.Canceled)
	_, text := c.get(http.MethodGet, link)
	assert.Len(t, text, 1000, "once only")
	assert.EqualValues(t, 1300, c.Totals().Bytes)
}

func TestLinks_DieEarly(t *testing.T) {
	c := example(t)
	c.SetLinkTerms(ekuaibaosim.LinkTerms{Early: time.Hour})
	_, list := c.links(item(exampleID, exampleKey), item("136634573449", exampleDrive))
	require.Len(t, list, 2)
	answer, text := c.get(http.MethodGet, list[1].URL)
	assert.Equal(t, 403, answer.StatusCode)
	assert.Contains(t, string(text), "Request has expired")
	h := list[0].Headers
	_, text = c.get(http.MethodGet, list[0].URL, "Authorization", h["Authorization"], "x-oss-date", h["x-oss-date"])
	assert.Contains(t, string(text), "RequestTimeTooSkewed")
}

func TestLinks_OfWhatIsGone(t *testing.T) {
	c, link, _ := stored(t, ekuaibaosim.OSS)
	c.RemoveFile("file")
	answer, text := c.get(http.MethodGet, link)
	assert.Equal(t, 404, answer.StatusCode)
	assert.Contains(t, string(text), "NoSuchKey")
	_, list := c.links(item("file", "发票 a+b.pdf"))
	assert.Empty(t, list)
}

func TestThumbs(t *testing.T) {
	c := start(t).login()
	c.AddDocument(ekuaibaosim.Document{Attachments: []ekuaibaosim.File{
		{ID: "picture", Key: "picture", Content: linksim.Pattern(1, 1000), Thumb: linksim.Bytes([]byte("small"))},
		{ID: "paper", Key: "paper", Content: linksim.Pattern(1, 1000)},
	}})
	_, list := c.links(item("picture", "picture"), item("paper", "paper"))
	require.Len(t, list, 2)
	answer, text := c.get(http.MethodGet, list[1].ThumbURL, "Range", "bytes=0-1")
	assert.Equal(t, 200, answer.StatusCode)
	assert.Equal(t, "small", string(text))
	answer, _ = c.get(http.MethodGet, list[0].ThumbURL)
	assert.Equal(t, 400, answer.StatusCode, "of what is no picture it is useless")
}

func TestDocuments_Change(t *testing.T) {
	c := start(t).login()
	d := c.AddDocument(ekuaibaosim.Document{Created: time.Now().Add(-48 * time.Hour)})
	now := "&start=0&count=9&active=true&orderBy=updateTime&startDate=" +
		url.QueryEscape(time.Now().Add(-time.Hour).In(time.FixedZone("", 8*60*60)).Format(time.DateTime))
	codes, _ := c.listed(now)
	assert.Empty(t, codes)
	c.ChangeDocument(d.ID, func(d *ekuaibaosim.Document) { d.State = "paid" })
	codes, _ = c.listed(now + "&state=paid")
	assert.Equal(t, []string{d.Code}, codes)

	c.SetTypes("loan")
	status, _ := c.call(http.MethodGet, "/v1.1/docs/getApplyList", "&type=expense&start=0&count=9", nil)
	assert.Equal(t, 400, status)
}
