package catalog_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/catalog"
)

// lister is a provider of directories on one page each.
type lister func(ctx context.Context, dir resolver.ID) ([]resolver.Entry, error)

func (l lister) List(ctx context.Context, dir resolver.ID, _ string) (resolver.Page, error) {
	entries, err := l(ctx, dir)
	return resolver.Page{Entries: entries}, err
}

func (lister) Resolve(context.Context, []resolver.ID) ([]resolver.Answer, error) {
	return nil, errors.New("the catalog asks for no links")
}

func TestReaddir_NobodyWaitsForARefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		s.hold(file("1", "a", 1))
		c, _, _ := newCatalog(t, s)
		_, err := c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)

		s.delay = 30 * time.Second
		time.Sleep(ttl)
		start := time.Now()
		var callers sync.WaitGroup
		for range 64 {
			callers.Go(func() {
				_, err := c.Readdir(t.Context(), resolver.Root)
				assert.NoError(t, err)
				_, err = c.Lookup(t.Context(), resolver.Root, "a")
				assert.NoError(t, err)
			})
		}
		callers.Wait()
		assert.Zero(t, time.Since(start))
		synctest.Wait()
		assert.EqualValues(t, 2, s.lists.Load())
	})
}

// A backup that comes once a night is not to get the listing of the night before.
func TestReaddir_WaitsWhenTheListingIsOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{delay: 3 * time.Second}
		s.hold(file("1", "a", 1))
		c, _, _ := newCatalog(t, s)
		_, err := c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)

		look := func(wait time.Duration, stale bool, want string) {
			t.Helper()
			start := time.Now()
			l, err := c.Readdir(t.Context(), resolver.Root)
			require.NoError(t, err)
			assert.Equal(t, wait, time.Since(start))
			assert.Equal(t, []string{want}, names(l))
			assert.Equal(t, stale, l.Stale)
			n, err := c.Lookup(t.Context(), resolver.Root, want)
			require.NoError(t, err)
			assert.Equal(t, stale, n.Stale)
		}
		s.hold(file("2", "b", 1))
		time.Sleep(59 * time.Minute)
		look(0, true, "a")
		time.Sleep(24 * time.Hour)
		s.hold(file("3", "c", 1))
		look(3*time.Second, false, "c")
		time.Sleep(24 * time.Hour)
		s.set(func(s *shelf) { s.delay = time.Minute })
		look(10*time.Second, true, "c")
		time.Sleep(time.Minute)

		s.set(func(s *shelf) { s.delay, s.err = time.Second, resolver.ErrUnavailable })
		time.Sleep(24 * time.Hour)
		look(time.Second, false, "c")
		time.Sleep(time.Minute)
		look(0, true, "c") // the last refresh failed: nobody waits for another
	})
}

func TestReaddir_WaitsAfterExpire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{delay: time.Second}
		s.hold(file("1", "a", 1))
		c, _, _ := newCatalog(t, s)
		first, err := c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)

		s.hold(file("2", "b", 1))
		c.Expire()
		_, ok := c.Peek(resolver.Root, "a")
		assert.False(t, ok, "a lookup would wait")
		l, err := c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)
		assert.Equal(t, []string{"b"}, names(l))
		assert.NotEqual(t, first.Serial, l.Serial)

		s.fail(resolver.ErrUnavailable)
		c.Expire()
		for range 3 {
			l, err = c.Readdir(t.Context(), resolver.Root)
			require.NoError(t, err)
			assert.Equal(t, []string{"b"}, names(l))
		}
		assert.EqualValues(t, 3, s.lists.Load())
	})
}

// A caller that has to wait for a provider that does not answer is shown the
// listing there is, and those who come later do not even wait.
func TestReaddir_PatienceEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		s.hold(file("1", "a", 1))
		c, _, _ := newCatalog(t, s)
		_, err := c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)
		s.delay = time.Hour
		c.Expire()
		start := time.Now()
		for range 3 {
			l, err := c.Readdir(t.Context(), resolver.Root)
			require.NoError(t, err)
			assert.Equal(t, []string{"a"}, names(l))
		}
		assert.Equal(t, 10*time.Second, time.Since(start))
	})
}

