package catalog_test

import (
	"context"
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

// newUpdater is a mailbox that tells what is new.
func newUpdater(paths ...string) *resolvertest.Fake {
	f := newMailbox(paths...)
	f.SetUpdates(true)
	return f
}

// assertCalls checks how often the fake was asked for all and for what is new.
func assertCalls(t *testing.T, f *resolvertest.Fake, lists, updates int) {
	t.Helper()
	assert.Equal(t, lists, f.Calls(resolvertest.List), "lists")
	assert.Equal(t, updates, f.Calls(resolvertest.Update), "updates")
}

func TestUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newUpdater("in/1/a", "in/2/b", "in/3/c", "in/4/d", "in/file", "in/same")
		f.SetPageSize(2)
		var told []change
		c, _, _ := newCatalog(t, f, tell(&told))
		before := list(t, c, "in/")
		assertCalls(t, f, 3, 0)

		time.Sleep(ttl)
		assert.Equal(t, before, renewed(t, c, "in/"))
		assertCalls(t, f, 3, 1)
		assert.Empty(t, told)

		f.Add("in/5/e", 1, time.Time{})
		f.Add("in/2/new", 1, time.Time{})
		f.Add("in/file", 2, time.Time{})
		f.Remove("in/3/")
		time.Sleep(ttl)
		l := renewed(t, c, "in/")
		assert.Equal(t, []string{"1", "2", "4", "5", "file", "same"}, names(l))
		assert.EqualValues(t, 2, l.Nodes[4].Size)
		assert.Equal(t, before.Nodes[5], l.Nodes[5])
		assertCalls(t, f, 3, 3)
		assert.Equal(t, []string{"a"}, names(list(t, c, "in/1/")))
		assert.Equal(t, []string{"b", "new"}, names(list(t, c, "in/2/")))
		assert.Equal(t, []string{"e"}, names(list(t, c, "in/5/")))
		_, err := c.Readdir(t.Context(), "in/3/")
		assert.ErrorIs(t, err, resolver.ErrNotExist)
		assertCalls(t, f, 3, 3)
		assert.ElementsMatch(t, []change{{"in/", []string{"3", "5", "file"}}, {"in/2/", []string{"new"}}}, told)

		time.Sleep(ttl)
		renewed(t, c, "in/")
		assertCalls(t, f, 3, 4)
	})
}

func TestUpdate_KeepsNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newUpdater("in/x")
		entry := func(id, name string) resolver.Entry {
			return resolver.Entry{ID: resolver.ID(id), Name: name, Version: "v"}
		}
		f.SetListing("in/", entry("5", "a.pdf"), entry("6", "a.pdf"))
		c, _, _ := newCatalog(t, f)
		list(t, c, "in/")
		f.SetListing("in/", entry("1", "a.pdf"), entry("2", "a (2).pdf"), entry("5", "a.pdf"), entry("6", "a.pdf"))
		time.Sleep(ttl)
		updated := renewed(t, c, "in/")
		assertCalls(t, f, 1, 1)
		byID := make(map[resolver.ID]string)
		for _, n := range updated.Nodes {
			byID[n.ID] = n.Name
		}
		assert.Equal(t, map[resolver.ID]string{"5": "a.pdf", "6": "a (2).pdf", "1": "a (3).pdf", "2": "a (2) (2).pdf"}, byID)
		c.Expire()
		assert.Equal(t, updated.Serial, list(t, c, "in/").Serial, "all of it is the same")
		assertCalls(t, f, 2, 1)
	})
}

func TestUpdate_WholeFromTimeToTime(t *testing.T) {
	cases := map[string]struct {
		set  func(*catalog.Config)
		want time.Duration
	}{
		"by default": {func(*catalog.Config) {}, 24 * time.Hour},
		"as set":     {func(cfg *catalog.Config) { cfg.WholeTTL = time.Hour }, time.Hour},
	}
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newUpdater("in/1/a")
				c, _, _ := newCatalog(t, f, test.set)
				list(t, c, "in/")
				time.Sleep(test.want - time.Second)
				renewed(t, c, "in/")
				assertCalls(t, f, 1, 1)
				time.Sleep(ttl)
				renewed(t, c, "in/")
				assertCalls(t, f, 2, 1)
				time.Sleep(ttl)
				renewed(t, c, "in/")
				assertCalls(t, f, 2, 2)
			})
		})
	}
}

func TestUpdate_NotToBeHad(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newUpdater("in/1/a")
		c, _, _ := newCatalog(t, f)
		list(t, c, "in/")
		f.Fail(resolvertest.Update, 1, resolver.ErrUnsupported)
		f.Add("in/2/b", 1, time.Time{})
		time.Sleep(ttl)
		assert.Equal(t, []string{"1", "2"}, names(renewed(t, c, "in/")))
		assertCalls(t, f, 2, 1)

		f.FailAll(resolvertest.Update, resolver.ErrThrottled)
		f.Add("in/3/c", 1, time.Time{})
		time.Sleep(ttl)
		assert.Equal(t, []string{"1", "2"}, names(renewed(t, c, "in/")))
		assert.Equal(t, []string{"b"}, names(renewed(t, c, "in/2/")))
		assertCalls(t, f, 2, 2)
		f.FailAll(resolvertest.Update, nil)
		time.Sleep(time.Minute)
		assert.Equal(t, []string{"1", "2", "3"}, names(renewed(t, c, "in/")))
		assertCalls(t, f, 2, 3)
	})
}

