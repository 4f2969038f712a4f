package broker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
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

// secret is in every link of a Fake, and must be in no error and no log.
const secret = "FAKESECRET"

const file = resolver.ID("a.pdf")

// inBubble runs a test in fake time over a provider with one file. The broker's
// log is checked for secrets when it is closed.
func inBubble(t *testing.T, test func(t *testing.T, f *resolvertest.Fake, b *broker.Broker)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		present()
		f := resolvertest.NewFake()
		f.Add(string(file), 1, time.Unix(1, 0))
		test(t, f, newBroker(t, f))
	})
}

// present leaves the year 2000, in which synctest begins and no link is
// believed to die.
func present() { time.Sleep(time.Until(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))) }

func newBroker(t *testing.T, p resolver.Provider, set ...func(*broker.Config)) *broker.Broker {
	t.Helper()
	cfg := broker.DefaultConfig()
	for _, s := range set {
		s(&cfg)
	}
	var log bytes.Buffer // slog's handler has a lock, and it is read after Close
	b := broker.New(p, cfg, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	t.Cleanup(func() {
		assert.NoError(t, b.Close())
		assert.NotContains(t, log.String(), secret)
		if f, ok := p.(*resolvertest.Fake); ok {
			checkBatches(t, f)
		}
	})
	return b
}

// checkBatches checks that no call asked for what one call does not take.
func checkBatches(t *testing.T, f *resolvertest.Fake) {
	t.Helper()
	for _, ids := range f.Batches() {
		require.NotEmpty(t, ids)
		first, seen := f.Batch(ids[0]), make(map[resolver.ID]bool)
		assert.LessOrEqual(t, len(ids), first.Size)
		for _, id := range ids {
			assert.Equal(t, first, f.Batch(id))
			assert.False(t, seen[id], "%q twice in a call", id)
			seen[id] = true
		}
	}
}

func acquire(t *testing.T, b *broker.Broker) *resolver.Lease {
	t.Helper()
	lease, err := b.Acquire(t.Context(), resolver.File{ID: file})
	require.NoError(t, err)
	require.NotNil(t, lease)
	return lease
}

// refused acquires and returns the error, which must hold no secret.
func refused(t *testing.T, b *broker.Broker) error {
	t.Helper()
	lease, err := b.Acquire(t.Context(), resolver.File{ID: file})
	require.Error(t, err)
	assert.Nil(t, lease)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", err, err, err), secret)
	return err
}

// result is what one of many callers got.
type result struct {
	lease *resolver.Lease
	err   error
}

// acquireAll calls Acquire n times at once; the results are there when the
// returned function returns.
func acquireAll(ctx context.Context, b *broker.Broker, n int) (wait func() []result) {
	results := make([]result, n)
	var wg sync.WaitGroup
	for i := range results {
		wg.Go(func() { results[i].lease, results[i].err = b.Acquire(ctx, resolver.File{ID: file}) })
	}
	return func() []result {
		wg.Wait()
		return results
	}
}

func TestAcquire_OneCallForMany(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		release := f.Hold(resolvertest.Resolve)
		wait := acquireAll(t.Context(), b, 64)
		synctest.Wait()
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve), "calls while 64 wait")
		release()
		for _, r := range wait() {
			require.NoError(t, r.err)
			assert.Same(t, wait()[0].lease, r.lease)
		}
		assert.Same(t, wait()[0].lease, acquire(t, b))
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
	})
}

func TestAcquire_ErrorForMany(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.FailID(file, resolver.ErrPermission)
		release := f.Hold(resolvertest.Resolve)
		wait := acquireAll(t.Context(), b, 64)
		synctest.Wait()
		release()
		for _, r := range wait() {
			assert.ErrorIs(t, r.err, resolver.ErrPermission)
			assert.Nil(t, r.lease)
		}
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
	})
}

func TestAcquire_FilesApart(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		other := f.Add("b.pdf", 1, time.Unix(1, 0))
		release := f.Hold(resolvertest.Resolve)
		wait := acquireAll(t.Context(), b, 1)
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.Acquire(ctx, resolver.File{ID: other})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
		release()
		lease, err := b.Acquire(t.Context(), resolver.File{ID: other})
		require.NoError(t, err)
		assert.NotSame(t, wait()[0].lease, lease)
		assert.NotEqual(t, wait()[0].lease.Link().String(), lease.Link().String())
	})
}

