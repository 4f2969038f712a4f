package resolvertest_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

func newFake() *resolvertest.Fake {
	f := resolvertest.NewFake()
	f.Add("top.txt", 3, time.Unix(1, 0))
	f.Add("a/one.txt", 1, time.Unix(2, 0))
	f.Add("a/b/two.txt", resolver.SizeUnknown, time.Time{})
	f.Add("a/b/refused.txt", 9, time.Time{})
	f.FailID("a/b/refused.txt", resolver.ErrUnsupported)
	return f
}

func TestFake(t *testing.T) {
	resolvertest.Run(t, resolvertest.Fixture{
		New: func(*testing.T) resolver.Provider {
			f := newFake()
			f.SetPageSize(1)
			header := map[string]resolver.Secret{"X-Token": resolver.NewSecret("FAKEHEADER")}
			f.SetTerms(resolvertest.Terms{Uses: 2, Lifetime: time.Minute, Header: header})
			return f
		},
		Want: map[string]resolvertest.Want{
			"top.txt":         {Size: 3},
			"a/one.txt":       {Size: 1},
			"a/b/two.txt":     {Size: resolver.SizeUnknown},
			"a/b/refused.txt": {Size: 9, Err: resolver.ErrUnsupported},
		},
		Secrets: []string{"FAKESECRET", "FAKEHEADER"},
	})
}

// The suite asks a Batcher for what one call takes, and for nothing else.
func TestFake_Batcher(t *testing.T) {
	f := newFake()
	f.Add("a/three.txt", 1, time.Unix(2, 0))
	f.Add("a/four.txt", 1, time.Unix(2, 0))
	f.SetBatch(func(id resolver.ID) resolver.Batch {
		group, _, _ := strings.Cut(string(id), "/")
		return resolver.Batch{Lane: "links", Group: group, Size: 2}
	})
	resolvertest.Run(t, resolvertest.Fixture{New: func(*testing.T) resolver.Provider { return f }})
	most := 0
	for _, ids := range f.Batches() {
		most = max(most, len(ids))
		for _, id := range ids {
			assert.Equal(t, f.Batch(ids[0]).Group, f.Batch(id).Group, "%q", ids)
		}
	}
	assert.Equal(t, 2, most)
}

// The suite takes listings that come along, whether or not they can be had by
// themselves, and updates.
func TestFake_Children(t *testing.T) {
	for name, alone := range map[string]error{"listed": nil, "not listed": resolver.ErrUnsupported} {
		t.Run(name, func(t *testing.T) {
			resolvertest.Run(t, resolvertest.Fixture{
				New: func(*testing.T) resolver.Provider {
					f := newFake()
					f.SetPageSize(1)
					f.SetUpdates(true)
					f.SetChildren(func(resolver.ID) bool { return true }, alone)
					return f
				},
				Want: map[string]resolvertest.Want{
					"top.txt": {Size: 3}, "a/one.txt": {Size: 1}, "a/b/two.txt": {Size: resolver.SizeUnknown},
					"a/b/refused.txt": {Size: 9, Err: resolver.ErrUnsupported},
				},
			})
		})
	}
}

func TestFake_Updates(t *testing.T) {
	f := newFake()
	f.SetPageSize(1)
	_, err := f.Update(t.Context(), "a/", "0", "")
	require.ErrorIs(t, err, resolver.ErrUnsupported)

	f.SetUpdates(true)
	f.SetChildren(func(dir resolver.ID) bool { return dir == "a/b/" }, resolver.ErrNotExist)
	_, err = f.List(t.Context(), "a/b/", "")
	require.ErrorIs(t, err, resolver.ErrNotExist)
	page, err := f.List(t.Context(), "a/", "")
	require.NoError(t, err)
	assert.Empty(t, page.Mark, "there is another page")
	page, err = f.List(t.Context(), "a/", page.Next)
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	assert.Len(t, page.Entries[0].Children, 2)
	mark := page.Mark

	page, err = f.Update(t.Context(), "a/", mark, "")
	require.NoError(t, err)
	assert.Equal(t, resolver.Page{Mark: mark}, page)

	f.Add("a/b/three.txt", 1, time.Time{})
	f.Add("a/new.txt", 1, time.Time{})
	f.Remove("a/one.txt")
	page, err = f.Update(t.Context(), "a/", mark, "")
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	assert.Len(t, page.Entries[0].Children, 3)
	assert.Empty(t, page.Gone)
	page, err = f.Update(t.Context(), "a/", mark, page.Next)
	require.NoError(t, err)
	require.Len(t, page.Entries, 1)
	assert.Equal(t, "new.txt", page.Entries[0].Name)
	assert.Equal(t, []resolver.ID{"a/one.txt"}, page.Gone)
	page, err = f.Update(t.Context(), "a/", page.Mark, "")
	require.NoError(t, err)
	assert.Empty(t, page.Entries)
	assert.Equal(t, 5, f.Calls(resolvertest.Update))
}

