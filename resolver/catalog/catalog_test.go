package catalog_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/catalog"
)

const ttl = 5 * time.Minute

// shelf is a provider with one directory, whose pages and errors tests set.
type shelf struct {
	lists atomic.Int64
	delay time.Duration // before each answer

	mu       sync.Mutex // guards the following
	pages    []resolver.Page
	failPage int
	err      error // what page failPage answers
	revision string
}

func (s *shelf) set(change func(*shelf)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// hold makes the directory consist of one page.
func (s *shelf) hold(entries ...resolver.Entry) {
	s.set(func(s *shelf) { s.pages = []resolver.Page{{Entries: entries}} })
}

func (s *shelf) fail(err error) { s.set(func(s *shelf) { s.err = err }) }

func (s *shelf) List(ctx context.Context, _ resolver.ID, cursor string) (resolver.Page, error) {
	s.lists.Add(1)
	if s.delay > 0 {
		select {
		case <-time.After(s.delay):
		case <-ctx.Done():
			return resolver.Page{}, ctx.Err()
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	page, _ := strconv.Atoi(cursor)
	if s.err != nil && page == s.failPage {
		return resolver.Page{}, s.err
	}
	return s.pages[page], nil
}

func (s *shelf) Resolve(context.Context, []resolver.ID) ([]resolver.Answer, error) {
	return nil, errors.New("the catalog asks for no links")
}

// revised is a shelf that tells its revision.
type revised struct{ *shelf }

func (r revised) Revision() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.revision
}

// origin is a sizer that knows one answer.
type origin struct {
	learnt   *catalog.Learnt
	identity resolver.Identity
	err      error
	asked    atomic.Int64
}

func (o *origin) Learn(_ context.Context, f resolver.File) (resolver.Identity, error) {
	o.asked.Add(1)
	if o.err != nil {
		return resolver.Identity{}, o.err
	}
	o.learnt.Learn(f.ID, f.Version, o.identity)
	return o.identity, nil
}

// newCatalog makes a catalog that ends with the test, its log in the buffer.
func newCatalog(t testing.TB, p resolver.Provider, more ...func(*catalog.Config)) (*catalog.Catalog, *origin, *bytes.Buffer) {
	t.Helper()
	o := &origin{learnt: new(catalog.Learnt), identity: resolver.Identity{Size: 42, ETag: `"e"`}}
	log := new(bytes.Buffer)
	cfg := catalog.Config{ListingTTL: ttl, Log: slog.New(slog.NewTextHandler(log, nil))}
	for _, set := range more {
		set(&cfg)
	}
	require.NoError(t, cfg.Validate())
	c := catalog.New(p, o.learnt, o, cfg)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c, o, log
}

func file(id, name string, size int64) resolver.Entry {
	return resolver.Entry{ID: resolver.ID(id), Name: name, Version: "v1", Size: size}
}

func names(l resolver.Listing) []string {
	names := []string{}
	for _, n := range l.Nodes {
		names = append(names, n.Name)
	}
	return names
}

// renewed returns the listing of dir after the refresh that looking at it may
// begin.
func renewed(t *testing.T, c *catalog.Catalog, dir resolver.ID) resolver.Listing {
	t.Helper()
	_, err := c.Readdir(t.Context(), dir)
	require.NoError(t, err)
	synctest.Wait()
	l, err := c.Readdir(t.Context(), dir)
	require.NoError(t, err)
	return l
}

func TestConfig(t *testing.T) {
	assert.NoError(t, catalog.DefaultConfig().Validate())
	assert.ErrorContains(t, catalog.Config{}.Validate(), "more than zero")
}

func TestReaddir(t *testing.T) {
	s := new(shelf)
	when := time.Date(2026, 10, 1, 12, 0, 0, 0, time.UTC)
	s.pages = []resolver.Page{
		{Entries: []resolver.Entry{
			{ID: "2", Name: "b.pdf", Version: "v1", Size: resolver.SizeUnknown},
			{ID: "", Name: "no id"},
			{ID: "1", Name: "a/b.pdf", Version: "v7", Size: 10, ModTime: when, SHA256: []byte{1}},
		}, Next: "1"},
		{Next: "2"},
		{Entries: []resolver.Entry{
			{ID: "2", Name: "again.pdf", Size: 3},
			{ID: "d", Name: "sub", Dir: true, Version: "ignored", Size: 4096, ModTime: when},
		}},
	}
	c, _, _ := newCatalog(t, s)
	l, err := c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)

	dir := resolver.Node{Dir: true, File: resolver.File{ID: "d", Name: "sub", ModTime: when}}
	assert.Equal(t, []resolver.Node{
		{File: resolver.File{ID: "1", Version: "v7", Name: "a／b.pdf", Size: 10, ModTime: when, SHA256: []byte{1}}},
		{File: resolver.File{ID: "2", Version: "v1", Name: "b.pdf", Size: resolver.SizeUnknown}},
		dir,
	}, l.Nodes)
	assert.EqualValues(t, 3, s.lists.Load())

	n, err := c.Lookup(t.Context(), resolver.Root, "sub")
	require.NoError(t, err)
	assert.Equal(t, dir, n)
	_, err = c.Lookup(t.Context(), resolver.Root, "no id")
	assert.ErrorIs(t, err, resolver.ErrNotExist)
	assert.EqualValues(t, 3, s.lists.Load(), "a missing name is no reason to list again")
}

func TestReaddir_TTL(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		s.hold(file("1", "a", 1))
		c, _, _ := newCatalog(t, s)
		first, err := c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)

		time.Sleep(ttl - time.Second)
		_, err = c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)
		assert.EqualValues(t, 1, s.lists.Load(), "asked before its time")

		time.Sleep(time.Second)
		_, ok := c.Peek(resolver.Root, "a")
		assert.True(t, ok)
		synctest.Wait()
		assert.EqualValues(t, 1, s.lists.Load(), "a peek makes no call")
		same := renewed(t, c, resolver.Root)
		assert.EqualValues(t, 2, s.lists.Load())
		assert.Equal(t, first.Serial, same.Serial, "nothing changed")

		s.hold(file("1", "a", 1), file("2", "b", 1))
		time.Sleep(ttl)
		old, err := c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)
		assert.True(t, old.Stale)
		assert.Equal(t, first.Nodes, old.Nodes, "an expired listing is shown at once")
		other := renewed(t, c, resolver.Root)
		assert.False(t, other.Stale)
		assert.Equal(t, []string{"a", "b"}, names(other))
		assert.NotEqual(t, first.Serial, other.Serial)
		assert.Equal(t, []string{"a"}, names(first), "a listing handed out has changed")
	})
}

