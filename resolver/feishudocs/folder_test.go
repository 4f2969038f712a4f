package feishudocs_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

func TestFolder(t *testing.T) {
	s, cfg := start(t)
	root := s.DriveRoot("")
	changed := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	s.AddDriveFile(root, feishusim.DriveFile{Name: "a", Modified: changed})
	s.AddDriveFile(root, feishusim.DriveFile{Name: "a"})
	for _, kind := range []feishusim.Kind{feishusim.KindDoc, feishusim.KindMindnote, feishusim.KindSlides} {
		s.AddDriveItem(root, kind, string(kind))
	}
	s.AddDriveFolder(root, "folder")
	s.AddDocx(root, feishusim.Docx{Title: "docx"})
	p := connect(t, cfg)
	entries := list(t, p, resolver.Root)
	require.Len(t, entries, 4, "what has no media is not shown")
	assert.NotEqual(t, entries[0].ID, entries[1].ID, "two of one name")
	assert.Equal(t, changed, entries[0].ModTime)
	assert.NotEqual(t, entries[0].Version, entries[1].Version)
	assert.Equal(t, resolver.SizeUnknown, entries[0].Size)

	s.ReplaceDriveFile(tokenOf(entries[0].ID), linksim.Bytes([]byte("other")), changed.Add(time.Hour))
	again := list(t, p, resolver.Root)
	assert.Equal(t, entries[0].ID, again[0].ID)
	assert.NotEqual(t, entries[0].Version, again[0].Version)
	assert.Equal(t, entries[1:], again[1:])
}

// tokenOf is the last token of an ID.
func tokenOf(id resolver.ID) string {
	text := string(id)
	for i := len(text) - 1; i >= 0; i-- {
		if text[i] == '/' {
			return text[i+1:]
		}
	}
	return text
}

// Pages are told by next_page_token, and edits between them lose nothing.
func TestFolder_Pages(t *testing.T) {
	s, cfg := start(t)
	root := s.DriveRoot("")
	for i := range 450 {
		s.AddDriveFile(root, feishusim.DriveFile{Name: fmt.Sprint(i)})
	}
	p := connect(t, cfg)
	first, err := p.List(t.Context(), resolver.Root, "")
	require.NoError(t, err)
	require.Len(t, first.Entries, 200)
	s.ReplaceDriveFile(tokenOf(first.Entries[0].ID), linksim.Bytes(nil), time.Now())
	seen := map[resolver.ID]bool{}
	for page := first; ; {
		for _, e := range page.Entries {
			seen[e.ID] = true
		}
		if page.Next == "" {
			break
		}
		page, err = p.List(t.Context(), resolver.Root, page.Next)
		require.NoError(t, err)
	}
	assert.Len(t, seen, 450)
	assert.Equal(t, 3, s.Counts(feishusim.DriveFiles).Calls)
	assert.Equal(t, 1, s.Counts(feishusim.RootFolder).Calls)

	s.SetEmptyPages(feishusim.DriveFiles, true)
	assert.Len(t, list(t, p, resolver.Root), 450)
}

// A shortcut shows what it leads to as something of its own; in circles it leads
// to nothing.
func TestFolder_Shortcuts(t *testing.T) {
	s, cfg := start(t)
	root := s.DriveRoot("")
	a := s.AddDriveFolder(root, "a")
	b := s.AddDriveFolder(a, "b")
	file := s.AddDriveFile(b, feishusim.DriveFile{Name: "f", Content: linksim.Bytes([]byte("abc"))})
	s.AddShortcut(root, "short f", file)
	s.AddShortcut(root, "short b", b)
	s.AddShortcut(b, "self", b)
	s.AddShortcut(b, "up", a)
	mindnote := s.AddDriveItem("", feishusim.KindMindnote, "m")
	s.AddShortcut(root, "nothing to see", mindnote)
	p := connect(t, cfg)
	found := tree(t, p, resolver.Root)
	assert.ElementsMatch(t, []string{
		"a/b/f", "a/b/up/b/f", "short f", "short b/f", "short b/up/b/f",
	}, paths(found))
	ids := map[resolver.ID]bool{}
	for path, e := range found {
		assert.False(t, ids[e.ID], "%s is in two places", path)
		ids[e.ID] = true
	}
	answers, err := p.Resolve(t.Context(), []resolver.ID{found["short f"].ID})
	require.NoError(t, err)
	text, _ := body(t, answers[0].Link, "")
	assert.Equal(t, "abc", text, "of the target, not of the shortcut")
}

func TestRoots(t *testing.T) {
	s, cfg := start(t)
	everything(s)
	folder := s.AddDriveFolder("", "shared")
	s.AddDriveFile(folder, feishusim.DriveFile{Name: "in it"})
	inner := s.AddDriveFolder(folder, "inner")
	s.AddDriveFile(inner, feishusim.DriveFile{Name: "f"})
	private := s.AddDriveFolder("", "private")
	s.SetForbidden(private, true)
	space := s.AddWiki(feishusim.Wiki{Name: "handbook"})
	hidden := s.AddWiki(feishusim.Wiki{Name: "hidden"})
	s.SetForbidden(hidden, true)
	p := connect(t, cfg, "folder:"+folder, "folder:"+inner, "drive", "wiki:"+space, "folder:"+private, "wiki:"+hidden)
	top := list(t, p, resolver.Root)
	var names []string
	for _, e := range top {
		names = append(names, e.Name)
	}
	assert.Equal(t, []string{"shared", "inner", "My Space", "handbook", "folder " + private, "wiki " + hidden}, names)
	shared, within := tree(t, p, top[0].ID), tree(t, p, top[1].ID)
	require.Contains(t, shared, "inner/f")
	require.Contains(t, within, "f")
	assert.NotEqual(t, shared["inner/f"].ID, within["f"].ID, "a root within another is a place of its own")
	for _, e := range top[4:] {
		_, err := p.List(t.Context(), e.ID, "")
		assert.ErrorIs(t, err, resolver.ErrPermission, e.Name)
	}
	assert.NotEqual(t, connect(t, cfg).Revision(), p.Revision())
}

// What anybody on the way answers does not make a directory vanish.
func TestFolder_NotGoneByHearsay(t *testing.T) {
	s, cfg := start(t)
	folder := s.AddDriveFolder(s.DriveRoot(""), "folder")
	p := connect(t, cfg)
	dir := list(t, p, resolver.Root)[0].ID
	s.Refuse(feishusim.DriveFiles, 1, 404, 0)
	_, err := p.List(t.Context(), dir, "")
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	s.Refuse(feishusim.DriveFiles, 1, 400, 1061045)
	_, err = p.List(t.Context(), dir, "")
	require.ErrorIs(t, err, resolver.ErrThrottled)
	s.Remove(folder)
	_, err = p.List(t.Context(), dir, "")
	require.ErrorIs(t, err, resolver.ErrNotExist)
}
