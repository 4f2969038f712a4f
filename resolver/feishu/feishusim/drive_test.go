package feishusim_test

import (
	"fmt"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

const drivePath = "/open-apis/drive/v1/files"

func TestDrive_RootIsListedInOneWithoutShortcuts(t *testing.T) {
	l := open(t)
	root := l.DriveRoot("")
	for n := range 250 {
		l.AddDriveFile(root, feishusim.DriveFile{Name: fmt.Sprint(n)})
	}
	l.AddShortcut(root, "a shortcut", l.AddDriveFolder(root, "a folder"))
	assert.Equal(t, root, l.get("/open-apis/drive/explorer/v2/root_folder/meta").data()["token"])

	unnamed := l.get(drivePath, "page_size", "10")
	assert.Len(t, unnamed.items("files"), 251)
	assert.NotContains(t, pluck(unnamed.items("files"), "type"), "shortcut")
	assert.Equal(t, false, unnamed.data()["has_more"])

	named := l.get(drivePath, "folder_token", root)
	assert.Len(t, named.items("files"), 100)
	assert.Equal(t, true, named.data()["has_more"])
	assert.Contains(t, pluck(named.items("files"), "type"), "shortcut", "the newest come first")
}

func TestDrive_PagesHaveTheirOwnName(t *testing.T) {
	l := open(t)
	folder := l.AddDriveFolder("", "big")
	for n := range 450 {
		l.AddDriveFile(folder, feishusim.DriveFile{Name: fmt.Sprint(n)})
	}
	seen := make(map[string]bool)
	query := []string{"folder_token", folder, "page_size", "200"}
	for page := 1; ; page++ {
		r := l.get(drivePath, query...)
		require.Equal(t, 0, r.code())
		for _, name := range pluck(r.items("files"), "name") {
			seen[name] = true
		}
		assert.NotContains(t, r.data(), "page_token")
		if r.data()["has_more"] == false {
			assert.Equal(t, 3, page)
			break
		}
		query = []string{"folder_token", folder, "page_size", "200", "page_token", r.data()["next_page_token"].(string)}
	}
	assert.Len(t, seen, 450)
	l.ExpirePageTokens()
	assert.Equal(t, [2]int{400, 1061002}, l.get(drivePath, query...).refusedWith())
}

func TestDrive_EmptyPagesHaveMore(t *testing.T) {
	l := open(t)
	folder := l.AddDriveFolder("", "odd")
	l.AddDriveFile(folder, feishusim.DriveFile{Name: "a"})
	l.SetEmptyPages(feishusim.DriveFiles, true)
	r := l.get(drivePath, "folder_token", folder)
	assert.Empty(t, r.items("files"))
	require.Equal(t, true, r.data()["has_more"])
	r = l.get(drivePath, "folder_token", folder, "page_token", r.data()["next_page_token"].(string))
	assert.Equal(t, []string{"a"}, pluck(r.items("files"), "name"))
	assert.Equal(t, false, r.data()["has_more"])
}

func TestDrive_Files(t *testing.T) {
	l := open(t)
	at := time.Date(2026, 4, 5, 6, 7, 8, 0, time.UTC)
	folder := l.AddDriveFolder("", "folder")
	file := l.AddDriveFile(folder, feishusim.DriveFile{Name: "a/b.pdf", Modified: at})
	loop := l.AddShortcut(folder, "up again", folder)
	files := l.get(drivePath, "folder_token", folder, "order_by", "CreatedTime", "direction", "ASC").items("files")
	require.Len(t, files, 2)
	assert.Equal(t, file, files[0]["token"])
	assert.Equal(t, "a/b.pdf", files[0]["name"])
	assert.Equal(t, "file", files[0]["type"])
	assert.Equal(t, folder, files[0]["parent_token"])
	assert.Equal(t, strconv.FormatInt(at.Unix(), 10), files[0]["modified_time"], "seconds, as text")
	assert.NotContains(t, files[0], "size")
	assert.NotContains(t, files[0], "shortcut_info")
	assert.Equal(t, loop, files[1]["token"])
	assert.Equal(t, map[string]any{"target_type": "folder", "target_token": folder}, files[1]["shortcut_info"])
	newest := l.get(drivePath, "folder_token", folder).items("files")
	assert.Equal(t, []string{"a/b.pdf", "up again"}, pluck(newest, "name"), "the newest edit first")

	l.SetModified(loop, at.Add(time.Hour))
	newest = l.get(drivePath, "folder_token", folder).items("files")
	assert.Equal(t, []string{"up again", "a/b.pdf"}, pluck(newest, "name"))

	l.Rename(file, "c.pdf")
	l.MoveDriveItem(loop, l.AddDriveFolder("", "elsewhere"))
	assert.Equal(t, []string{"c.pdf"}, pluck(l.get(drivePath, "folder_token", folder).items("files"), "name"))
	l.Remove(file)
	assert.Empty(t, l.get(drivePath, "folder_token", folder).items("files"))
}

func TestDrive_Refuses(t *testing.T) {
	l := open(t)
	folder := l.AddDriveFolder("", "folder")
	for _, c := range []struct {
		want  [2]int
		query []string
	}{
		{[2]int{400, 1064001}, []string{"page_size", "201"}},
		{[2]int{400, 1064001}, []string{"page_size", "0"}},
		{[2]int{400, 1061002}, []string{"order_by", "Name"}},
		{[2]int{400, 1061002}, []string{"folder_token", folder, "page_token", "x"}},
		{[2]int{404, 1061003}, []string{"folder_token", "x"}},
	} {
		assert.Equal(t, c.want, l.get(drivePath, c.query...).refusedWith(), c.query)
	}
	l.SetForbidden(folder, true)
	assert.Equal(t, [2]int{403, 1061004}, l.get(drivePath, "folder_token", folder).refusedWith())
	l.SetForbidden(folder, false)
	assert.Equal(t, 0, l.get(drivePath, "folder_token", folder).code())
	l.Remove(folder)
	assert.Equal(t, [2]int{404, 1061007}, l.get(drivePath, "folder_token", folder).refusedWith())
	l.Break(feishusim.DriveFiles, 1)
	assert.Equal(t, [2]int{500, 1061001}, l.get(drivePath).refusedWith())
}

func TestMetas(t *testing.T) {
	l := open(t)
	folder, secret := l.AddDriveFolder("", "a folder"), l.AddDriveFolder("", "a secret")
	node := l.AddNode(l.AddWiki(feishusim.Wiki{Name: "w"}), feishusim.WikiNode{Object: l.AddDocx("", feishusim.Docx{Title: "a page"}).Document})
	l.SetForbidden(secret, true)
	ask := func(token, kind string) string { return fmt.Sprintf(`{"doc_token":%q,"doc_type":%q}`, token, kind) }
	r := l.post("/open-apis/drive/v1/metas/batch_query", `{"request_docs":[`+ask(folder, "folder")+","+ask(node, "wiki")+
		","+ask(secret, "folder")+","+ask(folder, "docx")+","+ask("x", "file")+`]}`)
	require.Equal(t, 0, r.code())
	assert.Equal(t, []string{"a folder", "a page"}, pluck(r.items("metas"), "title"))
	assert.NotContains(t, r.items("metas")[0], "url")
	assert.Equal(t, []any{
		map[string]any{"token": secret, "code": 970003.0}, map[string]any{"token": folder, "code": 970005.0}, map[string]any{"token": "x", "code": 970005.0},
	}, r.list("failed_list"))
	assert.Equal(t, [2]int{400, 1061002}, l.post("/open-apis/drive/v1/metas/batch_query", `{"request_docs":[]}`).refusedWith())
}

func filePath(token string) string { return drivePath + "/" + token + "/download" }

func TestDownload_HonoursRanges(t *testing.T) {
	l := open(t)
	content := linksim.Pattern(1, 10_000)
	whole := make([]byte, 10_000)
	_, err := content.ReadAt(whole, 0)
	require.NoError(t, err)
	token := l.AddDriveFile("", feishusim.DriveFile{Name: "报告 1.pdf", Content: content, ContentType: "application/pdf"})

	res, body := l.download(filePath(token), "bytes=100-199")
	assert.Equal(t, http.StatusPartialContent, res.StatusCode)
	assert.Equal(t, "bytes 100-199/10000", res.Header.Get("Content-Range"))
	assert.Equal(t, string(whole[100:200]), body)
	assert.Equal(t, "application/pdf", res.Header.Get("Content-Type"))
	assert.Equal(t, "attachment; filename*=UTF-8''%E6%8A%A5%E5%91%8A%201.pdf", res.Header.Get("Content-Disposition"))
	etag := res.Header.Get("ETag")
	assert.Regexp(t, `^".+"$`, etag)

	res, body = l.download(filePath(token), "")
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, string(whole), body)
	assert.EqualValues(t, 10_000, res.ContentLength)
	assert.Equal(t, feishusim.CallCounts{Calls: 2, Bytes: 10_100}, l.Counts(feishusim.FileDownload))

	l.ReplaceDriveFile(token, linksim.Bytes([]byte("new")), time.Time{})
	res, body = l.download(filePath(token), "")
	assert.Equal(t, "new", body)
	assert.NotEqual(t, etag, res.Header.Get("ETag"))
}

