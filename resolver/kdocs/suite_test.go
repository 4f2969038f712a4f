package kdocs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/kdocs"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

// suiteAccount has a document with everything, an online sheet, and much that is
// not shown.
func suiteAccount(s *kdocssim.Server) {
	fields := []kdocssim.Field{{ID: "B", Name: "名称"}, {ID: "C", Name: "附件", Type: kdocssim.AttachmentType}, {ID: "D", Name: "更多"}}
	content := func(text string) linksim.Content { return linksim.Bytes([]byte(text)) }
	records := []kdocssim.Record{
		{Cells: map[string]any{"B": "all", "C": []kdocssim.Attachment{
			{Name: "a.png", Type: "image/png", Content: content("abc")},
			{Name: "b.pdf", Type: "application/pdf", Content: content("abcd")},
			{Name: "c.docx", Source: "Cloud", Content: content("abcde")},
			{Name: "d.otl", Source: kdocssim.Cloud, Content: content("abcdef"), Unreadable: true},
			{Name: "e.jpg", Size: 99, Content: content("smaller")},
		}}},
		{Cells: map[string]any{"B": "by shape", "D": []kdocssim.Attachment{{Name: "f.gif", Content: content("x")}}}},
		{Cells: map[string]any{"B": "nothing to show"}},
	}
	for i := range 250 {
		records = append(records, kdocssim.Record{Cells: map[string]any{"B": fmt.Sprint(i)}})
	}
	records = append(records, kdocssim.Record{Cells: map[string]any{
		"B": "last", "C": []kdocssim.Attachment{{Name: "g.webp", Content: content("xy")}},
	}})
	s.AddDocument(kdocssim.Document{Name: "one.dbt", Sheets: []kdocssim.Sheet{
		{Name: "main", Fields: fields, Records: records}, {Name: "empty", Fields: fields},
	}})
	s.AddDocument(kdocssim.Document{Name: "two.ksheet", Sheets: []kdocssim.Sheet{{Name: "s", Fields: fields, Records: []kdocssim.Record{
		{Cells: map[string]any{"B": "r", "C": []kdocssim.Attachment{{Name: "h.bmp", Content: content("xyz")}}}},
	}}}})
	s.AddDocument(kdocssim.Document{Name: "text.otl"})
}

func TestProvider_Suite(t *testing.T) {
	s, err := kdocssim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.AddApp(kdocssim.App{ID: loginApp, Key: loginKey, Scopes: []string{kdocssim.ScopeUser, kdocssim.ScopeFiles}})
	suiteAccount(s)
	s.SetLinksReversed(true)
	want := map[string]resolvertest.Want{
		"one/main/all/a.png":      {Size: 3},
		"one/main/all/b.pdf":      {Size: 4, Err: resolver.ErrUnsupported},
		"one/main/all/c.docx":     {Size: 5},
		"one/main/all/d.otl":      {Size: 6, Err: resolver.ErrPermission},
		"one/main/all/e.jpg":      {Size: 99},
		"one/main/by shape/f.gif": {Size: 1},
		"one/main/last/g.webp":    {Size: 2},
		"two/s/r/h.bmp":           {Size: 3},
	}
	for name, change := range map[string]func(){
		"as documented": func() {},
		"otherwise": func() {
			s.SetFilesInDetail(true)
			s.SetPages(kdocssim.Pages{Most: 100})
			s.SetCursorEnd(kdocssim.EndRepeated)
			s.SetErrors(kdocssim.Errors{Field: "msg"})
		},
		"clamped": func() {
			s.SetPages(kdocssim.Pages{Most: 100, Clamps: true})
			s.SetCursorEnd(kdocssim.EndNull)
		},
	} {
		t.Run(name, func(t *testing.T) {
			change()
			cfg := kdocs.Config{
				BaseURL: s.URL(), AppID: loginApp, AppKey: resolver.NewSecret(loginKey),
				AccessToken: resolver.NewSecret(s.Login(loginApp).Access),
			}
			require.NoError(t, cfg.Validate())
			resolvertest.Run(t, resolvertest.Fixture{
				New:  func(*testing.T) resolver.Provider { return kdocs.New(cfg, nil) },
				Want: want, Print: []any{cfg, &cfg}, Secrets: []string{kdocssim.Marker},
			})
			assert.Zero(t, s.Counts(kdocssim.AttachmentURLs).Leaks)
		})
	}
}