func TestReaddir_Revision(t *testing.T) {
	s := new(shelf)
	s.hold(file("1", "a", 1))
	c, _, _ := newCatalog(t, revised{s})
	_, err := c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)

	s.set(func(s *shelf) { s.revision = "next" })
	_, ok := c.Peek(resolver.Root, "a")
	assert.False(t, ok)
	for range 2 {
		_, err = c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)
	}
	assert.EqualValues(t, 2, s.lists.Load())

	s.fail(resolver.ErrUnavailable)
	s.set(func(s *shelf) { s.revision = "broken" })
	_, err = c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)
	s.fail(nil)
	s.set(func(s *shelf) { s.revision = "mended" })
	_, err = c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)
	assert.EqualValues(t, 4, s.lists.Load(), "a new revision is asked for at once, also after a failure")
}

func TestReaddir_SingleFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{delay: time.Second}
		s.hold(file("1", "a", 1))
		c, _, _ := newCatalog(t, s)
		leaving, leave := context.WithCancel(t.Context())
		var callers sync.WaitGroup
		callers.Go(func() {
			_, err := c.Readdir(leaving, resolver.Root)
			assert.ErrorIs(t, err, context.Canceled)
		})
		synctest.Wait()
		for range 64 {
			callers.Go(func() {
				_, err := c.Lookup(t.Context(), resolver.Root, "a")
				assert.NoError(t, err)
			})
		}
		synctest.Wait()
		leave()
		callers.Wait()
		assert.EqualValues(t, 1, s.lists.Load())
	})
}

