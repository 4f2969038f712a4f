package linksim_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
)

type entry struct {
	ID, Name, Version, SHA256 string
	Dir                       bool
	Size                      *int64
	Mtime                     time.Time
	Link                      *answer
}

type listing struct {
	Entries []entry
	Next    string
	Error   string
}

type answer struct {
	ID, URL, Error string
	Headers        map[string]string
	Issued         *time.Time
	Expires        *time.Time
	Uses           int
	Ranged         *bool
	Size           *int64
}

type answers struct {
	Links []answer
	Error string
}

func list(t testing.TB, o *linksim.Origin, dir, cursor string) (listing, *http.Response) {
	t.Helper()
	var l listing
	res := call(t, o, http.MethodGet, "/api/list?dir="+url.QueryEscape(dir)+"&cursor="+cursor, "", &l)
	return l, res
}

func names(l listing) (names []string) {
	for _, e := range l.Entries {
		names = append(names, e.Name)
	}
	return names
}

func links(t testing.TB, o *linksim.Origin, ids ...string) (map[string]answer, *http.Response) {
	t.Helper()
	var a answers
	res := call(t, o, http.MethodPost, "/api/links", `{"ids":["`+strings.Join(ids, `","`)+`"]}`, &a)
	byID := make(map[string]answer)
	for _, l := range a.Links {
		byID[l.ID] = l
	}
	return byID, res
}

func TestList_Tree(t *testing.T) {
	o := start(t, 10)
	newer := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	o.Put(linksim.Object{ID: "x", Path: "docs/a/b/deep", ModTime: newer, SHA256: "ab", HideSize: true, HideVersion: true})
	o.Put(linksim.Object{ID: "y", Path: "top", Name: "with/slash", Content: linksim.Bytes([]byte("12"))})

	root, _ := list(t, o, "", "")
	require.Equal(t, []string{"docs", "with/slash"}, names(root))
	assert.Equal(t, "dir:docs", root.Entries[0].ID)
	assert.True(t, root.Entries[0].Dir)
	assert.Equal(t, newer, root.Entries[0].Mtime)
	assert.Equal(t, int64(2), *root.Entries[1].Size)
	assert.NotEmpty(t, root.Entries[1].Version)

	docs, _ := list(t, o, "dir:docs", "")
	assert.Equal(t, []string{"a", "report.pdf"}, names(docs))
	deep, _ := list(t, o, "dir:docs/a/b", "")
	require.Len(t, deep.Entries, 1)
	assert.Equal(t, entry{ID: "x", Name: "deep", SHA256: "ab", Mtime: newer}, deep.Entries[0])

	o.Remove("x")
	gone, res := list(t, o, "dir:docs/a", "")
	assert.Equal(t, http.StatusNotFound, res.StatusCode)
	assert.Equal(t, "no such directory", gone.Error)
	assert.Equal(t, 4, o.Counts().Lists)
}

func TestList_VersionChangesWithContent(t *testing.T) {
	o := start(t, 10)
	before, _ := list(t, o, "dir:docs", "")
	again, _ := list(t, o, "dir:docs", "")
	o.Swap(id, linksim.Pattern(2, 10))
	after, _ := list(t, o, "dir:docs", "")
	assert.Equal(t, before, again)
	assert.NotEqual(t, before.Entries[0].Version, after.Entries[0].Version)
}

func TestList_Pages(t *testing.T) {
	o, err := linksim.Start(linksim.WithPageSize(3))
	require.NoError(t, err)
	defer func() { assert.NoError(t, o.Close()) }()
	want := make(map[string]bool)
	for i := range 8 {
		o.Put(linksim.Object{ID: fmt.Sprint(i), Path: "same"})
		want[fmt.Sprint(i)] = true
	}
	o.InjectAPI(linksim.ListCall, linksim.Fault{Kind: linksim.EmptyPage, Times: 1})
	got := make(map[string]bool)
	var sizes []int
	cursor := ""
	for more := true; more; more = cursor != "" {
		page, _ := list(t, o, "", cursor)
		sizes = append(sizes, len(page.Entries))
		for _, e := range page.Entries {
			got[e.ID] = true
		}
		cursor = page.Next
	}
	assert.Equal(t, want, got)
	assert.Equal(t, []int{0, 3, 3, 2}, sizes)

	o.InjectAPI(linksim.ListCall, linksim.Fault{Kind: linksim.RepeatCursor})
	first, _ := list(t, o, "", "")
	second, _ := list(t, o, "", first.Next)
	assert.Equal(t, first, second)
}