func TestFake_Turn(t *testing.T) {
	f := newFake()
	require.NoError(t, f.Turn(t.Context(), "links"))
	assert.Equal(t, resolver.Batch{Size: 1}, f.Batch("top.txt"))
	f.SetTurn(func(_ context.Context, lane string) error { return fmt.Errorf("%s: %w", lane, resolver.ErrQuota) })
	require.ErrorIs(t, f.Turn(t.Context(), "links"), resolver.ErrQuota)
}

func TestFake_Links(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.SetTerms(resolvertest.Terms{Uses: 2, Lifetime: time.Minute, Ranged: resolver.RangedNo, TellSize: true})
		answers, err := f.Resolve(t.Context(), []resolver.ID{"top.txt", "top.txt"})
		require.NoError(t, err)
		first, second := answers[0].Link, answers[1].Link
		assert.NotEqual(t, first.URLs[0].Reveal(), second.URLs[0].Reveal())
		assert.Equal(t, 2, first.Uses)
		assert.Equal(t, resolver.RangedNo, first.Ranged)
		assert.Equal(t, int64(3), first.Size)
		assert.Equal(t, time.Minute, time.Until(first.Expires))
		assert.Equal(t, [][]resolver.ID{{"top.txt", "top.txt"}}, f.Batches())
	})
}

func TestFake_Fails(t *testing.T) {
	f := newFake()
	list := func() error {
		_, err := f.List(t.Context(), resolver.Root, "")
		return err
	}
	f.Fail(resolvertest.List, 2, resolver.ErrThrottled)
	require.NoError(t, list())
	require.ErrorIs(t, list(), resolver.ErrThrottled)
	require.NoError(t, list())
	f.FailAll(resolvertest.List, resolver.ErrUnavailable)
	require.ErrorIs(t, list(), resolver.ErrUnavailable)
	f.FailAll(resolvertest.List, nil)
	require.NoError(t, list())
	assert.Equal(t, 5, f.Calls(resolvertest.List))
	assert.Zero(t, f.Calls(resolvertest.Resolve))

	bad := errors.New("bad apple")
	f.Poison("top.txt", bad)
	_, err := f.Resolve(t.Context(), []resolver.ID{"a/one.txt", "top.txt"})
	require.ErrorIs(t, err, bad)
	answers, err := f.Resolve(t.Context(), []resolver.ID{"a/one.txt"})
	require.NoError(t, err)
	require.NoError(t, answers[0].Err)
}

func TestFake_Hold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		release := f.Hold(resolvertest.Resolve)
		held := make(chan error, 1)
		go func() {
			_, err := f.Resolve(t.Context(), []resolver.ID{"top.txt"})
			held <- err
		}()
		synctest.Wait()
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
		assert.Empty(t, held)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := f.Resolve(ctx, []resolver.ID{"top.txt"})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		release()
		release()
		require.NoError(t, <-held)
	})
}

func TestFake_Delay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.SetDelay(resolvertest.List, time.Hour)
		start := time.Now()
		_, err := f.List(t.Context(), resolver.Root, "")
		require.NoError(t, err)
		assert.Equal(t, time.Hour, time.Since(start))
	})
}

func TestFake_Changes(t *testing.T) {
	f := newFake()
	assert.Empty(t, f.Revision())
	f.SetRevision("2")
	assert.Equal(t, "2", f.Revision())

	f.Remove("top.txt")
	answers, err := f.Resolve(t.Context(), []resolver.ID{"top.txt"})
	require.NoError(t, err)
	require.ErrorIs(t, answers[0].Err, resolver.ErrNotExist)

	twins := []resolver.Entry{{ID: "x", Name: "same"}, {ID: "y", Name: "same"}, {ID: "z/", Name: "dir", Dir: true}}
	f.SetListing(resolver.Root, twins...)
	page, err := f.List(t.Context(), resolver.Root, "")
	require.NoError(t, err)
	assert.Equal(t, twins, page.Entries)
	page, err = f.List(t.Context(), "z/", "")
	require.NoError(t, err)
	assert.Empty(t, page.Entries)
}
