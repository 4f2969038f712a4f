package catalog

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// pageTimeout bounds one page. The whole has no other bound than maxPages:
	// at one call a second, a large folder takes minutes and is still coming.
	pageTimeout = time.Minute
	// maxPages is beyond any real directory.
	maxPages = 1_000_000
	// never is no count of changes.
	never = math.MaxUint64
)

// listing is one complete listing of a directory. What was listed does not
// change; what is shown of it does, as more is learnt of its files.
type listing struct {
	nodes []resolver.Node  // as listed, sorted by name
	index map[string]int32 // name to place in nodes

	mu    sync.Mutex       // guards the following
	shown resolver.Listing // what callers got last
	asOf  uint64           // Learnt's count of changes that shown reflects
}

// newListing arranges entries, with unique ids, into a listing that takes the
// place of before, if there is one: files keep the names they had there.
func newListing(entries []resolver.Entry, before *listing) *listing {
	l := &listing{
		nodes: make([]resolver.Node, len(entries)),
		index: make(map[string]int32, len(entries)),
		asOf:  never,
	}
	var held map[resolver.ID]string
	if before != nil {
		held = before.names()
		before.mu.Lock()
		l.shown = before.shown
		before.mu.Unlock()
	}
	for i, name := range assign(entries, held) {
		l.nodes[i] = newNode(entries[i], name)
	}
	slices.SortFunc(l.nodes, func(a, b resolver.Node) int { return strings.Compare(a.Name, b.Name) })
	for i := range l.nodes {
		l.index[l.nodes[i].Name] = int32(i)
	}
	return l
}

func newNode(e resolver.Entry, name string) resolver.Node {
	n := resolver.Node{Dir: e.Dir}
	n.ID, n.Name, n.ModTime = e.ID, name, e.ModTime
	if !e.Dir {
		n.Version, n.Size, n.SHA256 = version(e), max(e.Size, resolver.SizeUnknown), e.SHA256
	}
	return n
}

// version is the provider's, else made of the facts that change with content;
// empty when there are none.
func version(e resolver.Entry) string {
	switch {
	case e.Version != "":
		return e.Version
	case e.Size < 0 && e.ModTime.IsZero():
		return ""
	}
	return fmt.Sprintf("%d bytes of %s", e.Size, e.ModTime.UTC().Format(time.RFC3339Nano))
}

// find returns the node of that name as it was listed.
func (l *listing) find(name string) (resolver.Node, bool) {
	i, ok := l.index[name]
	if !ok {
		return resolver.Node{}, false
	}
	return l.nodes[i], true
}

// show returns the listing with what is learnt by now laid over it. While that
// makes no difference it is the same slice under the same serial; otherwise it
// takes the next serial.
func (l *listing) show(learnt *Learnt, serial *atomic.Uint64) resolver.Listing {
	l.mu.Lock()
	defer l.mu.Unlock()
	asOf := learnt.changes.Load()
	if asOf == l.asOf {
		return l.shown
	}
	l.asOf = asOf
	nodes := learnt.merge(l.nodes)
	if l.shown.Serial == 0 || !slices.EqualFunc(nodes, l.shown.Nodes, same) {
		l.shown = resolver.Listing{Nodes: nodes, Serial: serial.Add(1)}
	}
	return l.shown
}

func (l *listing) names() map[resolver.ID]string {
	names := make(map[resolver.ID]string, len(l.nodes))
	for i := range l.nodes {
		names[l.nodes[i].ID] = l.nodes[i].Name
	}
	return names
}

func (l *listing) ids() []resolver.ID {
	ids := make([]resolver.ID, len(l.nodes))
	for i := range l.nodes {
		ids[i] = l.nodes[i].ID
	}
	return ids
}

// same reports whether two nodes of listings tell the same.
func same(a, b resolver.Node) bool {
	return a.ID == b.ID && a.Name == b.Name && a.Dir == b.Dir &&
		a.Version == b.Version && a.Revision == b.Revision && a.Size == b.Size &&
		a.ModTime.Equal(b.ModTime) && bytes.Equal(a.SHA256, b.SHA256) &&
		(a.Learnt == b.Learnt || a.Learnt != nil && b.Learnt != nil && *a.Learnt == *b.Learnt)
}

// fetch reads a directory to its last page. Entries without an id are left out,
// and so are later ones of an id that was there before.
func fetch(ctx context.Context, p resolver.Provider, dir resolver.ID) ([]resolver.Entry, error) {
	var entries []resolver.Entry
	ids := make(map[resolver.ID]struct{})
	cursors := make(map[string]struct{})
	cursor := ""
	for range maxPages {
		page, err := fetchPage(ctx, p, dir, cursor)
		if err != nil {
			return nil, fmt.Errorf("list %q: %w", dir, err)
		}
		for _, e := range page.Entries {
			if _, twice := ids[e.ID]; e.ID == "" || twice {
				continue
			}
			ids[e.ID] = struct{}{}
			entries = append(entries, e)
		}
		if page.Next == "" {
			return entries, nil
		}
		if _, twice := cursors[page.Next]; twice {
			return nil, fmt.Errorf("list %q: the provider repeats a cursor: %w", dir, resolver.ErrUnavailable)
		}
		cursors[page.Next] = struct{}{}
		cursor = page.Next
	}
	return nil, fmt.Errorf("list %q: no end after %d pages: %w", dir, maxPages, resolver.ErrUnavailable)
}

func fetchPage(ctx context.Context, p resolver.Provider, dir resolver.ID, cursor string) (resolver.Page, error) {
	late := fmt.Errorf("no page within %s: %w", pageTimeout, resolver.ErrUnavailable)
	ctx, cancel := context.WithTimeoutCause(ctx, pageTimeout, late)
	defer cancel()
	page, err := p.List(ctx, dir, cursor)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return page, err
}
