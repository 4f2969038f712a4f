package limit_test

import (
	"path/filepath"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/limit"
)

func TestLimits_SameKeySameBucket(t *testing.T) {
	l := limit.New(nil, nil)
	b := l.Bucket("app/links", limit.Spec{Rates: []limit.Rate{{Calls: 1, Per: time.Second}}})
	assert.Same(t, b, l.Bucket("app/links", limit.Spec{}))
	assert.NotSame(t, b, l.Bucket("app/lists", limit.Spec{}))
}

// meanwhile is a store that keeps nothing. It is called each time the store is used.
type meanwhile func()

func (f meanwhile) Add(counts map[string]limit.Count) (map[string]limit.Count, error) {
	f()
	return counts, nil
}

// Who wants a bucket that exists does not wait for one that is being made.
func TestLimits_BucketAtHand(t *testing.T) {
	asked, release := make(chan struct{}, 9), make(chan struct{})
	l := limit.New(meanwhile(func() {
		asked <- struct{}{}
		<-release
	}), nil)
	b := l.Bucket("app/links", limit.Spec{})
	spec := budgets(limit.Budget{Key: "app/day", Calls: 3})
	var opened *limit.Bucket
	var opening sync.WaitGroup
	opening.Go(func() { opened = l.Bucket("app/lists", spec) })
	<-asked
	got := make(chan *limit.Bucket, 1)
	go func() { got <- l.Bucket("app/links", spec) }()
	select {
	case at := <-got:
		assert.Same(t, b, at)
	case <-time.After(5 * time.Second):
		assert.Fail(t, "waited for the store")
	}
	close(release)
	opening.Wait()
	assert.Same(t, opened, l.Bucket("app/lists", spec))
	assert.Empty(t, asked, "the store was read before")
}

func TestLimits_TwoMakeOneBucket(t *testing.T) {
	var l *limit.Limits
	var faster *limit.Bucket
	l = limit.New(meanwhile(func() { faster = l.Bucket("app/lists", limit.Spec{}) }), nil)
	b := l.Bucket("app/lists", budgets(limit.Budget{Key: "app/day", Calls: 3}))
	assert.Same(t, faster, b)
	assert.Same(t, faster, l.Bucket("app/lists", limit.Spec{}))
}

func TestLimits_TwoOverOneFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budgets.json")
	spec := budgets(limit.Budget{Key: "k", Calls: 1000})
	var mounts sync.WaitGroup
	for range 2 {
		mounts.Go(func() {
			for range 10 {
				l := limit.New(limit.NewFile(path, nil), nil)
				b := l.Bucket("b", spec)
				for range 10 {
					assert.NoError(t, b.Wait(t.Context()))
				}
				assert.NoError(t, l.Close())
			}
		})
	}
	mounts.Wait()
	l := limit.New(limit.NewFile(path, nil), nil)
	l.Bucket("b", spec)
	assert.Equal(t, 200, l.Usage("")[0].Used)
}

func TestLimits_LearnsWhatOthersSpent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "budgets.json")
		spec := budgets(limit.Budget{Key: "k", Calls: 10})
		mount, check := limit.New(limit.NewFile(path, nil), nil), limit.New(limit.NewFile(path, nil), nil)
		a, b := mount.Bucket("b", spec), check.Bucket("b", spec)
		for range 6 {
			require.NoError(t, a.Wait(t.Context()))
		}
		time.Sleep(2 * time.Second)
		require.NoError(t, b.Wait(t.Context()))
		time.Sleep(2 * time.Second)
		assert.Equal(t, 7, check.Usage("")[0].Used)

		b.Exhaust()
		var waiting sync.WaitGroup
		a.Pause(20 * time.Second)
		waiting.Go(func() { assert.ErrorIs(t, a.Wait(t.Context()), resolver.ErrQuota) })
		synctest.Wait()
		require.NoError(t, check.Close())
		other := mount.Bucket("c", budgets(limit.Budget{Key: "another", Calls: 10}))
		require.NoError(t, other.Wait(t.Context()))
		start := time.Now()
		waiting.Wait()
		assert.Equal(t, time.Second, time.Since(start), "told with the next save")
	})
}
