package cache

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// indexOf returns an index in which the page at i has the sum sums[i].
func indexOf(o Object, sums []uint32) []byte {
	b := appendHeader(nil, o)
	for page, sum := range sums {
		b = appendEntry(b, o, int64(page), sum)
	}
	return b
}

func TestIndex_RoundTrip(t *testing.T) {
	for _, size := range []int64{0, 1, PageSize, 3*PageSize + 5} {
		o := NewObject(size, "x")
		sums := make([]uint32, o.Pages())
		for i := range sums {
			sums[i] = uint32(i * 77)
		}
		b := indexOf(o, sums)
		require.Len(t, b, int(indexLen(o)))
		parsed, got, err := parseIndex(b)
		require.NoError(t, err)
		assert.Equal(t, o, parsed)
		assert.Equal(t, sums, got)
	}
}

func TestIndex_EveryFlippedBitIsSeen(t *testing.T) {
	o := NewObject(2*PageSize, "x")
	sums := []uint32{checksum([]byte("one")), 0}
	b := indexOf(o, sums)
	for i := range len(b) * 8 {
		b[i/8] ^= 1 << (i % 8)
		parsed, got, err := parseIndex(b)
		if err == nil {
			require.Equal(t, o, parsed)
			require.GreaterOrEqual(t, i/8, headerLen, "bit %d", i)
			if i/8 < headerLen+entryLen {
				require.NotEqual(t, sums[0], got[0], "bit %d", i)
			}
			require.Zero(t, got[1], "bit %d", i)
		} else {
			require.ErrorIs(t, err, errDamaged)
		}
		b[i/8] ^= 1 << (i % 8)
	}
}

func TestTag_TellsPlacesApart(t *testing.T) {
	a, b := NewObject(10, "a"), NewObject(10, "b")
	assert.NotEqual(t, tag(a.ID, 0), tag(a.ID, 1))
	assert.NotEqual(t, tag(a.ID, 0), tag(b.ID, 0))
}

func FuzzIndex(f *testing.F) {
	f.Add([]byte{})
	f.Add(indexOf(NewObject(0, "x"), nil))
	f.Add(indexOf(NewObject(2*PageSize+1, "x"), []uint32{1, 0, 3}))
	f.Add(appendHeader(nil, Object{Size: -1}))
	f.Add(appendHeader(nil, Object{Size: 1 << 62}))
	f.Fuzz(func(t *testing.T, b []byte) {
		o, sums, err := parseIndex(b)
		if err != nil {
			require.ErrorIs(t, err, errDamaged)
			return
		}
		require.GreaterOrEqual(t, o.Size, int64(0))
		require.Len(t, sums, int(o.Pages()))
		require.Equal(t, indexLen(o), int64(len(b)))
	})
}
