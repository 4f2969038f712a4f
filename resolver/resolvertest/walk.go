package resolvertest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// Limits beyond which a tree counts as endless.
const (
	maxPages = 10_000
	maxDirs  = 100_000
)

// node is an entry and the names that lead to it.
type node struct {
	path string
	resolver.Entry
}

// walk lists the whole tree, breadth first. What comes along with a listing is
// not listed by itself.
func walk(ctx context.Context, p resolver.Provider) ([]node, error) {
	var found []node
	dirs := []node{{}}
	for i := 0; i < len(dirs); i++ {
		if i == maxDirs {
			return nil, fmt.Errorf("more than %d directories: does the tree end?", maxDirs)
		}
		entries := dirs[i].Children
		if entries == nil {
			var err error
			if entries, _, err = listAll(ctx, p, dirs[i].ID); err != nil {
				return nil, err
			}
		}
		for _, e := range entries {
			n := node{path: e.Name, Entry: e}
			if i > 0 {
				n.path = dirs[i].path + "/" + e.Name
			}
			found = append(found, n)
			if e.Dir {
				dirs = append(dirs, n)
			}
		}
	}
	return found, nil
}

// listAll follows the pages of one directory to the last, and returns its mark.
func listAll(ctx context.Context, p resolver.Provider, dir resolver.ID) (entries []resolver.Entry, mark string, err error) {
	last, err := follow(func(cursor string) (resolver.Page, error) {
		page, err := p.List(ctx, dir, cursor)
		entries = append(entries, unlinked(page.Entries)...)
		return page, err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list %q: %w", dir, err)
	}
	return entries, last.Mark, nil
}

// unlinked returns entries without the links that came along, which are others
// each time.
func unlinked(entries []resolver.Entry) []resolver.Entry {
	plain := slices.Clone(entries)
	for i := range plain {
		plain[i].Link = nil
		plain[i].Children = unlinked(plain[i].Children)
	}
	return plain
}

// follow asks for pages and returns the last.
func follow(ask func(cursor string) (resolver.Page, error)) (last resolver.Page, err error) {
	cursors := map[string]bool{"": true}
	for cursor := ""; ; {
		page, err := ask(cursor)
		if err != nil || page.Next == "" {
			return page, err
		}
		cursor = page.Next
		if cursors[cursor] || len(cursors) == maxPages {
			return page, errors.New("the pages do not end")
		}
		cursors[cursor] = true
	}
}

func files(found []node) []node {
	var only []node
	for _, n := range found {
		if !n.Dir {
			only = append(only, n)
		}
	}
	return only
}

func versions(found []node) map[resolver.ID]string {
	m := make(map[resolver.ID]string)
	for _, n := range files(found) {
		m[n.ID] = n.Version
	}
	return m
}

// linkedFiles returns the files, at most a hundred, that have a link when asked
// one by one; there is at least one.
func linkedFiles(t *testing.T, p resolver.Provider) []resolver.ID {
	t.Helper()
	found, err := walk(t.Context(), p)
	require.NoError(t, err)
	var ids []resolver.ID
	for _, n := range files(found) {
		if len(ids) == 100 {
			break
		}
		answers, err := p.Resolve(t.Context(), []resolver.ID{n.ID})
		require.NoError(t, err)
		require.Len(t, answers, 1)
		if answers[0].Err == nil {
			ids = append(ids, n.ID)
		}
	}
	require.NotEmpty(t, ids, "no file has a link")
	return ids
}

// place resolves id alone and tells where its link points.
func place(t *testing.T, p resolver.Provider, id resolver.ID) string {
	t.Helper()
	answers, err := p.Resolve(t.Context(), []resolver.ID{id})
	require.NoError(t, err)
	require.Len(t, answers, 1)
	require.NoError(t, answers[0].Err)
	return placeOf(answers[0].Link)
}

// placeOf is the part of the first URL that does not change with the signature.
func placeOf(l resolver.Link) string {
	u, err := url.Parse(l.URLs[0].Reveal())
	if err != nil {
		return ""
	}
	return u.Host + u.Path
}

// batchOf says what id can be asked for with.
func batchOf(p resolver.Provider, id resolver.ID) resolver.Batch {
	if b, ok := p.(resolver.Batcher); ok {
		return b.Batch(id)
	}
	return resolver.Batch{Size: 1}
}

// oneBatch returns those of ids that one call takes together with the first.
func oneBatch(p resolver.Provider, ids []resolver.ID) []resolver.ID {
	first := batchOf(p, ids[0])
	var batch []resolver.ID
	for _, id := range ids {
		b := batchOf(p, id)
		if b.Lane == first.Lane && b.Group == first.Group && len(batch) < first.Size {
			batch = append(batch, id)
		}
	}
	return batch
}
