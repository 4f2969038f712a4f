package sim_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/limit"
	"github.com/attachfs/attachfs/resolver/resolvertest"
	"github.com/attachfs/attachfs/resolver/sim"
)

const token = "token-" + linksim.Marker

// start runs an origin that wants the token, and a provider over it.
func start(t *testing.T, opts ...linksim.Option) (*linksim.Origin, *sim.Provider) {
	t.Helper()
	origin, err := linksim.Start(append(opts, linksim.WithToken(token))...)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, origin.Close()) })
	return origin, connect(t, origin.URL())
}

func connect(t *testing.T, base string) *sim.Provider {
	t.Helper()
	cfg := sim.Config{BaseURL: base, AccessToken: resolver.NewSecret(token)}
	require.NoError(t, cfg.Validate())
	p := sim.New(cfg, nil)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

func TestProvider(t *testing.T) {
	origin, _ := start(t, linksim.WithPageSize(2))
	bound := linksim.Terms{
		Lifetime: time.Hour, Uses: 2,
		Header: http.Header{"X-Bound": {"bound-" + linksim.Marker}},
	}
	for _, o := range []linksim.Object{
		{Path: "a.txt", Content: linksim.Bytes([]byte("abc")), Terms: bound},
		{Path: "b/c.txt", Content: linksim.Bytes(nil)},
		{Path: "b/d/hidden", Content: linksim.Bytes([]byte("x")), HideSize: true, HideVersion: true},
		{Path: "b/d/e", Content: linksim.Bytes([]byte("xy")), SHA256: strings.Repeat("0f", 32)},
		{Path: "b/d/forbidden", Terms: linksim.Terms{Refusal: linksim.Forbidden}},
		{Path: "b/d/missing", Terms: linksim.Terms{Refusal: linksim.Missing}},
		{Path: "b/d/no url", Terms: linksim.Terms{Refusal: linksim.NoURL}},
		{Path: "b/d/unsupported", Terms: linksim.Terms{Refusal: linksim.Unsupported}},
	} {
		origin.Put(o)
	}
	cfg := sim.Config{BaseURL: origin.URL() + "/", AccessToken: resolver.NewSecret(token)}
	resolvertest.Run(t, resolvertest.Fixture{
		New: func(*testing.T) resolver.Provider { return sim.New(cfg, nil) },
		Want: map[string]resolvertest.Want{
			"a.txt":           {Size: 3},
			"b/c.txt":         {Size: 0},
			"b/d/hidden":      {Size: resolver.SizeUnknown},
			"b/d/e":           {Size: 2},
			"b/d/forbidden":   {Err: resolver.ErrPermission},
			"b/d/missing":     {Err: resolver.ErrNotExist},
			"b/d/no url":      {Err: resolver.ErrUnavailable},
			"b/d/unsupported": {Err: resolver.ErrUnsupported},
		},
		UnknownDir: "dir:nowhere",
		Print:      []any{cfg, &cfg},
		Secrets:    []string{linksim.Marker},
	})
}

func TestProvider_Link(t *testing.T) {
	origin, p := start(t)
	ranged := false
	origin.Put(linksim.Object{Path: "a", Content: linksim.Bytes([]byte("abc")), Terms: linksim.Terms{
		Lifetime: time.Hour, Uses: 2, Ranged: &ranged, TellSize: true,
		Header: http.Header{"X-Bound": {"yes"}},
	}})
	answers, err := p.Resolve(t.Context(), []resolver.ID{"a"})
	require.NoError(t, err)
	require.NoError(t, answers[0].Err)
	link := answers[0].Link
	assert.Equal(t, 2, link.Uses)
	assert.Equal(t, resolver.RangedNo, link.Ranged)
	assert.Equal(t, int64(3), link.Size)
	assert.Equal(t, "yes", link.Header["X-Bound"].Reveal())
	assert.WithinDuration(t, time.Now().Add(time.Hour), link.Expires, time.Minute)
	assert.WithinDuration(t, time.Now(), link.Obtained, time.Minute)
	assert.WithinDuration(t, time.Now(), link.ServerTime, time.Minute)

	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, link.URLs[0].Reveal(), nil)
	require.NoError(t, err)
	req.Header.Set("X-Bound", link.Header["X-Bound"].Reveal())
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	assert.Equal(t, "abc", string(body))
}