func TestClose_AnswersFromMemory(t *testing.T) {
	s := new(shelf)
	s.hold(file("1", "a", 1))
	c, _, _ := newCatalog(t, s)
	_, err := c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	c.Expire()
	_, err = c.Lookup(t.Context(), resolver.Root, "a")
	assert.NoError(t, err)
	assert.EqualValues(t, 1, s.lists.Load())
}

func TestReaddir_WaitsAsLongAsTheProviderAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		s.hold(file("1", "a", 1))
		c, _, _ := newCatalog(t, s)
		renewed(t, c, resolver.Root)
		s.fail(resolver.WithRetryAfter(resolver.ErrThrottled, time.Minute))
		time.Sleep(ttl)
		renewed(t, c, resolver.Root)
		time.Sleep(time.Minute - time.Second)
		renewed(t, c, resolver.Root)
		assert.EqualValues(t, 2, s.lists.Load())
		time.Sleep(time.Second)
		renewed(t, c, resolver.Root)
		assert.EqualValues(t, 3, s.lists.Load())
	})
}

func TestReaddir_Demand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var demand *resolver.Demand
		c, _, _ := newCatalog(t, lister(func(ctx context.Context, _ resolver.ID) ([]resolver.Entry, error) {
			demand = resolver.DemandOf(ctx)
			time.Sleep(5 * time.Second)
			return []resolver.Entry{file("1", "a", 1)}, nil
		}))
		_, err := c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)
		assert.Equal(t, resolver.Stat, demand.Urgency(), "somebody waited")

		time.Sleep(ttl)
		_, err = c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, resolver.Background, demand.Urgency(), "nobody waits")
		c.Expire()
		_, err = c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)
		assert.Equal(t, resolver.Stat, demand.Urgency(), "somebody began to wait")
	})
}

// gate counts what it is asked and told.
type gate struct {
	closed  error
	reports []error
}

func (g *gate) Allow() error     { return g.closed }
func (g *gate) Report(err error) { g.reports = append(g.reports, err) }

func TestReaddir_Gate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{pages: []resolver.Page{{Entries: []resolver.Entry{file("1", "a", 1)}, Next: "1"}, {}}}
		g := new(gate)
		c, _, _ := newCatalog(t, s, func(cfg *catalog.Config) { cfg.Gate = g })
		renewed(t, c, resolver.Root)
		assert.Equal(t, []error{nil, nil}, g.reports, "one report a page")

		s.fail(resolver.ErrQuota)
		time.Sleep(ttl)
		renewed(t, c, resolver.Root)
		require.Len(t, g.reports, 3)
		assert.ErrorIs(t, g.reports[2], resolver.ErrQuota)

		g.closed = resolver.ErrDown
		time.Sleep(ttl)
		assert.Equal(t, []string{"a"}, names(renewed(t, c, resolver.Root)))
		_, err := c.Readdir(t.Context(), "other")
		assert.ErrorIs(t, err, resolver.ErrDown)
		assert.Len(t, g.reports, 3)
		assert.EqualValues(t, 3, s.lists.Load())
	})
}

func TestReaddir_Seeds(t *testing.T) {
	s := new(shelf)
	link := resolver.Link{URLs: []resolver.Secret{resolver.NewSecret("https://h/1")}}
	with := file("1", "a", 1)
	with.Link = &link
	s.hold(with, file("2", "b", 1))
	got := make(map[resolver.ID]resolver.Link)
	c, _, _ := newCatalog(t, s, func(cfg *catalog.Config) {
		cfg.Seed = func(id resolver.ID, l resolver.Link) { got[id] = l }
	})
	_, err := c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)
	assert.Equal(t, map[resolver.ID]resolver.Link{"1": link}, got)
}

func TestWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		s.hold(file("1", "a", 1))
		s.fail(resolver.ErrCredentials)
		c, _, _ := newCatalog(t, s)
		assert.NoError(t, c.Why(), "it was not tried yet")
		_, err := c.Readdir(t.Context(), resolver.Root)
		require.ErrorIs(t, err, resolver.ErrCredentials)
		assert.ErrorIs(t, c.Why(), resolver.ErrCredentials)

		s.fail(nil)
		time.Sleep(time.Minute)
		renewed(t, c, resolver.Root)
		assert.NoError(t, c.Why())
		s.fail(resolver.ErrUnavailable)
		time.Sleep(ttl)
		renewed(t, c, resolver.Root)
		assert.NoError(t, c.Why(), "there is a listing to show")
		s.fail(resolver.ErrNotExist)
		time.Sleep(ttl)
		_, err = c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)
		synctest.Wait()
		assert.ErrorIs(t, c.Why(), resolver.ErrNotExist)
	})
}

// change is what a catalog told.
type change struct {
	dir   resolver.ID
	names []string
}

func TestChanged(t *testing.T) {
	many := func(version string) []resolver.Entry {
		entries := make([]resolver.Entry, 1001)
		for i := range entries {
			entries[i] = file(fmt.Sprint(i), fmt.Sprintf("%04d", i), 1)
			entries[i].Version = version
		}
		return entries
	}
	sub := resolver.Entry{ID: "d", Name: "sub", Dir: true}
	moved := sub
	moved.ModTime = time.Unix(1, 0)
	cases := []struct {
		name          string
		before, after []resolver.Entry
		want          []change
	}{
		{"nothing", []resolver.Entry{file("1", "a", 1), sub}, []resolver.Entry{sub, file("1", "a", 1)}, nil},
		{"gone and new", []resolver.Entry{file("1", "a", 1), file("2", "b", 1)}, []resolver.Entry{file("2", "b", 1), file("3", "c", 1)},
			[]change{{"", []string{"a", "c"}}}},
		{"another size", []resolver.Entry{file("1", "a", 1), file("2", "b", 1)}, []resolver.Entry{file("1", "a", 2), file("2", "b", 1)},
			[]change{{"", []string{"a"}}}},
		{"another file", []resolver.Entry{file("1", "a", 1)}, []resolver.Entry{file("2", "a", 1)}, []change{{"", []string{"a"}}}},
		{"all gone", []resolver.Entry{file("1", "a", 1)}, nil, []change{{"", []string{"a"}}}},
		{"another time", []resolver.Entry{sub}, []resolver.Entry{moved}, []change{{"", []string{"sub"}}}},
		{"a thousand", many("v1")[:1000], many("v2")[:1000], []change{{"", names1000()}}},
		{"too many", many("v1"), many("v2"), []change{{"", nil}}},
	}
	for _, test := range cases {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := new(shelf)
				s.hold(test.before...)
				var told []change
				c, _, _ := newCatalog(t, s, func(cfg *catalog.Config) {
					cfg.Changed = func(dir resolver.ID, names []string) { told = append(told, change{dir, names}) }
				})
				renewed(t, c, resolver.Root)
				assert.Empty(t, told, "a first listing is no change")
				s.hold(test.after...)
				time.Sleep(ttl)
				renewed(t, c, resolver.Root)
				assert.Equal(t, test.want, told)
			})
		})
	}
}

func names1000() []string {
	names := make([]string, 1000)
	for i := range names {
		names[i] = fmt.Sprintf("%04d", i)
	}
	return names
}

// Who is told may look at the new listing, and nobody waits for him. What comes
// meanwhile is one notice.
func TestChanged_SlowAndCurious(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		s.hold(file("0", "0", 1))
		var c *catalog.Catalog
		var told []change
		c, _, _ = newCatalog(t, s, func(cfg *catalog.Config) {
			cfg.Changed = func(dir resolver.ID, changed []string) {
				l, err := c.Readdir(context.Background(), dir)
				assert.NoError(t, err)
				told = append(told, change{dir, changed}, change{dir, names(l)})
				time.Sleep(3 * ttl)
			}
		})
		renewed(t, c, resolver.Root)
		for i := range 3 {
			name := fmt.Sprint(i + 1)
			s.hold(file(name, name, 1))
			time.Sleep(ttl)
			assert.Equal(t, []string{name}, names(renewed(t, c, resolver.Root)))
		}
		time.Sleep(3 * ttl)
		synctest.Wait()
		require.Len(t, told, 4)
		assert.Equal(t, []change{{"", []string{"0", "1"}}, {"", []string{"1"}}}, told[:2])
		assert.Equal(t, []string{"1", "2", "3"}, slices.Compact(slices.Sorted(slices.Values(told[2].names))))
	})
}