func TestLinks_TellTheTerms(t *testing.T) {
	o := start(t, 10)
	ranged := true
	o.Put(linksim.Object{ID: "a", Path: "a", Content: linksim.Bytes([]byte("abc")), Terms: linksim.Terms{
		Lifetime: time.Hour, Uses: 2, Ranged: &ranged, TellSize: true, Header: http.Header{"X-Bound": {"v"}},
	}})
	o.Put(linksim.Object{ID: "hidden", Path: "h", Terms: linksim.Terms{Lifetime: time.Hour, Uses: 2, HideUses: true, HideExpires: true}})
	o.Put(linksim.Object{ID: "inside", Path: "i", Terms: linksim.Terms{URL: "http://169.254.169.254/x"}})

	got, _ := links(t, o, "a", id, "hidden", "inside")
	a := got["a"]
	require.NotNil(t, a.Expires)
	assert.WithinDuration(t, time.Now().Add(time.Hour), *a.Expires, time.Minute)
	assert.Equal(t, 2, a.Uses)
	assert.True(t, *a.Ranged)
	assert.Equal(t, int64(3), *a.Size)
	assert.Equal(t, map[string]string{"X-Bound": "v"}, a.Headers)
	_, body := served(t, a.URL, "", http.Header{"X-Bound": {"v"}})
	assert.Equal(t, "abc", string(body))

	plain := got[id]
	plain.URL = ""
	assert.Equal(t, answer{ID: id}, plain)
	assert.Nil(t, got["hidden"].Expires)
	assert.Zero(t, got["hidden"].Uses)
	assert.Equal(t, "http://169.254.169.254/x", got["inside"].URL)
	assert.Equal(t, 1, o.Counts().LinkCalls)
	assert.Equal(t, 4, o.Counts().LinksIssued)
}

func TestLinks_Refusals(t *testing.T) {
	o := start(t, 10)
	for _, r := range []linksim.Refusal{linksim.Forbidden, linksim.Unsupported, linksim.Missing, linksim.NoURL, linksim.Spoils} {
		o.Put(linksim.Object{ID: string(r), Path: string(r), Terms: linksim.Terms{Refusal: r}})
	}
	got, res := links(t, o, "forbidden", "unsupported", "missing", "no-url", "nowhere", id)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, "forbidden", got["forbidden"].Error)
	assert.Equal(t, "unsupported", got["unsupported"].Error)
	assert.NotContains(t, got, "missing")
	assert.Equal(t, answer{ID: "no-url"}, got["no-url"])
	assert.Equal(t, "not found", got["nowhere"].Error)
	assert.NotEmpty(t, got[id].URL)

	_, res = links(t, o, id, "spoils")
	assert.Equal(t, http.StatusBadRequest, res.StatusCode)
	assert.Equal(t, 1, o.Counts().LinksIssued)
}

func TestLinks_Batch(t *testing.T) {
	o := start(t, 10, linksim.WithBatch(2))
	for body, status := range map[string]int{
		`{"ids":["a","b"]}`: 200, `{"ids":["a","b","c"]}`: 400, `{"ids":[]}`: 400, `{`: 400,
	} {
		t.Run(body, func(t *testing.T) {
			assert.Equal(t, status, call(t, o, http.MethodPost, "/api/links", body, new(answers)).StatusCode)
		})
	}
}

func TestLinks_Groups(t *testing.T) {
	o := start(t, 10, linksim.WithGroups())
	o.Put(linksim.Object{ID: "opaque", Path: "docs/more.pdf"})
	o.Put(linksim.Object{Path: "top"})
	o.Put(linksim.Object{Path: "docs/below/deep"})
	for _, c := range []struct {
		ids    []string
		status int
	}{
		{[]string{id, "opaque"}, 200},
		{[]string{"top"}, 200},
		{[]string{id, "gone"}, 200},
		{[]string{id, "top"}, 400},
		{[]string{"opaque", "docs/below/deep"}, 400},
	} {
		t.Run(strings.Join(c.ids, " "), func(t *testing.T) {
			_, res := links(t, o, c.ids...)
			assert.Equal(t, c.status, res.StatusCode)
		})
	}
	assert.Equal(t, 4, o.Counts().LinksIssued)
}

func TestLinks_TwiceAndForStrangers(t *testing.T) {
	o := start(t, 10)
	o.Put(linksim.Object{Path: "twice", Terms: linksim.Terms{Refusal: linksim.Twice}})
	o.Put(linksim.Object{Path: "stranger", Terms: linksim.Terms{Refusal: linksim.Stranger}})
	var a answers
	call(t, o, http.MethodPost, "/api/links", `{"ids":["twice","stranger","`+id+`"]}`, &a)
	var got []string
	for _, l := range a.Links {
		got = append(got, l.ID)
		assert.NotEmpty(t, l.URL)
	}
	assert.Equal(t, []string{id, "not stranger", "twice", "twice"}, got)
	assert.Equal(t, a.Links[2], a.Links[3])
}