func TestAcquire_FirstCallerLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		release := f.Hold(resolvertest.Resolve)
		dying := errors.New("reader was killed")
		ctx, kill := context.WithCancelCause(t.Context())
		first := acquireAll(ctx, b, 1)
		synctest.Wait()
		others := acquireAll(t.Context(), b, 8)
		synctest.Wait()
		kill(dying)
		assert.ErrorIs(t, first()[0].err, dying, "he leaves at once")
		release()
		for _, r := range others() {
			assert.NoError(t, r.err)
			assert.NotNil(t, r.lease)
		}
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
	})
}

// A caller who leaves does not end the call: its answer is remembered.
func TestAcquire_EverybodyLeaves(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetDelay(resolvertest.Resolve, 2*time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		for _, r := range acquireAll(ctx, b, 4)() {
			assert.ErrorIs(t, r.err, context.DeadlineExceeded)
		}
		assert.Nil(t, b.Peek(file))
		time.Sleep(time.Second)
		synctest.Wait()
		require.NotNil(t, b.Peek(file))
		assert.Same(t, b.Peek(file), acquire(t, b))
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
	})
}

func TestFail_RenewsOncePerGeneration(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetDelay(resolvertest.Resolve, time.Second)
		dead := acquire(t, b)
		dead.Serve()
		time.Sleep(time.Minute)
		renewed := make([]*resolver.Lease, 64)
		var wg sync.WaitGroup
		for i := range renewed {
			wg.Go(func() {
				time.Sleep(time.Duration(i) * 25 * time.Millisecond) // before, during and after the call
				dead.Fail(resolver.Expired)
				lease, err := b.Acquire(t.Context(), resolver.File{ID: file})
				assert.NoError(t, err)
				renewed[i] = lease
			})
		}
		wg.Wait()
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve), "the first link, and one renewal")
		for _, lease := range renewed {
			assert.Same(t, renewed[0], lease)
			assert.Greater(t, lease.Generation(), dead.Generation())
			assert.NotEqual(t, dead.Link().String(), lease.Link().String())
		}
	})
}

func TestFail_OldGenerationChangesNothing(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		old := acquire(t, b)
		old.Serve()
		old.Fail(resolver.Expired)
		fresh := acquire(t, b)
		for range 5 {
			old.Fail(resolver.Gone)
		}
		assert.Same(t, fresh, acquire(t, b))
		fresh.Fail(resolver.Denied) // the first barren one: were the old one's counted, it would be refused
		acquire(t, b)
		assert.Equal(t, 3, f.Calls(resolvertest.Resolve))
	})
}

func TestAcquire_Deadline(t *testing.T) {
	for _, c := range []struct {
		name           string
		lifetime, lent time.Duration // lent is 0 for ever
	}{
		{"two hours", 2 * time.Hour, 2*time.Hour - 30*time.Second},
		{"ten minutes", 10 * time.Minute, 9*time.Minute + 30*time.Second},
		{"where the margins meet", 5 * time.Minute, 4*time.Minute + 30*time.Second},
		{"100 seconds", 100 * time.Second, 90 * time.Second},
		{"3 seconds", 3 * time.Second, 2700 * time.Millisecond},
		{"does not say", 0, 0},
		{"in the past, by another clock", -10 * time.Minute, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
				f.SetTerms(resolvertest.Terms{Lifetime: c.lifetime})
				lease := acquire(t, b)
				if c.lent == 0 {
					assert.True(t, lease.Deadline().IsZero())
					time.Sleep(1000 * time.Hour)
					assert.Same(t, lease, acquire(t, b))
					return
				}
				assert.Equal(t, c.lent, time.Until(lease.Deadline()))
				time.Sleep(c.lent - 1)
				assert.Same(t, lease, acquire(t, b))
				time.Sleep(1)
				assert.NotSame(t, lease, acquire(t, b))
				assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
			})
		})
	}
}

func TestAcquire_UsesAreShared(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetTerms(resolvertest.Terms{Uses: 2})
		one, other := acquire(t, b), acquire(t, b)
		assert.True(t, one.Use())
		assert.Equal(t, 1, other.UsesLeft())
		assert.True(t, other.Use())
		assert.False(t, one.Use(), "a third request must not be sent")
		fresh := acquire(t, b)
		assert.NotSame(t, one, fresh)
		assert.Equal(t, 2, fresh.UsesLeft())
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
	})
}

func TestFail_UsesThatWeTookAreNotBarren(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetTerms(resolvertest.Terms{Uses: 1})
		for range 6 {
			lease := acquire(t, b)
			require.True(t, lease.Use())
			require.False(t, lease.Use())
			lease.Fail(resolver.UsedUp)
		}
		assert.Equal(t, 6, f.Calls(resolvertest.Resolve))
	})
}