func TestProvider_OneCall(t *testing.T) {
	origin, p := start(t)
	var ids []resolver.ID
	for i := range 100 {
		path := fmt.Sprintf("f%d", i)
		origin.Put(linksim.Object{Path: path})
		ids = append(ids, resolver.ID(path), resolver.ID(path))
	}
	answers, err := p.Resolve(t.Context(), ids)
	require.NoError(t, err)
	require.Len(t, answers, len(ids))
	for i, id := range ids {
		require.NoError(t, answers[i].Err)
		assert.True(t, strings.Contains(answers[i].Link.URLs[0].Reveal(), "/"+string(id)+"?"), "answer %d is not for %s", i, id)
	}
	assert.Equal(t, 1, int(origin.Counts().LinkCalls))
	assert.Equal(t, 100, int(origin.Counts().LinksIssued))

	origin.Put(linksim.Object{Path: "one too many"})
	_, err = p.Resolve(t.Context(), append(ids, "one too many"))
	require.ErrorIs(t, err, resolver.ErrRejected)
	assert.Equal(t, 2, int(origin.Counts().LinkCalls))
}

func TestProvider_Batch(t *testing.T) {
	origin, p := start(t, linksim.WithGroups())
	assert.Equal(t, resolver.Batch{Lane: "links", Size: 100}, p.Batch("a/b"))
	assert.Equal(t, p.Batch("a/b"), p.Batch("c"))

	grouping := sim.New(sim.Config{
		BaseURL: origin.URL(), AccessToken: resolver.NewSecret(token), Batch: 20, ByDirectory: true,
	}, nil)
	defer grouping.Close()
	for _, o := range []linksim.Object{
		{Path: "a"}, {Path: "d/b"}, {Path: "d/c"}, {ID: "opaque", Path: "d/o"}, {ID: "d\nx", Path: "d/q"}, {ID: "other/like", Path: "d/e/p"},
		{Path: "odd\ndir%/x"}, {ID: "odd\ndir%\nid", Path: "odd\ndir%/y"},
	} {
		origin.Put(o)
	}
	for dir, want := range map[resolver.ID]int{"": 1, "dir:d": 4, "dir:d/e": 1, "dir:odd\ndir%": 2} {
		page, err := grouping.List(t.Context(), dir, "")
		require.NoError(t, err)
		var ids []resolver.ID
		for _, e := range page.Entries {
			if e.Dir {
				continue
			}
			ids = append(ids, e.ID)
			group := strings.TrimPrefix(string(dir), "dir:")
			assert.Equal(t, resolver.Batch{Lane: "links", Group: group, Size: 20}, grouping.Batch(e.ID))
		}
		require.Len(t, ids, want)
		answers, err := grouping.Resolve(t.Context(), ids)
		require.NoError(t, err)
		for i := range answers {
			assert.NoError(t, answers[i].Err, ids[i])
		}
	}
}

func TestProvider_Turn(t *testing.T) {
	origin, _ := start(t)
	cfg := sim.Config{BaseURL: origin.URL(), AccessToken: resolver.NewSecret(token), LinkRate: 1}
	limits := limit.New(nil, nil)
	first, second := sim.New(cfg, limits), sim.New(cfg, limits)
	defer first.Close()
	defer second.Close()
	require.NoError(t, first.Turn(t.Context(), "links"))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, second.Turn(ctx, "links"), context.DeadlineExceeded, "both are of one account")
}

