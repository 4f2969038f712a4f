package feishudocs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishudocs"
)

// docxDir is the directory of a document that is a root.
func docxDir(t *testing.T, cfg feishudocs.Config, token string) (*feishudocs.Provider, resolver.ID) {
	t.Helper()
	p := connect(t, cfg, "docx:"+token)
	return p, list(t, p, resolver.Root)[0].ID
}

func TestDocx_AnyDepth(t *testing.T) {
	s, cfg := start(t)
	const quote, grid, column = 34, 24, 25
	file := media("deep.pdf")
	file.Token = "boxDeep0001"
	ids := s.AddDocx("", feishusim.Docx{Title: "d", Blocks: []feishusim.Block{
		feishusim.ImageBlock(media(""), "A  caption\nof two lines"),
		feishusim.ImageBlock(media(""), ""),
		feishusim.TypeBlock(grid, feishusim.TypeBlock(column, feishusim.TypeBlock(quote, feishusim.FileBlock(file)))),
		feishusim.InlineFileBlock("some", file.Token),
		feishusim.BoardBlock("board"),
	}})
	p, dir := docxDir(t, cfg, ids.Document)
	assert.ElementsMatch(t, []string{"A caption of two lines", ids.Media[1], "deep.pdf"}, paths(tree(t, p, dir)))
	assert.Zero(t, s.Counts(feishusim.MediaLinks).Calls, "a listing costs no link")
}

func TestDocx_Pages(t *testing.T) {
	s, cfg := start(t)
	var blocks []feishusim.Block
	for i := range 600 { // 1,200 blocks and the page
		blocks = append(blocks, feishusim.FileBlock(media(fmt.Sprint(i))))
	}
	ids := s.AddDocx("", feishusim.Docx{Title: "d", Blocks: blocks})
	p, dir := docxDir(t, cfg, ids.Document)
	assert.Len(t, list(t, p, dir), 600)
	assert.Equal(t, 3, s.Counts(feishusim.Blocks).Calls)
	assert.Equal(t, 1, s.Counts(feishusim.Document).Calls)

	s.ExpirePageTokens()
	page, err := p.List(t.Context(), dir, "")
	require.NoError(t, err)
	s.ExpirePageTokens()
	_, err = p.List(t.Context(), dir, page.Next)
	require.ErrorIs(t, err, resolver.ErrUnavailable, "not that the document is refused")
}

