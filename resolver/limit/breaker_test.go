package limit_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/limit"
)

var errRefused = fmt.Errorf("connection refused: %w", resolver.ErrUnavailable)

// newBreaker makes a breaker that lets calls through for probes.
func newBreaker() (*limit.Breaker, *bytes.Buffer) {
	var log bytes.Buffer
	return limit.NewBreaker(nil, slog.New(slog.NewTextHandler(&log, nil))), &log
}

// down makes a breaker that has opened just now.
func down(t *testing.T, probe func(context.Context) error) (*limit.Breaker, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	b := limit.NewBreaker(probe, slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { assert.NoError(t, b.Close()) })
	report(b, 3, errRefused)
	require.ErrorIs(t, b.Allow(), resolver.ErrDown)
	return b, &log
}

// report has n calls end with err.
func report(b *limit.Breaker, n int, err error) {
	for range n {
		b.Report(err)
	}
}

func TestBreaker_NeverAnswered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := newBreaker()
		report(b, 2, errRefused)
		require.NoError(t, b.Allow())
		since := time.Now().Format(time.TimeOnly)
		report(b, 1, errors.New("connection refused"))
		err := b.Allow()
		require.ErrorIs(t, err, resolver.ErrDown)
		assert.EqualError(t, err, "no answer since "+since+": connection refused: "+resolver.ErrDown.Error())
		report(b, 10, errRefused)
		assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	})
}

func TestBreaker_ShortTrouble(t *testing.T) {
	for _, c := range []struct {
		name     string
		failures int
		every    time.Duration
		open     bool
	}{
		{"too short", 15, time.Second, false},
		{"long enough", 16, time.Second, true},
		{"too few", 4, time.Minute, false},
		{"enough", 5, time.Minute, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _ := newBreaker()
				b.Report(nil)
				for n := range c.failures {
					if n > 0 {
						time.Sleep(c.every)
					}
					require.NoError(t, b.Allow())
					b.Report(errRefused)
				}
				assert.Equal(t, c.open, b.Allow() != nil)
			})
		})
	}
}

func TestBreaker_WhatCounts(t *testing.T) {
	for _, c := range []struct {
		err    error
		counts bool
	}{
		{resolver.ErrUnavailable, true},
		{fmt.Errorf("list: %w", resolver.ErrUnavailable), true},
		{errors.New("of no kind"), true},
		{context.DeadlineExceeded, true},
		{nil, false},
		{resolver.ErrThrottled, false},
		{resolver.WithRetryAfter(resolver.ErrThrottled, time.Second), false},
		{resolver.ErrCredentials, false},
		{resolver.ErrRejected, false},
		{resolver.ErrUnsupported, false},
		{resolver.ErrNotExist, false},
		{resolver.ErrQuota, false},
		{resolver.ErrChanged, false},
		{context.Canceled, false},
		{fmt.Errorf("%w: %w", resolver.ErrUnavailable, context.Canceled), false},
	} {
		t.Run(fmt.Sprint(c.err), func(t *testing.T) {
			b, _ := newBreaker()
			report(b, 3, c.err)
			assert.Equal(t, c.counts, b.Allow() != nil)
		})
	}
}

func TestBreaker_AnAnswerEndsTheRow(t *testing.T) {
	b, _ := newBreaker()
	report(b, 2, errRefused)
	b.Report(context.Canceled)
	report(b, 1, errRefused)
	assert.Error(t, b.Allow(), "leaving says nothing")
	b, _ = newBreaker()
	report(b, 2, errRefused)
	b.Report(resolver.ErrNotExist)
	report(b, 10, errRefused)
	assert.NoError(t, b.Allow(), "it answered, so that it gets more time")
}

// A provider that swallows what it is asked is not waited for three times.
func TestBreaker_NeverAnsweredAndHangs(t *testing.T) {
	for _, c := range []struct {
		name   string
		before error // what a first call came to after a minute
		after  time.Duration
		open   bool
	}{
		{"hangs", nil, 5 * time.Second, true},
		{"fails soon", nil, 5*time.Second - 1, false},
		{"nobody waited before", context.Canceled, time.Second, false},
		{"hangs then", context.Canceled, 5 * time.Second, true},
		{"has answered", resolver.ErrNotExist, 10 * time.Second, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, _ := newBreaker()
				if c.before != nil {
					require.NoError(t, b.Allow())
					time.Sleep(time.Minute)
					b.Report(c.before)
				}
				require.NoError(t, b.Allow())
				time.Sleep(c.after)
				b.Report(errRefused)
				assert.Equal(t, c.open, b.Allow() != nil)
			})
		})
	}
}

// ask asks every second for a while, and never gets through.
func ask(t *testing.T, b *limit.Breaker, seconds int) {
	t.Helper()
	for range seconds {
		time.Sleep(time.Second)
		start := time.Now()
		require.ErrorIs(t, b.Allow(), resolver.ErrDown)
		require.Zero(t, time.Since(start), "nobody waits for a dead provider")
		synctest.Wait()
	}
}

