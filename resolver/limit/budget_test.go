package limit_test

import (
	"bytes"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/limit"
)

func zone(t *testing.T, name string) *time.Location {
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

// inZone makes name the machine's zone.
func inZone(t *testing.T, name string) {
	old := time.Local
	time.Local = zone(t, name)
	t.Cleanup(func() { time.Local = old })
}

func sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }

func budgets(b ...limit.Budget) limit.Spec { return limit.Spec{Budgets: b} }

// spend takes turns until one is refused, and returns how many there were.
func spend(t *testing.T, b *limit.Bucket) int {
	for n := range 1000 {
		if err := b.Wait(t.Context()); err != nil {
			require.ErrorIs(t, err, resolver.ErrQuota)
			return n
		}
	}
	require.Fail(t, "nothing is ever spent")
	return 0
}

func TestBudget_NewAtMidnightOfItsZone(t *testing.T) {
	inZone(t, "America/New_York")
	shanghai := zone(t, "Asia/Shanghai")
	synctest.Test(t, func(t *testing.T) {
		sleepUntil(time.Date(2026, 11, 22, 23, 59, 58, 0, shanghai))
		l := limit.New(nil, nil)
		b := l.Bucket("app/links", budgets(limit.Budget{Key: "app/day", Calls: 3, Zone: shanghai}))
		assert.Equal(t, 3, spend(t, b))
		err := b.Wait(t.Context())
		assert.EqualError(t, err, "budget app/day: 3 of 3 calls used, until 2026-11-23 00:00 +08:00: quota of the provider is spent")
		time.Sleep(2*time.Second - 1)
		assert.Zero(t, spend(t, b))
		time.Sleep(1)
		assert.Equal(t, 3, spend(t, b))
		time.Sleep(24 * time.Hour)
		assert.Equal(t, 0, l.Usage("app/day")[0].Used)
		assert.Equal(t, 3, spend(t, b))
	})
}

// What nobody waits for leaves a tenth of a budget, and one call at least.
func TestBudget_RestIsKeptForWhoWaits(t *testing.T) {
	for calls, left := range map[int]int{1: 1, 3: 1, 100: 10} {
		b := limit.New(nil, nil).Bucket("app/links", budgets(limit.Budget{Calls: calls}))
		ahead := resolver.WithDemand(t.Context(), resolver.NewDemand(resolver.Ahead, nil))
		for range calls - left {
			require.NoError(t, b.Wait(ahead))
		}
		err := b.Wait(ahead)
		require.ErrorIs(t, err, resolver.ErrReserved)
		require.ErrorIs(t, err, resolver.ErrQuota)
		assert.Equal(t, left, spend(t, b))
		require.NotErrorIs(t, b.Wait(t.Context()), resolver.ErrReserved, "nothing is kept any more")
	}
}

func TestBudget_Resets(t *testing.T) {
	shanghai, newYork, santiago := zone(t, "Asia/Shanghai"), zone(t, "America/New_York"), zone(t, "America/Santiago")
	for _, c := range []struct {
		name   string
		budget limit.Budget
		now    time.Time
		resets string
	}{
		{"day", limit.Budget{Zone: shanghai}, time.Date(2026, 11, 22, 12, 0, 0, 0, shanghai), "2026-11-23T00:00:00+08:00"},
		{"day elsewhere", limit.Budget{Zone: shanghai}, time.Date(2026, 11, 22, 16, 0, 0, 0, time.UTC), "2026-11-24T00:00:00+08:00"},
		{"no zone", limit.Budget{}, time.Date(2026, 11, 22, 23, 0, 0, 0, time.UTC), "2026-11-23T00:00:00Z"},
		{"month", limit.Budget{Period: limit.Month, Zone: shanghai}, time.Date(2026, 11, 30, 23, 0, 0, 0, shanghai), "2026-12-01T00:00:00+08:00"},
		{"year", limit.Budget{Period: limit.Month, Zone: shanghai}, time.Date(2026, 12, 31, 23, 0, 0, 0, shanghai), "2027-01-01T00:00:00+08:00"},
		{"long day", limit.Budget{Zone: newYork}, time.Date(2026, 11, 1, 0, 0, 0, 0, newYork), "2026-11-02T00:00:00-05:00"},
		{"without midnight", limit.Budget{Zone: santiago}, time.Date(2026, 9, 6, 2, 0, 0, 0, santiago), "2026-09-07T00:00:00-03:00"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				sleepUntil(c.now)
				l := limit.New(nil, nil)
				c.budget.Key, c.budget.Calls = "k", 1
				l.Bucket("b", budgets(c.budget))
				assert.Equal(t, c.resets, l.Usage("")[0].Resets.Format(time.RFC3339))
			})
		})
	}
}

