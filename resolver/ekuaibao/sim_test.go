package ekuaibao_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/ekuaibao"
	"github.com/attachfs/attachfs/resolver/ekuaibao/ekuaibaosim"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

// startSim starts a company without documents.
func startSim(t *testing.T) (*ekuaibaosim.Server, ekuaibao.Config) {
	t.Helper()
	s, err := ekuaibaosim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	return s, ekuaibao.Config{
		BaseURL: s.URL(), CorpID: ekuaibaosim.CorpID,
		AppKey: resolver.NewSecret(ekuaibaosim.AppKey), AppSecurity: resolver.NewSecret(ekuaibaosim.AppSecurity),
	}
}

// simFile is a file with some content.
func simFile(name string, store ekuaibaosim.Store) ekuaibaosim.File {
	return ekuaibaosim.File{Name: name, Content: linksim.Bytes([]byte(name)), Store: store}
}

func TestSim_Provider(t *testing.T) {
	s, cfg := startSim(t)
	s.SetTypes("expense", "payment")
	added := s.AddDocument(ekuaibaosim.Document{
		Code: "B1", Title: "Everywhere", State: "paid", Created: noon,
		Attachments: []ekuaibaosim.File{simFile("a.pdf", ekuaibaosim.OSS), simFile("b.jpg", ekuaibaosim.Domain), simFile("refused", ekuaibaosim.Qiniu)},
		Custom:      map[string][]ekuaibaosim.File{"u_合同": {simFile("c.pdf", ekuaibaosim.Drive)}},
		Lines: []ekuaibaosim.Line{{
			Attachments: []ekuaibaosim.File{simFile("line.pdf", ekuaibaosim.Qiniu)},
			Photos:      []ekuaibaosim.File{simFile("photo.jpg", ekuaibaosim.OSS)},
			Invoices:    []ekuaibaosim.Invoice{{Code: "3300", Number: "42", File: simFile("invoice.pdf", ekuaibaosim.OSS)}},
		}},
		Approvals: []ekuaibaosim.File{simFile("note.txt", ekuaibaosim.OSS)},
		Receipts:  []ekuaibaosim.File{{Key: "0306c2d1-7a5b-4e96-8172-60c5ee0f971e-5Zue5Y2V.pdf", Content: linksim.Bytes([]byte("r"))}},
	})
	s.Refuse(added.Files["refused"], ekuaibaosim.Missing)
	for range 130 {
		s.AddDocument(ekuaibaosim.Document{Type: "payment", Created: noon, Attachments: []ekuaibaosim.File{simFile("x", ekuaibaosim.OSS)}})
	}
	deleted := s.AddDocument(ekuaibaosim.Document{Created: noon, Attachments: []ekuaibaosim.File{simFile("x", ekuaibaosim.OSS)}})
	s.DeleteDocument(deleted.ID)
	unknown := resolvertest.Want{Size: resolver.SizeUnknown}
	const dir = "expense/2026-10/B1 Everywhere/"
	cfg.Types = []string{"expense", "loan"}
	cfg.CorpID = "corp" // is not needed, and that of the simulator looks like a secret
	limits := ekuaibao.Unlimited(cfg)
	resolvertest.Run(t, resolvertest.Fixture{
		New: func(*testing.T) resolver.Provider { return ekuaibao.New(cfg, limits) },
		Want: map[string]resolvertest.Want{
			dir + "a.pdf": unknown, dir + "b.jpg": unknown, dir + "c.pdf": {Size: 5},
			dir + "refused":           {Size: resolver.SizeUnknown, Err: resolver.ErrNotExist},
			dir + "detail-1/line.pdf": unknown, dir + "invoices/photo.jpg": unknown, dir + "invoices/invoice.pdf": unknown,
			dir + "approvals/note.txt": unknown, dir + "receipts/回单.pdf": unknown,
		},
		UnknownDir:  "document/nowhere",
		UnknownFile: "file/nowhere/gone/key",
		Print:       []any{cfg, &cfg},
		Secrets:     []string{linksim.Marker},
	})
	assert.Zero(t, s.Totals().Gets, "links are for others")
}

// A file that the answer has neither key nor id of is the one in the document.
func TestSim_BareFiles(t *testing.T) {
	s, cfg := startSim(t)
	bare := func(name string) ekuaibaosim.File {
		f := simFile(name, ekuaibaosim.OSS)
		f.Bare = true
		return f
	}
	s.AddDocument(ekuaibaosim.Document{State: "paid", Created: noon, Attachments: []ekuaibaosim.File{bare("a b+c.pdf")},
		Lines: []ekuaibaosim.Line{{Invoices: []ekuaibaosim.Invoice{{Code: "3300", Number: "42", File: bare("i.pdf")}}}}})
	p := connect(t, cfg)
	page := listed(t, p, october)
	require.Len(t, page.Entries, 1)
	dir := page.Entries[0]
	assert.Equal(t, []string{"invoices", "a b+c.pdf"}, names(dir.Children))
	assert.NotNil(t, dir.Children[1].Link)
	assert.Equal(t, []string{"3300-42.pdf"}, names(dir.Children[0].Children), "put right")
	answers, err := p.Resolve(t.Context(), []resolver.ID{dir.Children[0].Children[0].ID})
	require.NoError(t, err)
	require.NoError(t, answers[0].Err)
}

