package broker_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/broker"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

const perSecond = 1020 * ms

// pace is a Turn that grants one call each time every has passed.
func pace(every time.Duration) func(context.Context, string) error {
	var mu sync.Mutex
	var next time.Time
	return func(ctx context.Context, _ string) error {
		mu.Lock()
		at := next
		if now := time.Now(); at.Before(now) {
			at = now
		}
		next = at.Add(every)
		mu.Unlock()
		select {
		case <-time.After(time.Until(at)):
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// callOf is the number of the call that asked for id, from 0, or -1.
func callOf(f *resolvertest.Fake, id resolver.ID) int {
	return slices.IndexFunc(f.Batches(), func(ids []resolver.ID) bool { return slices.Contains(ids, id) })
}

func TestLane_ManyOpensAtAPace(t *testing.T) {
	inGroup(t, 1000, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		f.SetTurn(pace(perSecond))
		b := newBroker(t, f)
		start := time.Now()
		scan := opens(t.Context(), b, resolver.Stat, 1, ids...)
		time.Sleep(25 * time.Second)
		waiting := slices.IndexFunc(ids, func(id resolver.ID) bool { return callOf(f, id) < 0 })
		require.GreaterOrEqual(t, waiting, 0)
		before := f.Calls(resolvertest.Resolve)
		assertLent(t, opens(t.Context(), b, resolver.Read, 1, ids[waiting])())
		assert.Equal(t, before, callOf(f, ids[waiting]), "the read is served by the next call")
		assertLent(t, scan())
		assert.Equal(t, 50, f.Calls(resolvertest.Resolve))
		assert.LessOrEqual(t, time.Since(start), 53*time.Second)
	})
}

func TestLane_ServesWhoNeedsItMost(t *testing.T) {
	for name, c := range map[string]struct {
		many, one resolver.Urgency
		client    int // of the one
	}{
		"a read before opens":          {resolver.Stat, resolver.Read, 1},
		"an open before what is ahead": {resolver.Ahead, resolver.Stat, 1},
		"a person before a scanner":    {resolver.Read, resolver.Read, 2},
		"who stats before who reads":   {resolver.Read, resolver.Stat, 2},
		"foreground before ahead":      {resolver.Ahead, resolver.Stat, 2},
	} {
		t.Run(name, func(t *testing.T) {
			inGroup(t, 501, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
				f.SetTurn(pace(perSecond))
				b := newBroker(t, f)
				scan := opens(t.Context(), b, c.many, 1, ids[:500]...)
				time.Sleep(10 * time.Second)
				before := f.Calls(resolvertest.Resolve)
				assertLent(t, opens(t.Context(), b, c.one, c.client, ids[500])())
				assert.Equal(t, before, callOf(f, ids[500]))
				assertLent(t, scan())
			})
		})
	}
}

// A scanner that starts a process for each file is told by its job; a program
// of the same job is told by having few requests of its own.
func TestLane_CrowdOfProcesses(t *testing.T) {
	for name, c := range map[string]struct {
		scanner func(i int) resolver.Client
		person  resolver.Client
	}{
		"a process for each file": {
			func(i int) resolver.Client { return resolver.Client{Job: 10, Process: 100 + i} },
			resolver.Client{Job: 20, Process: 20},
		},
		"a desktop of one job": {
			func(int) resolver.Client { return resolver.Client{Job: 10, Process: 11} },
			resolver.Client{Job: 10, Process: 20},
		},
	} {
		t.Run(name, func(t *testing.T) {
			inGroup(t, 301, 1, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
				f.SetTurn(pace(perSecond))
				b := newBroker(t, f)
				scan := opensAs(t.Context(), b, resolver.Read, c.scanner, ids[:8]...)
				time.Sleep(2500 * ms)
				before := f.Calls(resolvertest.Resolve)
				person := func(int) resolver.Client { return c.person }
				assertLent(t, opensAs(t.Context(), b, resolver.Read, person, ids[300])())
				assert.Equal(t, before, callOf(f, ids[300]), "the person is served by the next call")
				assertLent(t, scan())
			})
		})
	}
}

// Programs that ask for one file at a time are served before one that asks for
// many, but not always.
func TestLane_CrowdDoesNotStarve(t *testing.T) {
	inGroup(t, 500, 1, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		f.SetTurn(pace(100 * ms))
		b := newBroker(t, f)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		crowds := []func() []result{
			opens(ctx, b, resolver.Read, 1, ids[:100]...), opens(ctx, b, resolver.Ahead, 2, ids[100:200]...),
		}
		var walkers sync.WaitGroup
		for i, walk := range [][]resolver.ID{ids[200:300], ids[300:400], ids[400:]} {
			walkers.Go(func() {
				for _, id := range walk {
					opens(ctx, b, resolver.Stat, i+3, id)()
				}
			})
		}
		walkers.Wait()
		for _, crowd := range crowds {
			served := 0
			for _, r := range crowd() {
				if r.err == nil {
					served++
				}
			}
			assert.InDelta(t, 12, served, 2, "of 200 calls every eighth is for one of the two")
		}
	})
}

