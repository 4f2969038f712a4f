package stream

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// A scanner that gave up costs no links.
func TestTransfers_ThatNobodyReadsAnyLongerCostNoLink(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		hold := make(chan struct{})
		r.lender.hold = hold
		for i := range 20 {
			h := r.open(r.put(fmt.Sprintf("f%d", i), 500*kib))
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
			_, err := bytesAt(ctx, h, 0, 4096)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			h.Close()
		}
		synctest.Wait()
		assert.Empty(t, r.source.files, "they wait for a link though nobody wants it")
		close(hold)
		synctest.Wait()
		assert.Zero(t, r.lender.links())
		assert.Zero(t, r.origin.gets())
	})
}

// One that comes to its link when the reader has just left does not use it up.
func TestTransfer_LeavesTheLinkThatCameTooLate(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		r.lender.uses = 2
		f := r.put("f", 500*kib)
		lease, err := r.lender.Acquire(t.Context(), f)
		require.NoError(t, err)
		h := r.open(f)
		h.file.mu.Lock()
		tr := newTransfer(h.file, resolver.NewDemand(resolver.Read, nil), byteRange{0, 500 * kib})
		h.file.mu.Unlock()
		h.Close()
		_, err = tr.begin(lease)
		assert.ErrorIs(t, err, errAbandoned)
		assert.Equal(t, 2, lease.UsesLeft())
	})
}