func TestChanged_GoneDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		s.hold(file("1", "a", 1))
		var told []change
		c, _, _ := newCatalog(t, s, func(cfg *catalog.Config) {
			cfg.Changed = func(dir resolver.ID, names []string) { told = append(told, change{dir, names}) }
		})
		renewed(t, c, "dir")
		s.fail(resolver.ErrNotExist)
		time.Sleep(ttl)
		_, err := c.Readdir(t.Context(), "dir")
		require.NoError(t, err)
		synctest.Wait()
		assert.Equal(t, []change{{"dir", nil}}, told)
	})
}

func TestSiblings(t *testing.T) {
	s := new(shelf)
	s.hold(file("1", "a", 1), file("2", "b", 1), file("3", "c", 1), resolver.Entry{ID: "d", Name: "ca", Dir: true}, file("4", "d", 1), file("5", "e", 1))
	c, _, _ := newCatalog(t, s)
	of := func(f resolver.File) []resolver.ID { return slices.Collect(c.Siblings(f)) }
	assert.Empty(t, of(resolver.File{ID: "3", Dir: "dir", Name: "c"}), "nothing is in memory yet")
	l, err := c.Readdir(t.Context(), "dir")
	require.NoError(t, err)
	for _, n := range l.Nodes {
		assert.Equal(t, resolver.ID("dir"), n.File.Dir)
	}
	assert.Equal(t, []resolver.ID{"4", "5", "2", "1"}, of(resolver.File{ID: "3", Dir: "dir", Name: "c"}))
	assert.Empty(t, of(resolver.File{ID: "9", Dir: "dir", Name: "c"}), "another file has that name by now")
	assert.Empty(t, of(resolver.File{ID: "3", Dir: "other", Name: "c"}))
	for id := range c.Siblings(l.Nodes[2].File) {
		assert.Equal(t, resolver.ID("4"), id)
		break
	}
	assert.EqualValues(t, 1, s.lists.Load())
}

// Everything at once, for the race detector.
func TestCatalog_Parallel(t *testing.T) {
	state, _ := openState(t, statePath(t))
	var c *catalog.Catalog
	round := make(chan struct{}, 1)
	p := lister(func(_ context.Context, dir resolver.ID) ([]resolver.Entry, error) {
		select {
		case round <- struct{}{}:
			return nil, resolver.ErrThrottled
		default:
			<-round
		}
		entries := []resolver.Entry{{ID: dir + "d", Name: "d", Dir: true}}
		for i := range 20 + int(time.Now().UnixNano()%5) {
			entries = append(entries, file(fmt.Sprintf("%s%d", dir, i), fmt.Sprint(i), resolver.SizeUnknown))
		}
		return entries, nil
	})
	c, o, _ := newCatalog(t, p, func(cfg *catalog.Config) {
		cfg.ListingTTL = time.Microsecond
		cfg.Listings = state.Listings("p")
		cfg.Changed = func(dir resolver.ID, _ []string) { c.Peek(dir, "1") }
	})
	var callers sync.WaitGroup
	for i := range 64 {
		callers.Go(func() {
			for j := range 50 {
				dir := resolver.ID("dddd"[:j%4])
				switch i % 8 {
				case 0:
					_, _ = c.Readdir(t.Context(), dir)
				case 1:
					for range c.Siblings(resolver.File{ID: dir + "1", Dir: dir, Name: "1"}) {
					}
				case 2:
					c.Peek(dir, fmt.Sprint(j))
				case 3:
					o.learnt.Change(dir+"1", "v1", resolver.Identity{Size: int64(j)})
				default:
					_, _ = c.Lookup(t.Context(), dir, fmt.Sprint(j%20))
				}
			}
			if i == 9 {
				c.Expire()
				_ = c.Why()
			}
		})
	}
	callers.Wait()
}
