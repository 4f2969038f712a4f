package broker_test

import (
	"iter"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/broker"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

func TestExpire(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		old := acquire(t, b)
		b.Expire()
		assert.Nil(t, b.Peek(file))
		assert.NotSame(t, old, acquire(t, b))
		f.FailID(file, resolver.ErrPermission)
		b.Expire()
		refused(t, b)
		f.FailID(file, nil)
		b.Expire()
		acquire(t, b)
	})
}

// The answer of a call that was under way is for those who waited by then.
func TestExpire_CallUnderWay(t *testing.T) {
	for name, expire := range map[string]func(*resolvertest.Fake, *broker.Broker){
		"by hand":      func(_ *resolvertest.Fake, b *broker.Broker) { b.Expire() },
		"new revision": func(f *resolvertest.Fake, _ *broker.Broker) { f.SetRevision("2") },
	} {
		for answer, err := range map[string]error{"lent": nil, "refused": resolver.ErrPermission} {
			t.Run(name+", "+answer, func(t *testing.T) {
				inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
					f.SetDelay(resolvertest.Resolve, time.Second)
					f.Fail(resolvertest.Resolve, 1, err)
					before := acquireAll(t.Context(), b, 4)
					time.Sleep(500 * ms)
					expire(f, b)
					after := acquireAll(t.Context(), b, 4)
					old := before()
					for _, r := range old {
						assert.ErrorIs(t, r.err, err)
					}
					assert.Nil(t, b.Peek(file))
					assertLent(t, after())
					for _, r := range after() {
						assert.NotSame(t, old[0].lease, r.lease)
						assert.Same(t, b.Peek(file), r.lease)
					}
					assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
				})
			})
		}
	}
}

func TestExpire_SiblingsUnderWay(t *testing.T) {
	inGroup(t, 4, 4, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f, following(ids))
		f.SetDelay(resolvertest.Resolve, time.Second)
		wait := opens(t.Context(), b, resolver.Read, 1, ids[0])
		time.Sleep(500 * ms)
		b.Expire()
		lease := wait()[0].lease
		require.NotNil(t, lease)
		lease.Fail(resolver.Denied) // nobody has it from the broker any more
		for _, id := range ids {
			assert.Nil(t, b.Peek(id))
		}
	})
}

func TestBatcher_Panics(t *testing.T) {
	panics := func(resolver.ID) resolver.Batch { panic("cannot parse " + secret) }
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetTerms(resolvertest.Terms{Lifetime: 1000 * time.Second})
		one := func(resolver.ID) resolver.Batch {
			b.Peek(file) // it is asked without locks held
			return resolver.Batch{Size: 1}
		}
		f.SetBatch(panics)
		assert.ErrorIs(t, refused(t, b), resolver.ErrUnavailable)
		f.SetBatch(one)
		lease := acquire(t, b)

		time.Sleep(900 * time.Second)
		f.SetBatch(panics)
		assert.Same(t, lease, acquire(t, b), "the renewal ahead is not made")
		f.SetBatch(one)
		acquire(t, b)
		synctest.Wait()
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve), "nor tried again at once")
		time.Sleep(970 * time.Second)
		acquire(t, b)
	})
}

func TestSiblings_Panic(t *testing.T) {
	inGroup(t, 4, 4, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
		b := newBroker(t, f, func(cfg *broker.Config) {
			cfg.Siblings = func(resolver.File) iter.Seq[resolver.ID] {
				return func(yield func(resolver.ID) bool) {
					yield(ids[1])
					panic("cannot parse " + secret)
				}
			}
		})
		assertLent(t, opens(t.Context(), b, resolver.Read, 1, ids[0])())
		assertLent(t, opens(t.Context(), b, resolver.Read, 1, ids[1])())
		assert.Equal(t, [][]resolver.ID{ids[:2]}, f.Batches())
		assertLent(t, opens(t.Context(), b, resolver.Read, 1, ids[2])())
	})
}
