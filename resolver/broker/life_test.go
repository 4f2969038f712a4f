package broker_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/broker"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

// A reader over ten-minute links for two hours never waits for the next one.
func TestRenew_AheadOfTheEnd(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetTerms(resolvertest.Terms{Lifetime: 10 * time.Minute})
		acquire(t, b)
		f.SetDelay(resolvertest.Resolve, time.Second)
		generations := make(map[uint64]bool)
		for end := time.Now().Add(2 * time.Hour); time.Now().Before(end); time.Sleep(500 * ms) {
			asked := time.Now()
			lease := acquire(t, b)
			assert.Equal(t, asked, time.Now(), "nobody waits")
			assert.True(t, time.Now().Before(lease.Deadline()))
			lease.Serve()
			generations[lease.Generation()] = true
		}
		time.Sleep(time.Second)
		// 9:30 of life, a quarter of it left when the next is asked for
		assert.Equal(t, 17, len(generations))
		assert.Len(t, generations, f.Calls(resolvertest.Resolve), "one call each")
	})
}

func TestRenew_FailureIsTriedAgainLater(t *testing.T) {
	for _, kind := range []error{resolver.ErrUnavailable, resolver.ErrPermission} {
		t.Run(kind.Error(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
				f.SetTerms(resolvertest.Terms{Lifetime: 1000 * time.Second}) // 970 of them lent
				first := acquire(t, b)
				f.FailAll(resolvertest.Resolve, kind)
				time.Sleep(727 * time.Second)
				acquire(t, b)
				synctest.Wait()
				assert.Equal(t, 1, f.Calls(resolvertest.Resolve), "more than a quarter is left")
				for range 242 {
					time.Sleep(time.Second)
					assert.Same(t, first, acquire(t, b))
				}
				synctest.Wait()
				assert.Equal(t, 4, f.Calls(resolvertest.Resolve), "at 728, 825 and 922 seconds")
				f.FailAll(resolvertest.Resolve, nil)
				time.Sleep(time.Second)
				assert.NotSame(t, first, acquire(t, b), "its failure was nobody's")
			})
		})
	}
}

func TestRenew_NotWhatIsCounted(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetTerms(resolvertest.Terms{Lifetime: 10 * time.Minute, Uses: 2})
		lease := acquire(t, b)
		time.Sleep(9 * time.Minute)
		assert.Same(t, lease, acquire(t, b))
		synctest.Wait()
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
	})
}

// A renewal under way is what the next reader waits for when the link dies.
func TestRenew_CanBeWaitedFor(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetTerms(resolvertest.Terms{Lifetime: 10 * time.Minute})
		old := acquire(t, b)
		old.Serve()
		f.SetDelay(resolvertest.Resolve, 8*time.Second)
		time.Sleep(9 * time.Minute)
		acquire(t, b)
		time.Sleep(time.Second)
		old.Fail(resolver.Expired)
		start := time.Now()
		assert.NotSame(t, old, acquire(t, b))
		assert.Equal(t, 7*time.Second, time.Since(start))
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
	})
}

// Links that die after a second under an API that says an hour stop failing.
func TestLife_IsLearnt(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetTerms(resolvertest.Terms{Lifetime: time.Hour})
		failures, late := 0, 0
		for n := range 6000 { // ten minutes
			lease := acquire(t, b)
			if lease.Age() >= time.Second {
				lease.Fail(resolver.Expired)
				if failures++; n > 600 {
					late++
				}
			} else {
				lease.Serve()
			}
			time.Sleep(100 * ms)
		}
		assert.Positive(t, failures)
		assert.LessOrEqual(t, failures, 20)
		assert.LessOrEqual(t, late, 15, "a longer life is tried now and then")
	})
}

// When links were seen to die early, others that are as old are not lent.
func TestLife_OldLeasesAreNotLent(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		other := resolver.File{ID: f.Add("b.pdf", 1, time.Unix(1, 0))}
		f.SetTerms(resolvertest.Terms{Lifetime: time.Hour})
		old, err := b.Acquire(t.Context(), other)
		require.NoError(t, err)
		for range 2 { // one alone may have been revoked
			assert.Same(t, old, b.Peek(other.ID))
			lease := acquire(t, b)
			time.Sleep(2 * time.Minute)
			lease.Serve()
			time.Sleep(time.Minute + time.Second)
			lease.Fail(resolver.Expired)
		}
		assert.Nil(t, b.Peek(other.ID))
		fresh, err := b.Acquire(t.Context(), other)
		require.NoError(t, err)
		assert.NotSame(t, old, fresh)
		assert.Less(t, time.Until(fresh.Deadline()), 3*time.Minute)
	})
}

// What goes wrong with one file says nothing of how long others' links live.
func TestLife_OthersAreLentOn(t *testing.T) {
	for _, class := range []resolver.Class{resolver.Wrong, resolver.Gone} {
		t.Run(class.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
				other := resolver.File{ID: f.Add("b.pdf", 1, time.Unix(1, 0))}
				old, err := b.Acquire(t.Context(), other)
				require.NoError(t, err)
				lease := acquire(t, b)
				time.Sleep(time.Minute)
				lease.Serve()
				lease.Fail(class)
				assert.Same(t, old, b.Peek(other.ID))
				assert.True(t, acquire(t, b).Deadline().IsZero())
			})
		})
	}
}

func TestFail_NotToBlame(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		lease := acquire(t, b)
		for range 5 {
			lease.Fail(resolver.Throttled)
			lease.Fail(resolver.Temporary)
		}
		assert.Same(t, lease, acquire(t, b))
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
	})
}

// The end that an answer names is read by the clock that the origin shows.
func TestClock(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetTerms(resolvertest.Terms{Lifetime: time.Hour})
		lease := acquire(t, b)
		lease.Clock(time.Now().Add(30 * time.Minute))
		lease.Fail(resolver.Expired)
		lease = acquire(t, b)
		assert.Equal(t, 30*time.Minute-30*time.Second, time.Until(lease.Deadline()).Round(time.Second))
	})
}
