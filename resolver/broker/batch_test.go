package broker_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/broker"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

// inGroup runs a test in fake time over a provider with n files of one group,
// of which one call takes size.
func inGroup(t *testing.T, n, size int, test func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		present()
		f, ids := group(n, size)
		test(t, f, ids)
	})
}

func group(n, size int) (*resolvertest.Fake, []resolver.ID) {
	f := resolvertest.NewFake()
	f.SetBatch(func(resolver.ID) resolver.Batch { return resolver.Batch{Lane: "links", Group: "g", Size: size} })
	entries, ids := make([]resolver.Entry, n), make([]resolver.ID, n)
	for i := range ids {
		ids[i] = resolver.ID(fmt.Sprintf("%04d", i))
		entries[i] = resolver.Entry{ID: ids[i], Name: string(ids[i]), Size: 1}
	}
	f.SetListing(resolver.Root, entries...)
	return f, ids
}

// opens acquires all ids at once in the name of one program.
func opens(ctx context.Context, b *broker.Broker, u resolver.Urgency, program int, ids ...resolver.ID) (wait func() []result) {
	return opensAs(ctx, b, u, func(int) resolver.Client { return resolver.Client{Job: program, Process: program} }, ids...)
}

// opensAs acquires all ids at once, each in the name of its own client.
func opensAs(ctx context.Context, b *broker.Broker, u resolver.Urgency, client func(i int) resolver.Client, ids ...resolver.ID) (wait func() []result) {
	results := make([]result, len(ids))
	var wg sync.WaitGroup
	for i, id := range ids {
		wg.Go(func() {
			d := resolver.NewDemand(u, func() resolver.Client { return client(i) })
			results[i].lease, results[i].err = b.Acquire(resolver.WithDemand(ctx, d), resolver.File{ID: id})
		})
	}
	return func() []result {
		wg.Wait()
		return results
	}
}

func assertLent(t *testing.T, results []result) {
	t.Helper()
	for _, r := range results {
		assert.NoError(t, r.err)
		assert.NotNil(t, r.lease)
	}
}

// following yields the ids after the file, then those before it.
func following(ids []resolver.ID) func(*broker.Config) {
	return func(cfg *broker.Config) {
		cfg.Siblings = func(f resolver.File) iter.Seq[resolver.ID] {
			i := slices.Index(ids, f.ID)
			return slices.Values(slices.Concat(ids[i+1:], ids[:i]))
		}
	}
}

func TestBatch_AllAtOnce(t *testing.T) {
	inGroup(t, 100, 100, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f)
		f.SetDelay(resolvertest.Resolve, 50*ms)
		start := time.Now()
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids...)())
		assert.LessOrEqual(t, f.Calls(resolvertest.Resolve), 2)
		assert.LessOrEqual(t, time.Since(start), 60*ms)
	})
}

func TestBatch_LatecomersRide(t *testing.T) {
	inGroup(t, 3, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f)
		start := time.Now()
		first := opens(t.Context(), b, resolver.Read, 1, ids[0])
		time.Sleep(ms)
		second := opens(t.Context(), b, resolver.Read, 1, ids[1:]...)
		assertLent(t, append(first(), second()...))
		assert.Equal(t, broker.DefaultConfig().Collect, time.Since(start))
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
	})
}

func TestBatch_GroupsAndLanesApart(t *testing.T) {
	inGroup(t, 40, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		f.SetBatch(func(id resolver.ID) resolver.Batch {
			return resolver.Batch{Lane: string(id[3] % 2), Group: string(id[3] / 2 % 2), Size: 20}
		})
		b := newBroker(t, f)
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids...)())
		assert.Equal(t, 4, f.Calls(resolvertest.Resolve))
	})
}

func TestBatch_PartialAnswers(t *testing.T) {
	inGroup(t, 6, 6, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f)
		f.FailID(ids[1], resolver.ErrPermission)
		f.FailID(ids[2], resolver.ErrThrottled)
		f.Remove(ids[3])
		wait := opens(t.Context(), b, resolver.Stat, 1, ids...)
		time.Sleep(50 * ms)
		f.FailID(ids[2], nil)
		got := wait()
		assert.ErrorIs(t, got[1].err, resolver.ErrPermission)
		assert.ErrorIs(t, got[3].err, resolver.ErrNotExist)
		assertLent(t, []result{got[0], got[2], got[4], got[5]})
		require.Len(t, f.Batches(), 2)
		assert.ElementsMatch(t, ids, f.Batches()[0])
		assert.Equal(t, ids[2:3], f.Batches()[1])
	})
}

