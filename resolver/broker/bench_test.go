package broker_test

import (
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/broker"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

var discard = slog.New(slog.DiscardHandler)

// BenchmarkAcquire_Remembered asks what each GET pays for its lease.
func BenchmarkAcquire_Remembered(b *testing.B) {
	f := resolvertest.NewFake()
	f.Add(string(file), 1, time.Unix(1, 0))
	f.SetTerms(resolvertest.Terms{Lifetime: time.Hour})
	lender := broker.New(f, broker.DefaultConfig(), discard)
	defer lender.Close()
	_, err := lender.Acquire(b.Context(), resolver.File{ID: file})
	require.NoError(b, err)
	ctx := b.Context()
	b.Run("alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = lender.Acquire(ctx, resolver.File{ID: file})
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				_, _ = lender.Acquire(ctx, resolver.File{ID: file})
			}
		})
	})
}

// BenchmarkAcquire_Crowd asks what 1,000 waiting files cost until all are
// served by calls for 20.
func BenchmarkAcquire_Crowd(b *testing.B) {
	f, ids := group(1000, 20)
	lender := broker.New(f, broker.DefaultConfig(), discard)
	defer lender.Close()
	b.ReportAllocs()
	for b.Loop() {
		lender.Expire()
		opens(b.Context(), lender, resolver.Stat, 1, ids...)()
	}
	b.ReportMetric(float64(f.Calls(resolvertest.Resolve))/float64(b.N), "calls/op")
}
