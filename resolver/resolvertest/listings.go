package resolvertest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// testChildren checks the directories whose listings came along: they are told
// whole, and the same by themselves if they can be listed so.
func testChildren(t *testing.T, _ Fixture, p resolver.Provider) {
	found, err := walk(t.Context(), p)
	require.NoError(t, err)
	along := 0
	for _, n := range found {
		if n.Children == nil {
			continue
		}
		along++
		assert.True(t, n.Dir, "%s is a file with children", n.path)
		ids := make(map[resolver.ID]bool)
		for _, child := range n.Children {
			assert.NotEmpty(t, child.ID, "id of %q in %s", child.Name, n.path)
			assert.False(t, ids[child.ID], "%s has two children of one id", n.path)
			ids[child.ID] = true
		}
		alone, _, err := listAll(t.Context(), p, n.ID)
		if errors.Is(err, resolver.ErrNotExist) || errors.Is(err, resolver.ErrUnsupported) {
			continue
		}
		require.NoError(t, err, n.path)
		assert.ElementsMatch(t, n.Children, alone, "%s by itself", n.path)
	}
	if along == 0 {
		t.Skip("no listing brings others along")
	}
}

// testUpdate hands the marks of listings back right away, when nothing is new.
func testUpdate(t *testing.T, _ Fixture, p resolver.Provider) {
	found, err := walk(t.Context(), p)
	require.NoError(t, err)
	dirs := []resolver.ID{resolver.Root}
	for _, n := range found {
		if n.Dir && n.Children == nil {
			dirs = append(dirs, n.ID)
		}
	}
	marks := 0
	for _, dir := range dirs {
		entries, mark, err := listAll(t.Context(), p, dir)
		require.NoError(t, err)
		if mark == "" {
			continue
		}
		marks++
		checkUpdate(t, p, dir, mark, entries)
	}
	if marks == 0 {
		t.Skip("no listing has a mark")
	}
}

// checkUpdate follows an update twice, by the mark of the listing and by its own.
// What it brings is listed already, and the same.
func checkUpdate(t *testing.T, p resolver.Provider, dir resolver.ID, mark string, listed []resolver.Entry) {
	t.Helper()
	u, ok := p.(resolver.Updater)
	require.True(t, ok, "%q has a mark that nobody takes", dir)
	for range 2 {
		last, err := follow(func(cursor string) (resolver.Page, error) {
			page, err := u.Update(t.Context(), dir, mark, cursor)
			for _, e := range unlinked(page.Entries) {
				assert.Contains(t, listed, e, "%q is new in %q", e.Name, dir)
			}
			for _, id := range page.Gone {
				for _, e := range listed {
					assert.NotEqual(t, e.ID, id, "%q is gone from %q", e.Name, dir)
				}
			}
			return page, err
		})
		if errors.Is(err, resolver.ErrUnsupported) {
			return
		}
		require.NoError(t, err)
		if last.Mark != "" {
			mark = last.Mark
		}
	}
}