// After Expire and under another revision everything is listed, once that works.
func TestUpdate_NotEnough(t *testing.T) {
	cases := map[string]func(c *catalog.Catalog, f *resolvertest.Fake){
		"expired":          func(c *catalog.Catalog, _ *resolvertest.Fake) { c.Expire() },
		"another revision": func(_ *catalog.Catalog, f *resolvertest.Fake) { f.SetRevision(f.Revision() + "+") },
	}
	for name, happen := range cases {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newUpdater("in/1/a")
				c, _, _ := newCatalog(t, f)
				list(t, c, "in/")
				happen(c, f)
				f.FailAll(resolvertest.List, resolver.ErrUnavailable)
				list(t, c, "in/1/")
				assertCalls(t, f, 2, 0)
				f.FailAll(resolvertest.List, nil)
				time.Sleep(time.Minute)
				renewed(t, c, "in/1/")
				assertCalls(t, f, 3, 0)
				time.Sleep(ttl)
				renewed(t, c, "in/1/")
				assertCalls(t, f, 3, 1)

				f.SetDelay(resolvertest.Update, time.Second)
				time.Sleep(ttl)
				list(t, c, "in/")
				synctest.Wait()
				happen(c, f)
				time.Sleep(time.Second)
				synctest.Wait()
				list(t, c, "in/")
				assertCalls(t, f, 4, 2)

				f.SetDelay(resolvertest.List, time.Second)
				happen(c, f)
				var caller sync.WaitGroup
				caller.Go(func() { list(t, c, "in/") })
				synctest.Wait()
				happen(c, f)
				caller.Wait()
				list(t, c, "in/")
				assertCalls(t, f, 6, 2)
			})
		})
	}
}

func TestUpdate_AfterRestart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		f := newUpdater("in/1/a")
		begin := time.Now()
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) { list(t, c, "in/") })
		f.Add("in/2/b", 1, time.Time{})
		time.Sleep(ttl)
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) {
			assert.Equal(t, []string{"1", "2"}, names(renewed(t, c, "in/")))
			assertCalls(t, f, 1, 1)
		})
		f.Remove("in/1/")
		time.Sleep(ttl)
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) {
			assert.Equal(t, []string{"2"}, names(renewed(t, c, "in/")))
			assertCalls(t, f, 1, 2)
			assert.Equal(t, []string{"b"}, names(list(t, c, "in/2/")))
		})
		assert.ElementsMatch(t, []string{"/in/", "@in/", "/in/2/"}, listingKeys(t, path))
		time.Sleep(time.Until(begin.Add(24 * time.Hour)))
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) {
			renewed(t, c, "in/")
			assertCalls(t, f, 2, 2)
		})
	})
}

// What changed nothing is not written, and of three messages more the others are
// not written again.
func TestUpdate_WritesWhatIsNew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := statePath(t)
		f := newUpdater("in/1/a", "in/2/b")
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) { list(t, c, "in/") })
		before := transactions(t, path)
		time.Sleep(ttl)
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) { renewed(t, c, "in/") })
		assertCalls(t, f, 1, 1)
		assert.Equal(t, before, transactions(t, path))

		bucket(t, path, func(b *bbolt.Bucket) error { return b.Delete([]byte("/in/1/")) })
		f.Add("in/3/c", 1, time.Time{})
		time.Sleep(ttl)
		run(t, path, f, func(c *catalog.Catalog, _ *catalog.Learnt) { renewed(t, c, "in/") })
		assert.ElementsMatch(t, []string{"/in/", "@in/", "/in/2/", "/in/3/"}, listingKeys(t, path))
	})
}

// transactions is how often the database was written.
func transactions(t *testing.T, path string) (n int) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.View(func(tx *bbolt.Tx) error { n = tx.ID(); return nil }))
	require.NoError(t, db.Close())
	return n
}

// pad is an updater whose pages tests set.
type pad struct {
	lister
	mark    string
	marks   []string // that it was asked for
	updates []resolver.Page
}

func (p *pad) List(ctx context.Context, dir resolver.ID, _ string) (resolver.Page, error) {
	entries, err := p.lister(ctx, dir)
	return resolver.Page{Entries: entries, Mark: p.mark, Gone: []resolver.ID{"1"}}, err
}

func (p *pad) Update(_ context.Context, _ resolver.ID, mark, _ string) (resolver.Page, error) {
	p.marks = append(p.marks, mark)
	page := p.updates[0]
	p.updates = p.updates[1:]
	return page, nil
}

func TestUpdate_Marks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		listed := func(context.Context, resolver.ID) ([]resolver.Entry, error) {
			return []resolver.Entry{file("1", "a", 1)}, nil
		}
		p := &pad{lister: listed, mark: "first", updates: []resolver.Page{
			{}, {Mark: "second"}, {Entries: []resolver.Entry{file("2", "b", 1)}, Gone: []resolver.ID{"2", "3"}, Next: "more"}, {},
			{Next: "more"}, {Next: "more"}, {Mark: "third"},
		}}
		c, _, log := newCatalog(t, p)
		assert.Equal(t, []string{"a"}, names(list(t, c, resolver.Root)), "only an update tells what is gone")
		for range 5 {
			time.Sleep(ttl)
			renewed(t, c, resolver.Root)
		}
		assert.Equal(t, []string{"first", "first", "second", "second", "second", "second", "second"}, p.marks)
		assert.Equal(t, []string{"a", "b"}, names(renewed(t, c, resolver.Root)))
		assert.Contains(t, log.String(), "repeats a cursor")
		assert.Empty(t, p.updates)

		p.mark = ""
		c.Expire()
		list(t, c, resolver.Root)
		time.Sleep(ttl)
		renewed(t, c, resolver.Root)
		assert.Len(t, p.marks, 7, "without a mark there are no updates")
	})
}
