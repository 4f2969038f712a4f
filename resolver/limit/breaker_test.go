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

func newBreaker() (*limit.Breaker, *bytes.Buffer) {
	var log bytes.Buffer
	return limit.NewBreaker(slog.New(slog.NewTextHandler(&log, nil))), &log
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

// probes returns how long after the last look each of n probes is allowed.
func probes(t *testing.T, b *limit.Breaker, n int, end error) []time.Duration {
	var pauses []time.Duration
	for last := time.Now(); len(pauses) < n; time.Sleep(time.Second) {
		if b.Allow() != nil {
			continue
		}
		assert.ErrorIs(t, b.Allow(), resolver.ErrDown, "one at a time")
		pauses = append(pauses, time.Since(last))
		last = time.Now()
		if end != nil {
			b.Report(end)
		}
	}
	return pauses
}

func TestBreaker_Probes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, log := newBreaker()
		report(b, 3, errRefused)
		seconds := []time.Duration{2, 4, 8, 16, 30, 30}
		for i, p := range probes(t, b, len(seconds), errRefused) {
			assert.Equal(t, seconds[i]*time.Second, p)
		}
		time.Sleep(30 * time.Second)
		require.NoError(t, b.Allow())
		b.Report(resolver.ErrThrottled)
		require.NoError(t, b.Allow())
		require.NoError(t, b.Allow(), "closed")
		assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
		assert.Equal(t, 1, strings.Count(log.String(), "level=INFO"), log.String())

		report(b, 4, errRefused)
		require.NoError(t, b.Allow(), "it has answered before")
		time.Sleep(15 * time.Second)
		report(b, 1, errRefused)
		require.Error(t, b.Allow())
		time.Sleep(2 * time.Second)
		assert.NoError(t, b.Allow(), "pauses begin small again")
	})
}

func TestBreaker_ProbeWithoutReport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBreaker()
		report(b, 3, errRefused)
		assert.Equal(t, []time.Duration{2 * time.Second, 30 * time.Second, 30 * time.Second}, probes(t, b, 3, nil))
	})
}

func TestBreaker_ProbeCanceled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBreaker()
		report(b, 3, errRefused)
		time.Sleep(2 * time.Second)
		require.NoError(t, b.Allow())
		b.Report(fmt.Errorf("get: %w", context.Canceled))
		assert.NoError(t, b.Allow(), "the next is the probe")
		assert.Error(t, b.Allow())
	})
}

func TestBreaker_LateReports(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, _ := newBreaker()
		report(b, 16, errRefused) // sixteen at once
		time.Sleep(2 * time.Second)
		require.NoError(t, b.Allow(), "those that were under way prolong nothing")
		b.Report(errRefused)
		require.Error(t, b.Allow())
		b.Report(nil)
		assert.NoError(t, b.Allow(), "any answer closes")
	})
}
