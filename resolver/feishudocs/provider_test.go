package feishudocs_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishudocs"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

// scopes are those that docs/providers/feishu-docs.md asks for.
var scopes = []string{
	"space:document:retrieve", "drive:drive.metadata:readonly", "drive:file:download", "docs:document.media:download",
	"docx:document:readonly", "sheets:spreadsheet:readonly", "bitable:app:readonly", "wiki:wiki:readonly",
}

// calls are those that the provider makes besides the one for tokens.
var calls = []feishusim.Call{
	feishusim.RootFolder, feishusim.DriveFiles, feishusim.Metas, feishusim.FileDownload, feishusim.MediaLinks, feishusim.MediaDownload,
	feishusim.Document, feishusim.Blocks, feishusim.SheetsQuery, feishusim.Values, feishusim.FloatImages,
	feishusim.BaseTables, feishusim.BaseFields, feishusim.BaseSearch, feishusim.WikiSpace, feishusim.WikiNodes,
}

// start runs a Feishu without rates whose drive is empty.
func start(t *testing.T) (*feishusim.Server, feishudocs.Config) {
	t.Helper()
	s, err := feishusim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	for _, call := range calls {
		s.SetRate(call)
	}
	app := feishusim.App{ID: "cli_test", Secret: "secret-" + feishusim.Marker, Scopes: scopes}
	s.AddApp(app)
	return s, feishudocs.Config{BaseURL: s.URL(), AppID: app.ID, AppSecret: resolver.NewSecret(app.Secret)}
}

// connect makes a provider that does not wait for its turns, with these roots.
func connect(t *testing.T, cfg feishudocs.Config, roots ...string) *feishudocs.Provider {
	t.Helper()
	cfg.Roots = roots
	require.NoError(t, cfg.Validate())
	p := feishudocs.New(cfg, feishudocs.Unlimited(cfg))
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

// pages follows the pages of a directory to the last.
func pages(t *testing.T, p *feishudocs.Provider, dir resolver.ID) (entries []resolver.Entry, mark string, err error) {
	t.Helper()
	for cursor := ""; ; {
		page, err := p.List(t.Context(), dir, cursor)
		if err != nil {
			return nil, "", err
		}
		entries = append(entries, page.Entries...)
		if page.Next == "" {
			return entries, page.Mark, nil
		}
		require.NotEqual(t, cursor, page.Next, "the pages do not end")
		cursor = page.Next
	}
}

func list(t *testing.T, p *feishudocs.Provider, dir resolver.ID) []resolver.Entry {
	t.Helper()
	entries, _, err := pages(t, p, dir)
	require.NoError(t, err)
	return entries
}

// tree is everything below dir, by path; directories end in a slash.
func tree(t *testing.T, p *feishudocs.Provider, dir resolver.ID) map[string]resolver.Entry {
	t.Helper()
	found := make(map[string]resolver.Entry)
	grow(t, p, "", list(t, p, dir), found)
	return found
}

func grow(t *testing.T, p *feishudocs.Provider, at string, entries []resolver.Entry, found map[string]resolver.Entry) {
	t.Helper()
	for _, e := range entries {
		path := at + e.Name
		if e.Dir {
			path += "/"
		}
		require.NotContains(t, found, path)
		found[path] = e
		if !e.Dir {
			continue
		}
		children := e.Children
		if children == nil {
			children = list(t, p, e.ID)
		}
		grow(t, p, path, children, found)
	}
}

// paths are those of what is found that is no directory.
func paths(found map[string]resolver.Entry) []string {
	files := []string{}
	for path, e := range found {
		if !e.Dir {
			files = append(files, path)
		}
	}
	return files
}

func media(name string) feishusim.Media {
	return feishusim.Media{Name: name, Content: linksim.Bytes([]byte("content of " + name))}
}

// body is what a link brings, for the range if that is not empty.
func body(t *testing.T, link resolver.Link, ranged string) (string, *http.Response) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link.URLs[0].Reveal(), nil)
	require.NoError(t, err)
	for name, value := range link.Header {
		req.Header.Set(name, value.Reveal())
	}
	if ranged != "" {
		req.Header.Set("Range", ranged)
	}
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(text), resp
}