// The content of synced blocks of other documents shows where they do.
func TestDocx_Synced(t *testing.T) {
	s, cfg := start(t)
	other := s.AddDocx("", feishusim.Docx{Title: "other", Blocks: []feishusim.Block{
		feishusim.FileBlock(media("not synced.pdf")),
		feishusim.SourceBlock("blkSource1", feishusim.TextBlock("x", feishusim.FileBlock(media("synced.pdf")))),
		feishusim.SourceBlock("blkSource2", feishusim.FileBlock(media("too.pdf"))),
	}})
	secret := docWith(s, "secret", "secret.pdf")
	s.SetForbidden(secret, true)
	ids := s.AddDocx("", feishusim.Docx{Title: "d", Blocks: []feishusim.Block{
		feishusim.ReferenceBlock(other.Document, "blkSource1"), feishusim.ReferenceBlock(other.Document, "blkSource2"),
		feishusim.ReferenceBlock(secret, "blkSecret1"),
		feishusim.ReferenceBlock("nowhere", "blkNowhere"),
		feishusim.FileBlock(media("own.pdf")),
	}})
	// They show each other, too.
	s.SetDocx(other.Document, feishusim.Docx{Title: "other", Blocks: []feishusim.Block{
		feishusim.SourceBlock("blkSource1", feishusim.FileBlock(media("synced.pdf")), feishusim.ReferenceBlock(ids.Document, "blkOwn")),
		feishusim.SourceBlock("blkSource2", feishusim.FileBlock(media("too.pdf"))),
	}})
	p, dir := docxDir(t, cfg, ids.Document)
	entries, mark, err := pages(t, p, dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	assert.ElementsMatch(t, []string{"own.pdf", "synced.pdf", "too.pdf"}, names)
	assert.Equal(t, 2, s.Counts(feishusim.Blocks).Calls, "each document once")

	_, err = p.Update(t.Context(), dir, mark, "")
	require.NoError(t, err)
	s.SetDocx(other.Document, feishusim.Docx{Title: "other"})
	_, err = p.Update(t.Context(), dir, mark, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported, "the other document has changed")
	s.Remove(other.Document)
	_, err = p.Update(t.Context(), dir, mark, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)
	require.NotErrorIs(t, err, resolver.ErrNotExist, "it is not this one that is gone")
	left := list(t, p, dir)
	require.Len(t, left, 1)
}

// Embedded sheets and tables are directories of their own.
func TestDocx_Embedded(t *testing.T) {
	s, cfg := start(t)
	sheet := s.AddSheet("", feishusim.Spreadsheet{Tabs: []feishusim.Tab{
		{Title: "shown", Hidden: true, Cells: []feishusim.Cell{{At: "A1", Media: []feishusim.Media{media("in sheet.txt")}, Shape: feishusim.Attachments}}},
		{Title: "not this one", Cells: []feishusim.Cell{{At: "A1", Media: []feishusim.Media{media("other.txt")}, Shape: feishusim.Attachments}}},
	}})
	base := s.AddBase("", feishusim.Base{Tables: []feishusim.Table{{
		Fields:  []feishusim.Field{{Name: "F", Type: feishusim.FieldAttachment}},
		Records: []feishusim.Record{{ID: "recOne", Files: map[string][]feishusim.Media{"F": {media("in base.txt")}}}},
	}}})
	ids := s.AddDocx("", feishusim.Docx{Title: "d", Blocks: []feishusim.Block{
		feishusim.SheetBlock(sheet.Spreadsheet, sheet.Tabs[0]), feishusim.BaseBlock(base.Base, base.Tables[0]),
	}})
	p, dir := docxDir(t, cfg, ids.Document)
	found := paths(tree(t, p, dir))
	assert.ElementsMatch(t, []string{
		"Sheet " + sheet.Tabs[0] + "/in sheet.txt", "Table " + base.Tables[0] + "/recOne/in base.txt",
	}, found)
}

// While the revision is the same a listing costs one call.
func TestDocx_Update(t *testing.T) {
	s, cfg := start(t)
	document := docWith(s, "d", "f")
	p, dir := docxDir(t, cfg, document)
	_, mark, err := pages(t, p, dir)
	require.NoError(t, err)
	s.ResetCounts()
	page, err := p.Update(t.Context(), dir, mark, "")
	require.NoError(t, err)
	assert.Equal(t, resolver.Page{Mark: mark}, page)
	assert.Equal(t, 1, s.Counts(feishusim.Document).Calls)
	assert.Zero(t, s.Counts(feishusim.Blocks).Calls)

	s.SetDocx(document, feishusim.Docx{Title: "d"})
	_, err = p.Update(t.Context(), dir, mark, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)
	s.Remove(document)
	_, err = p.Update(t.Context(), dir, mark, "")
	require.ErrorIs(t, err, resolver.ErrNotExist)
	for _, mark := range []string{"", "{}", "x"} {
		_, err = p.Update(t.Context(), dir, mark, "")
		require.ErrorIs(t, err, resolver.ErrUnsupported, mark)
	}
}

// A rate that is exceeded comes with 400.
func TestDocx_Throttled(t *testing.T) {
	s, cfg := start(t)
	p, dir := docxDir(t, cfg, docWith(s, "d", "f"))
	s.Refuse(feishusim.Document, 1, 400, 99991400)
	_, err := p.List(t.Context(), dir, "")
	require.ErrorIs(t, err, resolver.ErrThrottled)
}

func TestDocx_LongCaption(t *testing.T) {
	s, cfg := start(t)
	ids := s.AddDocx("", feishusim.Docx{Title: "d", Blocks: []feishusim.Block{feishusim.ImageBlock(media(""), strings.Repeat("说明 ", 100))}})
	p, dir := docxDir(t, cfg, ids.Document)
	name := list(t, p, dir)[0].Name
	assert.Len(t, []rune(name), 80)
}
