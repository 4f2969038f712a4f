package catalog_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/catalog"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

// isMessage tells the directories of a mailbox that come along with their folder.
func isMessage(dir resolver.ID) bool { return strings.Count(string(dir), "/") > 1 }

// newMailbox makes a provider of folders whose messages come along and cannot be
// listed by themselves.
func newMailbox(paths ...string) *resolvertest.Fake {
	f := resolvertest.NewFake()
	f.SetChildren(isMessage, resolver.ErrUnsupported)
	for _, path := range paths {
		f.Add(path, 1, time.Unix(1, 0))
	}
	return f
}

func tell(told *[]change) func(*catalog.Config) {
	return func(cfg *catalog.Config) {
		cfg.Changed = func(dir resolver.ID, names []string) { *told = append(*told, change{dir, names}) }
	}
}

func TestChildren_ComeAlong(t *testing.T) {
	f := newMailbox("in/1/a.pdf", "in/1/b.pdf", "in/1/deep/x", "in/2/c.pdf")
	f.SetListing("in/2/", resolver.Entry{ID: "5", Name: "a/b"}, resolver.Entry{ID: "4", Name: "a/b"},
		resolver.Entry{ID: "4", Name: "again"}, resolver.Entry{Name: "no id"})
	f.Add("in/empty/x", 1, time.Time{})
	f.Remove("in/empty/x")
	c, o, _ := newCatalog(t, f)
	o.learnt.Learn("5", "0 bytes of 0001-01-01T00:00:00Z", resolver.Identity{Size: 3})
	assert.Equal(t, []string{"1", "2", "empty"}, names(list(t, c, "in/")))
	assert.Equal(t, []string{"a.pdf", "b.pdf", "deep"}, names(list(t, c, "in/1/")))
	assert.Equal(t, []string{"x"}, names(list(t, c, "in/1/deep/")))
	assert.Equal(t, []string{"a／b", "a／b (2)"}, names(list(t, c, "in/2/")))
	assert.Empty(t, list(t, c, "in/empty/").Nodes)

	n, err := c.Lookup(t.Context(), "in/1/", "a.pdf")
	require.NoError(t, err)
	assert.Equal(t, resolver.ID("in/1/"), n.File.Dir)
	assert.Equal(t, []resolver.ID{"in/1/b.pdf", "in/1/deep/x", "4", "5"}, slices.Collect(c.Siblings(n.File)))
	_, ok := c.Peek("in/1/deep/", "x")
	assert.True(t, ok)
	assert.Equal(t, 1, f.Calls(resolvertest.List))
}

func TestSiblings_BesideTheDirectory(t *testing.T) {
	f := newMailbox("in/1/a", "in/2/b", "in/2/deep/c", "in/3/d", "in/4/e", "out/1/x")
	c, _, _ := newCatalog(t, f)
	list(t, c, "in/")
	list(t, c, "out/")
	for _, row := range []struct {
		dir, name string
		want      []resolver.ID
	}{
		{"in/2/", "b", []resolver.ID{"in/2/deep/c", "in/3/d", "in/4/e", "in/1/a"}},
		{"in/2/deep/", "c", []resolver.ID{"in/2/b", "in/3/d", "in/4/e", "in/1/a"}},
		{"in/4/", "e", []resolver.ID{"in/3/d", "in/2/b", "in/2/deep/c", "in/1/a"}},
		{"out/1/", "x", nil},
	} {
		n, err := c.Lookup(t.Context(), resolver.ID(row.dir), row.name)
		require.NoError(t, err)
		assert.Equal(t, row.want, slices.Collect(c.Siblings(n.File)), row.dir)
		for id := range c.Siblings(n.File) {
			assert.Equal(t, row.want[0], id)
			break
		}
	}
	assert.Equal(t, 2, f.Calls(resolvertest.List))
}

// A mount that starts anew knows of the directories beside what its last run kept.
func TestSiblings_BesideAfterARestart(t *testing.T) {
	path := statePath(t)
	f := newMailbox("in/1/a", "in/2/b", "in/2/deep/c", "in/3/d")
	kept := func(use func(c *catalog.Catalog)) {
		state, err := catalog.OpenState(path, nil)
		require.NoError(t, err)
		c := catalog.New(f, state.Learnt("p"), nil, catalog.Config{ListingTTL: time.Hour, Listings: state.Listings("p")})
		use(c)
		require.NoError(t, c.Close())
		require.NoError(t, state.Close())
	}
	kept(func(c *catalog.Catalog) { list(t, c, "in/") })
	kept(func(c *catalog.Catalog) {
		list(t, c, "in/")
		n, err := c.Lookup(t.Context(), "in/2/", "b")
		require.NoError(t, err)
		assert.Equal(t, []resolver.ID{"in/2/deep/c", "in/3/d", "in/1/a"}, slices.Collect(c.Siblings(n.File)))
	})
	assert.Equal(t, 1, f.Calls(resolvertest.List))
}