func TestDownload_Conduct(t *testing.T) {
	l := open(t)
	token := l.AddDriveFile("", feishusim.DriveFile{Name: "a", Content: linksim.Bytes([]byte("0123456789"))})
	l.SetDownloadConduct(feishusim.DownloadConduct{NoRanges: true, NoETag: true, Chunked: true})
	res, body := l.download(filePath(token), "bytes=0-0")
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, "0123456789", body)
	assert.Empty(t, res.Header.Get("ETag"))
	assert.EqualValues(t, -1, res.ContentLength)

	l.SetDownloadConduct(feishusim.DownloadConduct{WeakETag: true})
	res, _ = l.download(filePath(token), "")
	assert.Regexp(t, `^W/"`, res.Header.Get("ETag"))

	l.CutOnce(token, 4)
	_, _, err := send(t, "GET", l.URL()+filePath(token), "", http.Header{"Authorization": {"Bearer " + l.token}})
	assert.Error(t, err)
	_, body = l.download(filePath(token), "")
	assert.Equal(t, "0123456789", body, "once")

	l.SetDownloadConduct(feishusim.DownloadConduct{Longest: 6})
	for range 2 {
		_, part, err := send(t, "GET", l.URL()+filePath(token), "", http.Header{"Authorization": {"Bearer " + l.token}})
		assert.Error(t, err)
		assert.Equal(t, "012345", string(part))
	}
	_, body = l.download(filePath(token), "bytes=6-")
	assert.Equal(t, "6789", body)
}