func TestProvider_Throttled(t *testing.T) {
	for _, shape := range []linksim.LimitShape{linksim.Limit429, linksim.Limit400, linksim.Limit200, linksim.LimitText} {
		t.Run(string(shape), func(t *testing.T) {
			origin, p := start(t, linksim.WithLinkRate(1, time.Hour))
			origin.SetLimitShapes(shape, linksim.Limit403)
			_, err := p.Resolve(t.Context(), []resolver.ID{"x"})
			require.NoError(t, err)
			_, err = p.Resolve(t.Context(), []resolver.ID{"x"})
			require.ErrorIs(t, err, resolver.ErrThrottled)
			if shape == linksim.Limit429 || shape == linksim.Limit400 {
				assert.InDelta(t, time.Hour, resolver.RetryAfter(err), float64(time.Minute))
			}
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			require.ErrorIs(t, p.Turn(ctx, "links"), resolver.ErrThrottled)
			ctx, cancel = context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			_, err = p.Resolve(ctx, []resolver.ID{"x"})
			require.ErrorIs(t, err, resolver.ErrThrottled, "a call does not wait for a turn")
		})
	}
}

func TestProvider_Quota(t *testing.T) {
	p := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusForbidden)
		_, _ = io.WriteString(w, `{"code": 99991403, "msg": "`+linksim.Marker+`"}`)
	})
	_, err := p.Resolve(t.Context(), []resolver.ID{"x"})
	require.ErrorIs(t, err, resolver.ErrQuota)
	assert.NotContains(t, err.Error(), linksim.Marker)
}

func TestProvider_ListedLink(t *testing.T) {
	issued := time.Now().Add(-time.Minute).UTC().Truncate(time.Second)
	const ahead = time.Hour // of the provider's clock
	p := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Date", issued.Add(ahead+time.Minute).Format(http.TimeFormat))
		fmt.Fprintf(w, `{"entries": [{"id": "a", "name": "a", "link": {"url": "https://h/a", "issued": %q}},
			{"id": "b", "name": "b", "link": {"url": "nowhere"}}, {"id": "c", "name": "c"}]}`, issued.Add(ahead).Format(time.RFC3339))
	})
	page, err := p.List(t.Context(), resolver.Root, "")
	require.NoError(t, err)
	require.NotNil(t, page.Entries[0].Link)
	assert.WithinDuration(t, issued, page.Entries[0].Link.Obtained, time.Minute)
	assert.Equal(t, issued.Add(ahead), page.Entries[0].Link.ServerTime)
	assert.Nil(t, page.Entries[1].Link)
	assert.Nil(t, page.Entries[2].Link)
}

func TestProvider_WrongToken(t *testing.T) {
	origin, _ := start(t)
	p := sim.New(sim.Config{BaseURL: origin.URL()}, nil)
	defer p.Close()
	_, err := p.List(t.Context(), resolver.Root, "")
	require.ErrorIs(t, err, resolver.ErrPermission)
}

func TestProvider_Renew(t *testing.T) {
	origin, p := start(t)
	origin.SetToken("new-" + token)
	var calls sync.WaitGroup
	for range 8 { // with -race: beside calls under way
		calls.Go(func() { _, _ = p.List(t.Context(), resolver.Root, "") })
	}
	p.Renew(&sim.Config{BaseURL: "http://127.0.0.1:1", AccessToken: resolver.NewSecret("new-" + token)})
	calls.Wait()
	_, err := p.List(t.Context(), resolver.Root, "")
	require.NoError(t, err)
	assert.Equal(t, origin.URL(), p.Account(), "the address stays")
	p.Renew("not the options of this provider")
	_, err = p.List(t.Context(), resolver.Root, "")
	require.NoError(t, err)
}

// answering is a provider over a server that always answers the same.
func answering(t *testing.T, h http.HandlerFunc) *sim.Provider {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	return connect(t, server.URL)
}

