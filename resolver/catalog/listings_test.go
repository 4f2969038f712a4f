package catalog_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/catalog"
)

var dead = lister(func(context.Context, resolver.ID) ([]resolver.Entry, error) {
	return nil, resolver.ErrUnavailable
})

// run runs a catalog of p over the state at path, from its start to its end.
func run(t *testing.T, path string, p resolver.Provider, f func(c *catalog.Catalog, learnt *catalog.Learnt)) {
	t.Helper()
	state, log := openState(t, path)
	learnt := state.Learnt("p")
	c := catalog.New(p, learnt, nil, catalog.Config{
		ListingTTL: ttl, Listings: state.Listings("p"), Log: slog.New(slog.DiscardHandler),
	})
	f(c, learnt)
	require.NoError(t, c.Close())
	require.NoError(t, state.Close())
	assert.Empty(t, log.String())
}

func list(t *testing.T, c *catalog.Catalog, dir resolver.ID) resolver.Listing {
	t.Helper()
	l, err := c.Readdir(t.Context(), dir)
	require.NoError(t, err)
	return l
}

// forest is a provider of directories that tests change.
type forest map[resolver.ID][]resolver.Entry

func (f forest) lister() lister {
	return func(_ context.Context, dir resolver.ID) ([]resolver.Entry, error) {
		entries, ok := f[dir]
		if !ok {
			return nil, fmt.Errorf("directory %q: %w", dir, resolver.ErrNotExist)
		}
		return entries, nil
	}
}

func TestListings_SurviveRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		when := time.Date(2026, 10, 1, 12, 0, 0, 5, time.FixedZone("CST", 8*3600))
		full := file("7", "合同\xff.pdf", 10)
		full.ModTime, full.SHA256 = when, []byte{1, 2, 3}
		full.Link = &resolver.Link{URLs: []resolver.Secret{resolver.NewSecret("https://h/SECRET")}}
		tree := forest{
			resolver.Root: {full, {ID: "d", Name: "sub", Dir: true, ModTime: when},
				file("5", "a.pdf", 1), file("6", "a.pdf", resolver.SizeUnknown), {ID: "8", Name: "no version", Size: 3}},
			"d":     {file("9", "x", 1)},
			"empty": nil,
		}
		var before resolver.Listing
		run(t, path, tree.lister(), func(c *catalog.Catalog, learnt *catalog.Learnt) {
			list(t, c, "d")
			list(t, c, "empty")
			list(t, c, resolver.Root)
			// Names depend on what was there before, and stay.
			tree[resolver.Root] = append(tree[resolver.Root], file("4", "a.pdf", 1))
			c.Expire()
			learnt.Learn("6", "v1", resolver.Identity{Size: 42, ETag: `"e"`})
			before = list(t, c, resolver.Root)
		})
		for range 2 {
			run(t, path, dead, func(c *catalog.Catalog, _ *catalog.Learnt) {
				after := list(t, c, resolver.Root)
				require.Len(t, after.Nodes, len(before.Nodes))
				for i, n := range before.Nodes {
					assert.True(t, n.ModTime.Equal(after.Nodes[i].ModTime))
					n.ModTime = after.Nodes[i].ModTime
					assert.Equal(t, n, after.Nodes[i])
				}
				assert.Equal(t, []string{"x"}, names(list(t, c, "d")))
				assert.Empty(t, names(list(t, c, "empty")))
				n, err := c.Lookup(t.Context(), resolver.Root, "a (2).pdf")
				require.NoError(t, err)
				assert.Equal(t, resolver.ID("6"), n.ID)
				assert.EqualValues(t, 42, n.Size)
				_, err = c.Readdir(t.Context(), "never seen")
				assert.ErrorIs(t, err, resolver.ErrUnavailable)
				assert.NoError(t, c.Why())
			})
			time.Sleep(24 * time.Hour)
		}
		database, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.NotContains(t, string(database), "SECRET", "a link is kept")
	})
}

func TestListings_RenewedBehindWhenOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		s := new(shelf)
		s.hold(file("1", "a", 1))
		run(t, path, s, func(c *catalog.Catalog, _ *catalog.Learnt) { list(t, c, resolver.Root) })
		s.hold(file("2", "b", 1))
		run(t, path, s, func(c *catalog.Catalog, _ *catalog.Learnt) {
			assert.Equal(t, []string{"a"}, names(renewed(t, c, resolver.Root)))
			assert.EqualValues(t, 1, s.lists.Load(), "it was fetched a moment ago")
		})
		time.Sleep(ttl)
		run(t, path, s, func(c *catalog.Catalog, _ *catalog.Learnt) {
			assert.Equal(t, []string{"a"}, names(list(t, c, resolver.Root)))
			synctest.Wait()
			assert.Equal(t, []string{"b"}, names(list(t, c, resolver.Root)))
		})
		run(t, path, dead, func(c *catalog.Catalog, _ *catalog.Learnt) {
			assert.Equal(t, []string{"b"}, names(list(t, c, resolver.Root)))
		})
	})
}

func TestListings_FromBeforeExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		s := new(shelf)
		s.hold(file("1", "a", 1))
		run(t, path, s, func(c *catalog.Catalog, _ *catalog.Learnt) { list(t, c, resolver.Root) })
		s.hold(file("2", "b", 1))
		time.Sleep(time.Second)
		run(t, path, s, func(c *catalog.Catalog, _ *catalog.Learnt) {
			c.Expire()
			assert.Equal(t, []string{"b"}, names(list(t, c, resolver.Root)))
		})
	})
}

