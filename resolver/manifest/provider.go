package manifest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"

	"github.com/attachfs/attachfs/resolver"
)

// pageSize keeps a page of entries at about a megabyte.
const pageSize = 10_000

// Provider serves one manifest. Its methods may be called in parallel.
type Provider struct {
	file string
	log  *slog.Logger

	mu   sync.Mutex // guards the following
	seen string     // revision that was read last, good or not
	tree *tree      // last good one
}

var (
	_ resolver.Provider   = (*Provider)(nil)
	_ resolver.Accounter  = (*Provider)(nil)
	_ resolver.Revisioner = (*Provider)(nil)
)

// New reads the manifest once. An error names the document and the place in it,
// and says what would be right; it never shows a URL or a header's value.
func New(cfg Config) (*Provider, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	log := cfg.Log
	if log == nil {
		log = slog.Default()
	}
	seen := revision(cfg.File)
	t, err := readTree(cfg.File, seen)
	if err != nil {
		return nil, err
	}
	return &Provider{file: cfg.File, log: log, seen: seen, tree: t}, nil
}

// List returns one page of dir. When the manifest changes between two pages the
// next one is ErrUnavailable: the listing has to begin again.
func (p *Provider) List(ctx context.Context, dir resolver.ID, cursor string) (resolver.Page, error) {
	if err := ctx.Err(); err != nil {
		return resolver.Page{}, err
	}
	t := p.current()
	entries, ok := t.dirs[dir]
	if !ok {
		return resolver.Page{}, fmt.Errorf("list directory %q: %w", dir, resolver.ErrNotExist)
	}
	start, err := t.offset(cursor, len(entries))
	if err != nil {
		return resolver.Page{}, fmt.Errorf("list directory %q: %w", dir, err)
	}
	limit := min(start+pageSize, len(entries))
	page := resolver.Page{Entries: slices.Clone(entries[start:limit])}
	if limit < len(entries) {
		page.Next = t.cursor(limit)
	}
	return page, nil
}

// Resolve answers each id with the manifest's link. Directories and unknown ids
// are ErrNotExist.
func (p *Provider) Resolve(ctx context.Context, ids []resolver.ID) ([]resolver.Answer, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	t := p.current()
	answers := make([]resolver.Answer, len(ids))
	for i, id := range ids {
		o, ok := t.origins[id]
		if !ok {
			answers[i].Err = fmt.Errorf("resolve %q: %w", id, resolver.ErrNotExist)
			continue
		}
		answers[i].Link = resolver.Link{URLs: []resolver.Secret{o.url}, Header: maps.Clone(o.header)}
	}
	return answers, nil
}

// Account returns "manifest:" and the path of the document.
func (p *Provider) Account() string { return "manifest:" + p.file }

// Revision changes whenever the document's stat does.
func (p *Provider) Revision() string { return revision(p.file) }

// current returns the tree of the document as it is now, or the last good one.
// The lock is held while a changed document is read, so that it is read once.
func (p *Provider) current() *tree {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := revision(p.file)
	if now == p.seen {
		return p.tree
	}
	p.seen = now
	t, err := readTree(p.file, now)
	if err != nil {
		p.log.Warn("manifest cannot be used, keeping the last good one", "error", err)
		return p.tree
	}
	p.tree = t
	return t
}

// revision tells the versions of a file apart, "" when there is no file. The
// change time is in it because a file made readable again has no other trace.
func revision(file string) string {
	fi, err := os.Stat(file)
	if err != nil {
		return ""
	}
	st := fi.Sys().(*syscall.Stat_t)
	return fmt.Sprintf("%x-%x-%x-%x", st.Ino, st.Size, st.Mtim.Nano(), st.Ctim.Nano())
}

// cursor asks for the entries from offset on, of this revision only.
func (t *tree) cursor(offset int) string { return fmt.Sprintf("%d@%s", offset, t.revision) }

// offset is the reverse of cursor for a directory of n entries.
func (t *tree) offset(cursor string, n int) (int, error) {
	if cursor == "" {
		return 0, nil
	}
	text, rev, _ := strings.Cut(cursor, "@")
	if rev != t.revision {
		return 0, fmt.Errorf("manifest changed while being listed: %w", resolver.ErrUnavailable)
	}
	offset, err := strconv.Atoi(text)
	if err != nil || offset < 0 || offset > n {
		return 0, fmt.Errorf("unknown cursor: %w", resolver.ErrUnavailable)
	}
	return offset, nil
}