func TestBudget_SharedByBuckets(t *testing.T) {
	l := limit.New(nil, nil)
	total := limit.Budget{Key: "app/total", Calls: 5}
	links := l.Bucket("app/links", budgets(limit.Budget{Key: "app/links", Calls: 2}, total))
	lists := l.Bucket("app/lists", budgets(total))
	assert.Equal(t, 2, spend(t, links))
	assert.Equal(t, 3, spend(t, lists))
	usage := l.Usage("app/")
	require.Len(t, usage, 2)
	assert.Equal(t, "app/links", usage[0].Key)
	assert.Equal(t, 2, usage[0].Used, "a refused turn counts nowhere")
	assert.Equal(t, 5, usage[1].Used)
	assert.Empty(t, l.Usage("other"))
}

func TestBudget_NeverOverspent(t *testing.T) {
	l := limit.New(nil, nil)
	total := limit.Budget{Key: "app/total", Calls: 5000}
	var granted atomic.Int64
	var callers sync.WaitGroup
	for _, key := range []string{"a", "b", "c", "d"} {
		b := l.Bucket(key, budgets(total))
		for range 4 {
			callers.Go(func() {
				for b.Wait(t.Context()) == nil {
					granted.Add(1)
				}
			})
		}
	}
	callers.Wait()
	assert.EqualValues(t, 5000, granted.Load())
}

func TestBudget_EndsOnADayWithoutMidnight(t *testing.T) {
	santiago := zone(t, "America/Santiago") // goes from 23:59:59 to 01:00 on 2026-09-06
	synctest.Test(t, func(t *testing.T) {
		sleepUntil(time.Date(2026, 9, 5, 22, 30, 0, 0, santiago))
		b := limit.New(nil, nil).Bucket("b", budgets(limit.Budget{Key: "k", Calls: 2, Zone: santiago}))
		assert.Equal(t, 2, spend(t, b))
		time.Sleep(time.Hour)
		assert.Zero(t, spend(t, b))
		time.Sleep(time.Hour)
		assert.Equal(t, 2, spend(t, b))
	})
}

func TestBudget_WaitersHearOfItAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(nil, nil)
		total := limit.Budget{Key: "app/total", Calls: 1}
		paused, other := l.Bucket("app/links", budgets(total)), l.Bucket("app/lists", budgets(total))
		paused.Pause(20 * time.Second)
		start := time.Now()
		var calls sync.WaitGroup
		for range 3 {
			calls.Go(func() { assert.ErrorIs(t, paused.Wait(t.Context()), resolver.ErrQuota) })
		}
		synctest.Wait()
		time.Sleep(time.Second)
		require.NoError(t, other.Wait(t.Context()))
		calls.Wait()
		assert.Equal(t, time.Second, time.Since(start))
	})
}

func TestBucket_Exhaust(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(nil, nil)
		b := l.Bucket("app/links", budgets(limit.Budget{Key: "app/day", Calls: 10_000}))
		b.Pause(20 * time.Second)
		var waiting sync.WaitGroup
		waiting.Go(func() { assert.ErrorIs(t, b.Wait(t.Context()), resolver.ErrQuota) })
		synctest.Wait()
		start := time.Now()
		b.Exhaust()
		waiting.Wait()
		assert.Zero(t, time.Since(start), "who waits is told at once")
		assert.Zero(t, spend(t, b))
		assert.Equal(t, "10,000 of 10,000 calls used, until 2000-01-02 00:00 +00:00", l.Usage("")[0].String())
		time.Sleep(24 * time.Hour)
		assert.NoError(t, b.Wait(t.Context()))
		assert.Equal(t, 1, l.Usage("")[0].Used)
	})
}

// The provider does not say which budget is spent.
func TestBucket_ExhaustKeepsTheMonth(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := limit.New(nil, nil)
		b := l.Bucket("app/links", budgets(
			limit.Budget{Key: "month", Calls: 3000, Period: limit.Month},
			limit.Budget{Key: "day", Calls: 100},
		))
		for day := range 3 {
			require.NoError(t, b.Wait(t.Context()))
			b.Exhaust()
			b.Exhaust() // two calls were under way
			assert.Zero(t, spend(t, b))
			usage := l.Usage("")
			assert.Equal(t, 100, usage[0].Used)
			assert.Equal(t, day+1, usage[1].Used)
			time.Sleep(24 * time.Hour)
		}
	})
}

