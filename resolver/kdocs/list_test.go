package kdocs_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/kdocs"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
)

const photos = "111"

// table is a document of one sheet, with a picture in each of its records.
func table(records int, modified time.Time) kdocssim.Document {
	d := kdocssim.Document{Token: photos, Name: "photos.dbt", ModTime: modified, Sheets: []kdocssim.Sheet{{
		ID: 1, Name: "all", Fields: []kdocssim.Field{{ID: "B", Name: "name"}, {ID: "C", Name: "files", Type: kdocssim.AttachmentType}},
	}}}
	for i := range records {
		d.Sheets[0].Records = append(d.Sheets[0].Records, kdocssim.Record{ID: fmt.Sprint("r", i), Cells: map[string]any{
			"B": fmt.Sprint("shop ", i),
			"C": []kdocssim.Attachment{{UploadID: fmt.Sprint("u", i), Name: "a.png", Content: linksim.Bytes([]byte("abc"))}},
		}})
	}
	return d
}

// tables starts a service with a token to it.
func tables(t *testing.T, documents ...kdocssim.Document) (*kdocssim.Server, kdocs.Config) {
	t.Helper()
	s, err := kdocssim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.AddApp(kdocssim.App{ID: loginApp, Key: loginKey, Scopes: []string{kdocssim.ScopeUser, kdocssim.ScopeFiles}})
	for _, d := range documents {
		s.AddDocument(d)
	}
	return s, kdocs.Config{BaseURL: s.URL(), AccessToken: resolver.NewSecret(s.Login(loginApp).Access)}
}

// list follows the pages of a directory to the last.
func list(t *testing.T, p *kdocs.Provider, dir resolver.ID) (entries []resolver.Entry, mark string) {
	t.Helper()
	for cursor := ""; ; {
		page, err := p.List(t.Context(), dir, cursor)
		require.NoError(t, err)
		entries = append(entries, page.Entries...)
		if page.Next == "" {
			return entries, page.Mark
		}
		cursor = page.Next
	}
}

const photosSheet = resolver.ID("sheet/dbt/111/1")

func TestList_PagesAsLargeAsTheServerTakes(t *testing.T) {
	for name, c := range map[string]struct {
		pages  kdocssim.Pages
		errors kdocssim.Errors
		end    kdocssim.CursorEnd
		calls  int
	}{
		"a thousand":          {calls: 3},
		"a hundred":           {pages: kdocssim.Pages{Most: 100}, calls: 22},
		"a hundred, with 400": {pages: kdocssim.Pages{Most: 100}, errors: kdocssim.Errors{Field: "msg"}, calls: 22},
		"clamped":             {pages: kdocssim.Pages{Most: 300, Clamps: true}, calls: 7},
		"repeated at the end": {end: kdocssim.EndRepeated, calls: 3},
	} {
		t.Run(name, func(t *testing.T) {
			s, cfg := tables(t, table(2_100, time.Time{}))
			s.SetPages(c.pages)
			s.SetErrors(c.errors)
			if c.end != "" {
				s.SetCursorEnd(c.end)
			}
			entries, _ := list(t, connect(t, cfg), photosSheet)
			assert.Len(t, entries, 2_100)
			assert.Equal(t, c.calls, s.Counts(kdocssim.Records).Calls)
			assert.Equal(t, 1, s.Counts(kdocssim.Schemas).Calls)
			assert.Equal(t, 1, s.Counts(kdocssim.FlatFiles).Calls)
		})
	}
}

// A server that goes round in circles is not followed.
func TestList_CursorOfAnEarlierPage(t *testing.T) {
	record := func(id string) string {
		return `{"id":"` + id + `","fields":{"C":[{"fileName":"a","source":"cloud","type":"png","uploadId":"u"}]}}`
	}
	p, sent := answerAs(t, map[string]string{
		"/api/v1/openapi/personal/files/flat":      `{"code":0,"data":{"files":[],"next_offset":-1}}`,
		"/api/v1/openapi/dbt/111/schemas":          `{"code":0,"data":{"detail":{"sheets":[{"id":1,"name":"s","fields":[]}]}}}`,
		"/api/v1/openapi/dbt/111/sheets/1/records": `{"code":0,"data":{"detail":{"offset":"again","records":[` + record("K") + `]}}}`,
	})
	entries, mark := list(t, p, photosSheet)
	assert.Len(t, entries, 2, "the first page, and the one that its cursor leads to")
	assert.Empty(t, mark)
	assert.Contains(t, sent["/api/v1/openapi/dbt/111/sheets/1/records"], "preferId=true")
}

