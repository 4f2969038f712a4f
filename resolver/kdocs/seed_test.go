package kdocs_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/kdocs"
)

// What the vendor prints of the call for links: its request and its answer, but
// for the addresses, which have to be some.
const (
	printedRequest = `{"attachments":[{"source":"cloud","mime_type":"otl","key":"aaa"},
		{"source":"upload_ks3","mime_type":"image/png","key":"bbb"},{"source":"cloud","mime_type":"png","key":"ccc"},
		{"source":"upload_ks3","mime_type":"image/gif","key":"ddd"},{"source":"upload_ks3","mime_type":"docx","key":"eee"}]}`
	printedAnswer = `{"code":0,"data":{"urls":[
		{"key":"aaa","source":"cloud","mime_type":"otl","url":""},
		{"key":"bbb","source":"upload_ks3","mime_type":"image/png","url":"https://h.example/bbb_url"},
		{"key":"ccc","source":"cloud","mime_type":"png","url":"https://h.example/ccc_url"},
		{"key":"ddd","source":"upload_ks3","mime_type":"image/gif","url":"https://h.example/ddd_url"},
		{"key":"eee","source":"upload_ks3","mime_type":"docx","url":""}]},"result":"ok"}`
	printedRecord = `{"fields":{"图片和附件":[{"fileName":"ddd.gif","imgSize":"640*640","linkUrl":"","size":1136649,
		"source":"upload_ks3","type":"image/gif","uploadId":"ddd"}]},"id":"K"}`
)

// answerAs is a kdocs that answers each path with a text, and remembers what it
// was sent there.
func answerAs(t *testing.T, answers map[string]string) (*kdocs.Provider, map[string]string) {
	t.Helper()
	sent := make(map[string]string)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent[r.URL.Path] = r.Method + " " + r.URL.RawQuery + " " + string(body)
		text, ok := answers[r.URL.Path]
		if !ok {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, text)
	}))
	t.Cleanup(server.Close)
	p := kdocs.New(kdocs.Config{BaseURL: server.URL, AccessToken: resolver.NewSecret("xxxx")}, nil)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p, sent
}

func TestSeed_RequestAndAnswer(t *testing.T) {
	const path = "/api/v1/openapi/dbt/111/attachment/urls"
	p, sent := answerAs(t, map[string]string{path: printedAnswer})
	var ids []resolver.ID
	for _, a := range []string{"cloud/otl/aaa", "upload_ks3/image%2Fpng/bbb", "cloud/png/ccc", "upload_ks3/image%2Fgif/ddd", "upload_ks3/docx/eee"} {
		ids = append(ids, resolver.ID("file/dbt/111/1/K/"+a))
	}
	answers, err := p.Resolve(t.Context(), ids)
	require.NoError(t, err)
	body, ok := strings.CutPrefix(sent[path], "POST access_token=xxxx ")
	require.True(t, ok, sent[path])
	assert.JSONEq(t, printedRequest, body)

	var got []string
	for _, a := range answers {
		if a.Err != nil {
			got = append(got, fmt.Sprint(resolver.Refused(a.Err)))
			continue
		}
		got = append(got, a.Link.URLs[0].Reveal())
	}
	assert.Equal(t, []string{"true", "https://h.example/bbb_url", "https://h.example/ccc_url", "https://h.example/ddd_url", "true"}, got)
	assert.ErrorIs(t, answers[0].Err, resolver.ErrPermission)
	assert.ErrorIs(t, answers[4].Err, resolver.ErrUnsupported)
}

func TestSeed_Cell(t *testing.T) {
	p, _ := answerAs(t, map[string]string{
		"/api/v1/openapi/personal/files/flat":      `{"code":0,"data":{"files":[{"id":{"open_id":"111"},"fname":"t.dbt","mtime":1700000000}],"next_offset":-1},"result":"ok"}`,
		"/api/v1/openapi/dbt/111/schemas":          `{"code":0,"data":{"detail":{"sheets":[{"id":1,"name":"s","fields":[]}]}},"result":"ok"}`,
		"/api/v1/openapi/dbt/111/sheets/1/records": `{"code":0,"data":{"detail":{"records":[` + printedRecord + `]}},"result":"ok"}`,
	})
	page, err := p.List(t.Context(), "sheet/dbt/111/1", "")
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	assert.Equal(t, "K", page.Entries[0].Name, "nothing else names the record")
	require.Len(t, page.Entries[0].Children, 1)
	f := page.Entries[0].Children[0]
	assert.Equal(t, resolver.ID("file/dbt/111/1/K/upload_ks3/image%2Fgif/ddd"), f.ID)
	assert.Equal(t, "ddd.gif", f.Name)
	assert.EqualValues(t, 1136649, f.Size)
}

func TestSeed_AHundredAtMost(t *testing.T) {
	p, _ := answerAs(t, nil)
	assert.Equal(t, 100, p.Batch("file/dbt/111/1/K/upload_ks3/image%2Fgif/ddd").Size)
	assert.Equal(t, p.Batch("file/dbt/111/1/K/upload_ks3/image%2Fgif/ddd"), p.Batch("file/dbt/111/2/L/cloud/otl/x"), "across sheets")
	assert.NotEqual(t, p.Batch("file/dbt/111/1/K/upload_ks3/image%2Fgif/ddd"), p.Batch("file/dbt/112/1/K/upload_ks3/image%2Fgif/ddd"))
}