func TestChildren_AreAsFreshAsTheirParent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newMailbox("in/1/a", "in/1/b", "in/2/c")
		var told []change
		c, _, _ := newCatalog(t, f, tell(&told))
		list(t, c, "in/")
		same := list(t, c, "in/2/")
		f.Add("in/1/new", 1, time.Unix(1, 0))
		f.Remove("in/1/a")
		f.Add("in/3/x", 1, time.Unix(1, 0))
		time.Sleep(ttl)
		f.SetDelay(resolvertest.List, time.Second)
		start := time.Now()
		var callers sync.WaitGroup
		for _, dir := range []resolver.ID{"in/", "in/1/", "in/2/"} {
			callers.Go(func() { list(t, c, dir) })
		}
		callers.Wait()
		assert.Zero(t, time.Since(start), "an expired listing is shown at once")
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Equal(t, 2, f.Calls(resolvertest.List))
		assert.Equal(t, []string{"b", "new"}, names(list(t, c, "in/1/")))
		assert.Equal(t, []string{"x"}, names(list(t, c, "in/3/")))
		assert.Equal(t, same.Serial, list(t, c, "in/2/").Serial)
		assert.ElementsMatch(t, []change{{"in/", []string{"3"}}, {"in/1/", []string{"a", "new"}}}, told)

		c.Expire()
		_, ok := c.Peek("in/1/", "b")
		assert.False(t, ok, "a lookup would wait")
		f.Remove("in/1/b")
		assert.Equal(t, []string{"new"}, names(list(t, c, "in/1/")))
		assert.Equal(t, 3, f.Calls(resolvertest.List))

		f.FailAll(resolvertest.List, resolver.ErrUnavailable)
		time.Sleep(ttl)
		assert.Equal(t, []string{"new"}, names(renewed(t, c, "in/1/")))
	})
}

func TestChildren_KeepTheirNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		f := newMailbox("in/1/x")
		entry := func(id string) resolver.Entry {
			return resolver.Entry{ID: resolver.ID(id), Name: "a.pdf", Version: "v"}
		}
		f.SetListing("in/1/", entry("5"), entry("6"))
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) { list(t, c, "in/") })
		f.SetListing("in/1/", entry("6"), entry("7"))
		time.Sleep(ttl)
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) {
			renewed(t, c, "in/")
			l := list(t, c, "in/1/")
			require.Equal(t, []string{"a (2).pdf", "a.pdf"}, names(l))
			assert.Equal(t, resolver.ID("6"), l.Nodes[0].ID)
		})
	})
}

func TestChildren_Gone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		f := newMailbox("in/1/deep/x", "in/2/c", "out/3/d")
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) { list(t, c, "in/"); list(t, c, "out/") })
		assert.ElementsMatch(t, []string{"/in/", "/in/1/", "/in/1/deep/", "/in/2/", "/out/", "/out/3/"}, listingKeys(t, path))
		f.Remove("in/1/")
		f.SetDelay(resolvertest.List, time.Second)
		time.Sleep(ttl)
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) {
			for _, dir := range []resolver.ID{"in/", "in/1/", "in/1/deep/"} {
				list(t, c, dir)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			calls := f.Calls(resolvertest.List)
			for _, dir := range []resolver.ID{"in/1/", "in/1/deep/"} {
				_, err := c.Readdir(t.Context(), dir)
				assert.ErrorIs(t, err, resolver.ErrNotExist)
			}
			assert.Equal(t, calls, f.Calls(resolvertest.List))

			// What is there again comes along again.
			f.SetDelay(resolvertest.List, 0)
			f.Add("in/1/y", 1, time.Time{})
			time.Sleep(ttl)
			renewed(t, c, "in/")
			assert.Contains(t, names(list(t, c, "in/1/")), "y")
			f.Remove("in/1/")
			f.Remove("out/")
			time.Sleep(ttl)
			renewed(t, c, "in/")
			f.SetDelay(resolvertest.List, time.Second)
			list(t, c, "out/")
			list(t, c, "out/3/")
			time.Sleep(time.Second)
			synctest.Wait()

			_, err := c.Readdir(t.Context(), "out/3/")
			assert.ErrorIs(t, err, resolver.ErrNotExist)
		})
		assert.ElementsMatch(t, []string{"/in/", "/in/2/"}, listingKeys(t, path))
	})
}

