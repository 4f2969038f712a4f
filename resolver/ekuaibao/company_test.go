package ekuaibao_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/ekuaibao"
)

var china = time.FixedZone("UTC+8", 8*60*60)

// noon is when most documents were made.
var noon = time.Date(2026, 10, 8, 12, 0, 0, 0, china)

const october = resolver.ID("month/expense/2026-10")

// paper is a document of the company.
type paper struct {
	id, kind, state  string
	created, updated time.Time
	deleted          bool
	files            []string
	fields           map[string]any // of the form, besides
}

// company lists its documents as the vendor's pages say.
type company struct {
	*answerer

	papers   []paper // guarded by answerer.mu
	refuses  []string
	listings int
	onList   func(start int) // before a list is made, without locks
}

func startCompany(t *testing.T) *company {
	t.Helper()
	c := &company{answerer: answering(t), refuses: []string{"receipt", "permit"}}
	c.on(listPath, c.list)
	c.on(detailsPath, c.details)
	return c
}

func (c *company) add(papers ...paper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range papers {
		if p.kind == "" {
			p.kind = "expense"
		}
		if p.state == "" {
			p.state = "approving"
		}
		if p.created.IsZero() {
			p.created = noon
		}
		if p.updated.Before(p.created) {
			p.updated = p.created
		}
		c.papers = append(c.papers, p)
	}
}

// change finds a document.
func (c *company) change(id string, change func(*paper)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := slices.IndexFunc(c.papers, func(p paper) bool { return p.id == id })
	change(&c.papers[at])
}

func (p paper) JSON() map[string]any {
	form := map[string]any{"code": "B-" + p.id, "title": "title"}
	for field, value := range p.fields {
		form[field] = value
	}
	attachments := []any{}
	for _, name := range p.files {
		attachments = append(attachments, map[string]any{"key": "key-" + name, "fileId": "id-" + name, "fileName": name})
	}
	form["attachments"] = attachments
	return map[string]any{
		"id": p.id, "formType": p.kind, "state": p.state, "active": !p.deleted, "form": form, "logs": []any{},
		"createTime": p.created.UnixMilli(), "updateTime": p.updated.UnixMilli(),
	}
}

func (c *company) list(r *http.Request, _ string) (int, string) {
	query := r.URL.Query()
	start, _ := strconv.Atoi(query.Get("start"))
	count, _ := strconv.Atoi(query.Get("count"))
	c.mu.Lock()
	hook := c.onList
	c.mu.Unlock()
	if hook != nil {
		hook(start)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.listings++
	if slices.Contains(c.refuses, query.Get("type")) {
		return 400, `{"errorMessage":"参数type无法识别"}`
	}
	if count < 1 || count > 100 || query.Get("accessToken") != token {
		return 412, `一次最多100条`
	}
	by := func(p paper) time.Time { return p.created }
	if query.Get("orderBy") == "updateTime" {
		by = func(p paper) time.Time { return p.updated }
	}
	var matching []paper
	for _, p := range c.papers {
		if p.matches(query.Get("type"), query.Get("state"), query.Get("active")) && within(query.Get("startDate"), query.Get("endDate"), by(p)) {
			matching = append(matching, p)
		}
	}
	slices.SortStableFunc(matching, func(a, b paper) int {
		if query.Get("orderByType") == "desc" {
			a, b = b, a
		}
		return by(a).Compare(by(b))
	})
	page := matching[min(start, len(matching)):min(start+count, len(matching))]
	items := []any{}
	for _, p := range page {
		items = append(items, p.JSON())
	}
	text, _ := json.Marshal(map[string]any{"count": len(matching), "items": items})
	return 200, string(text)
}

func (p paper) matches(kind, states, active string) bool {
	state := p.state
	if state == "PROCESSING" {
		state = "paying"
	}
	return p.kind == kind && (states == "" || slices.Contains(strings.Split(states, ","), state)) && p.deleted == (active != "true")
}

func within(start, end string, t time.Time) bool {
	from, err1 := time.ParseInLocation(time.DateTime, start, china)
	to, err2 := time.ParseInLocation(time.DateTime, end, china)
	return err1 == nil && err2 == nil && !t.Before(from) && !t.After(to)
}

func (c *company) details(r *http.Request, _ string) (int, string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.papers {
		if p.id == r.URL.Query().Get("flowId") && !p.deleted {
			text, _ := json.Marshal(map[string]any{"value": p.JSON()})
			return 200, string(text)
		}
	}
	return 412, `{"errorMessage":"单据不存在"}`
}

// listCalls is how often documents were listed.
func (c *company) listCalls() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.listings
}

// pages follows a directory to its last page.
func pages(t *testing.T, ask func(cursor string) (resolver.Page, error)) (whole resolver.Page) {
	t.Helper()
	for cursor := ""; ; {
		page, err := ask(cursor)
		require.NoError(t, err)
		whole.Entries = append(whole.Entries, page.Entries...)
		whole.Gone = append(whole.Gone, page.Gone...)
		if page.Next == "" {
			whole.Mark = page.Mark
			return whole
		}
		assert.Empty(t, page.Mark)
		cursor = page.Next
	}
}

func listed(t *testing.T, p *ekuaibao.Provider, dir resolver.ID) resolver.Page {
	t.Helper()
	return pages(t, func(cursor string) (resolver.Page, error) { return p.List(t.Context(), dir, cursor) })
}

func names(entries []resolver.Entry) []string {
	all := []string{}
	for _, e := range entries {
		all = append(all, e.Name)
	}
	return all
}
