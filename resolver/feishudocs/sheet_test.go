package feishudocs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishudocs"
)

func sheetDir(t *testing.T, cfg feishudocs.Config, token string) (*feishudocs.Provider, resolver.ID) {
	t.Helper()
	p := connect(t, cfg, "sheet:"+token)
	return p, list(t, p, resolver.Root)[0].ID
}

func TestSheet(t *testing.T) {
	s, cfg := start(t)
	files := func(names ...string) (all []feishusim.Media) {
		for _, name := range names {
			all = append(all, media(name))
		}
		return all
	}
	ids := s.AddSheet("", feishusim.Spreadsheet{Title: "s", Tabs: []feishusim.Tab{
		{Title: "one", Cells: []feishusim.Cell{
			{At: "A1", Value: "text"}, {At: "B1", Value: 5}, {At: "C1", Value: map[string]any{"fileToken": 7, "type": []any{}}},
			{At: "C3", Media: files("")},
			{At: "AB4", Media: files("a.pdf", "b.pdf"), Shape: feishusim.Attachments},
			{At: "A5", Media: files("x"), Shape: feishusim.Bare},
			{At: "A6", Media: files("y"), Shape: feishusim.Nested},
		}, Floats: []feishusim.Float{{Media: media(""), At: "A1"}}},
		{Title: "hidden", Hidden: true, Cells: []feishusim.Cell{{At: "A1", Media: files("hidden")}}},
		{Title: "base", Type: "bitable"},
		{Title: "unsupported", Type: "#UNSUPPORTED_TYPE"},
		{Title: "last", Cells: []feishusim.Cell{{At: "A1", Media: files("last.pdf"), Shape: feishusim.Attachments}}},
	}})
	p, dir := sheetDir(t, cfg, ids.Spreadsheet)
	entries := list(t, p, dir)
	byToken := map[string]string{}
	for _, e := range entries {
		byToken[tokenOf(e.ID)] = e.Name
		assert.Equal(t, resolver.SizeUnknown, e.Size, "what a cell says of it is nobody's promise")
	}
	m := ids.Media
	assert.Equal(t, map[string]string{
		m[0]: m[0], m[1]: "a.pdf", m[2]: "b.pdf", m[3]: m[3], m[4]: "y", m[5]: m[5], m[7]: "last.pdf",
	}, byToken, "by their tokens; not the hidden one, and not the mention")
	answers, err := p.Resolve(t.Context(), []resolver.ID{entries[0].ID})
	require.NoError(t, err)
	require.NoError(t, answers[0].Err)
}

// A large sheet is read by bands of rows, smaller ones where an answer would be
// too large.
func TestSheet_Bands(t *testing.T) {
	s, cfg := start(t)
	tab := feishusim.Tab{Rows: 2500, Columns: 20}
	for row := 1; row <= 2500; row += 500 {
		tab.Cells = append(tab.Cells, feishusim.Cell{At: fmt.Sprintf("T%d", row), Media: []feishusim.Media{media("")}})
	}
	ids := s.AddSheet("", feishusim.Spreadsheet{Tabs: []feishusim.Tab{tab}})
	p, dir := sheetDir(t, cfg, ids.Spreadsheet)
	assert.Len(t, list(t, p, dir), 5)
	assert.Equal(t, 3, s.Counts(feishusim.Values).Calls, "20,000 cells each")

	s.ResetCounts()
	s.SetLargestValues(50_000)
	assert.Len(t, list(t, p, dir), 5)
	assert.Equal(t, 1, s.Counts(feishusim.FloatImages).Calls)
	assert.Less(t, s.Counts(feishusim.Values).Calls, 20)
}

// What is read of one sheet is bounded.
func TestSheet_TooLarge(t *testing.T) {
	s, cfg := start(t)
	ids := s.AddSheet("", feishusim.Spreadsheet{Tabs: []feishusim.Tab{
		{Rows: 150_000, Columns: 20, Cells: []feishusim.Cell{
			{At: "A1", Media: []feishusim.Media{media("")}}, {At: "A150000", Media: []feishusim.Media{media("")}},
		}},
		{Cells: []feishusim.Cell{{At: "A1", Media: []feishusim.Media{media("")}}}},
	}})
	p, dir := sheetDir(t, cfg, ids.Spreadsheet)
	assert.Len(t, list(t, p, dir), 2, "the beginning, and the next sheet")
	assert.Equal(t, 50+1, s.Counts(feishusim.Values).Calls)
}

// One cell tells that nothing has changed.
func TestSheet_Update(t *testing.T) {
	s, cfg := start(t)
	d := feishusim.Spreadsheet{Tabs: []feishusim.Tab{{ID: "tab001", Cells: []feishusim.Cell{{At: "A1", Media: []feishusim.Media{media("")}}}}}}
	ids := s.AddSheet("", d)
	p, dir := sheetDir(t, cfg, ids.Spreadsheet)
	_, mark, err := pages(t, p, dir)
	require.NoError(t, err)
	s.ResetCounts()
	page, err := p.Update(t.Context(), dir, mark, "")
	require.NoError(t, err)
	assert.Equal(t, mark, page.Mark)
	assert.Equal(t, 1, s.Counts(feishusim.Values).Calls)
	assert.Zero(t, s.Counts(feishusim.SheetsQuery).Calls)

	s.SetSheet(ids.Spreadsheet, d)
	_, err = p.Update(t.Context(), dir, mark, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)
	d.Tabs[0].ID = "tab002"
	s.SetSheet(ids.Spreadsheet, d)
	_, err = p.Update(t.Context(), dir, mark, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported, "the sheet that was looked at is gone, the spreadsheet is not")
	_, err = p.Update(t.Context(), dir, "x", "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)
	s.Remove(ids.Spreadsheet)
	_, err = p.Update(t.Context(), dir, mark, "")
	require.ErrorIs(t, err, resolver.ErrNotExist)
	_, err = p.List(t.Context(), dir, "")
	require.ErrorIs(t, err, resolver.ErrNotExist, "which comes with 400")
}
