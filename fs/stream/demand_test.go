package stream

import (
	"net/http"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// A link for what is fetched ahead can wait; once somebody waits for the bytes
// it cannot.
func TestTransfer_IsAsUrgentAsItsReaders(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", 20*mib))
		reader := resolver.NewDemand(resolver.Read, func() resolver.Client { return resolver.Client{Process: 42} })
		ctx := resolver.WithDemand(t.Context(), reader)
		require.True(t, r.readContext(ctx, h, r.contentOf(h), 0, 128*kib))
		synctest.Wait()

		hold := make(chan struct{})
		r.lender.mu.Lock()
		r.lender.hold = hold
		r.lender.leases = make(map[resolver.ID]*resolver.Lease)
		first := r.lender.demands[0]
		seen := len(r.lender.demands)
		r.lender.mu.Unlock()
		assert.Equal(t, resolver.Read, first.Urgency())
		assert.Equal(t, 42, first.Client().Process)

		// The reader goes on, and what is ahead of him waits for a link.
		for off := int64(128 * kib); off < mib; off += 128 * kib {
			require.True(t, r.readContext(ctx, h, r.contentOf(h), off, 128*kib))
		}
		synctest.Wait()
		r.lender.mu.Lock()
		ahead := slices.Clone(r.lender.demands[seen:])
		r.lender.mu.Unlock()
		require.NotEmpty(t, ahead, "nothing is fetched ahead")
		for _, d := range ahead {
			assert.Equal(t, resolver.Ahead, d.Urgency())
			assert.Equal(t, 42, d.Client().Process)
		}

		done := make(chan bool)
		go func() { done <- r.readContext(ctx, h, r.contentOf(h), mib, 128*kib) }()
		synctest.Wait()
		assert.True(t, slices.ContainsFunc(ahead, func(d *resolver.Demand) bool {
			return d.Urgency() == resolver.Read
		}), "now he waits for one of them")
		close(hold)
		assert.True(t, <-done)
	})
}

// Sizes are learnt as urgently as they are asked for.
func TestLearn_IsAsUrgentAsItsCaller(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		f := r.put("f", 100*kib)
		f.Size = unknown
		ctx := resolver.WithDemand(t.Context(), resolver.NewDemand(resolver.Ahead, nil))
		_, err := r.source.Learn(ctx, f)
		require.NoError(t, err)
		assert.Equal(t, resolver.Ahead, r.lender.demands[0].Urgency())
	})
}

// The broker reads the ends of links by the origin's clock.
func TestTransfer_TellsTheClockOfTheOrigin(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		shown := time.Date(2026, time.March, 14, 9, 26, 53, 0, time.UTC)
		f := r.put("f", 100*kib, func(o *object) {
			o.script = []fault{{status: http.StatusForbidden, header: http.Header{"Date": {shown.Format(http.TimeFormat)}}}}
		})
		require.True(t, r.readAll(r.open(f)))
		assert.Equal(t, []time.Time{shown}, r.lender.clocks, "refusals show it, too; a reply without a date shows none")
	})
}

// Between a caller's look and his question another may have learnt the size, and
// a counted link has no use to spare for asking twice.
func TestLearn_AsksOnce(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		f := r.put("f", 100*kib)
		f.Size = unknown
		for range 2 {
			identity, err := r.source.Learn(t.Context(), f)
			require.NoError(t, err)
			assert.EqualValues(t, 100*kib, identity.Size)
			synctest.Wait() // the file is forgotten
		}
		assert.Equal(t, 1, r.origin.gets())
	})
}