func TestBatch_TooFewAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, ids := group(4, 4)
		calls := 0
		b := newBroker(t, short{f, func(answers []resolver.Answer) []resolver.Answer {
			if calls++; calls == 1 {
				return answers[:3]
			}
			return answers
		}})
		assertLent(t, opens(t.Context(), b, resolver.Stat, 1, ids...)())
		require.Len(t, f.Batches(), 2)
		assert.ElementsMatch(t, ids, f.Batches()[1])
	})
}

// short is a Fake whose answers are tampered with.
type short struct {
	*resolvertest.Fake
	tamper func([]resolver.Answer) []resolver.Answer
}

func (s short) Resolve(ctx context.Context, ids []resolver.ID) ([]resolver.Answer, error) {
	answers, err := s.Fake.Resolve(ctx, ids)
	return s.tamper(answers), err
}

func TestBatch_FirstCallerLeaves(t *testing.T) {
	inGroup(t, 20, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f)
		release := f.Hold(resolvertest.Resolve)
		ctx, kill := context.WithCancel(t.Context())
		first := opens(ctx, b, resolver.Stat, 1, ids[0])
		others := opens(t.Context(), b, resolver.Stat, 1, ids[1:]...)
		time.Sleep(time.Second)
		kill()
		assert.ErrorIs(t, first()[0].err, context.Canceled)
		release()
		assertLent(t, others())
		assert.NotNil(t, b.Peek(ids[0]), "its answer is kept")
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
	})
}

func TestSiblings_FillFreePlaces(t *testing.T) {
	inGroup(t, 100, 20, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f, following(ids))
		assertLent(t, opens(t.Context(), b, resolver.Read, 1, ids[90])())
		want := slices.Concat(ids[90:], ids[:10])
		assert.Equal(t, [][]resolver.ID{want}, f.Batches())
		assertLent(t, opens(t.Context(), b, resolver.Read, 1, want...)())
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve), "they are remembered")
		time.Sleep(time.Hour)
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve), "there is no call for siblings alone")
		assertLent(t, opens(t.Context(), b, resolver.Read, 1, ids[10])())
		assert.Equal(t, ids[10:30], f.Batches()[1])
	})
}

// In whatever order a large directory is read, calls are full to the end.
func TestSiblings_AnyOrder(t *testing.T) {
	inGroup(t, 2500, 100, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f, following(ids))
		for i := range ids {
			assertLent(t, opens(t.Context(), b, resolver.Read, 1, ids[i*1301%len(ids)])())
		}
		assert.Equal(t, 25, f.Calls(resolvertest.Resolve))
	})
}

// Of what goes wrong with a sibling only a refusal of that file is remembered.
func TestSiblings_Errors(t *testing.T) {
	inGroup(t, 4, 4, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f, following(ids))
		f.FailID(ids[1], resolver.ErrUnsupported)
		f.FailID(ids[2], resolver.ErrUnavailable)
		f.FailID(ids[3], resolver.ErrCredentials)
		assertLent(t, opens(t.Context(), b, resolver.Read, 1, ids[0])())
		for _, id := range ids {
			f.FailID(id, nil)
		}
		got := opens(t.Context(), b, resolver.Read, 1, ids[1:]...)()
		assert.ErrorIs(t, got[0].err, resolver.ErrUnsupported)
		assertLent(t, got[1:])
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
	})
}

func TestSiblings_CanBeWaitedFor(t *testing.T) {
	inGroup(t, 4, 4, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f, following(ids))
		f.SetDelay(resolvertest.Resolve, time.Second)
		f.Fail(resolvertest.Resolve, 1, resolver.ErrUnavailable)
		first := opens(t.Context(), b, resolver.Read, 1, ids[0])
		time.Sleep(500 * ms)
		second := opens(t.Context(), b, resolver.Read, 1, ids[2])
		assertLent(t, append(first(), second()...))
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
		assert.ElementsMatch(t, []resolver.ID{ids[0], ids[2]}, f.Batches()[1][:2])
	})
}

// Whoever lists siblings may ask the broker, or hold locks of its own.
func TestSiblings_AreListedWithoutLocks(t *testing.T) {
	inGroup(t, 4, 4, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		var b *broker.Broker
		b = newBroker(t, f, func(cfg *broker.Config) {
			cfg.Siblings = func(resolver.File) iter.Seq[resolver.ID] {
				b.Peek(ids[0])
				return func(yield func(resolver.ID) bool) {
					b.Peek(ids[1])
					yield(ids[1])
				}
			}
		})
		assertLent(t, opens(t.Context(), b, resolver.Read, 1, ids[0])())
		assert.NotNil(t, b.Peek(ids[1]))
	})
}
