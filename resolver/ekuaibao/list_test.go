package ekuaibao_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/ekuaibao"
)

func TestList_TypesAndMonths(t *testing.T) {
	c := startCompany(t)
	c.add(
		paper{id: "old", created: time.Date(2025, 12, 31, 23, 59, 59, 999e6, china)},
		paper{id: "new", created: time.Date(2026, 3, 1, 0, 0, 0, 0, china)},
		paper{id: "deleted", created: noon, deleted: true},
		paper{id: "draft", kind: "loan", state: "draft"},
		paper{id: "paid", kind: "payment", state: "PROCESSING"},
	)
	p := connect(t, c.config())
	assert.Equal(t, []string{"expense", "payment"}, names(listed(t, p, resolver.Root).Entries))
	assert.Equal(t, []string{"2025-12", "2026-01", "2026-02", "2026-03"}, names(listed(t, p, "type/expense").Entries))
	assert.Empty(t, listed(t, p, "type/custom").Entries)

	cfg := c.config()
	cfg.Types, cfg.States = []string{"loan", "receipt"}, []string{"draft"}
	other := connect(t, cfg)
	assert.Equal(t, []string{"loan"}, names(listed(t, other, resolver.Root).Entries))
	assert.NotEqual(t, p.Revision(), other.Revision())
	for _, dir := range []resolver.ID{"type/expense", "month/expense/2026-01", "month/loan/2026-13", "file/a/b/c", "x"} {
		_, err := other.List(t.Context(), dir, "")
		assert.ErrorIs(t, err, resolver.ErrNotExist, dir)
	}
	cfg.Types = []string{"receipt", "permit"}
	_, err := connect(t, cfg).List(t.Context(), resolver.Root, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)
}

func TestList_Month(t *testing.T) {
	c := startCompany(t)
	start := time.Date(2026, 10, 1, 0, 0, 0, 0, china)
	for i := range 250 {
		c.add(paper{id: fmt.Sprintf("d%03d", i), created: start.Add(time.Duration(i) * time.Hour), files: []string{fmt.Sprint(i)}})
	}
	c.add(paper{id: "before", created: start.Add(-time.Millisecond), files: []string{"x"}},
		paper{id: "after", created: start.AddDate(0, 1, 0), files: []string{"x"}},
		paper{id: "none"}, paper{id: "deleted", deleted: true, files: []string{"x"}})
	p := connect(t, c.config())
	page := listed(t, p, october)
	require.Len(t, page.Entries, 250)
	assert.Equal(t, 3, c.listCalls(), "a hundred a call")
	first := page.Entries[0]
	assert.Equal(t, "B-d000 title", first.Name)
	assert.True(t, first.ModTime.Equal(start))
	assert.Equal(t, []resolver.Entry{{
		ID: "file/d000/id-0/key-0", Name: "0", Version: first.Children[0].Version, Size: resolver.SizeUnknown, ModTime: start.UTC(),
	}}, first.Children)
	requests, _ := c.of(listPath)
	for _, r := range requests {
		assert.Equal(t, "true", r.URL.Query().Get("active"))
		assert.Equal(t, "createTime", r.URL.Query().Get("orderBy"))
	}
	asked, _ := c.of(partsPath)
	assert.Empty(t, asked, "nothing that the documents do not tell")
}

// While a month is listed, a document is made late, one that was listed is
// deleted, and a draft is handed in that was made early.
func TestList_MonthThatChanges(t *testing.T) {
	c := startCompany(t)
	for i := range 250 {
		c.add(paper{id: fmt.Sprintf("d%03d", i), created: noon.Add(time.Duration(i) * time.Minute), files: []string{"a"}})
	}
	c.add(paper{id: "draft", created: noon, state: "draft", files: []string{"a"}})
	changes := sync.OnceFunc(func() {
		c.add(paper{id: "late", created: noon.Add(time.Hour * 24), files: []string{"a"}})
		for _, id := range []string{"d000", "d010", "d120"} {
			c.change(id, func(p *paper) { p.deleted = true })
		}
		c.change("draft", func(p *paper) { p.state, p.updated = "pending", time.Now() })
	})
	c.onList = func(start int) {
		if start == 100 {
			changes()
		}
	}
	page := listed(t, connect(t, c.config()), october)
	ids := make(map[resolver.ID]bool)
	for _, e := range page.Entries {
		ids[e.ID] = true
	}
	for i := range 250 {
		id := fmt.Sprintf("d%03d", i)
		assert.True(t, ids[resolver.ID("document/"+id)] || id == "d120", id)
	}
	assert.True(t, ids["document/late"])
}