func TestProvider_Errors(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { http.Error(w, linksim.Marker, code) }
	}
	body := func(text string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, text) }
	}
	for _, c := range []struct {
		name   string
		answer http.HandlerFunc
		want   error
	}{
		{"400", status(400), resolver.ErrRejected},
		{"401", status(401), resolver.ErrPermission},
		{"403", status(403), resolver.ErrPermission},
		{"404", status(404), resolver.ErrNotExist},
		{"429", status(429), resolver.ErrThrottled},
		{"500", status(500), resolver.ErrUnavailable},
		{"503", status(503), resolver.ErrUnavailable},
		{"redirect", func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/elsewhere" {
				_, _ = io.WriteString(w, "{}")
				return
			}
			http.Redirect(w, r, "/elsewhere?"+linksim.Marker, http.StatusFound)
		}, resolver.ErrUnavailable},
		{"no JSON", body("<html>" + linksim.Marker), resolver.ErrUnavailable},
		{"wrong JSON", body(`{"entries": [{"mtime": "` + linksim.Marker + `"}], "links": "` + linksim.Marker + `"}`), resolver.ErrUnavailable},
		{"too long", body("{}" + strings.Repeat(" ", 8<<20)), resolver.ErrUnavailable},
		{"cut", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, linksim.Marker)
		}, resolver.ErrUnavailable},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := answering(t, c.answer)
			_, listed := p.List(t.Context(), "dir:x", "cursor-"+linksim.Marker)
			_, resolved := p.Resolve(t.Context(), []resolver.ID{"x"})
			for _, err := range []error{listed, resolved} {
				require.ErrorIs(t, err, c.want)
				assert.NotContains(t, err.Error(), linksim.Marker)
			}
		})
	}
}

func TestProvider_Unreachable(t *testing.T) {
	origin, p := start(t)
	require.NoError(t, origin.Close())
	_, err := p.List(t.Context(), "dir:x", "cursor-"+linksim.Marker)
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	assert.NotContains(t, err.Error(), linksim.Marker)
}

func TestProvider_BadLinks(t *testing.T) {
	for _, address := range []string{"", "/relative", "ftp://h/a", "http:///a", "https://user@h/a", "https://h/%zz"} {
		p := answering(t, func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprintf(w, `{"links": [{"id": "other", "url": "https://h/other"}, {"id": "x", "url": %q}]}`, address)
		})
		answers, err := p.Resolve(t.Context(), []resolver.ID{"x", "other", "y"})
		require.NoError(t, err)
		assert.ErrorIs(t, answers[0].Err, resolver.ErrUnavailable, address)
		assert.NoError(t, answers[1].Err)
		assert.ErrorIs(t, answers[2].Err, resolver.ErrNotExist)
	}
}

func TestConfig_ValidateNumbers(t *testing.T) {
	assert.ErrorContains(t, sim.Config{BaseURL: "http://h", Batch: -1}.Validate(), "batch: ")
	assert.ErrorContains(t, sim.Config{BaseURL: "http://h", LinkRate: -1}.Validate(), "link_rate: ")
	assert.ErrorContains(t, sim.Config{BaseURL: "http://h", DailyCalls: -1}.Validate(), "daily_calls: ")
}

func TestProvider_DailyCalls(t *testing.T) {
	origin, plain := start(t)
	assert.Empty(t, plain.Usage(), "nothing is limited")
	origin.Put(linksim.Object{Path: "a"})
	cfg := sim.Config{BaseURL: origin.URL(), AccessToken: resolver.NewSecret(token), DailyCalls: 2}
	p := sim.New(cfg, limit.New(nil, nil))
	defer p.Close()
	for used := 1; used <= 2; used++ {
		require.NoError(t, p.Turn(t.Context(), p.Batch("a").Lane))
		_, err := p.Resolve(t.Context(), []resolver.ID{"a"})
		require.NoError(t, err)
		require.Len(t, p.Usage(), 1)
		assert.Equal(t, used, p.Usage()[0].Used)
		assert.Equal(t, 2, p.Usage()[0].Calls)
	}
	assert.ErrorIs(t, p.Turn(t.Context(), p.Batch("a").Lane), resolver.ErrQuota)
}

func TestConfig_Validate(t *testing.T) {
	for base, says := range map[string]string{
		"":                     "base_url: is missing",
		"127.0.0.1:80":         "absolute http or https",
		"ftp://h":              "absolute http or https",
		"http://":              "absolute http or https",
		"http://user:pw@h":     "must not hold",
		"http://h/?token=x":    "must not hold",
		"https://h/simulator/": "",
	} {
		err := sim.Config{BaseURL: base}.Validate()
		if says == "" {
			assert.NoError(t, err, base)
			continue
		}
		assert.ErrorContains(t, err, says, base)
	}
}