func TestListings_OfAnotherRevision(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		s := &shelf{revision: "1"}
		s.hold(file("1", "a", 1))
		run(t, path, revised{s}, func(c *catalog.Catalog, _ *catalog.Learnt) { list(t, c, resolver.Root) })
		s.set(func(s *shelf) { s.revision = "2" })
		s.hold(file("2", "b", 1))
		s.fail(resolver.ErrUnavailable)
		run(t, path, revised{s}, func(c *catalog.Catalog, _ *catalog.Learnt) {
			assert.Equal(t, []string{"a"}, names(list(t, c, resolver.Root)), "better than nothing")
		})
		s.fail(nil)
		run(t, path, revised{s}, func(c *catalog.Catalog, _ *catalog.Learnt) {
			assert.Equal(t, []string{"b"}, names(list(t, c, resolver.Root)), "renewed first")
		})
		lists := s.lists.Load()
		s.set(func(s *shelf) { s.revision = "3" })
		for range 2 {
			run(t, path, revised{s}, func(c *catalog.Catalog, _ *catalog.Learnt) { list(t, c, resolver.Root) })
		}
		assert.Equal(t, lists+1, s.lists.Load(), "the revision of an unchanged listing is kept")
	})
}

func TestListings_GoneAndOrphaned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		dir := func(id string) resolver.Entry { return resolver.Entry{ID: resolver.ID(id), Name: id, Dir: true} }
		tree := forest{resolver.Root: {dir("a"), dir("b")}, "a": {dir("aa")}, "aa": {file("1", "x", 1)}, "b": {dir("bb")}, "bb": nil}
		run(t, path, tree.lister(), func(c *catalog.Catalog, _ *catalog.Learnt) {
			for id := range tree {
				list(t, c, id)
			}
		})
		assert.ElementsMatch(t, []string{"/", "/a", "/aa", "/b", "/bb"}, listingKeys(t, path))

		time.Sleep(ttl)
		tree[resolver.Root] = []resolver.Entry{{ID: "b", Name: "renamed", Dir: true}}
		delete(tree, "bb")
		run(t, path, tree.lister(), func(c *catalog.Catalog, _ *catalog.Learnt) {
			renewed(t, c, resolver.Root)
			list(t, c, "bb")
			synctest.Wait()
			_, err := c.Readdir(t.Context(), "bb")
			assert.ErrorIs(t, err, resolver.ErrNotExist)
		})
		assert.ElementsMatch(t, []string{"/", "/b"}, listingKeys(t, path))

		time.Sleep(ttl)
		delete(tree, resolver.Root)
		run(t, path, tree.lister(), func(c *catalog.Catalog, _ *catalog.Learnt) {
			list(t, c, resolver.Root)
			synctest.Wait()
		})
		assert.Equal(t, []string{"/b"}, listingKeys(t, path))
	})
}

// bucket calls f with the listings on disk.
func bucket(t *testing.T, path string, f func(b *bbolt.Bucket) error) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error { return f(tx.Bucket([]byte("listings/p"))) }))
	require.NoError(t, db.Close())
}

func listingKeys(t *testing.T, path string) (keys []string) {
	t.Helper()
	bucket(t, path, func(b *bbolt.Bucket) error {
		return b.ForEach(func(key, _ []byte) error { keys = append(keys, string(key)); return nil })
	})
	return keys
}

func TestListings_Damaged(t *testing.T) {
	cases := map[string]func(root, other []byte) []byte{
		"flipped bit": func(root, _ []byte) []byte { root[len(root)/2] ^= 1; return root },
		"cut short":   func(root, _ []byte) []byte { return root[:len(root)-1] },
		"empty":       func(_, _ []byte) []byte { return nil },
		"another's":   func(_, other []byte) []byte { return other },
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			path := statePath(t)
			tree := forest{resolver.Root: {file("1", "a", 1)}, "d": {file("2", "b", 1)}}
			run(t, path, tree.lister(), func(c *catalog.Catalog, _ *catalog.Learnt) { list(t, c, resolver.Root); list(t, c, "d") })
			bucket(t, path, func(b *bbolt.Bucket) error {
				root, other := append([]byte(nil), b.Get([]byte("/"))...), append([]byte(nil), b.Get([]byte("/d"))...)
				return b.Put([]byte("/"), damage(root, other))
			})
			run(t, path, dead, func(c *catalog.Catalog, _ *catalog.Learnt) {
				_, err := c.Readdir(t.Context(), resolver.Root)
				assert.ErrorIs(t, err, resolver.ErrUnavailable)
				assert.ErrorIs(t, c.Why(), resolver.ErrUnavailable)
				assert.Equal(t, []string{"b"}, names(list(t, c, "d")))
			})
			run(t, path, tree.lister(), func(c *catalog.Catalog, _ *catalog.Learnt) { list(t, c, resolver.Root) })
			run(t, path, dead, func(c *catalog.Catalog, _ *catalog.Learnt) {
				assert.Equal(t, []string{"a"}, names(list(t, c, resolver.Root)))
			})
		})
	}
}
