package feishusim_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

// docScopes are one for each call.
var docScopes = []string{
	"drive:drive.metadata:readonly", "space:document:retrieve", "drive:file:download", "docs:document.media:download",
	"docx:document:readonly", "sheets:spreadsheet:readonly", "base:table:read", "base:field:read",
	"base:record:retrieve", "bitable:app:readonly", "wiki:wiki:readonly",
}

var docCalls = []feishusim.Call{
	feishusim.RootFolder, feishusim.DriveFiles, feishusim.Metas, feishusim.FileDownload, feishusim.MediaLinks,
	feishusim.MediaDownload, feishusim.Document, feishusim.Blocks, feishusim.Spreadsheets, feishusim.SheetsQuery,
	feishusim.Values, feishusim.ValuesBatch, feishusim.FloatImages, feishusim.BaseApp, feishusim.BaseTables,
	feishusim.BaseFields, feishusim.BaseSearch, feishusim.WikiSpaces, feishusim.WikiSpace, feishusim.WikiNodes,
	feishusim.WikiNodeInfo,
}

// library is a server with an app that may read documents, and its token.
type library struct {
	*feishusim.Server
	t     testing.TB
	token string
}

// open starts a server without rates.
func open(t testing.TB) *library {
	l := openStrict(t)
	for _, call := range docCalls {
		l.SetRate(call)
	}
	return l
}

// openStrict starts a server with the documented rates.
func openStrict(t testing.TB) *library {
	t.Helper()
	s, err := feishusim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.AddApp(feishusim.App{ID: appID, Secret: secret, Scopes: docScopes})
	return &library{s, t, tenantToken(t, s)}
}

func (l *library) get(path string, query ...string) reply {
	l.t.Helper()
	return call(l.t, l.Server, l.token, "GET", path+asQuery(query), "")
}

func (l *library) post(path, body string, query ...string) reply {
	l.t.Helper()
	return call(l.t, l.Server, l.token, "POST", path+asQuery(query), body)
}

// asQuery makes a query of names and values.
func asQuery(pairs []string) string {
	query := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		query.Add(pairs[i], pairs[i+1])
	}
	return "?" + query.Encode()
}

// download asks for bytes with the token.
func (l *library) download(path, byteRange string, query ...string) (*http.Response, string) {
	l.t.Helper()
	header := http.Header{"Authorization": {"Bearer " + l.token}}
	if byteRange != "" {
		header.Set("Range", byteRange)
	}
	res, body, err := send(l.t, "GET", l.URL()+path+asQuery(query), "", header)
	require.NoError(l.t, err)
	return res, string(body)
}

// at sets the clock, by which the token may die, and asks for another.
func (l *library) at(ahead time.Duration) {
	l.t.Helper()
	l.SetClock(ahead)
	l.token = tenantToken(l.t, l.Server)
}

// items are the objects of a list of r.
func (r reply) items(name string) []map[string]any {
	list := r.list(name)
	items := make([]map[string]any, len(list))
	for i, v := range list {
		items[i] = v.(map[string]any)
	}
	return items
}

// pluck is one field of each object.
func pluck(items []map[string]any, field string) []string {
	values := make([]string, len(items))
	for i, item := range items {
		values[i], _ = item[field].(string)
	}
	return values
}

// media is a medium with a few bytes.
func media(text string) feishusim.Media {
	return feishusim.Media{Name: text + ".txt", Content: linksim.Bytes([]byte(text)), ContentType: "text/plain"}
}

func TestDocs_NeedTheirScopes(t *testing.T) {
	l := open(t)
	l.AddApp(feishusim.App{ID: appID, Secret: secret})
	for _, path := range []string{
		"/open-apis/drive/explorer/v2/root_folder/meta", "/open-apis/drive/v1/files", "/open-apis/drive/v1/files/x/download",
		"/open-apis/drive/v1/medias/x/download", "/open-apis/drive/v1/medias/batch_get_tmp_download_url",
		"/open-apis/docx/v1/documents/x", "/open-apis/docx/v1/documents/x/blocks",
		"/open-apis/sheets/v3/spreadsheets/x", "/open-apis/sheets/v3/spreadsheets/x/sheets/query",
		"/open-apis/sheets/v3/spreadsheets/x/sheets/y/float_images/query",
		"/open-apis/sheets/v2/spreadsheets/x/values/y", "/open-apis/sheets/v2/spreadsheets/x/values_batch_get",
		"/open-apis/bitable/v1/apps/x", "/open-apis/bitable/v1/apps/x/tables", "/open-apis/bitable/v1/apps/x/tables/y/fields",
		"/open-apis/wiki/v2/spaces", "/open-apis/wiki/v2/spaces/x", "/open-apis/wiki/v2/spaces/x/nodes", "/open-apis/wiki/v2/spaces/get_node",
	} {
		assert.Equal(t, 99991672, l.get(path).code(), path)
	}
	assert.Equal(t, 99991672, l.post("/open-apis/drive/v1/metas/batch_query", "{}").code())
	assert.Equal(t, 99991672, l.post("/open-apis/bitable/v1/apps/x/tables/y/records/search", "{}").code())
}

func TestRefuse_PlaysAnyCode(t *testing.T) {
	l := open(t)
	l.Refuse(feishusim.DriveFiles, 2, 200, 1061045)
	path := "/open-apis/drive/v1/files"
	assert.Equal(t, [2]int{200, 1061045}, l.get(path).refusedWith())
	assert.Equal(t, 1061045, l.get(path).code())
	assert.Equal(t, 0, l.get(path).code())

	l.Refuse(feishusim.MediaDownload, 1, 400, 0)
	res, body := l.download("/open-apis/drive/v1/medias/x/download", "")
	assert.Equal(t, 400, res.StatusCode)
	assert.Empty(t, body)
}
