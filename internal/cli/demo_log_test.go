package cli

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/broker"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

// narrating returns a logger that tells in plain words, and where it writes
// these and the rest.
func narrating() (log *slog.Logger, told, rest *bytes.Buffer) {
	told, rest = new(bytes.Buffer), new(bytes.Buffer)
	behind := slog.NewTextHandler(rest, &slog.HandlerOptions{Level: slog.LevelDebug})
	return slog.New(newNarrator(told, behind, nil)), told, rest
}

func TestNarrator_Tells(t *testing.T) {
	lease := func(generation uint64) *resolver.Lease {
		link := resolver.Link{URLs: []resolver.Secret{resolver.NewSecret("https://h/secret")}}
		return resolver.NewLease(link, generation, time.Time{}, nil)
	}
	file := resolver.ID("2026-10-16 会议/纪要 1.txt")
	for _, c := range []struct {
		name    string
		message string
		attrs   []any
		want    string
	}{
		{"wanted", "link wanted", []any{"file", file}, `needs a link for "纪要 1.txt"`},
		{"batch", "link call", []any{"lane", "links", "group", "g", "files", 20, "siblings", 19, "waited", 812 * time.Millisecond},
			"asked for 20 links in one call (1 wanted, 19 likely next), waited 0.8 s for its turn"},
		{"batch without siblings", "link call", []any{"files", 3, "siblings", 0, "waited", time.Millisecond}, "asked for 3 links in one call"},
		{"one", "link call", []any{"files", 1, "waited", 2 * time.Second}, "asked for one link, waited 2.0 s for its turn"},
		{"call of nothing known", "link call", nil, "asked for links"},
		{"call of other kinds", "link call", []any{"files", "many", "siblings", 1.5, "waited", "long"}, "asked for links"},
		{"first link", "link lent", []any{"file", file, "lease", lease(1), "uses", 2}, `borrowed a link for "纪要 1.txt", good for 2 uses`},
		{"uncounted link", "link lent", []any{"file", file, "lease", lease(2), "uses", 0}, `borrowed a link for "纪要 1.txt"`},
		{"one use", "link lent", []any{"uses", 1}, "borrowed a link for a file, good for one use"},
		{"no file", "link lent", []any{"file", ""}, "borrowed a link for a file"},
		{"again", "no link now, asking again", []any{"file", file, "error", resolver.ErrThrottled, "pause", 400 * time.Millisecond},
			`no link for "纪要 1.txt" now, asking again in 0.4 s: rate limited by the provider`},
		{"link for a while", "link lent", []any{"file", file, "uses", 0, "life", 2700 * time.Millisecond}, `borrowed a link for "纪要 1.txt", good for 2.7 s`},
		{"link for long", "link lent", []any{"file", file, "life", 14 * time.Minute}, `borrowed a link for "纪要 1.txt", good for 14 min`},
		{"refused for good", "link refused", []any{"file", file, "error", resolver.ErrPermission}, `was refused a link for "纪要 1.txt"`},
		{"failed", "link failed", []any{"file", file, "lease", lease(1), "class", resolver.Expired, "served", 3 * time.Second},
			`the link of "纪要 1.txt" does not serve: expired, after it had served for 3.0 s`},
		{"never served", "link failed", []any{"file", file, "class", resolver.Denied, "served", time.Duration(0)},
			`the link of "纪要 1.txt" does not serve: denied`},
		{"failed somehow", "link failed", []any{"served", true}, "the link of a file does not serve: for some reason"},
		{"refused", "link call refused, asking in parts", []any{"lane", "links", "files", 20, "error", resolver.ErrRejected},
			"all 20 links were refused, asking for them in smaller calls: request rejected: permission denied by the provider"},
		{"ahead", "renewing a link ahead of its end", []any{"file", file, "lease", lease(1)},
			`the link of "纪要 1.txt" ends soon, renewing it before anybody has to wait`},
		{"pause", "asked to wait", []any{"for", 2500 * time.Millisecond}, "the service asked to wait for 2.5 s"},
		{"some pause", "asked to wait", nil, "the service asked to wait for a while"},
	} {
		t.Run(c.name, func(t *testing.T) {
			log, told, rest := narrating()
			log.With("provider", "mail").Debug(c.message, c.attrs...)
			assert.Equal(t, "mail: "+c.want+"\n", told.String())
			assert.Empty(t, rest.String())
			log.Debug(c.message, c.attrs...)
			assert.Contains(t, told.String(), "attachfs: "+c.want+"\n")
		})
	}
}

