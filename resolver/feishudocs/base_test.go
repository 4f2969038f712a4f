package feishudocs_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishudocs"
)

// invoices is a base with one table of so many records, every third of which has
// two files.
func invoices(records int, advanced bool) feishusim.Base {
	table := feishusim.Table{Name: "invoices", Fields: []feishusim.Field{
		{Name: "Number", Type: feishusim.FieldText, Primary: true},
		{Name: "Amount", Type: feishusim.FieldNumber},
		{Name: "Scan", Type: feishusim.FieldAttachment},
		{Name: "More", Type: feishusim.FieldAttachment},
		{Name: "Looked up", Type: feishusim.FieldLookup},
	}}
	for i := range records {
		r := feishusim.Record{ID: fmt.Sprintf("rec%05d", i), Values: map[string]any{"Number": fmt.Sprint("R-", i), "Amount": i}}
		if i%3 == 0 {
			r.Files = map[string][]feishusim.Media{"Scan": {media(fmt.Sprint(i, " scan.pdf"))}, "More": {media(fmt.Sprint(i, " more.pdf"))}}
		}
		table.Records = append(table.Records, r)
	}
	return feishusim.Base{Name: "base", Advanced: advanced, Tables: []feishusim.Table{table}}
}

func baseDir(t *testing.T, cfg feishudocs.Config, token string) (*feishudocs.Provider, resolver.ID) {
	t.Helper()
	p := connect(t, cfg, "bitable:"+token)
	return p, list(t, p, list(t, p, resolver.Root)[0].ID)[0].ID
}

func TestBase(t *testing.T) {
	s, cfg := start(t)
	ids := s.AddBase("", invoices(2000, false))
	p, table := baseDir(t, cfg, ids.Base)
	records := list(t, p, table)
	require.Len(t, records, 667, "those with files")
	assert.Equal(t, 2, s.Counts(feishusim.BaseSearch).Calls, "500 a page")
	assert.Equal(t, 1, s.Counts(feishusim.BaseFields).Calls)
	r := records[1]
	assert.Equal(t, "R-3", r.Name)
	assert.NotZero(t, r.ModTime)
	require.Len(t, r.Children, 2)
	for i, name := range []string{"3 more.pdf", "3 scan.pdf"} {
		e := r.Children[i]
		assert.Equal(t, name, e.Name)
		assert.EqualValues(t, len("content of "+name), e.Size)
		assert.Equal(t, r.ModTime, e.ModTime)
	}
	_, err := p.List(t.Context(), r.ID, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported, "it comes with its table")
}

// Fields may be called anything, many, or none that holds files.
func TestBase_Fields(t *testing.T) {
	s, cfg := start(t)
	many := feishusim.Table{Name: "many", Records: []feishusim.Record{{ID: "recOne", Files: map[string][]feishusim.Media{"F 59": {media("a"), media("a")}}}}}
	for i := range 120 {
		many.Fields = append(many.Fields, feishusim.Field{Name: fmt.Sprint("F ", i), Type: feishusim.FieldAttachment})
	}
	ids := s.AddBase("", feishusim.Base{Tables: []feishusim.Table{
		many,
		{Name: "none", Fields: []feishusim.Field{{Name: "x", Type: feishusim.FieldText}}, Records: []feishusim.Record{{}}},
	}})
	p := connect(t, cfg, "bitable:"+ids.Base)
	tables := list(t, p, list(t, p, resolver.Root)[0].ID)
	records := list(t, p, tables[0].ID)
	require.Len(t, records, 1)
	assert.Equal(t, "recOne", records[0].Name, "without a primary field")
	assert.Len(t, records[0].Children, 2)
	calls := s.Counts(feishusim.BaseSearch).Calls
	assert.Empty(t, list(t, p, tables[1].ID))
	assert.Equal(t, calls, s.Counts(feishusim.BaseSearch).Calls, "there is nothing to ask for")
}

func TestBase_ManyTables(t *testing.T) {
	s, cfg := start(t)
	b := feishusim.Base{}
	for i := range 230 {
		b.Tables = append(b.Tables, feishusim.Table{Name: fmt.Sprint(i)})
	}
	ids := s.AddBase("", b)
	p := connect(t, cfg, "bitable:"+ids.Base)
	tables := list(t, p, list(t, p, resolver.Root)[0].ID)
	assert.Len(t, tables, 230)
	_, mark, err := pages(t, p, tables[229].ID)
	require.NoError(t, err)
	_, err = p.Update(t.Context(), tables[229].ID, mark, "")
	require.NoError(t, err, "found on the last page, which has a page token")
}

// Where an answer is too large, fewer records are asked for.
func TestBase_TooLarge(t *testing.T) {
	s, cfg := start(t)
	ids := s.AddBase("", invoices(900, false))
	p, table := baseDir(t, cfg, ids.Base)
	s.SetLargestPage(70)
	assert.Len(t, list(t, p, table), 300)
	// 500, 250 and 125 are too many, 62 are not.
	assert.Equal(t, 3+5, s.Counts(feishusim.BaseSearch).Calls)
}

func TestBase_Update(t *testing.T) {
	s, cfg := start(t)
	ids := s.AddBase("", invoices(10, false))
	p, table := baseDir(t, cfg, ids.Base)
	_, mark, err := pages(t, p, table)
	require.NoError(t, err)
	s.ResetCounts()
	_, err = p.Update(t.Context(), table, mark, "")
	require.NoError(t, err)
	assert.Equal(t, 1, s.Counts(feishusim.BaseTables).Calls)
	assert.Zero(t, s.Counts(feishusim.BaseSearch).Calls)
	s.AddRecord(ids.Base, ids.Tables[0], feishusim.Record{Files: map[string][]feishusim.Media{"Scan": {media("new.pdf")}}, Created: time.Now()})
	_, err = p.Update(t.Context(), table, mark, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)
	s.Remove(ids.Base)
	_, err = p.Update(t.Context(), table, mark, "")
	require.ErrorIs(t, err, resolver.ErrNotExist)
}

// Errors come with 200.
func TestBase_Errors(t *testing.T) {
	s, cfg := start(t)
	ids := s.AddBase("", invoices(10, false))
	p, table := baseDir(t, cfg, ids.Base)
	for code, kind := range map[int]error{
		1254290: resolver.ErrThrottled, 1254291: resolver.ErrThrottled, 1254302: resolver.ErrPermission, 1254040: resolver.ErrNotExist,
		1254041: resolver.ErrNotExist, 1255001: resolver.ErrUnavailable, 1254607: resolver.ErrUnavailable, 91403: resolver.ErrPermission,
		1254045: resolver.ErrUnavailable, 1234567: resolver.ErrUnavailable,
	} {
		s.Refuse(feishusim.BaseSearch, 1, 200, code)
		_, err := p.List(t.Context(), table, "")
		assert.ErrorIs(t, err, kind, code)
	}
	_, err := p.List(t.Context(), table, "")
	require.NoError(t, err)
}
