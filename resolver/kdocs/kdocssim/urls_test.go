package kdocssim_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
)

// seedRequest is what the documents ask for, and seedAttachments what it needs.
const seedRequest = `{"attachments":[{"source":"cloud","mime_type":"otl","key":"aaa"},` +
	`{"source":"upload_ks3","mime_type":"image/png","key":"bbb"},{"source":"cloud","mime_type":"png","key":"ccc"},` +
	`{"source":"upload_ks3","mime_type":"image/gif","key":"ddd"},{"source":"upload_ks3","mime_type":"docx","key":"eee"}]}`

func seedAttachments() []kdocssim.Attachment {
	return []kdocssim.Attachment{
		{UploadID: "aaa", Name: "a.otl", Source: kdocssim.Cloud, Unreadable: true},
		{UploadID: "bbb", Name: "b.png", Type: "image/png", Content: bytesOf("bbb!")},
		{UploadID: "ccc", Name: "c.png", Source: kdocssim.Cloud, Content: bytesOf("ccc")},
		{UploadID: "ddd", Name: "ddd.gif", Type: "image/gif", Size: 1136649, ImageSize: "640*640", Content: bytesOf("ddd")},
		{UploadID: "eee", Name: "e.docx", Content: bytesOf("eee")},
	}
}

func TestSeed_RequestAndAnswer(t *testing.T) {
	s := start(t)
	s.AddDocument(table(seedAttachments()...))
	r := ask(t, s, s.Login(appID).Access, seedRequest)
	assert.Equal(t, 200, r.status)
	for _, at := range []int{1, 2, 3} {
		u := r.data()["urls"].([]any)[at].(map[string]any)
		require.Contains(t, u["url"], kdocssim.Marker)
		u["url"] = u["key"].(string) + "_url"
	}
	got, err := json.Marshal(r.body)
	require.NoError(t, err)
	assert.JSONEq(t, `{"code":0,"data":{"urls":[
		{"key":"aaa","source":"cloud","mime_type":"otl","url":""},
		{"key":"bbb","source":"upload_ks3","mime_type":"image/png","url":"bbb_url"},
		{"key":"ccc","source":"cloud","mime_type":"png","url":"ccc_url"},
		{"key":"ddd","source":"upload_ks3","mime_type":"image/gif","url":"ddd_url"},
		{"key":"eee","source":"upload_ks3","mime_type":"docx","url":""}
	]},"result":"ok"}`, string(got))
	assert.Equal(t, kdocssim.CallCounts{Calls: 1, Items: 5, Empty: 2}, s.Counts(kdocssim.AttachmentURLs))
}

func TestSeed_Cell(t *testing.T) {
	s := start(t)
	s.AddDocument(table(seedAttachments()[3]))
	r := get(t, s, s.Login(appID).Access, "/api/v1/openapi/dbt/111/sheets/1/records", nil)
	record := r.detail()["records"].([]any)[0].(map[string]any)
	delete(record["fields"].(map[string]any), "名称")
	got, err := json.Marshal(record)
	require.NoError(t, err)
	assert.JSONEq(t, `{"fields":{"图片和附件":[{"fileName":"ddd.gif","imgSize":"640*640","linkUrl":"","size":1136649,
		"source":"upload_ks3","type":"image/gif","uploadId":"ddd"}]},"id":"K"}`, string(got))
}

func TestURLs_WhatHasNone(t *testing.T) {
	s := start(t)
	s.AddDocument(table(append(seedAttachments(),
		kdocssim.Attachment{UploadID: "fff", Name: "f.heic"}, kdocssim.Attachment{UploadID: "ggg", Name: "g.JPEG"},
		kdocssim.Attachment{UploadID: "hhh", Name: "h.dbt", Source: "Cloud"})...))
	token := s.Login(appID).Access
	for item, want := range map[string]struct{ has, mistaken bool }{
		`{"source":"upload_ks3","mime_type":"heic","key":"fff"}`:      {false, false},
		`{"source":"upload_ks3","mime_type":"JPEG","key":"ggg"}`:      {true, false},
		`{"source":"Cloud","mime_type":"dbt","key":"hhh"}`:            {true, false},
		`{"source":"cloud","mime_type":"dbt","key":"hhh"}`:            {false, true},
		`{"source":"upload_ks3","mime_type":"png","key":"bbb"}`:       {false, true},
		`{"source":"upload_ks3","mime_type":"image/png","key":"zzz"}`: {false, true},
	} {
		t.Run(item, func(t *testing.T) {
			s.ResetCounts()
			got := urls(ask(t, s, token, `{"attachments":[`+item+`]}`))
			assert.Equal(t, want.has, got[0] != "")
			assert.Equal(t, want.mistaken, s.Counts(kdocssim.AttachmentURLs).Mistaken == 1)
		})
	}
	s.SetUnreadable(doc, "aaa", false)
	assert.NotEmpty(t, urls(ask(t, s, token, seedRequest))[0])
	s.SetRecords(doc, 1, nil)
	assert.Equal(t, make([]string, 5), urls(ask(t, s, token, seedRequest)), "no cell has them any more")
}