func TestBreaker_Probes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		var at []time.Duration
		end := errRefused
		b, log := down(t, func(context.Context) error {
			at = append(at, time.Since(start)/time.Second)
			return end
		})
		ask(t, b, 90)
		assert.Equal(t, []time.Duration{2, 6, 14, 30, 60, 90}, at)

		time.Sleep(time.Hour)
		assert.Len(t, at, 6, "nothing is probed while nobody asks")

		end = resolver.ErrThrottled
		require.Error(t, b.Allow())
		synctest.Wait()
		assert.NoError(t, b.Allow(), "any answer closes")
		assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
		assert.Equal(t, 1, strings.Count(log.String(), "level=INFO"), log.String())

		report(b, 4, errRefused)
		require.NoError(t, b.Allow(), "it has answered before")
		time.Sleep(15 * time.Second)
		report(b, 1, errRefused)
		end = errRefused
		ask(t, b, 7)
		assert.Len(t, at, 7+2, "pauses begin small again")
	})
}

func TestBreaker_ProbeHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probing, probes := 0, 0
		b, _ := down(t, func(ctx context.Context) error {
			probing++
			probes++
			assert.Equal(t, 1, probing, "one at a time")
			start := time.Now()
			<-ctx.Done()
			assert.Equal(t, 10*time.Second, time.Since(start))
			probing--
			return ctx.Err()
		})
		ask(t, b, 2+10+4+10)
		assert.Equal(t, 2, probes)
		assert.ErrorContains(t, b.Allow(), "no answer within 10s")
		ask(t, b, 8)
		assert.Equal(t, 3, probes, "the pause begins with the end of the last one")
		ask(t, b, 10)
	})
}

// A call that was allowed before says neither that a probe is over nor when the
// next one may go.
func TestBreaker_ProbeIsItsOwn(t *testing.T) {
	for _, late := range []error{errRefused, context.Canceled} {
		t.Run(late.Error(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				probes := 0
				b, _ := down(t, func(context.Context) error {
					probes++
					time.Sleep(9 * time.Second)
					return errRefused
				})
				ask(t, b, 3)
				report(b, 16, late)
				ask(t, b, 2+9+4-3-1)
				assert.Equal(t, 1, probes)
				ask(t, b, 1)
				assert.Equal(t, 2, probes)
			})
		})
	}
}

func TestBreaker_AnotherAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := down(t, func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
		ask(t, b, 2)
		b.Report(nil)
		assert.NoError(t, b.Allow(), "whose call was allowed before")
		time.Sleep(10 * time.Second)
		assert.NoError(t, b.Allow(), "one probe without an answer is one failure")
	})
}

func TestBreaker_ProbePanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := down(t, func(context.Context) error { panic("s3cr3t") })
		ask(t, b, 2)
		assert.ErrorContains(t, b.Allow(), "panic in provider")
		assert.Contains(t, log.String(), "panic in provider")
		assert.NotContains(t, log.String(), "s3cr3t")
	})
}

// A probe that a bucket did not let out is no answer of the provider.
func TestBreaker_ProbeDuringPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := newBucket()
		bucket.Pause(25 * time.Second)
		asked := 0
		b, _ := down(t, func(ctx context.Context) error {
			if err := bucket.Wait(ctx); err != nil {
				return fmt.Errorf("list: %w", err)
			}
			asked++
			return nil
		})
		ask(t, b, 29)
		assert.Zero(t, asked)
		time.Sleep(time.Second)
		require.Error(t, b.Allow())
		synctest.Wait()
		assert.Equal(t, 1, asked)
		assert.NoError(t, b.Allow())
	})
}

func TestBreaker_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		probes, ended := 0, false
		b, log := down(t, func(ctx context.Context) error {
			probes++
			<-ctx.Done()
			time.Sleep(time.Second)
			ended = true
			return ctx.Err()
		})
		ask(t, b, 2)
		start := time.Now()
		require.NoError(t, b.Close())
		assert.Equal(t, time.Second, time.Since(start))
		assert.True(t, ended, "it is waited for")
		ask(t, b, 60)
		assert.Equal(t, 1, probes, "no more after close")
		require.NoError(t, b.Close())
		assert.NotContains(t, log.String(), "level=INFO")
	})
}

func TestBreaker_WithoutProbe(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := down(t, nil)
		start := time.Now()
		var at []time.Duration
		for range 90 {
			time.Sleep(time.Second)
			if b.Allow() != nil {
				continue
			}
			at = append(at, time.Since(start)/time.Second)
			require.ErrorIs(t, b.Allow(), resolver.ErrDown, "one at a time")
			report(b, len(at), errRefused) // some were under way
		}
		assert.Equal(t, []time.Duration{2, 6, 14, 30, 60, 90}, at)
		b.Report(nil)
		assert.NoError(t, b.Allow(), "any answer closes")
	})
}