// everything fills a drive with one of each.
func everything(s *feishusim.Server) (refused string) {
	root := s.DriveRoot("")
	folder := s.AddDriveFolder(root, "folder")
	s.AddDriveFile(folder, feishusim.DriveFile{Name: "file.pdf", Content: linksim.Bytes([]byte("pdf"))})
	docx := s.AddDocx(folder, feishusim.Docx{Title: "document", Blocks: []feishusim.Block{
		feishusim.FileBlock(media("a.zip")), feishusim.FileBlock(media("a.zip")), feishusim.FileBlock(media("refused")),
	}})
	s.SetForbidden(docx.Media[2], true)
	s.AddSheet(root, feishusim.Spreadsheet{Title: "spreadsheet", Tabs: []feishusim.Tab{{Cells: []feishusim.Cell{
		{At: "B2", Media: []feishusim.Media{media("cell.txt")}, Shape: feishusim.Attachments},
	}}}})
	s.AddBase(root, feishusim.Base{Name: "base", Advanced: true, Tables: []feishusim.Table{{
		Name:   "table",
		Fields: []feishusim.Field{{Name: "Title", Type: feishusim.FieldText, Primary: true}, {Name: "Files", Type: feishusim.FieldAttachment}},
		Records: []feishusim.Record{
			{Values: map[string]any{"Title": "first"}, Files: map[string][]feishusim.Media{"Files": {media("1.txt"), media("2.txt")}}},
			{Values: map[string]any{"Title": "second"}},
		},
	}}})
	return docx.Media[2]
}

func TestProvider(t *testing.T) {
	s, cfg := start(t)
	everything(s)
	limits := feishudocs.Unlimited(cfg)
	unknown := resolvertest.Want{Size: resolver.SizeUnknown}
	resolvertest.Run(t, resolvertest.Fixture{
		New: func(*testing.T) resolver.Provider { return feishudocs.New(cfg, limits) },
		Want: map[string]resolvertest.Want{
			"folder/file.pdf":         unknown,
			"folder/document/a.zip":   unknown,
			"folder/document/refused": {Size: resolver.SizeUnknown, Err: resolver.ErrPermission},
			"spreadsheet/cell.txt":    unknown,
			"base/table/first/1.txt":  {Size: int64(len("content of 1.txt"))},
			"base/table/first/2.txt":  {Size: int64(len("content of 2.txt"))},
		},
		UnknownDir:  "folder/nowhere",
		UnknownFile: "file/nothing",
		Print:       []any{cfg, &cfg},
		Secrets:     []string{feishusim.Marker},
	})
}

func TestProvider_Media(t *testing.T) {
	s, cfg := start(t)
	s.SetClock(time.Hour)
	docx := s.AddDocx(s.DriveRoot(""), feishusim.Docx{Title: "d", Blocks: []feishusim.Block{
		feishusim.FileBlock(media("a")), feishusim.FileBlock(media("b")),
	}})
	p := connect(t, cfg, "docx:"+docx.Document)
	top := list(t, p, resolver.Root)
	entries := list(t, p, top[0].ID)
	a, b := entries[0].ID, entries[1].ID
	assert.Equal(t, resolver.Batch{Lane: "media", Size: 5}, p.Batch(a))
	answers, err := p.Resolve(t.Context(), []resolver.ID{b, a, b})
	require.NoError(t, err)
	assert.Equal(t, 1, s.Counts(feishusim.MediaLinks).Calls)
	asked := s.Requests()
	assert.Equal(t, 2, strings.Count(asked[len(asked)-1].Query, "file_tokens="), "repeated, each once")
	for i, want := range []string{"b", "a", "b"} {
		require.NoError(t, answers[i].Err)
		link := answers[i].Link
		assert.Equal(t, 24*time.Hour, link.Lifetime)
		assert.Zero(t, link.Uses)
		assert.Nil(t, link.Meter)
		assert.Empty(t, link.Header, "the token stays with the API")
		assert.WithinDuration(t, time.Now().Add(time.Hour), link.ServerTime, time.Minute)
		text, _ := body(t, link, "")
		assert.Equal(t, "content of "+want, text)
	}
	assert.Zero(t, s.LinkTotals().Leaks)
}