func TestURLs_AtMostAHundred(t *testing.T) {
	s := start(t)
	s.AddDocument(table(seedAttachments()...))
	token := s.Login(appID).Access
	item := `{"source":"cloud","mime_type":"png","key":"ccc"}`
	many := func(n int) string {
		return `{"attachments":[` + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + `]}`
	}
	assert.Len(t, urls(ask(t, s, token, many(100))), 100)
	for _, body := range []string{many(101), many(0), "", `{"attachments":"all"}`} {
		assert.Equal(t, [2]int{200, 40003}, ask(t, s, token, body).refusedWith())
	}
	assert.Equal(t, 100, s.Counts(kdocssim.AttachmentURLs).Items)
}

func TestURLs_Reversed(t *testing.T) {
	s := start(t)
	s.AddDocument(table(seedAttachments()...))
	s.SetLinksReversed(true)
	got := urls(ask(t, s, s.Login(appID).Access, seedRequest))
	assert.Equal(t, []bool{false, true, true, true, false}, hasText(got))
	first := ask(t, s, s.Login(appID).Access, seedRequest).data()["urls"].([]any)[0].(map[string]any)
	assert.Equal(t, "eee", first["key"])
}

func hasText(texts []string) (has []bool) {
	for _, text := range texts {
		has = append(has, text != "")
	}
	return has
}

func TestURLs_ByEitherPath(t *testing.T) {
	s := start(t)
	d := table(seedAttachments()...)
	d.Name = "在线.ksheet"
	s.AddDocument(d)
	token := s.Login(appID).Access
	for _, kind := range []string{"dbt", "ksheet"} {
		r := call(t, s, "POST", "/api/v1/openapi/"+kind+"/111/attachment/urls?access_token="+token, seedRequest)
		assert.Equal(t, [2]int{200, 0}, r.refusedWith())
	}
	assert.Equal(t, 40003, get(t, s, token, schemasPath, nil).code())
	assert.Equal(t, 0, get(t, s, token, "/api/v1/openapi/ksheet/111/schemas", nil).code())
	assert.Equal(t, 404, get(t, s, token, "/api/v1/openapi/otl/111/schemas", nil).status)
}

func fetch(t testing.TB, address, byteRange string) (*http.Response, string) {
	t.Helper()
	res, body, err := send("GET", address, "", http.Header{"Range": {byteRange}})
	require.NoError(t, err)
	return res, string(body)
}

func TestLinks(t *testing.T) {
	s := start(t)
	s.AddDocument(table(seedAttachments()...))
	token := s.Login(appID).Access
	link := urls(ask(t, s, token, seedRequest))[3]
	assert.NotContains(t, link, "Expires")
	res, body := fetch(t, link, "bytes=0-0")
	assert.Equal(t, []any{206, "d", "image/gif", "bytes 0-0/3"},
		[]any{res.StatusCode, body, res.Header.Get("Content-Type"), res.Header.Get("Content-Range")},
		"the length is not that of the cell")
	head, _, err := send("HEAD", link, "", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusForbidden, head.StatusCode)

	s.Origin().SetBehaviour("", linksim.Behaviour{NoRanges: true})
	res, body = fetch(t, link, "bytes=0-0")
	assert.Equal(t, []any{200, "ddd"}, []any{res.StatusCode, body})
	s.Recompress(doc, "ddd", bytesOf("smaller"))
	_, body = fetch(t, link, "")
	assert.Equal(t, "smaller", body)

	s.ExpireLinks()
	res, _ = fetch(t, link, "")
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
	counts := s.Origin().CountsOf(kdocssim.ObjectID(doc, "ddd"))
	assert.Equal(t, []int{4, 1, 1, 1}, []int{counts.Gets, counts.Heads, counts.DeadUses, counts.LinksIssued})
}

func TestLinkTerms(t *testing.T) {
	s := start(t)
	s.AddDocument(table(seedAttachments()...))
	token := s.Login(appID).Access
	s.SetLinkTerms(kdocssim.LinkTerms{Told: true})
	assert.Contains(t, urls(ask(t, s, token, seedRequest))[1], "Expires=")
	s.SetLinkTerms(kdocssim.LinkTerms{Life: time.Nanosecond})
	res, _ := fetch(t, urls(ask(t, s, token, seedRequest))[1], "")
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
	s.SetLinkTerms(kdocssim.LinkTerms{})
	s.SetTimeScale(1e9)
	res, _ = fetch(t, urls(ask(t, s, token, seedRequest))[1], "")
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
}

func TestURLs_Counted(t *testing.T) {
	s := start(t)
	s.AddDocument(table(seedAttachments()...))
	token := s.Login(appID).Access
	for range 3 {
		ask(t, s, token, seedRequest)
	}
	assert.Equal(t, 9, s.Origin().Counts().LinksIssued)
	requests := s.Requests()
	require.Len(t, requests, 3)
	last := requests[2]
	assert.Equal(t, "POST /api/v1/openapi/dbt/111/attachment/urls access_token=- 200",
		fmt.Sprint(last.Method, " ", last.Path, " ", last.Query, " ", last.Status))
	s.ResetCounts()
	assert.Zero(t, s.Counts(kdocssim.AttachmentURLs))
	assert.Empty(t, s.Requests())
}