func TestUpdate(t *testing.T) {
	c := startCompany(t)
	for i := range 30 {
		c.add(paper{id: fmt.Sprint(i), files: []string{"a"}})
	}
	p := connect(t, c.config())
	page := listed(t, p, october)
	now := time.Now()
	c.add(paper{id: "new", created: noon.Add(time.Hour), updated: now, files: []string{"b"}},
		paper{id: "september", created: noon.AddDate(0, -1, 0), updated: now, files: []string{"b"}})
	c.change("1", func(p *paper) { p.updated, p.files = now, []string{"a", "more"} })
	c.change("2", func(p *paper) { p.updated, p.state = now, "draft" })
	c.change("3", func(p *paper) { p.updated, p.files = now, nil })
	before := c.listCalls()
	updated := pages(t, func(cursor string) (resolver.Page, error) { return p.Update(t.Context(), october, page.Mark, cursor) })
	assert.Equal(t, 1, c.listCalls()-before)
	assert.ElementsMatch(t, []string{"B-1 title", "B-new title"}, names(updated.Entries))
	assert.ElementsMatch(t, []resolver.ID{"document/2", "document/3"}, updated.Gone)
	assert.NotEmpty(t, updated.Mark)

	// The next one begins there, some minutes before.
	c.change("4", func(p *paper) { p.updated = now.Add(-time.Hour) })
	c.change("5", func(p *paper) { p.updated = now.Add(time.Second) })
	next := pages(t, func(cursor string) (resolver.Page, error) {
		return p.Update(t.Context(), october, updated.Mark, cursor)
	})
	assert.Contains(t, names(next.Entries), "B-5 title")
	assert.NotContains(t, names(next.Entries), "B-4 title")

	for _, mark := range []string{"", "x", "{}"} {
		_, err := p.Update(t.Context(), october, mark, "")
		assert.ErrorIs(t, err, resolver.ErrUnsupported)
	}
	_, err := p.Update(t.Context(), resolver.Root, page.Mark, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)
}