// Links that come used up are no reason to ask without end.
func TestFail_UsedUpByOthers(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetTerms(resolvertest.Terms{Uses: 2})
		for range 500 {
			lease, err := b.Acquire(t.Context(), resolver.File{ID: file})
			if err != nil {
				require.ErrorIs(t, err, resolver.ErrPermission)
				continue
			}
			require.True(t, lease.Use())
			lease.Fail(resolver.UsedUp)
		}
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
	})
}

func TestFail_TwoBarrenLinksRefuse(t *testing.T) {
	for class, kind := range map[resolver.Class]error{
		resolver.Denied:  resolver.ErrPermission,
		resolver.Gone:    resolver.ErrNotExist,
		resolver.Expired: resolver.ErrPermission,
		resolver.UsedUp:  resolver.ErrPermission,
		resolver.Wrong:   resolver.ErrUnavailable,
	} {
		t.Run(class.String(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
				acquire(t, b).Fail(class)
				acquire(t, b).Fail(class)
				for range 100 {
					err := refused(t, b)
					assert.ErrorIs(t, err, kind)
					assert.ErrorContains(t, err, class.String())
				}
				assert.Nil(t, b.Peek(file))
				time.Sleep(broker.DefaultConfig().RefusalTTL - 1)
				refused(t, b)
				assert.Equal(t, 2, f.Calls(resolvertest.Resolve), "the link at hand, and a fresh one")
				time.Sleep(1)
				acquire(t, b).Fail(class)
				assert.Equal(t, 3, f.Calls(resolvertest.Resolve))
				acquire(t, b).Fail(class) // the count began anew
				refused(t, b)
				assert.Equal(t, 4, f.Calls(resolvertest.Resolve))
			})
		})
	}
}

// Links that served in between show that the file can be had.
func TestFail_ServedLinksAreNotBarren(t *testing.T) {
	t.Run("and failed", func(t *testing.T) {
		inBubble(t, func(t *testing.T, _ *resolvertest.Fake, b *broker.Broker) {
			for range 3 {
				acquire(t, b).Fail(resolver.Denied)
				lease := acquire(t, b)
				lease.Serve()
				lease.Fail(resolver.Denied)
			}
			acquire(t, b)
		})
	})
	t.Run("and ran out", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
			f.SetTerms(resolvertest.Terms{Lifetime: time.Minute})
			for range 3 {
				acquire(t, b).Fail(resolver.Denied)
				acquire(t, b).Serve()
				time.Sleep(time.Minute)
			}
			acquire(t, b)
		})
	})
}

func TestAcquire_RefusalsAreFinal(t *testing.T) {
	for _, kind := range []error{resolver.ErrPermission, resolver.ErrUnsupported, resolver.ErrNotExist, resolver.ErrQuota} {
		for name, set := range map[string]func(*resolvertest.Fake, error){
			"of the file": func(f *resolvertest.Fake, err error) { f.FailID(file, err) },
			"of the call": func(f *resolvertest.Fake, err error) { f.FailAll(resolvertest.Resolve, err) },
		} {
			t.Run(kind.Error()+", "+name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
					start := time.Now()
					set(f, kind)
					for range 10 {
						assert.ErrorIs(t, refused(t, b), kind)
					}
					assert.Zero(t, time.Since(start))
					assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
					set(f, nil)
					time.Sleep(broker.DefaultConfig().RefusalTTL)
					acquire(t, b)
				})
			})
		}
	}
}

func TestAcquire_RefusalsThatSayHowLong(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.FailID(file, resolver.WithRetryAfter(resolver.ErrUnsupported, 6*time.Hour))
		assert.ErrorIs(t, refused(t, b), resolver.ErrUnsupported)
		f.FailID(file, nil)
		time.Sleep(6*time.Hour - 1)
		assert.ErrorIs(t, refused(t, b), resolver.ErrUnsupported)
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
		time.Sleep(1)
		acquire(t, b)

		f.FailID(file, resolver.WithRetryAfter(resolver.ErrPermission, time.Hour))
		b.Expire()
		assert.ErrorIs(t, refused(t, b), resolver.ErrPermission)
		f.FailID(file, nil)
		b.Expire()
		acquire(t, b) // all was forgotten
	})
}

func TestAcquire_FileIsGone(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.Remove(file)
		assert.ErrorIs(t, refused(t, b), resolver.ErrNotExist)
	})
}

func TestPeek(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetTerms(resolvertest.Terms{Lifetime: 10 * time.Second})
		assert.Nil(t, b.Peek(file))
		assert.Zero(t, f.Calls(resolvertest.Resolve))
		assert.Zero(t, b.Remembered(), "looking leaves nothing behind")
		lease := acquire(t, b)
		assert.Same(t, lease, b.Peek(file))
		time.Sleep(9 * time.Second)
		assert.Nil(t, b.Peek(file), "after its deadline")
		lease = acquire(t, b)
		lease.Fail(resolver.Expired)
		assert.Nil(t, b.Peek(file), "after it failed")
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
	})
}