// A demand that is raised while it waits counts from then on, in the lane and
// in its turn.
func TestLane_DemandIsRaised(t *testing.T) {
	inGroup(t, 200, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		var granted []resolver.Urgency
		turn := pace(perSecond)
		f.SetTurn(func(ctx context.Context, lane string) error {
			err := turn(ctx, lane)
			granted = append(granted, resolver.DemandOf(ctx).Urgency())
			return err
		})
		b := newBroker(t, f)
		scan := opens(t.Context(), b, resolver.Ahead, 1, ids[:199]...)
		d := resolver.NewDemand(resolver.Background, nil)
		go func() { _, _ = b.Acquire(resolver.WithDemand(t.Context(), d), resolver.File{ID: ids[199]}) }()
		time.Sleep(3500 * ms)
		require.Negative(t, callOf(f, ids[199]))
		d.Raise(resolver.Read)
		scan()
		synctest.Wait()
		assert.Equal(t, 4, callOf(f, ids[199]))
		assert.Equal(t, resolver.Ahead, granted[3])
		assert.Equal(t, resolver.Read, granted[4])
		assert.Equal(t, resolver.Ahead, granted[5])
	})
}

// Who joins makes the turn that is waited for more urgent at once.
func TestLane_TurnHearsOfNewcomers(t *testing.T) {
	inGroup(t, 2, 2, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		turns := make(chan *resolver.Demand, 1)
		f.SetTurn(func(ctx context.Context, _ string) error {
			turns <- resolver.DemandOf(ctx)
			time.Sleep(time.Second)
			return nil
		})
		b := newBroker(t, f)
		first := opens(t.Context(), b, resolver.Ahead, 1, ids[0])
		turn := <-turns
		assert.Equal(t, resolver.Ahead, turn.Urgency())
		start := time.Now()
		second := opens(t.Context(), b, resolver.Read, 1, ids[1])
		synctest.Wait()
		assert.Equal(t, resolver.Read, turn.Urgency())
		assert.Zero(t, time.Since(start))
		assertLent(t, append(first(), second()...))
	})
}

// However much is more urgent, what nobody hurries for goes on; however much of
// it there is, it keeps nobody else waiting.
func TestLane_BackgroundNeitherStarvesNorDelays(t *testing.T) {
	inGroup(t, 400, 1, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		f.SetTurn(pace(100 * ms))
		b := newBroker(t, f)
		background := opens(t.Context(), b, resolver.Background, 1, ids[:20]...)
		time.Sleep(ms)
		readers := opens(t.Context(), b, resolver.Read, 2, ids[20:380]...)
		readers()
		left := 0
		for _, id := range ids[:20] {
			if callOf(f, id) < 0 {
				left++
			}
		}
		assert.Zero(t, left, "every eighth call is for the oldest")
		background()
		behind := opens(t.Context(), b, resolver.Background, 1, ids[380:399]...)
		time.Sleep(50 * ms)
		start := time.Now()
		assertLent(t, opens(t.Context(), b, resolver.Read, 2, ids[399])())
		assert.LessOrEqual(t, time.Since(start), 200*ms)
		assertLent(t, behind())
	})
}

func TestLane_QuotaEndsAllThatWait(t *testing.T) {
	inGroup(t, 100, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		var spent atomic.Bool
		turn := pace(perSecond)
		f.SetTurn(func(ctx context.Context, lane string) error {
			if err := turn(ctx, lane); err != nil || !spent.Load() {
				return err
			}
			return fmt.Errorf("10000 of 10000 calls used: %w", resolver.ErrQuota)
		})
		b := newBroker(t, f)
		wait := opens(t.Context(), b, resolver.Stat, 1, ids...)
		time.Sleep(500 * ms)
		spent.Store(true)
		start := time.Now()
		refused := 0
		for _, r := range wait() {
			if r.err != nil {
				assert.ErrorIs(t, r.err, resolver.ErrQuota)
				refused++
			}
		}
		assert.Equal(t, 80, refused)
		assert.Less(t, time.Since(start), time.Second)
		spent.Store(false)
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids...)())
	})
}

