package broker_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/broker"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

const ms = time.Millisecond

// errNoKind is of none of the kinds of package resolver.
var errNoKind = errors.New("connection refused")

func TestPatience_TriesAgain(t *testing.T) {
	for _, temporary := range []error{resolver.ErrUnavailable, resolver.ErrThrottled, errNoKind} {
		for name, set := range map[string]func(*resolvertest.Fake, error){
			"of the file": func(f *resolvertest.Fake, err error) { f.FailID(file, err) },
			"of the call": func(f *resolvertest.Fake, err error) { f.FailAll(resolvertest.Resolve, err) },
		} {
			t.Run(temporary.Error()+", "+name, func(t *testing.T) {
				inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
					set(f, temporary)
					start := time.Now()
					early := acquireAll(t.Context(), b, 4)
					time.Sleep(200 * ms) // in the second pause
					late := acquireAll(t.Context(), b, 4)
					set(f, nil)
					for _, r := range append(early(), late()...) {
						require.NoError(t, r.err)
						assert.Same(t, early()[0].lease, r.lease)
					}
					assert.Equal(t, 300*ms, time.Since(start))
					assert.Equal(t, 3, f.Calls(resolvertest.Resolve))
				})
			})
		}
	}
}

func TestPatience_PausesDouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var tries []time.Duration
		b := newBroker(t, providerFunc(func(context.Context) ([]resolver.Answer, error) {
			tries = append(tries, time.Since(start))
			return nil, resolver.ErrUnavailable
		}))
		assert.ErrorIs(t, refused(t, b), resolver.ErrUnavailable)
		assert.Equal(t, []time.Duration{
			0, 100 * ms, 300 * ms, 700 * ms, 1500 * ms, 3100 * ms, 6300 * ms,
			11300 * ms, 16300 * ms, 21300 * ms, 26300 * ms,
		}, tries)
		assert.Equal(t, 26300*ms, time.Since(start), "a pause that patience does not outlast is not begun")
	})
}

func TestPatience_LastErrorIsTheAnswer(t *testing.T) {
	for _, last := range []error{resolver.ErrThrottled, resolver.ErrUnavailable, errNoKind} {
		t.Run(last.Error(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
				f.FailAll(resolvertest.Resolve, last)
				other := errors.New("was so at first")
				f.Fail(resolvertest.Resolve, 1, other)
				err := refused(t, b)
				assert.ErrorIs(t, err, last)
				assert.NotErrorIs(t, err, other)
				before := f.Calls(resolvertest.Resolve)
				f.FailAll(resolvertest.Resolve, nil)
				acquire(t, b) // nothing temporary is remembered
				assert.Equal(t, before+1, f.Calls(resolvertest.Resolve))
			})
		})
	}
}

func TestPatience_EndsAtARefusal(t *testing.T) {
	for _, kind := range []error{resolver.ErrPermission, resolver.ErrUnsupported, resolver.ErrNotExist, resolver.ErrQuota} {
		t.Run(kind.Error(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
				start := time.Now()
				f.Fail(resolvertest.Resolve, 1, resolver.ErrThrottled)
				f.Fail(resolvertest.Resolve, 2, errors.Join(kind, resolver.ErrUnavailable))
				assert.ErrorIs(t, refused(t, b), kind)
				assert.Equal(t, 100*ms, time.Since(start))
				assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
			})
		})
	}
}

// A provider that does not answer costs a caller no more than patience, and no
// try longer than CallTimeout.
func TestPatience_BoundsSilence(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		start := time.Now()
		release := f.Hold(resolvertest.Resolve)
		wait := acquireAll(t.Context(), b, 1)
		time.Sleep(10*time.Second + 50*ms)
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
		time.Sleep(100 * ms)
		assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
		err := wait()[0].err
		assert.ErrorIs(t, err, resolver.ErrUnavailable)
		assert.NotErrorIs(t, err, context.DeadlineExceeded, "that is for the deadline of a read")
		assert.Equal(t, broker.DefaultConfig().Patience, time.Since(start))
		assert.Equal(t, 3, f.Calls(resolvertest.Resolve))
		release()
		acquire(t, b)
	})
}

func TestPatience_SlowAnswerCounts(t *testing.T) {
	inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
		f.SetDelay(resolvertest.Resolve, broker.DefaultConfig().CallTimeout-1)
		acquire(t, b)
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
	})
}