func TestReaddir_BrokenPageKeepsOldListing(t *testing.T) {
	for _, kind := range []error{resolver.ErrQuota, resolver.ErrPermission, errors.New("of no kind")} {
		t.Run(kind.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{failPage: 1}
				s.pages = []resolver.Page{
					{Entries: []resolver.Entry{file("1", "a", 1)}, Next: "1"},
					{Entries: []resolver.Entry{file("2", "b", 1)}},
				}
				c, _, log := newCatalog(t, s)
				first, err := c.Readdir(t.Context(), resolver.Root)
				require.NoError(t, err)

				s.fail(kind)
				time.Sleep(ttl)
				for range 3 {
					assert.Equal(t, first, renewed(t, c, resolver.Root))
					_, ok := c.Peek(resolver.Root, "b")
					assert.True(t, ok)
				}
				assert.EqualValues(t, 4, s.lists.Load(), "tried again too soon")
				time.Sleep(time.Minute)
				renewed(t, c, resolver.Root)
				assert.EqualValues(t, 6, s.lists.Load(), "not tried again")
				assert.Equal(t, 1, strings.Count(log.String(), "WARN"), "one streak, one warning: %s", log)

				s.fail(nil)
				time.Sleep(time.Minute)
				renewed(t, c, resolver.Root)
				s.fail(kind)
				time.Sleep(ttl)
				renewed(t, c, resolver.Root)
				assert.Equal(t, 2, strings.Count(log.String(), "WARN"), "a new streak is told")
			})
		})
	}
}

// A page that fails does not cost those before it, unless it goes on to fail.
func TestReaddir_AsksAgainForALaterPage(t *testing.T) {
	for _, kind := range []error{resolver.ErrThrottled, resolver.ErrUnavailable} {
		t.Run(kind.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &shelf{failPage: 2, err: resolver.WithRetryAfter(kind, 3*time.Second)}
				for i := range 4 {
					s.pages = append(s.pages, resolver.Page{Entries: []resolver.Entry{file(fmt.Sprint(i), fmt.Sprint(i), 1)}, Next: fmt.Sprint(i + 1)})
				}
				s.pages[3].Next = ""
				c, _, _ := newCatalog(t, s)
				time.AfterFunc(4*time.Second, func() { s.fail(nil) })
				start := time.Now()
				l, err := c.Readdir(t.Context(), resolver.Root)
				require.NoError(t, err)
				assert.Len(t, l.Nodes, 4)
				assert.EqualValues(t, 6, s.lists.Load(), "four pages, one of them three times")
				assert.Equal(t, 6*time.Second, time.Since(start), "as long as the provider asked to wait")

				s.fail(kind)
				time.Sleep(ttl)
				old, err := c.Readdir(t.Context(), resolver.Root)
				require.NoError(t, err)
				time.Sleep(time.Minute)
				assert.EqualValues(t, 12, s.lists.Load(), "it ends")
				assert.Equal(t, l.Nodes, old.Nodes)

				s.fail(resolver.WithRetryAfter(kind, time.Hour))
				time.Sleep(ttl)
				renewed(t, c, resolver.Root)
				time.Sleep(2 * time.Hour)
				assert.EqualValues(t, 15, s.lists.Load(), "nobody waits for an hour")
			})
		})
	}
}

func TestReaddir_NoListingYet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		s.hold(file("1", "a", 1))
		s.fail(resolver.ErrThrottled)
		c, _, _ := newCatalog(t, s)
		for range 3 {
			_, err := c.Readdir(t.Context(), resolver.Root)
			assert.ErrorIs(t, err, resolver.ErrThrottled)
			_, ok := c.Peek(resolver.Root, "a")
			assert.False(t, ok)
		}
		assert.EqualValues(t, 4, s.lists.Load(), "asked again as long as that is worth it, then not for a while")
		s.fail(nil)
		time.Sleep(time.Minute)
		_, err := c.Readdir(t.Context(), resolver.Root)
		assert.NoError(t, err)
	})
}