func seed(host string, life time.Duration) resolver.Link {
	link := resolver.Link{URLs: []resolver.Secret{resolver.NewSecret("https://" + host + "/x?signature=" + secret)}}
	if life != 0 {
		link.Expires = time.Now().Add(life)
	}
	return link
}

func TestSeed(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		b.Seed(file, seed("one.invalid", 10*time.Second))
		first := acquire(t, b)
		assert.Equal(t, "one.invalid", first.Link().Host())
		assert.Equal(t, 9*time.Second, time.Until(first.Deadline()))
		b.Seed(file, seed("two.invalid", 0))
		assert.Same(t, first, acquire(t, b), "one that serves is kept")
		time.Sleep(9 * time.Second)
		b.Seed(file, seed("two.invalid", 0))
		second := acquire(t, b)
		assert.Equal(t, "two.invalid", second.Link().Host())
		assert.Greater(t, second.Generation(), first.Generation())
		assert.Zero(t, f.Calls(resolvertest.Resolve))
		second.Fail(resolver.Expired)
		assert.Equal(t, "fake.invalid", acquire(t, b).Link().Host())
	})
}

// What is seeded before the first lease is as of the provider's revision.
func TestSeed_BeforeTheFirstLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := resolvertest.NewFake()
		f.Add(string(file), 1, time.Time{})
		f.SetRevision("7")
		b := newBroker(t, f)
		b.Seed(file, seed("one.invalid", 0))
		assert.Equal(t, "one.invalid", acquire(t, b).Link().Host())
	})
}

func TestClose_EndsCallsAndWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ended := false
		b := newBroker(t, providerFunc(func(ctx context.Context) ([]resolver.Answer, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // cleaning up
			ended = true
			return nil, ctx.Err()
		}))
		wait := acquireAll(t.Context(), b, 8)
		synctest.Wait()
		start := time.Now()
		require.NoError(t, b.Close())
		assert.True(t, ended, "Close waits for the call")
		assert.Equal(t, time.Second, time.Since(start))
		for _, r := range wait() {
			assert.ErrorIs(t, r.err, resolver.ErrUnavailable)
			assert.ErrorContains(t, r.err, "closed")
		}
		require.NoError(t, b.Close())
	})
}

func TestClose_EndsPauses(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.FailAll(resolvertest.Resolve, resolver.ErrThrottled)
		wait := acquireAll(t.Context(), b, 1)
		time.Sleep(12 * time.Second)
		calls, start := f.Calls(resolvertest.Resolve), time.Now()
		require.NoError(t, b.Close())
		assert.ErrorContains(t, wait()[0].err, "closed")
		assert.Zero(t, time.Since(start))
		assert.Equal(t, calls, f.Calls(resolvertest.Resolve))
	})
}

func TestClose_ThenAcquire(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		lease := acquire(t, b)
		require.NoError(t, b.Close())
		assert.ErrorIs(t, refused(t, b), resolver.ErrUnavailable)
		lease.Fail(resolver.Expired) // a straggler's word harms nothing
		b.Seed(file, seed("late.invalid", 0))
		refused(t, b)
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
	})
}

func TestSweep(t *testing.T) {
	inBubble(t, func(t *testing.T, _ *resolvertest.Fake, b *broker.Broker) {
		for i := range broker.SweepAt - 1 {
			b.Seed(resolver.ID(fmt.Sprintf("short %d", i)), seed("short.invalid", time.Minute))
		}
		b.Seed("lasting", seed("lasting.invalid", 0))
		require.Equal(t, broker.SweepAt, b.Remembered())
		b.Seed("one more", seed("short.invalid", time.Minute))
		require.Equal(t, broker.SweepAt+1, b.Remembered(), "what lives is kept")

		time.Sleep(time.Minute)
		b.Seed("and one", seed("short.invalid", time.Minute))
		assert.Equal(t, broker.SweepAt+2, b.Remembered(), "a table full of what lives is not looked through each time")
		for i := range broker.SweepAt { // until it has doubled
			b.Seed(resolver.ID(fmt.Sprintf("later %d", i)), seed("short.invalid", time.Minute))
		}
		assert.LessOrEqual(t, b.Remembered(), broker.SweepAt+2, "what died is forgotten")
		require.NotNil(t, b.Peek("lasting"))
		assert.Equal(t, "lasting.invalid", b.Peek("lasting").Link().Host())
	})
}