func TestUpdate_OfMany(t *testing.T) {
	c := startCompany(t)
	for i := range 400 {
		c.add(paper{id: fmt.Sprint(i), created: noon.Add(time.Duration(i) * time.Second), files: []string{"a"}})
	}
	p := connect(t, c.config())
	page := listed(t, p, october)
	now := time.Now()
	for i := range 250 {
		c.change(fmt.Sprint(i), func(p *paper) { p.updated = now.Add(time.Duration(i) * time.Second) })
	}
	// One that is updated meanwhile moves to the end, and others to its place.
	moved := sync.OnceFunc(func() { c.change("0", func(p *paper) { p.updated = now.Add(time.Hour) }) })
	calls := 0
	updated := pages(t, func(cursor string) (resolver.Page, error) {
		if calls++; calls == 2 {
			moved()
		}
		return p.Update(t.Context(), october, page.Mark, cursor)
	})
	found := make(map[resolver.ID]bool)
	for _, e := range updated.Entries {
		found[e.ID] = true
	}
	assert.Len(t, found, 250)

	// More at the same second than a page has.
	for i := range 150 {
		c.change(fmt.Sprint(i), func(p *paper) { p.updated = now.Add(2 * time.Hour) })
	}
	c.change("399", func(p *paper) { p.updated = now.Add(3 * time.Hour) })
	_, err := follow(func(cursor string) (resolver.Page, error) {
		return p.Update(t.Context(), october, updated.Mark, cursor)
	})
	require.ErrorIs(t, err, resolver.ErrUnsupported)

	// More than the month has.
	small := connect(t, c.config())
	_, err = small.Update(t.Context(), october, `{"since":1,"shown":10}`, "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)
}

func follow(ask func(cursor string) (resolver.Page, error)) (resolver.Page, error) {
	for cursor := ""; ; {
		page, err := ask(cursor)
		if err != nil || page.Next == "" {
			return page, err
		}
		cursor = page.Next
	}
}

func TestList_Document(t *testing.T) {
	c := startCompany(t)
	line := map[string]any{"feeTypeForm": map[string]any{"attachments": []any{
		map[string]any{"key": "k", "fileId": "f", "fileName": "line.jpg"},
		map[string]any{"key": "k2", "fileId": "f2", "fileName": "line.pdf"},
	}}}
	c.add(paper{id: "a", files: []string{"a.pdf"}, fields: map[string]any{"details": []any{line}}},
		paper{id: "draft", state: "draft", files: []string{"x"}})
	cfg := c.config()
	cfg.Thumbnails = true
	p := connect(t, cfg)
	dir := listed(t, p, october).Entries[0]
	assert.Equal(t, []string{"detail-1", "a.pdf"}, names(dir.Children))
	lines := dir.Children[0]
	assert.Equal(t, []string{"line.jpg", "line.pdf", ".thumbnails"}, names(lines.Children))
	assert.Equal(t, []string{"line.jpg"}, names(lines.Children[2].Children))
	for _, d := range []resolver.Entry{dir, lines, lines.Children[2]} {
		assert.Equal(t, d.Children, listed(t, p, d.ID).Entries)
	}
	for _, id := range []resolver.ID{"document/nowhere", "document/draft", "document/a/detail-2"} {
		_, err := p.List(t.Context(), id, "")
		assert.ErrorIs(t, err, resolver.ErrNotExist, id)
	}
}

// A document that is not known makes the call for the others fail, and is found
// by halves.
func TestList_Receipts(t *testing.T) {
	c := startCompany(t)
	for i := range 40 {
		c.add(paper{id: fmt.Sprint(i), state: "paid"})
	}
	c.add(paper{id: "plain", files: []string{"a"}})
	c.on(partsPath, func(_ *http.Request, body string) (int, string) {
		var asked struct{ FlowIDs []string }
		if json.Unmarshal([]byte(body), &asked) != nil || slices.Contains(asked.FlowIDs, "7") {
			return 400, `{"errorMessage":"单据不存在"}`
		}
		items := []string{}
		for _, id := range asked.FlowIDs {
			items = append(items, fmt.Sprintf(`{"flowId":%q,"attachmentList":[{"type":"flow.receipt","receiptUrls":[{"key":"r-%s.pdf","url":"https://h/r-%s.pdf?Signature=%s"}]}]}`,
				id, id, id, linksim.Marker))
		}
		return 200, `{"items":[` + strings.Join(items, ",") + `]}`
	})
	p := connect(t, c.config())
	page := listed(t, p, october)
	assert.Len(t, page.Entries, 40, "all but that one, which shows nothing")
	receipts := page.Entries[0].Children[0]
	assert.Equal(t, "receipts", receipts.Name)
	receipt := receipts.Children[0]
	assert.Equal(t, "r-0.pdf", receipt.Name)
	require.NotNil(t, receipt.Link)
	assert.Equal(t, time.Hour, receipt.Link.Lifetime)
	assert.WithinDuration(t, time.Now(), receipt.Link.Obtained, time.Minute)

	// It is renewed by the call that gave it.
	gone := resolver.ID("part/1/key:gone.pdf")
	answers, err := p.Resolve(t.Context(), []resolver.ID{receipt.ID, gone})
	require.NoError(t, err)
	require.NoError(t, answers[0].Err)
	assert.Equal(t, "https://h/r-0.pdf?Signature="+linksim.Marker, answers[0].Link.URLs[0].Reveal())
	require.ErrorIs(t, answers[1].Err, resolver.ErrNotExist)
	answers, err = p.Resolve(t.Context(), []resolver.ID{"part/7/key:x"})
	require.NoError(t, err)
	require.ErrorIs(t, answers[0].Err, resolver.ErrNotExist)
	_, err = p.Resolve(t.Context(), []resolver.ID{"part/7/key:x", receipt.ID})
	require.ErrorIs(t, err, resolver.ErrRejected, "one of them is to blame")
	assert.NotEqual(t, p.Batch(receipt.ID).Group, p.Batch(storedID).Group)

	// A company that may not make the call has what the documents tell.
	c.say(partsPath, 403, `{"errorMessage":"不允许调用此接口"}`)
	assert.Equal(t, []string{"B-plain title"}, names(listed(t, p, october).Entries))
	c.say(partsPath, 500, ``)
	_, err = p.List(t.Context(), october, "")
	require.ErrorIs(t, err, resolver.ErrUnavailable, "a listing is whole or none")
}

const invoicePath = "/api/openapi/v2/extension/INVOICE/url"

func TestList_RecognisedInvoices(t *testing.T) {
	c := startCompany(t)
	line := map[string]any{"feeTypeForm": map[string]any{"invoiceForm": map[string]any{"invoices": []any{
		map[string]any{"invoiceId": "inv:1"}, map[string]any{"invoiceId": "inv:2"},
	}}}}
	c.add(paper{id: "a", fields: map[string]any{"details": []any{line}}})
	c.say(partsPath, 200, `{"items":[{"flowId":"a","attachmentList":[{"type":"flow.free","freeId":"l","attachmentUrls":[],"invoiceUrls":[]}]}]}`)
	c.say(invoicePath, 200, `{"items":[{"id":"inv:1","fileName":"票.jpg","url":"https://h/i?x-oss-process=image/crop,x_1","region":[1,2]},
		{"id":"inv:2","url":"https://h/j"}]}`)
	p := connect(t, c.config())
	dir := listed(t, p, october).Entries[0].Children[0]
	assert.Equal(t, "invoices", dir.Name)
	assert.Equal(t, []string{"票.jpg", "invoice inv:2"}, names(dir.Children))
	assert.Equal(t, resolver.RangedNo, dir.Children[0].Link.Ranged)
	assert.Equal(t, resolver.RangedUnknown, dir.Children[1].Link.Ranged)
	_, bodies := c.of(invoicePath)
	assert.JSONEq(t, `{"invoiceId":["inv:1","inv:2"]}`, bodies[0])
	answers, err := p.Resolve(t.Context(), []resolver.ID{dir.Children[1].ID, "invoice/a/other"})
	require.NoError(t, err)
	assert.Equal(t, "https://h/j", answers[0].Link.URLs[0].Reveal())
	require.ErrorIs(t, answers[1].Err, resolver.ErrNotExist)

	c.say(invoicePath, 403, `{"errorMessage":"不允许调用此接口"}`)
	assert.Empty(t, listed(t, p, october).Entries)
}

func TestCheck(t *testing.T) {
	c := startCompany(t)
	c.add(paper{id: "a", files: []string{"a"}}, paper{id: "b"})
	p := connect(t, c.config())
	lines, err := p.Check(t.Context())
	require.NoError(t, err)
	assert.Equal(t, []string{
		"logged in at " + c.URL + " as " + p.Account(),
		"documents: expense 2, loan 0, payment 0, requisition 0, custom 0",
		"not available in this company: receipt, permit",
		"documents with attachments on the first page of expense 2026-10: 1",
	}, lines)
	cfg := c.config()
	cfg.Types = []string{"permit"}
	lines, err = connect(t, cfg).Check(t.Context())
	require.ErrorIs(t, err, resolver.ErrUnsupported)
	assert.Len(t, lines, 1)
}

func TestRenew(t *testing.T) {
	c := startCompany(t)
	p := connect(t, c.config())
	account := p.Account()
	p.Renew(&ekuaibao.Config{AppKey: resolver.NewSecret("other"), AppSecurity: resolver.NewSecret("new"), CorpID: "another"})
	p.Renew("not the options of this provider")
	listed(t, p, resolver.Root)
	_, bodies := c.of(tokenPath)
	assert.Equal(t, []string{`{"appKey":"other","appSecurity":"new"}`}, bodies)
	assert.Equal(t, account, p.Account())
}

func TestSince(t *testing.T) {
	c := startCompany(t)
	now := time.Now()
	c.add(paper{id: "old", created: now.Add(-80 * 24 * time.Hour), files: []string{"a"}},
		paper{id: "new", created: now.Add(-time.Hour), files: []string{"a"}})
	cfg := c.config()
	cfg.Since = 24 * time.Hour
	p := connect(t, cfg)
	months := listed(t, p, "type/expense").Entries
	require.LessOrEqual(t, len(months), 2)
	var shown []string
	for _, m := range months {
		shown = append(shown, names(listed(t, p, m.ID).Entries)...)
	}
	assert.Equal(t, []string{"B-new title"}, shown)
}