// A message that moved to another folder stays, whichever folder is renewed
// first.
func TestChildren_Move(t *testing.T) {
	for _, order := range [][]resolver.ID{{"in/", "out/"}, {"out/", "in/"}} {
		t.Run(string(order[0]), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				path := statePath(t)
				f := newMailbox("in/1/a", "out/2/b")
				run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) {
					list(t, c, "in/")
					list(t, c, "out/")
					f.SetListing("in/")
					f.SetListing("out/", resolver.Entry{ID: "in/1/", Name: "moved", Dir: true})
					time.Sleep(ttl)
					for _, dir := range order {
						renewed(t, c, dir)
					}
					assert.Equal(t, []string{"a"}, names(list(t, c, "in/1/")))
				})
				run(t, path, dead, func(c *catalog.Catalog, _ *catalog.Learnt) {
					assert.Equal(t, []string{"moved"}, names(list(t, c, "out/")))
					assert.Equal(t, []string{"a"}, names(list(t, c, "in/1/")))
				})
			})
		})
	}
}

// What moves from one directory that comes along to another comes along there.
func TestChildren_MoveBelow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		f := newMailbox("in/1/deep/x", "in/2/y", "in/3/z")
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) {
			list(t, c, "in/")
			f.SetListing("in/1/")
			f.SetListing("in/2/", resolver.Entry{ID: "in/1/deep/", Name: "moved", Dir: true})
			time.Sleep(ttl)
			renewed(t, c, "in/")
			assert.Equal(t, []string{"x"}, names(list(t, c, "in/1/deep/")))
		})
		assert.ElementsMatch(t, []string{"/in/", "/in/1/", "/in/1/deep/", "/in/2/", "/in/3/"}, listingKeys(t, path))
	})
}

func TestChildren_ListedByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		f := newMailbox("in/1/deep/x", "in/1/a")
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) {
			list(t, c, "in/")
			f.SetChildren(nil, nil)
			time.Sleep(ttl)
			renewed(t, c, "in/")
			calls := f.Calls(resolvertest.List)
			f.FailAll(resolvertest.List, resolver.ErrUnavailable)
			assert.Equal(t, []string{"a", "deep"}, names(renewed(t, c, "in/1/")), "what came along is shown")
			assert.Equal(t, []string{"x"}, names(list(t, c, "in/1/deep/")))
			assert.Equal(t, calls+1, f.Calls(resolvertest.List), "asked for by itself")
			time.Sleep(ttl)
			f.FailAll(resolvertest.List, nil)
			f.Remove("in/1/a")
			assert.Equal(t, []string{"deep"}, names(renewed(t, c, "in/1/")))
			f.Add("in/1/deep/y", 1, time.Time{})
			assert.Equal(t, []string{"x", "y"}, names(renewed(t, c, "in/1/deep/")))

			// They come along again, with what they were listed as meanwhile.
			f.SetChildren(isMessage, resolver.ErrUnsupported)
			f.Add("in/1/deep/z", 1, time.Time{})
			time.Sleep(ttl)
			renewed(t, c, "in/")
			calls = f.Calls(resolvertest.List)
			assert.Equal(t, []string{"x", "y", "z"}, names(list(t, c, "in/1/deep/")))
			assert.Equal(t, calls, f.Calls(resolvertest.List))
		})
	})
}

func TestChildren_SurviveRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		f := newMailbox("in/1/a", "in/1/deep/x", "in/2/b")
		f.Add("in/1/unknown", resolver.SizeUnknown, time.Unix(1, 0))
		f.SetRevision("7")
		run(t, path, f, func(c *catalog.Catalog, learnt *catalog.Learnt) {
			n, err := c.Lookup(t.Context(), resolver.Root, "in")
			require.NoError(t, err)
			l := list(t, c, n.ID)
			for _, message := range l.Nodes {
				list(t, c, message.ID)
			}
			learnt.Learn("in/1/unknown", "-1, 1970-01-01T00:00:01Z", resolver.Identity{Size: 42})
		})
		calls := f.Calls(resolvertest.List)
		time.Sleep(time.Second)
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) {
			n, err := c.Lookup(t.Context(), resolver.Root, "in")
			require.NoError(t, err)
			n, err = c.Lookup(t.Context(), n.ID, "1")
			require.NoError(t, err)
			file, err := c.Lookup(t.Context(), n.ID, "unknown")
			require.NoError(t, err)
			assert.EqualValues(t, 42, file.Size)
			n, err = c.Lookup(t.Context(), n.ID, "deep")
			require.NoError(t, err)
			_, err = c.Lookup(t.Context(), n.ID, "x")
			require.NoError(t, err)
			assert.Equal(t, calls, f.Calls(resolvertest.List))

			time.Sleep(ttl)
			f.Add("in/1/deep/y", 1, time.Time{})
			assert.Equal(t, []string{"x", "y"}, names(renewed(t, c, "in/1/deep/")))
			assert.Equal(t, calls+1, f.Calls(resolvertest.List), "its folder was listed")
		})
	})
}

