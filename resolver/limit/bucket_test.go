package limit_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/limit"
)

func newBucket(rates ...limit.Rate) *limit.Bucket {
	return limit.New(nil, nil).Bucket("app/endpoint", limit.Spec{Rates: rates})
}

// order collects who was granted a turn, in the order of the grants.
type order struct {
	bucket  *limit.Bucket
	waiting sync.WaitGroup

	mu    sync.Mutex // guards the following
	names []string
}

// queue has name wait with d, and returns when it does.
func (o *order) queue(t *testing.T, name string, d *resolver.Demand) {
	ctx := resolver.WithDemand(t.Context(), d)
	o.waiting.Go(func() {
		if assert.NoError(t, o.bucket.Wait(ctx)) {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.names = append(o.names, name)
		}
	})
	synctest.Wait()
}

func (o *order) granted() []string {
	o.waiting.Wait()
	return o.names
}

func demand(u resolver.Urgency) *resolver.Demand { return resolver.NewDemand(u, nil) }

func TestBucket_OneCallASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(limit.Rate{Calls: 1, Per: time.Second})
		start := time.Now()
		for range 50 {
			require.NoError(t, b.Wait(t.Context()))
		}
		assert.Equal(t, 49*1040*time.Millisecond, time.Since(start))
	})
}

func TestBucket_Rates(t *testing.T) {
	for _, c := range []struct {
		name  string
		rates []limit.Rate
		calls int
		takes time.Duration
	}{
		{"none", nil, 1000, 0},
		{"one that limits nothing", []limit.Rate{{Calls: 0, Per: time.Second}, {Calls: 1, Per: 0}}, 1000, 0},
		{"a second's worth at once", []limit.Rate{{Calls: 5, Per: time.Second}}, 5, 0},
		{"then a second's wait", []limit.Rate{{Calls: 5, Per: time.Second}}, 6, 1040 * time.Millisecond},
		{"a minute is not spent at once", []limit.Rate{{Calls: 100, Per: time.Minute}}, 100, 49 * 1040 * time.Millisecond},
		{"nor more than it has", []limit.Rate{{Calls: 100, Per: time.Minute}}, 101, 62400 * time.Millisecond},
		{"the narrowest counts", []limit.Rate{{Calls: 50, Per: time.Second}, {Calls: 1, Per: time.Second}}, 3, 2080 * time.Millisecond},
		{"less than a second", []limit.Rate{{Calls: 1, Per: 100 * time.Millisecond}}, 11, 1040 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket(c.rates...)
				start := time.Now()
				for range c.calls {
					require.NoError(t, b.Wait(t.Context()))
				}
				assert.Equal(t, c.takes, time.Since(start))
			})
		})
	}
}

func TestBucket_NoWindowIsExceeded(t *testing.T) {
	rates := []limit.Rate{
		{Calls: 3, Per: 100 * time.Millisecond},
		{Calls: 5, Per: time.Second},
		{Calls: 100, Per: time.Minute},
		{Calls: 150, Per: 2 * time.Minute},
	}
	implied := limit.Rate{Calls: 2, Per: time.Second} // by the 100 in a minute
	for seed := range uint64(10) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 0))
			b := newBucket(rates...)
			var mu sync.Mutex
			var grants []time.Time
			var calls sync.WaitGroup
			for range 400 {
				calls.Go(func() {
					if assert.NoError(t, b.Wait(t.Context())) {
						mu.Lock()
						defer mu.Unlock()
						grants = append(grants, time.Now())
					}
				})
				if random.IntN(3) == 0 {
					time.Sleep(time.Duration(random.ExpFloat64() * float64(time.Second)))
				}
			}
			calls.Wait()
			require.Len(t, grants, 400)
			for _, r := range append(rates, implied) {
				for i := r.Calls; i < len(grants); i++ {
					require.Greater(t, grants[i].Sub(grants[i-r.Calls]), r.Per, "seed %d: more than %v", seed, r)
				}
			}
		})
	}
}

func TestBucket_UrgentFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &order{bucket: newBucket(limit.Rate{Calls: 1, Per: time.Second})}
		o.queue(t, "first", demand(resolver.Background))
		o.queue(t, "background", demand(resolver.Background))
		o.queue(t, "ahead", demand(resolver.Ahead))
		o.queue(t, "read 1", demand(resolver.Read))
		o.queue(t, "stat", demand(resolver.Stat))
		o.queue(t, "read 2", demand(resolver.Read))
		assert.Equal(t, []string{"first", "read 1", "read 2", "stat", "ahead", "background"}, o.granted())
	})
}