func TestProvider_DriveFile(t *testing.T) {
	s, cfg := start(t)
	token := s.AddDriveFile(s.DriveRoot(""), feishusim.DriveFile{Name: "f.bin", Content: linksim.Bytes([]byte("0123456789"))})
	denied := s.AddDriveFile(s.DriveRoot(""), feishusim.DriveFile{Name: "denied"})
	removed := s.AddDriveFile(s.DriveRoot(""), feishusim.DriveFile{Name: "removed"})
	p := connect(t, cfg)
	entries := list(t, p, resolver.Root)
	require.Len(t, entries, 3)
	s.SetForbidden(denied, true)
	s.Remove(removed)
	ids := []resolver.ID{entries[0].ID, entries[1].ID, entries[2].ID}
	assert.Equal(t, resolver.Batch{Lane: "files", Size: 200}, p.Batch(ids[0]))
	answers, err := p.Resolve(t.Context(), ids)
	require.NoError(t, err)
	require.ErrorIs(t, answers[1].Err, resolver.ErrPermission)
	require.ErrorIs(t, answers[2].Err, resolver.ErrNotExist)
	require.NoError(t, answers[0].Err)
	assert.Zero(t, s.Counts(feishusim.FileDownload).Calls, "the day's downloads are for bytes")

	link := answers[0].Link
	assert.Equal(t, s.URL()+"/open-apis/drive/v1/files/"+token+"/download", link.URLs[0].Reveal())
	assert.Equal(t, []string{strings.TrimPrefix(s.URL(), "http://")}, p.LinkHosts())
	assert.EqualValues(t, 8<<20, link.Least)
	assert.Positive(t, link.Lifetime)
	require.NoError(t, link.Meter.Turn(t.Context()))
	text, resp := body(t, link, "bytes=3-5")
	assert.Equal(t, "345", text)
	assert.Equal(t, "bytes 3-5/10", resp.Header.Get("Content-Range"))
	assert.Equal(t, 1, p.Usage()[0].Used)
	assert.Equal(t, 10_000, p.Usage()[0].Calls)
	assert.Contains(t, p.Usage()[0].String(), "+08:00", "Feishu's days are those of Beijing")
}

// A token that is refused is found out by the call that comes before the bytes.
func TestProvider_DriveFile_TokenRevoked(t *testing.T) {
	s, cfg := start(t)
	s.AddDriveFile(s.DriveRoot(""), feishusim.DriveFile{Name: "f", Content: linksim.Bytes([]byte("abc"))})
	access, _ := s.IssueUserToken(cfg.AppID, "user@example.com", scopes...)
	p := connect(t, feishudocs.Config{BaseURL: cfg.BaseURL, AppID: cfg.AppID, AccessToken: resolver.NewSecret(access)}, "folder:"+s.DriveRoot(""))
	files := list(t, p, list(t, p, resolver.Root)[0].ID)
	s.RevokeTokens()
	_, err := p.Resolve(t.Context(), []resolver.ID{files[0].ID})
	require.ErrorIs(t, err, resolver.ErrCredentials)

	access, _ = s.IssueUserToken(cfg.AppID, "user@example.com", scopes...)
	account := p.Account()
	p.Renew(&feishudocs.Config{AccessToken: resolver.NewSecret(access), Roots: []string{"drive"}})
	p.Renew("not the options of this provider")
	answers, err := p.Resolve(t.Context(), []resolver.ID{files[0].ID})
	require.NoError(t, err)
	text, _ := body(t, answers[0].Link, "")
	assert.Equal(t, "abc", text)
	assert.Equal(t, account, p.Account(), "the account stays")
}

func TestProvider_NotAnID(t *testing.T) {
	_, cfg := start(t)
	p := connect(t, cfg)
	for _, id := range []resolver.ID{"x", "folder", "folder/a/b", "folder/%zz", "media/a", "cell/a/b/c/d", "via/a", "via/a/via/b", "file/", "drive/x"} {
		_, err := p.List(t.Context(), id, "")
		require.ErrorIs(t, err, resolver.ErrNotExist, id)
		answers, err := p.Resolve(t.Context(), []resolver.ID{id})
		require.NoError(t, err)
		require.ErrorIs(t, answers[0].Err, resolver.ErrNotExist, id)
	}
	_, err := p.List(t.Context(), "docx/abcd", "not a cursor")
	require.Error(t, err)
}

func TestProvider_Check(t *testing.T) {
	s, cfg := start(t)
	lines, err := connect(t, cfg).Check(t.Context())
	require.NoError(t, err)
	assert.Contains(t, lines[0], "cli_test")
	assert.Equal(t, "the drive has 0 directories and 0 files", lines[1])
	assert.Contains(t, lines[2], "roots")

	everything(s)
	private := s.AddDriveFolder("", "private")
	s.SetForbidden(private, true)
	lines, err = connect(t, cfg, "drive", "folder:"+private).Check(t.Context())
	require.ErrorContains(t, err, "share it with the app")
	assert.Equal(t, []string{lines[0], "drive, My Space, has 3 directories and 0 files"}, lines)
}