// A whole listing after a start writes nothing that is on disk, and has what was
// learnt at hand.
func TestChildren_UnchangedAfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		f := newMailbox("in/1/a")
		f.Add("in/1/unknown", resolver.SizeUnknown, time.Unix(1, 0))
		run(t, path, f, func(c *catalog.Catalog, learnt *catalog.Learnt) {
			list(t, c, "in/")
			learnt.Learn("in/1/unknown", "-1, 1970-01-01T00:00:01Z", resolver.Identity{Size: 42})
		})
		before := transactions(t, path)
		time.Sleep(time.Second)
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) {
			c.Expire()
			list(t, c, "in/")
			n, ok := c.Peek("in/1/", "unknown")
			assert.True(t, ok)
			assert.EqualValues(t, 42, n.Size)
		})
		assert.Equal(t, before, transactions(t, path))
	})
}

// A child whose record is no good comes along once more.
func TestChildren_Damaged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		f := newMailbox("in/1/a", "in/2/b")
		f.SetUpdates(true)
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) { list(t, c, "in/") })
		bucket(t, path, func(b *bbolt.Bucket) error { return b.Put([]byte("/in/1/"), []byte("no good")) })
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) {
			list(t, c, "in/")
			f.FailAll(resolvertest.List, resolver.ErrQuota)
			for range 3 {
				_, err := c.Readdir(t.Context(), "in/1/")
				assert.ErrorIs(t, err, resolver.ErrQuota)
			}
			assert.Equal(t, 2, f.Calls(resolvertest.List))
			assert.Equal(t, []string{"b"}, names(list(t, c, "in/2/")))
			f.FailAll(resolvertest.List, nil)
			time.Sleep(time.Minute)
			assert.Equal(t, []string{"a"}, names(list(t, c, "in/1/")))
			assert.Equal(t, 3, f.Calls(resolvertest.List))
			assert.Zero(t, f.Calls(resolvertest.Update), "an update would not bring it")
		})
		run(t, path, dead, func(c *catalog.Catalog, _ *catalog.Learnt) {
			list(t, c, "in/")
			assert.Equal(t, []string{"a"}, names(list(t, c, "in/1/")))
		})
	})
}

func TestChildren_Seeds(t *testing.T) {
	f := newMailbox("in/1/a")
	link := resolver.Link{URLs: []resolver.Secret{resolver.NewSecret("https://h/1")}}
	f.SetListing("in/1/", resolver.Entry{ID: "1", Name: "a", Link: &link}, resolver.Entry{ID: "2", Name: "b"})
	got := make(map[resolver.ID]resolver.Link)
	c, _, _ := newCatalog(t, f, func(cfg *catalog.Config) {
		cfg.Seed = func(id resolver.ID, l resolver.Link) { got[id] = l }
	})
	list(t, c, "in/")
	assert.Equal(t, map[resolver.ID]resolver.Link{"1": link}, got)
}

// Everything at once, for the race detector.
func TestChildren_Parallel(t *testing.T) {
	state, _ := openState(t, statePath(t))
	f := newMailbox("in/0/0", "out/0/0")
	f.SetUpdates(true)
	var c *catalog.Catalog
	c, _, _ = newCatalog(t, f, func(cfg *catalog.Config) {
		cfg.ListingTTL = time.Microsecond
		cfg.Listings = state.Listings("p")
		cfg.Changed = func(dir resolver.ID, _ []string) { c.Peek(dir, "1") }
	})
	var callers sync.WaitGroup
	for i := range 32 {
		callers.Go(func() {
			folder := []resolver.ID{"in/", "out/"}[i%2]
			for j := range 40 {
				message := folder + resolver.ID(fmt.Sprintf("%d/", j%5))
				switch i % 8 {
				case 0:
					f.Add(fmt.Sprintf("%s%d", message, j), 1, time.Unix(int64(j), 0))
				case 1:
					f.Remove(message)
				case 2:
					f.SetChildren([]func(resolver.ID) bool{isMessage, nil}[j/10%2], nil)
				case 3:
					_, _ = c.Readdir(t.Context(), folder)
				case 4:
					if j%10 == 0 {
						c.Expire()
					}
				default:
					_, _ = c.Lookup(t.Context(), message, "1")
				}
			}
		})
	}
	callers.Wait()
	f.SetChildren(isMessage, resolver.ErrUnsupported)
	f.Add("in/last/x", 1, time.Time{})
	c.Expire()
	list(t, c, "in/")
	assert.Equal(t, []string{"x"}, names(list(t, c, "in/last/")))
}
