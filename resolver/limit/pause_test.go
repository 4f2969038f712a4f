package limit_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/limit"
)

func TestBucket_Pause(t *testing.T) {
	for _, c := range []struct {
		name   string
		pauses []time.Duration
		waits  time.Duration
	}{
		{"as asked", []time.Duration{7 * time.Second}, 7 * time.Second},
		{"never shortened", []time.Duration{7 * time.Second, time.Second}, 7 * time.Second},
		{"prolonged", []time.Duration{time.Second, 7 * time.Second}, 7 * time.Second},
		{"just not too long", []time.Duration{30 * time.Second}, 30 * time.Second},
		{"none", []time.Duration{0, -time.Hour}, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBucket()
				start := time.Now()
				for _, d := range c.pauses {
					b.Pause(d)
				}
				require.NoError(t, b.Wait(t.Context()))
				assert.Equal(t, c.waits, time.Since(start))
			})
		})
	}
}

func TestBucket_PausedWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(limit.Rate{Calls: 1, Per: time.Second})
		require.NoError(t, b.Wait(t.Context()))
		start := time.Now()
		time.AfterFunc(500*time.Millisecond, func() { b.Pause(10 * time.Second) })
		require.NoError(t, b.Wait(t.Context()))
		assert.Equal(t, 10500*time.Millisecond, time.Since(start))
	})
}

func TestBucket_LongPause(t *testing.T) {
	for _, c := range []struct {
		name     string
		pause    time.Duration
		patience time.Duration // of the caller, 0 for no deadline
		left     time.Duration
	}{
		{"longer than anybody waits", 10 * time.Minute, 0, 10 * time.Minute},
		{"by a moment", 30*time.Second + 1, time.Hour, 30*time.Second + 1},
		{"longer than the caller waits", 10 * time.Second, 9 * time.Second, 10 * time.Second},
		{"absurd", 1e6 * time.Hour, 0, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx := t.Context()
				if c.patience > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, c.patience)
					defer cancel()
				}
				b := newBucket()
				b.Pause(c.pause)
				start := time.Now()
				err := b.Wait(ctx)
				require.ErrorIs(t, err, resolver.ErrThrottled)
				assert.Equal(t, c.left, resolver.RetryAfter(err))
				assert.NotErrorIs(t, err, context.DeadlineExceeded)
				assert.Zero(t, time.Since(start))
				time.Sleep(c.left - time.Second)
				assert.NoError(t, b.Wait(t.Context()), "a second is waited for")
			})
		})
	}
}

func TestBucket_LongPauseWhileWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(limit.Rate{Calls: 1, Per: 10 * time.Second})
		require.NoError(t, b.Wait(t.Context()))
		start := time.Now()
		var calls sync.WaitGroup
		wait := func(patience, takes time.Duration, want error) {
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			calls.Go(func() {
				defer cancel()
				assert.ErrorIs(t, b.Wait(ctx), want)
				assert.Equal(t, takes, time.Since(start))
			})
			synctest.Wait()
		}
		wait(15*time.Second, time.Second, resolver.ErrThrottled)
		wait(time.Minute, 20*time.Second, nil)
		wait(time.Minute, 25*time.Second, resolver.ErrThrottled)
		time.Sleep(time.Second)
		b.Pause(19 * time.Second)
		time.Sleep(24 * time.Second)
		b.Pause(time.Hour)
		calls.Wait()
	})
}

func TestBucket_LeftDuringPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket()
		b.Pause(20 * time.Second)
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(5*time.Second, func() { cancel(enough) })
		err := b.Wait(ctx)
		require.ErrorIs(t, err, enough)
		require.ErrorIs(t, err, resolver.ErrThrottled)
		assert.Equal(t, 15*time.Second, resolver.RetryAfter(err))
	})
}