func TestReaddir_GoneDirectory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		s.hold(file("1", "a", 1))
		c, _, _ := newCatalog(t, s)
		_, err := c.Readdir(t.Context(), "dir")
		require.NoError(t, err)
		s.fail(fmt.Errorf("list: %w", resolver.ErrNotExist))
		time.Sleep(ttl)
		_, err = c.Readdir(t.Context(), "dir")
		require.NoError(t, err)
		synctest.Wait()
		_, ok := c.Peek("dir", "a")
		assert.False(t, ok)
		_, err = c.Readdir(t.Context(), "dir")
		require.ErrorIs(t, err, resolver.ErrNotExist)
		for range 10 {
			_, err = c.Readdir(t.Context(), "dir")
			require.ErrorIs(t, err, resolver.ErrNotExist)
		}
		assert.EqualValues(t, 2, s.lists.Load(), "that it is gone is remembered for a while")
		time.Sleep(time.Minute)
		s.fail(resolver.ErrUnavailable)
		_, err = c.Readdir(t.Context(), "dir")
		assert.ErrorIs(t, err, resolver.ErrUnavailable, "the listing of a directory that went is served")
	})
}

func TestReaddir_EndlessPages(t *testing.T) {
	s := &shelf{pages: []resolver.Page{{Next: "1"}, {Next: "2"}, {Next: "1"}}}
	c, _, _ := newCatalog(t, s)
	_, err := c.Readdir(t.Context(), resolver.Root)
	assert.ErrorIs(t, err, resolver.ErrUnavailable)
	assert.EqualValues(t, 3, s.lists.Load())
}

func TestReaddir_PageWithoutAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := newCatalog(t, &shelf{delay: time.Hour})
		start := time.Now()
		_, err := c.Readdir(t.Context(), resolver.Root)
		assert.ErrorIs(t, err, resolver.ErrUnavailable)
		assert.NotErrorIs(t, err, context.DeadlineExceeded, "that is for the caller's deadline")
		assert.Equal(t, time.Minute, time.Since(start))
	})
}

func TestClose_EndsRefreshes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _, _ := newCatalog(t, &shelf{delay: time.Hour})
		var caller sync.WaitGroup
		caller.Go(func() {
			_, err := c.Readdir(t.Context(), resolver.Root)
			assert.ErrorIs(t, err, resolver.ErrUnavailable)
		})
		synctest.Wait()
		start := time.Now()
		require.NoError(t, c.Close())
		caller.Wait()
		assert.Zero(t, time.Since(start))
		_, err := c.Readdir(t.Context(), "another")
		assert.ErrorIs(t, err, resolver.ErrUnavailable)
	})
}

func TestReaddir_NamesStayWithTheirFiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(shelf)
		s.hold(file("5", "a.pdf", 1), file("6", "a.pdf", 1))
		c, _, _ := newCatalog(t, s)
		_, err := c.Readdir(t.Context(), resolver.Root)
		require.NoError(t, err)

		s.hold(file("1", "a.pdf", 1), file("2", "a (2).pdf", 1), file("6", "a.pdf", 1))
		time.Sleep(ttl)
		l := renewed(t, c, resolver.Root)
		got := make(map[resolver.ID]string)
		for _, n := range l.Nodes {
			got[n.ID] = n.Name
		}
		assert.Equal(t, map[resolver.ID]string{"1": "a.pdf", "2": "a (2) (2).pdf", "6": "a (2).pdf"}, got)
	})
}

// panicking is a provider with a bug.
type panicking struct{ resolver.Provider }

func (panicking) List(context.Context, resolver.ID, string) (resolver.Page, error) {
	panic("secret token")
}

func TestReaddir_ProviderPanics(t *testing.T) {
	var log bytes.Buffer
	c := catalog.New(panicking{}, &catalog.Learnt{}, nil, catalog.Config{
		ListingTTL: time.Minute, Log: slog.New(slog.NewTextHandler(&log, nil)),
	})
	_, err := c.Readdir(t.Context(), resolver.Root)
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	require.NoError(t, c.Close())
	assert.Contains(t, log.String(), "panic in provider")
	assert.NotContains(t, log.String(), "secret")
}