func TestBucket_RaisedWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &order{bucket: newBucket(limit.Rate{Calls: 1, Per: time.Second})}
		late := demand(resolver.Background)
		o.queue(t, "first", demand(resolver.Stat))
		o.queue(t, "stat 1", demand(resolver.Stat))
		o.queue(t, "late", late)
		o.queue(t, "stat 2", demand(resolver.Stat))
		time.Sleep(1500 * time.Millisecond)
		late.Raise(resolver.Read)
		assert.Equal(t, []string{"first", "stat 1", "late", "stat 2"}, o.granted())
	})
}

func TestBucket_EighthTurnToTheOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := &order{bucket: newBucket(limit.Rate{Calls: 1, Per: time.Second})}
		o.queue(t, "first", demand(resolver.Read))
		o.queue(t, "old", demand(resolver.Background))
		o.queue(t, "older than reads", demand(resolver.Background))
		for range 20 {
			o.queue(t, "read", demand(resolver.Read))
		}
		names := o.granted()
		assert.Equal(t, 7, slices.Index(names, "old"), "the eighth of all")
		assert.Equal(t, 15, slices.Index(names, "older than reads"))
	})
}

func TestBucket_LeaverLosesNoTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(limit.Rate{Calls: 1, Per: time.Second})
		require.NoError(t, b.Wait(t.Context()))
		start := time.Now()
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(resolver.WithDemand(t.Context(), demand(resolver.Read)))
		var calls sync.WaitGroup
		calls.Go(func() {
			err := b.Wait(ctx)
			assert.ErrorIs(t, err, enough)
			assert.NotErrorIs(t, err, resolver.ErrThrottled, "nobody asked to wait")
			assert.Equal(t, 300*time.Millisecond, time.Since(start), "left at once")
		})
		calls.Go(func() {
			assert.NoError(t, b.Wait(t.Context()))
			assert.Equal(t, 1040*time.Millisecond, time.Since(start), "the turn goes to the next")
		})
		time.Sleep(300 * time.Millisecond)
		cancel(enough)
		calls.Wait()
		assert.ErrorIs(t, b.Wait(ctx), enough, "who has left does not begin to wait")
	})
}

// All leave at the very moment of the turn, but one.
func TestBucket_LeaversAtTheMomentOfTheTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(limit.Rate{Calls: 1, Per: time.Second})
		require.NoError(t, b.Wait(t.Context()))
		start := time.Now()
		ctx, cancel := context.WithTimeout(resolver.WithDemand(t.Context(), demand(resolver.Read)), 1040*time.Millisecond)
		defer cancel()
		var mu sync.Mutex
		turns := 0
		var calls sync.WaitGroup
		for range 100 {
			calls.Go(func() {
				if err := b.Wait(ctx); err == nil {
					mu.Lock()
					defer mu.Unlock()
					turns++
				}
			})
		}
		synctest.Wait()
		require.NoError(t, b.Wait(t.Context()))
		calls.Wait()
		assert.LessOrEqual(t, turns, 1)
		assert.Equal(t, time.Duration(turns+1)*1040*time.Millisecond, time.Since(start), "a turn was lost")
	})
}

// lastMoment is a context that ends just after its caller was granted a turn.
type lastMoment struct {
	context.Context
	asked int
}

func (c *lastMoment) Done() <-chan struct{} {
	done := make(chan struct{})
	if c.asked++; c.asked > 1 {
		close(done)
	}
	return done
}

func (c *lastMoment) Err() error {
	if c.asked > 1 {
		return context.Canceled
	}
	return nil
}

func TestBucket_TurnAtTheLastMoment(t *testing.T) {
	b := newBucket()
	for range 100 {
		require.NoError(t, b.Wait(&lastMoment{Context: t.Context()}), "a turn that was granted is used")
	}
}

func TestBucket_ThousandWaiters(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(limit.Rate{Calls: 100, Per: time.Second})
		start := time.Now()
		var calls sync.WaitGroup
		for i := range 1000 {
			d := demand(resolver.Urgency(i % 4))
			ctx, cancel := context.WithCancel(resolver.WithDemand(t.Context(), d))
			calls.Go(func() {
				err := b.Wait(ctx)
				assert.True(t, err == nil || errors.Is(err, context.Canceled), err)
			})
			calls.Go(func() {
				time.Sleep(time.Duration(i%7) * 1500 * time.Millisecond)
				if d.Raise(resolver.Read); i%3 == 0 {
					cancel()
				}
			})
			defer cancel()
		}
		calls.Wait()
		assert.Less(t, time.Since(start), 10*1040*time.Millisecond)
	})
}