// A record of a call under way or of a fresh refusal is worth keeping.
func TestSweep_KeepsCallsAndRefusals(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		refusedFile := f.Add("refused.pdf", 1, time.Unix(1, 0))
		f.FailID(refusedFile, resolver.ErrPermission)
		_, err := b.Acquire(t.Context(), resolver.File{ID: refusedFile})
		require.ErrorIs(t, err, resolver.ErrPermission)
		release := f.Hold(resolvertest.Resolve)
		first := acquireAll(t.Context(), b, 1)
		synctest.Wait()
		for i := range broker.SweepAt - 2 {
			b.Seed(resolver.ID(fmt.Sprintf("short %d", i)), seed("short.invalid", time.Second))
		}
		time.Sleep(time.Second)
		b.Seed("one more", seed("short.invalid", time.Second))
		require.Equal(t, 3, b.Remembered(), "the call, the refusal, and one more")
		second := acquireAll(t.Context(), b, 1)
		synctest.Wait()
		_, err = b.Acquire(t.Context(), resolver.File{ID: refusedFile})
		assert.ErrorIs(t, err, resolver.ErrPermission)
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
		release()
		require.NoError(t, first()[0].err)
		assert.Same(t, first()[0].lease, second()[0].lease)
	})
}

// However callers meet, there is one call for each link that failed or ran out
// of uses, and one for the first.
func TestAcquire_Crowd(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetDelay(resolvertest.Resolve, time.Millisecond)
		f.SetTerms(resolvertest.Terms{Uses: 7})
		var used sync.Map
		var wg sync.WaitGroup
		for i := range 32 {
			wg.Go(func() {
				for n := range 50 {
					lease, err := b.Acquire(t.Context(), resolver.File{ID: file})
					if !assert.NoError(t, err) {
						return
					}
					if lease.Use() {
						used.Store(fmt.Sprint(i, " ", n), lease.Generation())
						lease.Serve()
					} else {
						lease.Fail(resolver.UsedUp)
					}
					b.Peek(file)
				}
			})
		}
		wg.Wait()
		perLink, total := make(map[any]int), 0
		used.Range(func(_, generation any) bool {
			perLink[generation]++
			total++
			return true
		})
		for generation, n := range perLink {
			assert.LessOrEqual(t, n, 7, "uses of generation %d", generation)
		}
		assert.LessOrEqual(t, f.Calls(resolvertest.Resolve), total/7+1)
	})
}

func TestAcquire_RememberedAllocatesNothing(t *testing.T) {
	f := resolvertest.NewFake()
	f.Add(string(file), 1, time.Unix(1, 0))
	b := newBroker(t, f)
	acquire(t, b)
	assert.Zero(t, testing.AllocsPerRun(100, func() { _, _ = b.Acquire(t.Context(), resolver.File{ID: file}) }))
}

// providerFunc is a provider that answers every Resolve by a function.
type providerFunc func(ctx context.Context) ([]resolver.Answer, error)

func (providerFunc) List(context.Context, resolver.ID, string) (resolver.Page, error) {
	return resolver.Page{}, nil
}

func (f providerFunc) Resolve(ctx context.Context, _ []resolver.ID) ([]resolver.Answer, error) {
	return f(ctx)
}

func TestAcquire_ProviderPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		b := newBroker(t, providerFunc(func(context.Context) ([]resolver.Answer, error) {
			if calls++; calls < 3 {
				panic("cannot parse https://host/?signature=" + secret)
			}
			return []resolver.Answer{{Link: seed("host.invalid", 0)}}, nil
		}))
		acquire(t, b)
		assert.Equal(t, 3, calls)
	})
	synctest.Test(t, func(t *testing.T) {
		b := newBroker(t, providerFunc(func(context.Context) ([]resolver.Answer, error) {
			panic("cannot parse https://host/?signature=" + secret)
		}))
		err := refused(t, b)
		assert.ErrorIs(t, err, resolver.ErrUnavailable)
		assert.ErrorContains(t, err, "panic")
	})
}

func TestAcquire_UnusableAnswers(t *testing.T) {
	good := resolver.Answer{Link: seed("host.invalid", 0)}
	for name, answers := range map[string][]resolver.Answer{
		"none":            nil,
		"two":             {good, good},
		"without address": {{}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBroker(t, providerFunc(func(context.Context) ([]resolver.Answer, error) { return answers, nil }))
				err := refused(t, b)
				assert.ErrorIs(t, err, resolver.ErrUnavailable)
				assert.True(t, strings.HasPrefix(err.Error(), "lease: "), err)
			})
		})
	}
}