// What is left of a budget goes to those who wait, also when the turn that met its
// end was not theirs.
func TestLane_ReservedTurnEndsWhatNobodyWaitsFor(t *testing.T) {
	inGroup(t, 2, 1, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		turns := make(chan struct{})
		f.SetTurn(func(ctx context.Context, _ string) error {
			d := resolver.DemandOf(ctx)
			ahead := d.Urgency() <= resolver.Ahead
			<-turns
			if ahead {
				return resolver.ErrReserved
			}
			return nil
		})
		b := newBroker(t, f)
		ahead := opens(t.Context(), b, resolver.Ahead, 1, ids[0])
		synctest.Wait()
		person := opens(t.Context(), b, resolver.Read, 2, ids[1])
		synctest.Wait()
		close(turns)
		assertLent(t, person())
		require.ErrorIs(t, ahead()[0].err, resolver.ErrReserved)
	})
}

// A turn that will not come soon is not waited for, and nobody is asked to.
func TestLane_ThrottledTurnEndsAllThatWait(t *testing.T) {
	inGroup(t, 100, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f)
		start := time.Now()
		for _, pause := range []time.Duration{0, 10 * time.Second, 10 * time.Minute} {
			err := fmt.Errorf("paused: %w", resolver.WithRetryAfter(resolver.ErrThrottled, pause))
			f.SetTurn(func(context.Context, string) error { return err })
			for _, r := range opens(t.Context(), b, resolver.Stat, 1, ids...)() {
				assert.ErrorIs(t, r.err, resolver.ErrThrottled)
				assert.Equal(t, pause, resolver.RetryAfter(r.err))
			}
		}
		assert.Zero(t, time.Since(start))
		assert.Zero(t, f.Calls(resolvertest.Resolve))
		f.SetTurn(func(context.Context, string) error { return nil })
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids...)())
	})
}

// A turn that fails for a moment, as when a login has no answer, is asked for
// again.
func TestLane_TurnWithoutAnswer(t *testing.T) {
	inGroup(t, 100, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		turns := 0
		f.SetTurn(func(context.Context, string) error {
			switch turns++; turns {
			case 1:
				return fmt.Errorf("login: %w", resolver.ErrUnavailable)
			case 2:
				panic("cannot parse " + secret)
			}
			return nil
		})
		b := newBroker(t, f)
		start := time.Now()
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids...)())
		assert.LessOrEqual(t, time.Since(start), 300*ms)
		assert.LessOrEqual(t, f.Calls(resolvertest.Resolve), 6, "the first may be asked for alone")
		assert.Equal(t, 2+f.Calls(resolvertest.Resolve), turns)

		f.SetTurn(func(context.Context, string) error { return resolver.ErrUnavailable })
		start = time.Now()
		b.Expire()
		_, err := b.Acquire(t.Context(), resolver.File{ID: ids[0]})
		assert.ErrorIs(t, err, resolver.ErrUnavailable)
		assert.LessOrEqual(t, time.Since(start), broker.DefaultConfig().Patience)
	})
}

// What nobody waits for any more costs neither a turn nor a call.
func TestLane_LeaversCostNothing(t *testing.T) {
	inGroup(t, 40, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		var turns []error
		f.SetTurn(func(ctx context.Context, _ string) error {
			select {
			case <-ctx.Done():
				turns = append(turns, ctx.Err())
				return ctx.Err()
			case <-time.After(10 * time.Second):
				turns = append(turns, nil)
				return nil
			}
		})
		b := newBroker(t, f)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, r := range opens(ctx, b, resolver.Stat, 1, ids...)() {
			assert.ErrorIs(t, r.err, context.DeadlineExceeded)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		assert.Equal(t, []error{context.Canceled}, turns, "the turn is given back")

		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		leaving := opens(ctx, b, resolver.Stat, 1, ids[:39]...)
		staying := opens(t.Context(), b, resolver.Stat, 1, ids[39])
		leaving()
		assertLent(t, staying())
		assert.Equal(t, [][]resolver.ID{{ids[39]}}, f.Batches())
	})
}

func TestLane_CallsUnderWay(t *testing.T) {
	inGroup(t, 100, 1, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		f.SetBatch(func(id resolver.ID) resolver.Batch { return resolver.Batch{Lane: string(id[3] % 2), Size: 1} })
		b := newBroker(t, f, func(cfg *broker.Config) { cfg.Parallel = 3 })
		release := f.Hold(resolvertest.Resolve)
		wait := opens(t.Context(), b, resolver.Stat, 1, ids...)
		synctest.Wait()
		assert.Equal(t, 6, f.Calls(resolvertest.Resolve), "three in each lane")
		release()
		assertLent(t, wait())
	})
}

