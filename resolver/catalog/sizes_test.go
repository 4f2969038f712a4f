package catalog_test

import (
	"context"
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

// mill is a sizer that takes its time and counts how it is used.
type mill struct {
	learnt *catalog.Learnt
	takes  time.Duration // a tenth more for what nobody waits for

	mu      sync.Mutex // guards the following
	err     error
	running int
	most    int
	ahead   []string // the names of files that nobody asked for, in order
}

func (m *mill) Learn(ctx context.Context, f resolver.File) (resolver.Identity, error) {
	m.mu.Lock()
	takes := m.takes
	if resolver.DemandOf(ctx).Urgency() == resolver.Ahead {
		takes += m.takes / 10
		m.ahead = append(m.ahead, f.Name)
		m.running++
		m.most = max(m.most, m.running)
		defer func() { m.mu.Lock(); m.running--; m.mu.Unlock() }()
	}
	m.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return resolver.Identity{}, ctx.Err()
	}
	m.mu.Lock()
	err := m.err
	m.mu.Unlock()
	if err != nil {
		return resolver.Identity{}, err
	}
	identity := resolver.Identity{Size: 7}
	m.learnt.Learn(f.ID, f.Version, identity)
	return identity, nil
}

// begun returns how many files nobody asked for.
func (m *mill) begun() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.ahead)
}

func (m *mill) fail(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = err
}

// unsized is a directory of 500 files of unknown size.
func unsized(t *testing.T, m *mill) *catalog.Catalog {
	s := new(shelf)
	entries := make([]resolver.Entry, 500)
	for i := range entries {
		entries[i] = file(fmt.Sprint(i), nth(i), resolver.SizeUnknown)
	}
	s.hold(entries...)
	m.learnt = new(catalog.Learnt)
	c := catalog.New(s, m.learnt, m, catalog.Config{ListingTTL: 24 * time.Hour})
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	_, err := c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)
	return c
}

func nth(i int) string { return fmt.Sprintf("%03d", i) }

func TestLookup_LearnsAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{takes: time.Second}
		c := unsized(t, m)
		look := func(i int) {
			n, err := c.Lookup(t.Context(), resolver.Root, nth(i))
			assert.NoError(t, err)
			assert.EqualValues(t, 7, n.Size)
		}
		look(0)
		look(0)
		synctest.Wait()
		assert.Zero(t, m.begun(), "one file is not many")

		look(1)
		synctest.Wait()
		assert.Equal(t, []string{nth(2), nth(3), nth(4), nth(5)}, slices.Sorted(slices.Values(m.ahead)))
		look(2)
		synctest.Wait()
		assert.Equal(t, 4, m.begun(), "the window is filled up when half of it is used")
		look(3)
		synctest.Wait()
		assert.Equal(t, 2+8, m.begun(), "the window has not doubled")
		start := time.Now()
		for i := 4; i < 500; i++ {
			look(i)
			assert.LessOrEqual(t, m.begun(), i+1-2+64, "further ahead than the window")
		}
		assert.Less(t, time.Since(start), 25*time.Second, "one after another it takes 498")
		synctest.Wait()
		assert.Equal(t, 498, m.begun(), "each is learnt once")
		assert.Equal(t, 32, m.most)
	})
}

func TestLookup_NothingAheadOfRareLookups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(mill)
		c := unsized(t, m)
		for i := range 5 {
			_, err := c.Lookup(t.Context(), resolver.Root, nth(i))
			require.NoError(t, err)
			_, err = c.Readdir(t.Context(), resolver.Root)
			require.NoError(t, err)
			time.Sleep(10 * time.Second)
		}
		assert.Zero(t, m.begun())
	})
}

func TestLookup_RefusedAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(mill)
		c := unsized(t, m)
		m.fail(resolver.ErrUnsupported)
		for i := range 2 {
			_, err := c.Lookup(t.Context(), resolver.Root, nth(i))
			require.NoError(t, err)
		}
		synctest.Wait()
		n, ok := c.Peek(resolver.Root, nth(3))
		require.True(t, ok)
		assert.ErrorIs(t, n.Refused, resolver.ErrUnsupported)
	})
}

func TestLookup_PausesAhead(t *testing.T) {
	for _, kind := range []error{resolver.ErrQuota, resolver.ErrThrottled, resolver.ErrDown, resolver.ErrCredentials} {
		t.Run(kind.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := new(mill)
				c := unsized(t, m)
				look := func(i int) { _, _ = c.Lookup(t.Context(), resolver.Root, nth(i)) }
				look(0)
				m.fail(resolver.WithRetryAfter(kind, 8*time.Second))
				look(1)
				synctest.Wait()
				begun := m.begun()
				assert.LessOrEqual(t, begun, 4)
				for i := 2; i < 9; i++ {
					time.Sleep(time.Second)
					look(i)
					synctest.Wait()
				}
				assert.Equal(t, begun, m.begun())
				m.fail(nil)
				time.Sleep(9 * time.Second)
				look(9)
				synctest.Wait()
				assert.Greater(t, m.begun(), begun)
			})
		})
	}
}

// Those that wait for their turn are not learnt any more.
func TestLookup_PausesWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{learnt: new(catalog.Learnt)}
		p := lister(func(_ context.Context, dir resolver.ID) (entries []resolver.Entry, err error) {
			for i := range 10 {
				entries = append(entries, file(fmt.Sprintf("%s/%d", dir, i), nth(i), resolver.SizeUnknown))
			}
			return entries, nil
		})
		c := catalog.New(p, m.learnt, m, catalog.DefaultConfig())
		defer c.Close()
		var callers sync.WaitGroup
		look := func(i int) {
			for dir := range 20 {
				callers.Go(func() { _, _ = c.Lookup(t.Context(), resolver.ID(fmt.Sprint(dir)), nth(i)) })
			}
		}
		look(0)
		callers.Wait()
		m.takes = time.Second
		look(1)
		synctest.Wait()
		require.Equal(t, 32, m.begun())
		m.fail(resolver.ErrQuota)
		time.Sleep(time.Minute)
		callers.Wait()
		assert.Equal(t, 32, m.begun())
	})
}

func TestLookup_ItsOwnErrorPausesAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(mill)
		c := unsized(t, m)
		m.fail(resolver.ErrThrottled)
		_, err := c.Lookup(t.Context(), resolver.Root, nth(0))
		require.ErrorIs(t, err, resolver.ErrThrottled)
		m.fail(nil)
		_, err = c.Lookup(t.Context(), resolver.Root, nth(1))
		require.NoError(t, err)
		synctest.Wait()
		assert.Zero(t, m.begun())
	})
}

func TestClose_EndsLearningAhead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := new(mill)
		c := unsized(t, m)
		for i := range 2 {
			m.takes = time.Duration(i) * 50 * time.Second
			_, err := c.Lookup(t.Context(), resolver.Root, nth(i))
			require.NoError(t, err)
		}
		_, err := c.Lookup(t.Context(), resolver.Root, nth(90))
		require.NoError(t, err)
		start := time.Now()
		require.NoError(t, c.Close())
		assert.Zero(t, time.Since(start))
	})
}

func TestLookup_LearnsAheadOfManyCallers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := &mill{takes: time.Second}
		c := unsized(t, m)
		var callers sync.WaitGroup
		for k := range 100 {
			callers.Go(func() {
				for i := k % 8; i < 500; i += 8 {
					_, err := c.Lookup(t.Context(), resolver.Root, nth(i))
					assert.NoError(t, err)
				}
			})
		}
		callers.Wait()
		assert.LessOrEqual(t, m.most, 32)
	})
}