func TestList_BringsLinks(t *testing.T) {
	o := start(t, 10)
	o.SetClock(time.Hour)
	terms := linksim.Terms{Listed: true, Lifetime: time.Hour, Uses: 2, Header: http.Header{"X-Bound": {"v"}}}
	o.Put(linksim.Object{Path: "docs/listed", Content: linksim.Bytes([]byte("abc")), Terms: terms})
	terms.Refusal = linksim.Forbidden
	o.Put(linksim.Object{Path: "docs/refused", Terms: terms})

	l, _ := list(t, o, "dir:docs", "")
	require.Equal(t, []string{"listed", "refused", "report.pdf"}, names(l))
	link := l.Entries[0].Link
	require.NotNil(t, link)
	assert.Nil(t, l.Entries[1].Link)
	assert.Nil(t, l.Entries[2].Link)
	assert.Equal(t, 2, link.Uses)
	assert.WithinDuration(t, time.Now().Add(time.Hour), *link.Issued, time.Minute)
	assert.WithinDuration(t, link.Issued.Add(time.Hour), *link.Expires, time.Second)
	_, body := served(t, link.URL, "", http.Header{"X-Bound": {"v"}})
	assert.Equal(t, "abc", string(body))

	again, _ := list(t, o, "dir:docs", "")
	assert.NotEqual(t, link.URL, again.Entries[0].Link.URL)
	assert.Zero(t, o.Counts().LinkCalls)
	assert.Equal(t, 2, o.Counts().LinksIssued)
}

func TestLinks_ComeInAnotherOrder(t *testing.T) {
	o := start(t, 10)
	var a answers
	call(t, o, http.MethodPost, "/api/links", `{"ids":["a","b","c"]}`, &a)
	require.Len(t, a.Links, 3)
	assert.Equal(t, []string{"c", "b", "a"}, []string{a.Links[0].ID, a.Links[1].ID, a.Links[2].ID})
}

func TestLinks_OldOnesAgain(t *testing.T) {
	o := start(t, 10)
	first, _ := links(t, o, id)
	o.ExpireLinks()
	o.InjectAPI(linksim.LinkCall, linksim.Fault{Kind: linksim.OldLinks, Times: 1})
	poisoned, _ := links(t, o, id)
	assert.Equal(t, first, poisoned)
	res, _ := served(t, poisoned[id].URL, "", nil)
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
	fresh, _ := links(t, o, id)
	assert.NotEqual(t, first, fresh)
}

func TestAPI_Token(t *testing.T) {
	o := start(t, 10, linksim.WithToken(linksim.Marker))
	_, res := list(t, o, "", "")
	assert.Equal(t, http.StatusOK, res.StatusCode)
	o.SetToken("another")
	l, res := list(t, o, "", "")
	assert.Equal(t, http.StatusUnauthorized, res.StatusCode)
	assert.Equal(t, "unauthorized", l.Error)
}

func TestAPI_Faults(t *testing.T) {
	o := start(t, 10)
	o.InjectAPI(linksim.LinkCall, linksim.Fault{
		Kind: linksim.Status, Status: 429, Skip: 1, Times: 1,
		Header: http.Header{"Retry-After": {"7"}}, Body: []byte(`{"error":"slow down"}`),
	})
	_, res := list(t, o, "", "")
	assert.Equal(t, http.StatusOK, res.StatusCode, "list is another call")
	var statuses []int
	for range 3 {
		_, res = links(t, o, id)
		statuses = append(statuses, res.StatusCode)
		assert.Equal(t, res.StatusCode == 429, res.Header.Get("Retry-After") == "7")
	}
	assert.Equal(t, []int{200, 429, 200}, statuses)
	assert.Equal(t, 2, o.Counts().LinksIssued, "a refused call issues none")

	o.InjectAPI(linksim.AnyCall, linksim.Fault{Kind: linksim.CleanCut, After: 5})
	_, _, err := get(t, http.MethodGet, o.URL()+"/api/list", "", nil)
	assert.ErrorContains(t, err, "unexpected EOF")
}

func TestAPI_Delay(t *testing.T) {
	o := start(t, 10)
	o.SetAPIDelay(50 * time.Millisecond)
	began := time.Now()
	list(t, o, "", "")
	assert.GreaterOrEqual(t, time.Since(began), 50*time.Millisecond)
}