// gate is a Gate that is closed by setting an error.
type gate struct {
	closed   atomic.Pointer[error]
	reported chan error
}

func (g *gate) Allow() error {
	if err := g.closed.Load(); err != nil {
		return *err
	}
	return nil
}

func (g *gate) Report(err error) { g.reported <- err }

func TestGate(t *testing.T) {
	inGroup(t, 40, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		g := &gate{reported: make(chan error, 100)}
		b := newBroker(t, f, func(cfg *broker.Config) { cfg.Gate = g })
		down := fmt.Errorf("no answer since noon: %w", resolver.ErrDown)
		g.closed.Store(&down)
		start := time.Now()
		for _, r := range opens(t.Context(), b, resolver.Stat, 1, ids...)() {
			assert.ErrorIs(t, r.err, resolver.ErrDown)
		}
		assert.Zero(t, time.Since(start))
		assert.Zero(t, f.Calls(resolvertest.Resolve))
		g.closed.Store(nil)
		f.Fail(resolvertest.Resolve, 1, resolver.ErrUnavailable)
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids[:20]...)())
		assert.ErrorIs(t, <-g.reported, resolver.ErrUnavailable)
		assert.NoError(t, <-g.reported)

		f.FailAll(resolvertest.Resolve, resolver.ErrUnavailable)
		wait := opens(t.Context(), b, resolver.Stat, 1, ids[20:]...)
		time.Sleep(50 * ms)
		g.closed.Store(&down)
		for _, r := range wait() {
			assert.ErrorIs(t, r.err, resolver.ErrDown)
		}
		assert.Less(t, time.Since(start), time.Second, "patience is over when the gate closes")
	})
}

// Whatever a broker is at, Close ends it and waits; synctest finds a goroutine
// that is left.
func TestClose_EverythingUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		present()
		f, ids := group(500, 10)
		f.SetBatch(func(id resolver.ID) resolver.Batch { return resolver.Batch{Lane: string(id[2:3]), Size: 10} })
		f.SetTerms(resolvertest.Terms{Lifetime: time.Minute})
		f.SetTurn(pace(300 * ms))
		f.SetDelay(resolvertest.Resolve, 400*ms)
		f.Poison(ids[3], resolver.ErrRejected)
		f.Poison(ids[15], resolver.ErrUnavailable)
		f.FailID(ids[27], resolver.ErrThrottled)
		b := newBroker(t, f, following(ids))
		var waits []func() []result
		for range 4 {
			waits = append(waits, opens(t.Context(), b, resolver.Stat, 1, ids...))
			time.Sleep(time.Second)
		}
		start := time.Now()
		require.NoError(t, b.Close())
		assert.Zero(t, time.Since(start))
		closed := 0
		for _, wait := range waits {
			for _, r := range wait() {
				assert.True(t, (r.lease == nil) != (r.err == nil))
				if r.err != nil && !errors.Is(r.err, resolver.ErrRejected) {
					assert.ErrorContains(t, r.err, "closed")
					closed++
				}
			}
		}
		assert.Positive(t, closed)
	})
}

// A crowd over files that come and go, in real time for the race detector.
func TestLane_Crowd(t *testing.T) {
	f, ids := group(200, 20)
	f.SetBatch(func(id resolver.ID) resolver.Batch {
		return resolver.Batch{Lane: string(id[3] % 2), Group: string(id[3] % 4), Size: 20}
	})
	f.SetTerms(resolvertest.Terms{Uses: 50})
	f.Poison(ids[11], resolver.ErrRejected)
	f.FailID(ids[12], resolver.ErrNotExist)
	b := newBroker(t, f, following(ids))
	var crowd sync.WaitGroup
	for range 1000 {
		crowd.Go(func() {
			for range 5 {
				i := rand.IntN(len(ids))
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(rand.IntN(1000))*ms)
				d := resolver.NewDemand(resolver.Urgency(rand.IntN(4)), func() resolver.Client { return resolver.Client{Job: i % 3, Process: i % 7} })
				lease, err := b.Acquire(resolver.WithDemand(ctx, d), resolver.File{ID: ids[i]})
				switch {
				case err != nil && i != 11 && i != 12:
					assert.ErrorIs(t, err, context.DeadlineExceeded)
				case err == nil && !lease.Use():
					lease.Fail(resolver.UsedUp)
				case err == nil:
					lease.Serve()
				}
				cancel()
			}
		})
	}
	crowd.Wait()
	require.NoError(t, b.Close())
}
