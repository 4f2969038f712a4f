package limit

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

func TestServe_PassesOverWhoLeft(t *testing.T) {
	left := make(chan struct{})
	close(left)
	gone := &waiter{demand: resolver.NewDemand(resolver.Read, nil), left: left, turn: make(chan error, 1)}
	here := &waiter{demand: resolver.NewDemand(resolver.Stat, nil), turn: make(chan error, 1)}
	bucket := New(nil, nil).Bucket("app/endpoint", Spec{Rates: []Rate{{Calls: 1, Per: time.Hour}}})
	bucket.queue = []*waiter{gone, here}
	bucket.serve()
	assert.Empty(t, gone.turn)
	require.Len(t, here.turn, 1)
	assert.NoError(t, <-here.turn)
}

func TestWait_LeavesNothingBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		bucket := New(nil, nil).Bucket("app/endpoint", Spec{})
		bucket.Pause(20 * time.Second)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(time.Second, cancel)
		require.ErrorIs(t, bucket.Wait(ctx), context.Canceled)
		assert.Empty(t, bucket.queue)
		assert.False(t, bucket.timer.Stop(), "the timer still runs")
	})
}

// What a turn costs when a thousand wait for it.
func BenchmarkWait_ThousandWaiting(b *testing.B) {
	bucket := New(nil, nil).Bucket("app/endpoint", Spec{Rates: []Rate{{Calls: 1, Per: 1}}})
	bucket.Pause(maxPause)
	join := func() {
		bucket.queue = append(bucket.queue, &waiter{
			demand: resolver.NewDemand(resolver.Urgency(len(bucket.queue)%4), nil),
			turn:   make(chan error, 1),
		})
	}
	for range 1000 {
		join()
	}
	b.ReportAllocs()
	for b.Loop() {
		join()
		bucket.grant(bucket.next())
	}
	if len(bucket.queue) != 1000 {
		b.Fatal("turns were lost")
	}
}