func TestDownload_MayLeadElsewhere(t *testing.T) {
	l := open(t)
	token := l.AddDriveFile("", feishusim.DriveFile{Name: "a", Content: linksim.Bytes([]byte("x"))})
	l.SetDownloadConduct(feishusim.DownloadConduct{Redirect: true})
	req, err := http.NewRequest("GET", l.URL()+filePath(token), nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer "+l.token)
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	res, err := transport.RoundTrip(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, http.StatusFound, res.StatusCode)
	assert.Contains(t, res.Header.Get("Location"), l.StreamURL())
	_, body := fetch(t, res.Header.Get("Location"))
	assert.Equal(t, "x", body)

	// A client that takes the token along is found out.
	followed, _ := l.download(filePath(token), "")
	assert.Equal(t, http.StatusBadRequest, followed.StatusCode)
	assert.Equal(t, 1, l.LinkTotals().Leaks)
}

func TestDownload_Refuses(t *testing.T) {
	l := open(t)
	file := l.AddDriveFile("", feishusim.DriveFile{Name: "a"})
	ids := l.AddDocx("", feishusim.Docx{Blocks: []feishusim.Block{feishusim.FileBlock(media("m"))}})
	assert.Equal(t, [2]int{404, 1061003}, l.get(filePath("x")).refusedWith())
	assert.Equal(t, [2]int{404, 1061003}, l.get(filePath(ids.Document)).refusedWith(), "documents are not files")
	assert.Equal(t, [2]int{403, 1061004}, l.get(filePath(ids.Media[0])).refusedWith(), "nor are media")
	l.SetForbidden(file, true)
	assert.Equal(t, [2]int{403, 1061004}, l.get(filePath(file)).refusedWith())
	l.Remove(file)
	assert.Equal(t, [2]int{404, 1061007}, l.get(filePath(file)).refusedWith())
	assert.Equal(t, 99991661, call(t, l.Server, "", "GET", filePath(file), "").code(), "only with a token")
}

func TestDay_EndsTheDownloads(t *testing.T) {
	l := open(t)
	token := l.AddDriveFile("", feishusim.DriveFile{Name: "a"})
	l.SetDailyLimit(feishusim.FileDownload, 2)
	l.at(untilNoonInBeijing())
	for range 2 {
		res, _ := l.download(filePath(token), "")
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
	assert.Equal(t, [2]int{400, 1061045}, l.get(filePath(token)).refusedWith())
	l.SetSpentDay(429, 99991400)
	assert.Equal(t, [2]int{429, 99991400}, l.get(filePath(token)).refusedWith())
	assert.Equal(t, 2, l.Counts(feishusim.FileDownload).OverDay)
	assert.Equal(t, 404, l.get("/open-apis/drive/v1/medias/x/download").status, "media have their own day")
	l.at(untilNoonInBeijing() + 13*time.Hour)
	res, _ := l.download(filePath(token), "")
	assert.Equal(t, http.StatusOK, res.StatusCode, "tomorrow there are new ones")
}

// untilNoonInBeijing keeps a test off midnight; the next day begins 12 hours
// after it.
func untilNoonInBeijing() time.Duration {
	now := time.Now().In(time.FixedZone("", 8*60*60))
	noon := time.Date(now.Year(), now.Month(), now.Day()+1, 12, 0, 0, 0, now.Location())
	return noon.Sub(now)
}

func TestDay_HasTenThousandDownloads(t *testing.T) {
	l := open(t)
	l.at(untilNoonInBeijing())
	for _, c := range []struct {
		call feishusim.Call
		path string
	}{{feishusim.FileDownload, filePath("x")}, {feishusim.MediaDownload, mediumPath("x")}} {
		l.SpendToday(c.call, 9_999)
		assert.Equal(t, 404, l.get(c.path).status, "missing ones cost a call as well")
		assert.Equal(t, 1061045, l.get(c.path).code())
		assert.Equal(t, feishusim.CallCounts{Calls: 2, OverDay: 1}, l.Counts(c.call))
	}
}