func TestSim_Crops(t *testing.T) {
	s, cfg := startSim(t)
	s.Deny(ekuaibaosim.AttachmentsCall)
	s.AddDocument(ekuaibaosim.Document{Created: noon, Lines: []ekuaibaosim.Line{{
		Invoices: []ekuaibaosim.Invoice{{File: simFile("i.jpg", ekuaibaosim.OSS), Crop: true}},
	}}})
	assert.Empty(t, listed(t, connect(t, cfg), october).Entries, "invoices need the other call, too")
}

func TestSim_DriveOutages(t *testing.T) {
	for _, outage := range []ekuaibaosim.DriveOutage{ekuaibaosim.DriveMissing, ekuaibaosim.DriveNoURL, ekuaibaosim.DriveFails} {
		s, cfg := startSim(t)
		s.AddDocument(ekuaibaosim.Document{Created: noon, Attachments: []ekuaibaosim.File{simFile("a", ekuaibaosim.Drive), simFile("b", ekuaibaosim.Drive)}})
		s.SetDriveOutage(outage)
		p := connect(t, cfg)
		files := listed(t, p, october).Entries[0].Children
		require.Len(t, files, 2)
		answers, err := p.Resolve(t.Context(), []resolver.ID{files[0].ID, files[1].ID})
		if err == nil {
			err = answers[1].Err
		}
		require.ErrorIs(t, err, resolver.ErrPermission, outage)
		assert.ErrorContains(t, err, "钉钉云盘")
		assert.NotErrorIs(t, err, resolver.ErrCredentials)
	}
}

// Documents arrive while they are listed.
func TestSim_Arrivals(t *testing.T) {
	s, cfg := startSim(t)
	file := []ekuaibaosim.File{simFile("x", ekuaibaosim.OSS)}
	for i := range 250 {
		s.AddDocument(ekuaibaosim.Document{Created: noon.Add(time.Duration(i) * time.Second), Attachments: file[:1:1]})
	}
	late := ekuaibaosim.Document{Created: noon.Add(time.Hour), Attachments: []ekuaibaosim.File{simFile("late", ekuaibaosim.OSS)}}
	s.Arrive(late, late)
	page := listed(t, connect(t, cfg), october)
	ids := make(map[resolver.ID]bool)
	for _, e := range page.Entries {
		ids[e.ID] = true
	}
	assert.Len(t, ids, 252)
	assert.Len(t, s.Calls(ekuaibaosim.ListCall), 3)
}

func TestSim_Tokens(t *testing.T) {
	s, cfg := startSim(t)
	s.SetTokenSettle(time.Second)
	s.AddDocument(ekuaibaosim.Document{Created: noon, Attachments: []ekuaibaosim.File{simFile("x", ekuaibaosim.OSS)}})
	p := connect(t, cfg)
	assert.Len(t, listed(t, p, october).Entries, 1)
	assert.Len(t, s.Calls(ekuaibaosim.TokenCall), 1, "the same token, a moment later")
}

func TestSim_FaultsAreNoListing(t *testing.T) {
	for _, f := range []ekuaibaosim.Fault{
		{Status: 200, Body: ekuaibaosim.PlainWords}, {Status: 502, Body: ekuaibaosim.HTMLPage, Type: "text/html"},
		{Status: 200, Body: ekuaibaosim.HTMLPage, Type: "text/html"}, {Status: 200, Body: `{"count":3}`, Type: "application/json"},
	} {
		s, cfg := startSim(t)
		s.AddDocument(ekuaibaosim.Document{Created: noon, Attachments: []ekuaibaosim.File{simFile("x", ekuaibaosim.OSS)}})
		s.Inject(ekuaibaosim.ListCall, f)
		p := connect(t, cfg)
		for _, dir := range []resolver.ID{resolver.Root, "type/expense", october} {
			_, err := p.List(t.Context(), dir, "")
			require.ErrorIs(t, err, resolver.ErrUnavailable, f.Body)
		}
		s.ClearFaults()
		assert.Len(t, listed(t, p, october).Entries, 1)
	}
}

func TestSim_Moves(t *testing.T) {
	s, cfg := startSim(t)
	s.AddDocument(ekuaibaosim.Document{Created: noon, Attachments: []ekuaibaosim.File{simFile("x", ekuaibaosim.OSS)}})
	cfg.BaseURL = ""
	p := connect(t, cfg.Locator(s.URL()))
	listed(t, p, october)
	s.Move()
	p.LongAgo()
	var err error
	for range 3 {
		_, err = p.List(t.Context(), october, "")
		require.ErrorIs(t, err, resolver.ErrCredentials)
		assert.NotContains(t, err.Error(), linksim.Marker)
	}
	assert.Len(t, listed(t, p, october).Entries, 1, "found again")
	assert.Len(t, s.Calls(ekuaibaosim.LocationCall), 2)
}
