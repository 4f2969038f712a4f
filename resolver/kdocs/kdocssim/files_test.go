package kdocssim_test

import (
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
)

const (
	filesPath = "/api/v1/openapi/personal/files"
	flatPath  = filesPath + "/flat"
)

// names lists a folder, or all files, to the end, two a page.
func names(t testing.TB, s *kdocssim.Server, path string, query url.Values) (names []string) {
	t.Helper()
	token := s.Login(appID).Access
	query.Set("count", "2")
	for range 100 {
		data := get(t, s, token, path, query).data()
		for _, f := range data["files"].([]any) {
			names = append(names, f.(map[string]any)["ftype"].(string)+" "+f.(map[string]any)["fname"].(string))
		}
		next := int(data["next_offset"].(float64))
		if next == -1 {
			return names
		}
		query.Set("offset", strconv.Itoa(next))
		query.Set("filter", data["next_filter"].(string))
	}
	require.Fail(t, "the list does not end")
	return nil
}

func stock(s *kdocssim.Server) (folder, group string) {
	folder, group = s.AddFolder("", "资料"), s.AddGroup("团队")
	for i, d := range []kdocssim.Document{
		{Name: "a.dbt"}, {Name: "b.ksheet"}, {Name: "c.otl"}, {Name: "hidden.dbt", Unlisted: true},
		{Name: "d.dbt", Folder: folder}, {Name: "e.dbt", Folder: group},
	} {
		d.ModTime = time.Unix(1_700_000_000+int64(i), 0)
		s.AddDocument(d)
	}
	return folder, group
}

func TestFiles_ByFolder(t *testing.T) {
	s := start(t)
	folder, group := stock(s)
	assert.Equal(t, []string{"group 团队", "folder 资料", "file c.otl", "file b.ksheet", "file a.dbt"},
		names(t, s, filesPath, url.Values{}), "newest first")
	assert.Equal(t, []string{"group 团队", "folder 资料", "file a.dbt", "file b.ksheet", "file c.otl"},
		names(t, s, filesPath, url.Values{"order_by": {"fname"}, "order": {"asc"}}))
	assert.Equal(t, []string{"file d.dbt"}, names(t, s, filesPath, url.Values{"parent_id": {folder}}))
	assert.Equal(t, []string{"file e.dbt"}, names(t, s, filesPath, url.Values{"parent_id": {group}}))
	token := s.Login(appID).Access
	for name, value := range map[string]string{"parent_id": "none", "filter": "x", "order": "x", "order_by": "x", "count": "101", "offset": "x"} {
		assert.Equal(t, 40003, get(t, s, token, filesPath, url.Values{name: {value}}).code(), name)
	}
}

func TestFiles_Flat(t *testing.T) {
	s := start(t)
	stock(s)
	assert.Equal(t, []string{"file e.dbt", "file d.dbt", "file c.otl", "file b.ksheet", "file a.dbt"},
		names(t, s, flatPath, url.Values{}))
	assert.Equal(t, []string{"file e.dbt", "file d.dbt", "file b.ksheet", "file a.dbt"},
		names(t, s, flatPath, url.Values{"exts": {"dbt", "ksheet"}}))
	assert.Equal(t, []string{"file c.otl", "file b.ksheet"}, names(t, s, flatPath, url.Values{"ignore": {"dbt"}}))
}

func TestFiles_Shapes(t *testing.T) {
	s := start(t)
	d := s.AddDocument(kdocssim.Document{Name: "a.dbt", Size: 7})
	token := s.Login(appID).Access
	want := map[string]any{
		"id":    map[string]any{"open_id": d.Token, "union_id": "u" + d.Token},
		"fname": "a.dbt", "ftype": "file", "mtime": float64(d.ModTime.Unix()), "fsize": 7.0,
	}
	assert.Equal(t, want, get(t, s, token, flatPath, nil).data()["files"].([]any)[0])
	s.SetFilesInDetail(true)
	r := get(t, s, token, flatPath, nil)
	assert.NotContains(t, r.data(), "files")
	assert.Equal(t, []any{want}, r.detail()["files"])
	assert.EqualValues(t, -1, r.detail()["next_offset"])
	s.SetMostFiles(10)
	assert.Equal(t, 40003, get(t, s, token, flatPath, url.Values{"count": {"11"}}).code())
}

func TestClose_Twice(t *testing.T) {
	s := start(t)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, _, err := send("GET", s.URL(), "", nil)
	assert.Error(t, err)
}
