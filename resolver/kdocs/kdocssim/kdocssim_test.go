package kdocssim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
)

const (
	appID  = "AK-test"
	appKey = "the app's key"
	doc    = "111"
)

var scopes = []string{kdocssim.ScopeUser, kdocssim.ScopeFiles}

// start starts a server with one app.
func start(t testing.TB) *kdocssim.Server {
	t.Helper()
	s, err := kdocssim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.AddApp(kdocssim.App{ID: appID, Key: appKey, Scopes: scopes})
	return s
}

// reply is an answer as a client decodes it.
type reply struct {
	status int
	header http.Header
	text   string
	body   map[string]any
}

func (r reply) code() int {
	if code, ok := r.body["code"].(float64); ok {
		return int(code)
	}
	return -1
}

func (r reply) data() map[string]any { return r.body["data"].(map[string]any) }

func (r reply) detail() map[string]any { return r.data()["detail"].(map[string]any) }

// refusedWith is the status and the code.
func (r reply) refusedWith() [2]int { return [2]int{r.status, r.code()} }

// send sends a request that takes the answer as it is, redirects included.
func send(method, address, body string, header http.Header) (*http.Response, []byte, error) {
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return nil, nil, err
	}
	for name := range header {
		req.Header.Set(name, header.Get(name))
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport: transport, Timeout: 20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		return nil, nil, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, text, err
}

func call(t testing.TB, s *kdocssim.Server, method, path, body string) reply {
	t.Helper()
	res, text, err := send(method, s.URL()+path, body, nil)
	require.NoError(t, err)
	r := reply{status: res.StatusCode, header: res.Header, text: string(text)}
	_ = json.Unmarshal(text, &r.body)
	return r
}

func get(t testing.TB, s *kdocssim.Server, token, path string, query url.Values) reply {
	t.Helper()
	if query == nil {
		query = url.Values{}
	}
	query.Set("access_token", token)
	return call(t, s, "GET", path+"?"+query.Encode(), "")
}

const schemasPath = "/api/v1/openapi/dbt/" + doc + "/schemas"

// ask asks for links.
func ask(t testing.TB, s *kdocssim.Server, token, body string) reply {
	t.Helper()
	return call(t, s, "POST", "/api/v1/openapi/dbt/"+doc+"/attachment/urls?access_token="+url.QueryEscape(token), body)
}

func urls(r reply) (addresses []string) {
	for _, u := range r.data()["urls"].([]any) {
		addresses = append(addresses, u.(map[string]any)["url"].(string))
	}
	return addresses
}

// table is a document of one sheet with one record, which has the attachments.
func table(attachments ...kdocssim.Attachment) kdocssim.Document {
	return kdocssim.Document{Token: doc, Name: "项目.dbt", Sheets: []kdocssim.Sheet{{
		ID: 1, Name: "数据表", Fields: []kdocssim.Field{
			{ID: "B", Name: "名称", Type: "MultiLineText"},
			{ID: "C", Name: "图片和附件", Type: kdocssim.AttachmentType},
		},
		Records: []kdocssim.Record{{ID: "K", Cells: map[string]any{"B": "one", "C": attachments}}},
	}}}
}

func bytesOf(text string) linksim.Content { return linksim.Bytes([]byte(text)) }