func TestList_ConfiguredDocuments(t *testing.T) {
	other := table(1, time.Time{})
	other.Token, other.Name = "222", "other.dbt"
	hidden := table(1, time.Time{})
	hidden.Token, hidden.Unlisted = "333", true
	s, cfg := tables(t, table(1, time.Time{}), other, hidden)
	cfg.Documents = []string{"333", "222", "222"}
	p := connect(t, cfg)
	entries, _ := list(t, p, resolver.Root)
	require.Len(t, entries, 2)
	assert.Equal(t, "333", entries[0].Name, "nobody tells its name")
	assert.Equal(t, "other", entries[1].Name)
	assert.False(t, entries[1].ModTime.IsZero())
	for _, e := range entries {
		sheets, _ := list(t, p, e.ID)
		records, _ := list(t, p, sheets[0].ID)
		assert.Len(t, records, 1)
	}
	assert.NotEqual(t, p.Revision(), connect(t, kdocs.Config{BaseURL: s.URL(), AccessToken: cfg.AccessToken}).Revision())
}

func TestList_ManyDocuments(t *testing.T) {
	s, cfg := tables(t)
	for i := range 250 {
		s.AddDocument(kdocssim.Document{Name: fmt.Sprintf("%03d.dbt", i)})
		s.AddDocument(kdocssim.Document{Name: fmt.Sprintf("%03d.docx", i)})
	}
	for _, inDetail := range []bool{false, true} {
		s.SetFilesInDetail(inDetail)
		entries, _ := list(t, connect(t, cfg), resolver.Root)
		assert.Len(t, entries, 250)
	}
	assert.Equal(t, 6, s.Counts(kdocssim.FlatFiles).Calls)
}

func TestList_Refused(t *testing.T) {
	denied := table(1, time.Time{})
	denied.Denied = true
	s, cfg := tables(t, denied)
	p := connect(t, cfg)
	_, err := p.List(t.Context(), "document/dbt/111", "")
	require.ErrorIs(t, err, resolver.ErrPermission)
	assert.NotErrorIs(t, err, resolver.ErrCredentials)
	_, err = p.List(t.Context(), "sheet/dbt/none/1", "")
	require.ErrorIs(t, err, resolver.ErrNotExist)
	_, err = p.List(t.Context(), photosSheet, "no cursor")
	require.ErrorIs(t, err, resolver.ErrRejected)
	s.AddDocument(table(1, time.Time{}))
	_, err = p.List(t.Context(), "sheet/dbt/111/2", "")
	require.ErrorIs(t, err, resolver.ErrNotExist)

	s.AddApp(kdocssim.App{ID: loginApp, Key: loginKey})
	_, err = connect(t, cfg).List(t.Context(), resolver.Root, "")
	require.ErrorIs(t, err, resolver.ErrCredentials)
	assert.ErrorContains(t, err, "access_personal_files")
}

func TestUpdate(t *testing.T) {
	s, cfg := tables(t, table(3, time.Time{}))
	_, mark := list(t, connect(t, cfg), photosSheet)
	require.NotEmpty(t, mark)
	before := s.Counts(kdocssim.Records).Calls
	page, err := connect(t, cfg).Update(t.Context(), photosSheet, mark, "")
	require.NoError(t, err)
	assert.Equal(t, resolver.Page{Mark: mark}, page, "nothing is new")
	assert.Equal(t, before, s.Counts(kdocssim.Records).Calls)

	s.AddDocument(table(4, time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)))
	_, err = connect(t, cfg).Update(t.Context(), photosSheet, mark, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)
	for _, dir := range []resolver.ID{resolver.Root, "document/dbt/111", "sheet/dbt/none/1"} {
		_, err = connect(t, cfg).Update(t.Context(), dir, mark, "")
		require.ErrorIs(t, err, resolver.ErrUnsupported)
	}
	_, err = connect(t, cfg).Update(t.Context(), photosSheet, "no mark", "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)
}

// The time of a document that changes just now may stand still while it goes on
// changing.
func TestUpdate_NoMarkOfWhatJustChanged(t *testing.T) {
	s, cfg := tables(t, table(3, time.Now()))
	_, mark := list(t, connect(t, cfg), photosSheet)
	assert.Empty(t, mark)
	s.SetClock(5 * time.Minute)
	_, mark = list(t, connect(t, cfg), photosSheet)
	assert.NotEmpty(t, mark)
	hidden := table(3, time.Time{})
	hidden.Unlisted = true
	s.AddDocument(hidden)
	_, mark = list(t, connect(t, cfg), photosSheet)
	assert.Empty(t, mark, "no list tells when it changes")
}
