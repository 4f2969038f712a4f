package stream

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// Where listings are not to be trusted, a length that two replies tell makes
// another file of it.
func TestDoubtful_TheOriginKnowsTheLength(t *testing.T) {
	for name, told := range map[string]int64{"larger": 5000, "smaller": 1000, "far larger": 9 * mib, "far smaller": 1} {
		for _, whole := range []bool{false, true} {
			inBubble(t, 64*mib, func(t *testing.T, r *rig) {
				f := r.put("picture", 3000, func(o *object) { o.noRanges = whole })
				f.Size = told
				r.source.Doubtful = true
				h := r.open(f)
				require.False(t, h.Settled())
				require.ErrorIs(t, h.Settle(t.Context()), resolver.ErrChanged, name)
				assert.Equal(t, 1, r.ledger.revision[f.ID])
				assert.EqualValues(t, 3000, r.ledger.known[f.ID].Size)
				h.Close()
				_, err := r.source.Open(f)
				require.ErrorIs(t, err, resolver.ErrChanged, "who opens what was listed looks again")
				f.Size, f.Revision = 3000, 1
				h = r.open(f)
				require.True(t, h.Settled())
				assert.True(t, r.read(h, 0, 3000))
			})
		}
	}
}

func TestDoubtful_ElsewhereItIsABadReply(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		f := r.put("picture", 3000)
		f.Size = 5000
		h := r.open(f)
		require.True(t, h.Settled())
		for range 3 {
			_, err := h.ReadAt(t.Context(), 0, 100)
			require.ErrorIs(t, err, resolver.ErrUnavailable)
		}
		assert.Zero(t, r.ledger.revision[f.ID])
	})
}

func TestDoubtful_ATrueLengthCostsNothing(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		r.source.Doubtful = true
		f := r.put("picture", 3000)
		h := r.open(f)
		require.NoError(t, h.Settle(t.Context()))
		assert.True(t, h.Settled())
		assert.True(t, r.read(h, 0, 3000))
		assert.Equal(t, 1, r.origin.gets())
		assert.Zero(t, r.ledger.revision[f.ID])
	})
}
