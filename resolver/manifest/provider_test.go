package manifest_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/manifest"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

const example = `{"files": [
	{"path": "报销/2026/d", "url": "https://a.example/4", "mtime": "2026-02-01T00:00:00Z"},
	{"path": "报销/发票.pdf", "url": "https://a.example/1?sig=SECRETSIG1", "size": 7, "mtime": "2026-01-31T10:00:00+01:00"},
	{"path": "报销/2026/b\\c.png", "url": "http://b.example/2?sig=SECRETSIG2", "headers": {"authorization": "SECRETHEADER"}},
	{"path": "empty", "url": "https://a.example/3", "size": 0, "mtime": 1769850000, "sha256": "` + digest + `"}
]}`

// write makes text the document as a careful writer does: all at once.
func write(t testing.TB, file, text string) {
	t.Helper()
	require.NoError(t, os.WriteFile(file+".new", []byte(text), 0o600))
	require.NoError(t, os.Rename(file+".new", file))
}

func open(t testing.TB, text string) (p *manifest.Provider, file string, log *bytes.Buffer) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "list.json")
	write(t, file, text)
	log = new(bytes.Buffer)
	p, err := manifest.New(manifest.Config{File: file, Log: slog.New(slog.NewTextHandler(log, nil))})
	require.NoError(t, err)
	return p, file, log
}

// list returns all pages of dir.
func list(t testing.TB, p *manifest.Provider, dir resolver.ID) []resolver.Entry {
	t.Helper()
	var entries []resolver.Entry
	for cursor := ""; ; {
		page, err := p.List(t.Context(), dir, cursor)
		require.NoError(t, err)
		entries = append(entries, page.Entries...)
		if cursor = page.Next; cursor == "" {
			return entries
		}
	}
}

func names(entries []resolver.Entry) []string {
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
	}
	return names
}

func TestProvider(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list.json")
	write(t, file, example)
	cfg := manifest.Config{File: file}
	resolvertest.Run(t, resolvertest.Fixture{
		New: func(t *testing.T) resolver.Provider {
			p, err := manifest.New(cfg)
			require.NoError(t, err)
			return p
		},
		Want: map[string]resolvertest.Want{
			"报销/发票.pdf":       {Size: 7},
			`报销/2026/b\c.png`: {Size: resolver.SizeUnknown},
			"报销/2026/d":       {Size: resolver.SizeUnknown},
			"empty":           {Size: 0},
		},
		Print:   []any{cfg},
		Secrets: []string{"SECRETSIG", "SECRETHEADER"},
	})
}

func TestProvider_Entries(t *testing.T) {
	p, file, _ := open(t, example)
	assert.Equal(t, "manifest:"+file, p.Account())

	newest := time.Date(2026, 2, 1, 0, 0, 0, 0, time.UTC)
	root := list(t, p, resolver.Root)
	require.Len(t, root, 2)
	assert.Equal(t, digest, root[0].Version)
	assert.Len(t, root[0].SHA256, 32)
	assert.Equal(t, time.Unix(1769850000, 0).UTC(), root[0].ModTime)
	assert.Equal(t, resolver.Entry{ID: "报销/", Name: "报销", Dir: true, ModTime: newest}, root[1])

	below := list(t, p, "报销/")
	require.Equal(t, []string{"2026", "发票.pdf"}, names(below))
	assert.Equal(t, resolver.ID("报销/发票.pdf"), below[1].ID)
	assert.Equal(t, time.Date(2026, 1, 31, 9, 0, 0, 0, time.UTC), below[1].ModTime)

	answers, err := p.Resolve(t.Context(), []resolver.ID{`报销/2026/b\c.png`, "报销/"})
	require.NoError(t, err)
	assert.Equal(t, "http://b.example/2?sig=SECRETSIG2", answers[0].Link.URLs[0].Reveal())
	assert.Equal(t, "SECRETHEADER", answers[0].Link.Header["Authorization"].Reveal())
	assert.Zero(t, answers[0].Link.Expires)
	assert.ErrorIs(t, answers[1].Err, resolver.ErrNotExist, "a directory has no link")
}