func TestBucket_ExhaustWithoutBudgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		b.Exhaust()
		time.Sleep(time.Hour - 1)
		assert.ErrorIs(t, b.Wait(t.Context()), resolver.ErrQuota)
		time.Sleep(1)
		assert.NoError(t, b.Wait(t.Context()))
	})
}

func TestUsage_String(t *testing.T) {
	resets := time.Date(2026, 11, 23, 0, 0, 0, 0, zone(t, "Asia/Shanghai"))
	for n, text := range map[int]string{0: "0", 999: "999", 1000: "1,000", 9312: "9,312", 123456: "123,456", 1234567: "1,234,567"} {
		u := limit.Usage{Key: "app/day", Used: n, Calls: 10_000, Resets: resets}
		assert.Equal(t, text+" of 10,000 calls used, until 2026-11-23 00:00 +08:00", u.String())
	}
}

// shelf is a store in memory that notes when it is used.
type shelf struct {
	mu     sync.Mutex // guards the following
	broken bool
	adds   []time.Time
	sum    int
}

func (s *shelf) Add(counts map[string]limit.Count) (map[string]limit.Count, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.adds = append(s.adds, time.Now())
	if s.broken {
		return nil, errors.New("broken")
	}
	sums := make(map[string]limit.Count)
	for key, c := range counts {
		s.sum += c.Used
		sums[key] = limit.Count{Period: c.Period, Used: s.sum}
	}
	return sums, nil
}

func (s *shelf) fix() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.broken = false
}

func (s *shelf) total() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sum
}

func (s *shelf) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.adds)
}

func TestBudget_SavedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &shelf{}
		l := limit.New(s, nil)
		b := l.Bucket("b", limit.Spec{
			Rates:   []limit.Rate{{Calls: 1, Per: 100 * time.Millisecond}},
			Budgets: []limit.Budget{{Key: "k", Calls: 1000}},
		})
		for range 100 {
			require.NoError(t, b.Wait(t.Context()))
		}
		time.Sleep(time.Minute)
		assert.Equal(t, 100, s.total())
		saves := s.times()
		assert.Greater(t, len(saves), 5)
		for i := 1; i < len(saves); i++ {
			assert.GreaterOrEqual(t, saves[i].Sub(saves[i-1]), time.Second)
		}
		require.NoError(t, b.Wait(t.Context()))
		require.NoError(t, l.Close())
		assert.Equal(t, 101, s.total())
		require.NoError(t, b.Wait(t.Context()))
		time.Sleep(time.Minute)
		assert.Equal(t, 101, s.total(), "nothing happens by itself after Close")
		require.NoError(t, l.Close())
		assert.Equal(t, 102, s.total())
	})
}

func TestBudget_BrokenStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		s := &shelf{broken: true}
		l := limit.New(s, slog.New(slog.NewTextHandler(&log, nil)))
		b := l.Bucket("b", budgets(limit.Budget{Key: "k", Calls: 3}))
		for range 2 {
			require.NoError(t, b.Wait(t.Context()))
			time.Sleep(2 * time.Second)
		}
		assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
		assert.Error(t, l.Close())
		assert.Equal(t, 1, spend(t, b), "counted in memory")
		s.fix()
		require.NoError(t, l.Close())
		assert.Equal(t, 3, s.total(), "nothing was forgotten, nothing counted twice")
	})
}

func TestBudget_OutlivesTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "limits", "budgets.json")
		spec := budgets(limit.Budget{Key: "day", Calls: 5}, limit.Budget{Key: "month", Calls: 7, Period: limit.Month})
		first := limit.New(limit.NewFile(path, nil), nil)
		b := first.Bucket("b", spec)
		for range 3 {
			require.NoError(t, b.Wait(t.Context()))
		}
		require.NoError(t, first.Close())

		second := limit.New(limit.NewFile(path, nil), nil)
		b = second.Bucket("b", spec)
		assert.Equal(t, 2, spend(t, b), "of the day")
		time.Sleep(24 * time.Hour) // without Close, as after a kill
		third := limit.New(limit.NewFile(path, nil), nil)
		b = third.Bucket("b", spec)
		assert.Equal(t, 2, spend(t, b), "of the month")
		b.Exhaust()
		require.NoError(t, third.Close())
		fourth := limit.New(limit.NewFile(path, nil), nil)
		assert.Zero(t, spend(t, fourth.Bucket("b", spec)))
		time.Sleep(31 * 24 * time.Hour)
		fifth := limit.New(limit.NewFile(path, nil), nil)
		assert.Equal(t, 5, spend(t, fifth.Bucket("b", spec)))
	})
}
