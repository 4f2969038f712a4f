package stream

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/cache"
)

func TestReadAhead_FirstReadAtTheStartHasAWindow(t *testing.T) {
	var a readAhead
	r := a.note(byteRange{0, 4 * kib})
	assert.Equal(t, int64(cache.BlockSize), r.window)
	assert.True(t, a.sequential())
}

// Who reads one end of an archive reads the other next, and it is there by then.
func TestEnds_AreFetchedTogether(t *testing.T) {
	const size = 40*mib + 4711
	tail := pageDown(size - cache.PageSize)
	for name, c := range map[string]struct {
		file          string
		first, second int64
		together      bool
	}{
		"head of a zip":      {"a.zip", 0, size - 100, true},
		"tail of a PDF":      {"规格.PDF", size - 100, 0, true},
		"middle of an MP4":   {"a.mp4", 20 * mib, size - 100, false},
		"head of some other": {"a.bin", 0, size - 100, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 64*mib, func(t *testing.T, r *rig) {
				h := r.open(r.put(c.file, size))
				r.read(h, c.first, 100)
				synctest.Wait()
				assert.Equal(t, c.together, r.store.Has(h.file.object, c.second/cache.PageSize))
				r.read(h, c.second, 100)
				synctest.Wait()
				assert.LessOrEqual(t, r.origin.bytesServed(), int64(2*cache.BlockSize+size-tail))
			})
		})
	}
}

func TestReadAhead_RandomReadHasNone(t *testing.T) {
	var a readAhead
	for off := int64(10 * mib); off < 100*mib; off += 10 * mib {
		r := a.note(byteRange{off, off + 4*kib})
		assert.Zero(t, r.window)
		want, _ := r.plan(byteRange{off, off + 4*kib}, 1<<30, 8)
		assert.Equal(t, byteRange{off, off + 64*kib}, want, "the page that is needed, and no more")
	}
	assert.False(t, a.sequential())
}

func TestReadAhead_SecondReadInSequenceBeginsAWindow(t *testing.T) {
	for _, gap := range []int64{0, 4 * kib, next} {
		var a readAhead
		a.note(byteRange{10 * mib, 10*mib + 128*kib})
		off := 10*mib + 128*kib + gap
		assert.Equal(t, int64(cache.BlockSize), a.note(byteRange{off, off + 128*kib}).window, "gap of %d", gap)
	}
	var a readAhead
	a.note(byteRange{10 * mib, 10*mib + 128*kib})
	off := int64(10*mib + 128*kib + next + 1)
	assert.Zero(t, a.note(byteRange{off, off + 128*kib}).window)
	assert.Zero(t, a.note(byteRange{10 * mib, 10*mib + 4*kib}).window, "backwards is not forwards")
}

func TestReadAhead_KernelMayReorder(t *testing.T) {
	var a readAhead
	first := a.note(byteRange{0, 128 * kib})
	for _, off := range []int64{512 * kib, 128 * kib, 384 * kib, 256 * kib, 1024 * kib, 640 * kib, 896 * kib, 768 * kib} {
		assert.Same(t, first, a.note(byteRange{off, off + 128*kib}), "at %d", off)
	}
	assert.Equal(t, int64(1152*kib), first.next, "the frontier never goes back")
}

func TestReadAhead_TwoReadersKeepTheirWindows(t *testing.T) {
	var a readAhead
	const far = 500 * mib
	one, two := a.note(byteRange{0, 128 * kib}), a.note(byteRange{far, far + 128*kib})
	for off := int64(128 * kib); off < 8*mib; off += 128 * kib {
		require.Same(t, one, a.note(byteRange{off, off + 128*kib}))
		a.grow(off, 32*mib)
		require.Same(t, two, a.note(byteRange{far + off, far + off + 128*kib}))
		a.grow(far+off, 32*mib)
	}
	assert.Equal(t, int64(32*mib), one.window)
	assert.Equal(t, int64(32*mib), two.window)
}

func TestReadAhead_RandomReadsAmongASequenceDoNotEndIt(t *testing.T) {
	var a readAhead
	one := a.note(byteRange{0, 128 * kib})
	for i := int64(1); i < 100; i++ {
		a.note(byteRange{(100 + 10*i) * mib, (100+10*i)*mib + 4*kib})
		a.note(byteRange{(2000 + 10*i) * mib, (2000+10*i)*mib + 4*kib})
		require.Same(t, one, a.note(byteRange{i * 128 * kib, (i + 1) * 128 * kib}))
	}
}