func TestPatience_NobodyWaits(t *testing.T) {
	t.Run("left during the try", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
			f.SetDelay(resolvertest.Resolve, 2*time.Second)
			f.FailAll(resolvertest.Resolve, resolver.ErrUnavailable)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			acquireAll(ctx, b, 3)()
			time.Sleep(time.Minute)
			assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
		})
	})
	t.Run("left during the pause", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
			f.FailAll(resolvertest.Resolve, resolver.ErrUnavailable)
			ctx, cancel := context.WithTimeout(t.Context(), 200*ms)
			defer cancel()
			acquireAll(ctx, b, 3)()
			time.Sleep(time.Minute)
			assert.Equal(t, 2, f.Calls(resolvertest.Resolve))
		})
	})
	t.Run("one stays", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
			f.FailAll(resolvertest.Resolve, resolver.ErrUnavailable)
			ctx, cancel := context.WithTimeout(t.Context(), 200*ms)
			defer cancel()
			leaving, staying := acquireAll(ctx, b, 3), acquireAll(t.Context(), b, 1)
			leaving()
			f.FailAll(resolvertest.Resolve, nil)
			assert.NoError(t, staying()[0].err)
			assert.Equal(t, 3, f.Calls(resolvertest.Resolve))
		})
	})
	t.Run("another comes during the pause", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
			f.FailAll(resolvertest.Resolve, resolver.ErrUnavailable)
			ctx, cancel := context.WithTimeout(t.Context(), 200*ms)
			defer cancel()
			acquireAll(ctx, b, 3)()
			f.FailAll(resolvertest.Resolve, nil)
			start := time.Now()
			acquire(t, b)
			assert.Equal(t, 100*ms, time.Since(start), "the pause is kept")
			assert.Equal(t, 3, f.Calls(resolvertest.Resolve))
		})
	})
}

// Who leaves is told why there was no link until then.
func TestPatience_LeaversAreTold(t *testing.T) {
	leave := func(t *testing.T, b *broker.Broker) error {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := b.Acquire(ctx, resolver.File{ID: file})
		require.ErrorIs(t, err, context.DeadlineExceeded)
		return err
	}
	for _, kind := range []error{resolver.ErrThrottled, resolver.ErrUnavailable, errNoKind} {
		t.Run("trouble: "+kind.Error(), func(t *testing.T) {
			inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
				f.FailAll(resolvertest.Resolve, resolver.WithRetryAfter(kind, 500*ms))
				err := leave(t, b)
				assert.ErrorIs(t, err, kind)
				assert.Equal(t, 500*ms, resolver.RetryAfter(err))
			})
		})
	}
	t.Run("turn", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
			f.SetTurn(pace(10 * time.Second))
			acquire(t, b)
			b.Expire()
			assert.ErrorIs(t, leave(t, b), resolver.ErrThrottled)
		})
	})
	t.Run("turn of a part", func(t *testing.T) {
		inGroup(t, 2, 2, func(t *testing.T, f *resolvertest.Fake, ids []resolver.ID) {
			f.SetTurn(pace(10 * time.Second))
			f.Fail(resolvertest.Resolve, 1, resolver.ErrRejected)
			b := newBroker(t, f)
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			for _, r := range opens(ctx, b, resolver.Stat, 1, ids...)() {
				assert.ErrorIs(t, r.err, context.DeadlineExceeded)
				assert.ErrorIs(t, r.err, resolver.ErrThrottled)
			}
		})
	})
	t.Run("call", func(t *testing.T) {
		inBubble(t, func(t *testing.T, f *resolvertest.Fake, b *broker.Broker) {
			f.SetDelay(resolvertest.Resolve, 2*time.Second)
			assert.NotErrorIs(t, leave(t, b), resolver.ErrThrottled, "the call is slow, nobody asked to wait")
		})
	})
}

func TestPatience_NoneIsOneTry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := resolvertest.NewFake()
		f.FailAll(resolvertest.Resolve, resolver.ErrUnavailable)
		b := broker.New(f, broker.Config{CallTimeout: time.Second}, discard)
		defer func() { assert.NoError(t, b.Close()) }()
		assert.ErrorIs(t, refused(t, b), resolver.ErrUnavailable)
		assert.Equal(t, 1, f.Calls(resolvertest.Resolve))
	})
}
