package broker_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/broker"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

func TestBisect_OneBadOfMany(t *testing.T) {
	for name, bad := range map[string]int{"first": 0, "middle": 10, "last": 19} {
		t.Run(name, func(t *testing.T) {
			inGroup(t, 20, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
				b := newBroker(t, f)
				f.Poison(ids[bad], resolver.ErrRejected)
				got := opens(t.Context(), b, resolver.Stat, 1, ids...)()
				assert.ErrorIs(t, got[bad].err, resolver.ErrRejected)
				assertLent(t, slices.Delete(got, bad, bad+1))
				calls := f.Calls(resolvertest.Resolve)
				assert.LessOrEqual(t, calls, 11, "two halves each time, five times")
				_, err := b.Acquire(t.Context(), resolver.File{ID: ids[bad]})
				assert.ErrorIs(t, err, resolver.ErrRejected)
				assert.Equal(t, calls, f.Calls(resolvertest.Resolve), "the refusal is remembered")
			})
		})
	}
}

func TestBisect_AllBad(t *testing.T) {
	inGroup(t, 100, 100, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f)
		f.FailAll(resolvertest.Resolve, resolver.ErrPermission)
		for _, r := range opens(t.Context(), b, resolver.Stat, 1, ids...)() {
			assert.ErrorIs(t, r.err, resolver.ErrPermission)
		}
		assert.LessOrEqual(t, f.Calls(resolvertest.Resolve), 12)
	})
}

func TestBisect_SiblingsAreLeftOutFirst(t *testing.T) {
	inGroup(t, 20, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f, following(ids))
		f.Poison(ids[19], resolver.ErrPermission)
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids[:3]...)())
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
		assert.ElementsMatch(t, ids[:3], f.Batches()[1])
	})
}

func TestBisect_NotForWhatConcernsTheAccount(t *testing.T) {
	for _, kind := range []error{resolver.ErrCredentials, resolver.ErrQuota} {
		t.Run(kind.Error(), func(t *testing.T) {
			inGroup(t, 20, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
				b := newBroker(t, f, following(ids))
				f.FailAll(resolvertest.Resolve, kind)
				for _, r := range opens(t.Context(), b, resolver.Stat, 1, ids[:10]...)() {
					assert.ErrorIs(t, r.err, kind)
				}
				assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
				f.FailAll(resolvertest.Resolve, nil)
				_, err := b.Acquire(t.Context(), resolver.File{ID: ids[9]})
				assert.ErrorIs(t, err, kind, "remembered for those who asked")
				_, err = b.Acquire(t.Context(), resolver.File{ID: ids[10]})
				assert.NoError(t, err, "not for their siblings")
			})
		})
	}
}

// Parts of a batch take turns of their own, as urgent as those who wait.
func TestBisect_TakesTurns(t *testing.T) {
	inGroup(t, 4, 4, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		var urgencies []resolver.Urgency
		f.SetTurn(func(ctx context.Context, _ string) error {
			urgencies = append(urgencies, resolver.DemandOf(ctx).Urgency())
			return nil
		})
		b := newBroker(t, f)
		f.Poison(ids[0], resolver.ErrRejected)
		opens(t.Context(), b, resolver.Read, 1, ids...)()
		synctest.Wait()
		assert.Len(t, urgencies, f.Calls(resolvertest.Resolve))
		for _, u := range urgencies {
			assert.Equal(t, resolver.Read, u)
		}
	})
}

// Who waited in vain before a refusal of the whole call, and has no patience left
// when the turn of its part comes, is not asked for again.
func TestBisect_PatienceEndsBeforeTheTurn(t *testing.T) {
	inGroup(t, 2, 2, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		turns := 0
		f.SetTurn(func(context.Context, string) error {
			if turns++; turns > 2 {
				time.Sleep(2 * time.Second)
			}
			return nil
		})
		f.Fail(resolvertest.Resolve, 1, errors.New("status 502"))
		f.Fail(resolvertest.Resolve, 2, resolver.ErrRejected)
		g := &gate{reported: make(chan error, 10)}
		b := newBroker(t, f, func(cfg *broker.Config) { cfg.Patience, cfg.Gate = time.Second, g })
		for _, r := range opens(t.Context(), b, resolver.Stat, 1, ids...)() {
			assert.ErrorContains(t, r.err, "status 502")
		}
		synctest.Wait()
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
		assert.Len(t, g.reported, 4, "each call that was allowed is reported")
	})
}

func TestBatch_PoisonRidesAlone(t *testing.T) {
	inGroup(t, 20, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f)
		f.Poison(ids[7], errors.New("status 500"))
		start := time.Now()
		wait := opens(t.Context(), b, resolver.Stat, 1, ids...)
		time.Sleep(time.Second)
		for i, id := range ids {
			assert.Equal(t, i != 7, b.Peek(id) != nil, id)
		}
		got := wait()
		assert.ErrorContains(t, got[7].err, "status 500")
		assertLent(t, slices.Delete(got, 7, 8))
		assert.LessOrEqual(t, time.Since(start), broker.DefaultConfig().Patience)
	})
}

// Being asked to slow down is no reason for more calls.
func TestBatch_ThrottledStaysTogether(t *testing.T) {
	inGroup(t, 20, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f)
		for n := range 4 {
			f.Fail(resolvertest.Resolve, n+1, resolver.ErrThrottled)
		}
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids...)())
		assert.Equal(t, 5, f.Calls(resolvertest.Resolve))
	})
}

func TestBatch_RetryAfter(t *testing.T) {
	inGroup(t, 2, 2, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f)
		start := time.Now()
		f.Fail(resolvertest.Resolve, 1, resolver.WithRetryAfter(resolver.ErrThrottled, 7*time.Second))
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids...)())
		assert.InDelta(t, 7*time.Second, time.Since(start), float64(broker.DefaultConfig().Collect))
		for _, id := range ids {
			b.Peek(id).Fail(resolver.Expired)
		}
		f.FailAll(resolvertest.Resolve, resolver.WithRetryAfter(resolver.ErrThrottled, time.Hour))
		start = time.Now()
		for _, r := range opens(t.Context(), b, resolver.Stat, 1, ids...)() {
			require.ErrorIs(t, r.err, resolver.ErrThrottled)
		}
		assert.Less(t, time.Since(start), time.Second, "patience does not outlast it")
	})
}