func TestReadAhead_GrowDoublesUpToTheLimit(t *testing.T) {
	var a readAhead
	r := a.note(byteRange{0, 128 * kib})
	var windows []int64
	for off := int64(0); off < 5*mib; off += mib {
		a.note(byteRange{off, off + 128*kib})
		a.grow(off, 6*mib)
		a.grow(off+64*kib, 6*mib) // another request of the same burst
		windows = append(windows, r.window)
	}
	assert.Equal(t, []int64{2 * mib, 4 * mib, 6 * mib, 6 * mib, 6 * mib}, windows)
	a.note(byteRange{100 * mib, 100*mib + 4*kib})
	a.grow(100*mib, 6*mib)
	assert.Zero(t, a.find(100*mib+4*kib).window, "a random reader has nothing to grow")
}

// A sequential reader is served by requests that are all of at least a block,
// but for the last one.
func TestPlan_NoTinyRequests(t *testing.T) {
	for _, size := range []int64{64*mib + 1, 64 * mib, 64*mib - 1, 5*mib + 70*kib} {
		var a readAhead
		var pieces []byteRange
		for off := int64(0); off < size; off += 128 * kib {
			read := byteRange{off, min(off+128*kib, size)}
			r := a.note(read)
			want, chunk := r.plan(read, size, 8)
			if off < 16*mib {
				a.grow(off, 32*mib)
			}
			for start := want.start; start < want.limit; {
				end := min(start+chunk, want.limit)
				if start >= read.limit && end-start < chunk && end < size {
					break // as fetch does
				}
				pieces = append(pieces, byteRange{start, end})
				start = end
				r.fetched = end
			}
		}
		var pos int64
		for i, p := range pieces {
			require.Equal(t, pos, p.start, "every byte once, in order")
			pos = p.limit
			if i < len(pieces)-1 {
				assert.GreaterOrEqual(t, p.limit-p.start, int64(cache.BlockSize), "piece %d of a file of %d", i, size)
			}
			assert.LessOrEqual(t, p.limit-p.start, int64(maxRange))
		}
		assert.Equal(t, size, pos)
		assert.Less(t, len(pieces), 40)
	}
}

func FuzzReadAhead(f *testing.F) {
	f.Add(uint64(1), int64(64*mib))
	f.Add(uint64(2), int64(4*mib+1))
	f.Add(uint64(3), int64(1))
	f.Fuzz(func(t *testing.T, seed uint64, size int64) {
		const window = 32 * mib
		if size < 1 || size > 1<<50 {
			t.Skip()
		}
		rng := rand.New(rand.NewPCG(seed, 0))
		var a readAhead
		var off int64
		for range 200 {
			switch rng.IntN(4) {
			case 0:
				off = rng.Int64N(size)
			case 1:
				off = max(0, off-rng.Int64N(2*mib))
			}
			off = min(off, size-1)
			read := byteRange{off, min(size, off+1+rng.Int64N(mib))}
			r := a.note(read)
			if rng.IntN(2) == 0 {
				a.grow(off, window)
			}
			require.LessOrEqual(t, r.window, int64(window))
			require.GreaterOrEqual(t, r.window, int64(0))
			require.GreaterOrEqual(t, r.next, read.limit)
			want, chunk := r.plan(read, size, 8)
			require.Positive(t, chunk)
			require.LessOrEqual(t, chunk, int64(maxRange))
			if want.start >= want.limit {
				require.LessOrEqual(t, read.limit, r.fetched, "nothing to fetch, but the read is not served")
			} else {
				require.GreaterOrEqual(t, want.start, int64(0))
				require.LessOrEqual(t, want.limit, size)
				require.LessOrEqual(t, want.limit, pageUp(max(read.limit, r.next)+r.window))
				require.True(t, want.start <= read.start || want.start <= r.fetched)
				require.True(t, want.start%cache.PageSize == 0 || want.start == size)
				r.fetched = want.start + rng.Int64N(want.limit-want.start+1)
				if r.fetched < size {
					r.fetched = pageDown(r.fetched)
				}
			}
			off = read.limit
		}
	})
}