func TestProvider_ReadsAgain(t *testing.T) {
	p, file, log := open(t, `{"files": [{"path": "old", "url": "https://h/old"}]}`)
	before := p.Revision()
	assert.Equal(t, before, p.Revision())

	write(t, file, `{"files": [{"path": "new", "url": "https://h/new"}]}`)
	assert.NotEqual(t, before, p.Revision())
	assert.Equal(t, []string{"new"}, names(list(t, p, resolver.Root)))
	answers, err := p.Resolve(t.Context(), []resolver.ID{"old", "new"})
	require.NoError(t, err)
	require.ErrorIs(t, answers[0].Err, resolver.ErrNotExist)
	require.NoError(t, answers[1].Err)
	assert.Empty(t, log.String())
}

func TestProvider_KeepsLastGood(t *testing.T) {
	p, file, log := open(t, `{"files": [{"path": "good", "url": "https://h/good"}]}`)
	warnings := func() int { return strings.Count(log.String(), "level=WARN") }
	stillGood := func() {
		t.Helper()
		for range 3 {
			assert.Equal(t, []string{"good"}, names(list(t, p, resolver.Root)))
		}
	}
	write(t, file, `{"files": [{"path": "half", "url": "https://h/SECRET`)
	stillGood()
	assert.Equal(t, 1, warnings())
	write(t, file, `{"files": [{"path": "../bad", "url": "https://h/SECRET"}]}`)
	stillGood()
	assert.Equal(t, 2, warnings())
	require.NoError(t, os.Remove(file))
	stillGood()
	assert.Equal(t, 3, warnings())
	assert.Contains(t, log.String(), file)
	assert.NotContains(t, log.String(), "SECRET")

	write(t, file, `{"files": [{"path": "better", "url": "https://h/better"}]}`)
	assert.Equal(t, []string{"better"}, names(list(t, p, resolver.Root)))
	assert.Equal(t, 3, warnings())
}

// many is a manifest of n files, a thousand in a directory, and one directory
// that needs three pages.
func many(n int) string {
	var text strings.Builder
	text.WriteString(`{"files": [`)
	for i := range n {
		fmt.Fprintf(&text, `{"path": "d%d/f%d", "url": "https://h/%d?sig=1", "size": %d},`+"\n", i/1000, i, i, i)
	}
	for i := range 25_000 {
		fmt.Fprintf(&text, `{"path": "wide/f%d", "url": "https://h/w%d"},`+"\n", i, i)
	}
	text.WriteString(`{"path": "last", "url": "https://h/last"}]}`)
	return text.String()
}

func TestProvider_Pages(t *testing.T) {
	p, file, _ := open(t, many(0))
	assert.Len(t, list(t, p, "wide/"), 25_000)
	first, err := p.List(t.Context(), "wide/", "")
	require.NoError(t, err)
	assert.Len(t, first.Entries, 10_000)

	t.Run("an unusable version does not break the listing", func(t *testing.T) {
		write(t, file, "{")
		_, err := p.List(t.Context(), "wide/", first.Next)
		require.NoError(t, err)
	})
	t.Run("a new version does", func(t *testing.T) {
		write(t, file, many(1))
		_, err := p.List(t.Context(), "wide/", first.Next)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		assert.ErrorContains(t, err, "changed while being listed")
	})
	t.Run("a cursor of nobody", func(t *testing.T) {
		_, number, _ := strings.Cut(first.Next, "@")
		for _, cursor := range []string{"x", "-1@" + number, "99999@" + number, "x@" + number} {
			_, err := p.List(t.Context(), "wide/", cursor)
			require.ErrorIs(t, err, resolver.ErrUnavailable, cursor)
		}
	})
}

func BenchmarkNew_100000Files(b *testing.B) {
	_, file, _ := open(b, many(75_000))
	for b.Loop() {
		_, err := manifest.New(manifest.Config{File: file})
		require.NoError(b, err)
	}
}