func TestNarrator_KnowsNames(t *testing.T) {
	var told, rest bytes.Buffer
	behind := slog.NewTextHandler(&rest, &slog.HandlerOptions{Level: slog.LevelDebug})
	log := slog.New(newNarrator(&told, behind, map[string]string{"YQqY": "纪要.txt"}))
	log.Debug("link lent", "file", resolver.ID("message/M/YQqY"), "uses", 2)
	log.Debug("link lent", "file", resolver.ID("message/M/other"), "uses", 2)
	log.Debug("something else", "file", resolver.ID("message/M/YQqY"))
	assert.Equal(t, "attachfs: borrowed a link for \"纪要.txt\", good for 2 uses\n"+
		"attachfs: borrowed a link for \"other\", good for 2 uses\n", told.String())
	assert.Contains(t, rest.String(), "file=message/M/YQqY")
}

func TestNarrator_LeavesTheRestAsItIs(t *testing.T) {
	log, told, rest := narrating()
	log.With("provider", "mail").Warn("disk is full", "error", errors.New("no space"))
	log.WithGroup("g").Debug("link call", "files", 2)
	assert.Empty(t, told.String())
	assert.Contains(t, rest.String(), `level=WARN msg="disk is full" provider=mail error="no space"`)
	assert.Contains(t, rest.String(), `msg="link call" g.files=2`)
}

func TestNarrator_HasTheLevelOfTheRest(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newNarrator(&out, slog.NewTextHandler(&out, nil), nil))
	assert.False(t, log.Enabled(context.Background(), slog.LevelDebug))
	log.Debug("link call", "files", 2)
	assert.Empty(t, out.String())
}

func TestNarrator_InParallel(t *testing.T) {
	log, told, _ := narrating()
	var wg sync.WaitGroup
	for range 8 {
		own := log.With("provider", "mail")
		wg.Go(func() {
			for range 50 {
				own.Debug("link call", "files", 2)
			}
		})
	}
	wg.Wait()
	assert.Equal(t, strings.Repeat("mail: asked for 2 links in one call\n", 8*50), told.String())
}

// The broker says what the narrator listens for.
func TestNarrator_UnderstandsTheBroker(t *testing.T) {
	fake := resolvertest.NewFake()
	fake.SetBatch(func(resolver.ID) resolver.Batch { return resolver.Batch{Size: 2} })
	f := resolver.File{ID: fake.Add("a/b.txt", 1, time.Unix(1, 0))}
	fake.Add("a/c.txt", 1, time.Unix(1, 0))
	log, told, _ := narrating()
	cfg := broker.DefaultConfig()
	cfg.Siblings = func(resolver.File) iter.Seq[resolver.ID] { return slices.Values([]resolver.ID{"a/c.txt"}) }
	b := broker.New(fake, cfg, log.With("provider", "mail"))
	lease, err := b.Acquire(t.Context(), f)
	require.NoError(t, err)
	lease.Fail(resolver.Expired)
	require.NoError(t, b.Close())
	for _, line := range []string{
		"mail: asked for 2 links in one call (1 wanted, 1 likely next)\n",
		`mail: borrowed a link for "b.txt"`,
		`mail: borrowed a link for "c.txt"`,
		"expired",
	} {
		assert.Contains(t, told.String(), line)
	}
}
