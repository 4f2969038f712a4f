package stream

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// piece is what the links of these tests want a request to bring.
const piece = 2 * mib

// fakeMeter grants so many turns, then says that the budget is spent. It counts.
type fakeMeter struct {
	mu     sync.Mutex // guards the following
	budget int
	turns  int
	hold   chan struct{} // turns wait for it
	told   []time.Duration
	denied int
}

func (m *fakeMeter) Turn(ctx context.Context) error {
	m.mu.Lock()
	hold := m.hold
	m.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.turns == m.budget {
		return fmt.Errorf("budget: %w", resolver.ErrQuota)
	}
	m.turns++
	return nil
}

func (m *fakeMeter) Throttled(after time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.told = append(m.told, after)
}

func (m *fakeMeter) Denied() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.denied++
}

// metered makes the links of the rig cost a call for each request.
func metered(r *rig, budget int) *fakeMeter {
	m := &fakeMeter{budget: budget}
	r.lender.least, r.lender.meter = piece, m
	return m
}

func TestMetered_RequestsAreThePieces(t *testing.T) {
	const size = 5*piece + 300*kib + 4711
	for name, read := range map[string]func(*testing.T, *rig, *Handle){
		"forwards": func(_ *testing.T, r *rig, h *Handle) { r.readAll(h) },
		"backwards": func(_ *testing.T, r *rig, h *Handle) {
			for off := pageDown(size); off >= 0; off -= 128 * kib {
				r.read(h, off, 128*kib)
			}
		},
		"every other page, then the others": func(_ *testing.T, r *rig, h *Handle) {
			for from := range int64(2) {
				for off := from * 64 * kib; off < size; off += 128 * kib {
					r.read(h, off, 64*kib)
				}
			}
		},
		"everywhere at once": func(_ *testing.T, r *rig, h *Handle) {
			var readers sync.WaitGroup
			for off := int64(0); off < size; off += mib {
				readers.Go(func() { r.read(h, off, mib) })
			}
			readers.Wait()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 256*mib, func(t *testing.T, r *rig) {
				meter := metered(r, 100)
				h := r.open(r.put("f", size))
				read(t, r, h)
				synctest.Wait()
				require.True(t, r.readAll(h))
				assert.Equal(t, 6, r.origin.gets())
				assert.Equal(t, 6, meter.turns)
				assert.EqualValues(t, size, r.origin.bytesServed(), "no byte twice")
			})
		})
	}
}

// The size costs one small request, and what it brought is not asked for again.
func TestMetered_Learn(t *testing.T) {
	inBubble(t, 256*mib, func(t *testing.T, r *rig) {
		meter := metered(r, 100)
		f := r.put("f", 4*piece)
		f.Size = unknown
		identity, err := r.source.Learn(t.Context(), f)
		require.NoError(t, err)
		synctest.Wait()
		assert.EqualValues(t, sizing, r.origin.bytesServed())
		f.Size, f.Learnt = identity.Size, &identity
		require.True(t, r.readAll(r.open(f)))
		assert.Equal(t, 1+4, meter.turns)
		assert.EqualValues(t, 4*piece, r.origin.bytesServed())
	})
}

// One look at a file costs one piece of it.
func TestMetered_RandomRead(t *testing.T) {
	inBubble(t, 256*mib, func(t *testing.T, r *rig) {
		meter := metered(r, 100)
		h := r.open(r.put("f", 10*piece))
		require.True(t, r.read(h, 3*piece+mib+17, 4*kib))
		require.True(t, r.read(h, 3*piece, 4*kib))
		require.True(t, r.read(h, 4*piece-4*kib, 4*kib))
		synctest.Wait()
		assert.Equal(t, 1, meter.turns)
		assert.Equal(t, []string{"bytes=6291456-8388607"}, r.origin.ranges())
	})
}

// With the budget spent what is here can be read, and the rest fails at once.
func TestMetered_BudgetIsSpent(t *testing.T) {
	inBubble(t, 256*mib, func(t *testing.T, r *rig) {
		meter := metered(r, 3)
		h := r.open(r.put("f", 8*piece))
		began := time.Now()
		for range 2 { // the first time ahead of the reader, too, in any order
			var here int64
			for off := int64(0); off < h.size; off += mib {
				got, err := bytesAt(t.Context(), h, off, mib)
				if err != nil {
					require.ErrorIs(t, err, resolver.ErrQuota)
					continue
				}
				require.True(t, bytes.Equal(r.contentOf(h).bytes(off, mib), got))
				here += mib
			}
			synctest.Wait()
			assert.LessOrEqual(t, here, int64(3*piece))
			assert.Positive(t, here)
		}
		assert.Zero(t, time.Since(began), "at once, by the clock of the bubble")
		assert.Equal(t, 3, r.origin.gets())

		meter.mu.Lock()
		meter.budget = 100
		meter.mu.Unlock()
		require.True(t, r.readAll(h), "there is a new one")
	})
}

// Who leaves before his turn has come does not cost a call.
func TestMetered_NobodyWaitsForTheTurn(t *testing.T) {
	inBubble(t, 256*mib, func(t *testing.T, r *rig) {
		meter := metered(r, 100)
		meter.hold = make(chan struct{})
		for _, size := range []int64{500 * kib, 3 * piece} {
			h := r.open(r.put(fmt.Sprint(size), size))
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			_, err := bytesAt(ctx, h, 0, 4*kib)
			cancel()
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.ErrorIs(t, err, resolver.ErrThrottled, "why he waited")
			h.Close()
		}
		synctest.Wait()
		assert.Empty(t, r.source.files)
		close(meter.hold)
		assert.Zero(t, meter.turns)
		assert.Zero(t, r.origin.gets())
	})
}

// What a call cost is brought to its end, though nobody reads on: it would cost
// another one.
func TestMetered_WhatIsPaidForIsBrought(t *testing.T) {
	inBubble(t, 256*mib, func(t *testing.T, r *rig) {
		metered(r, 100)
		f := r.put("f", 4*piece, func(o *object) { o.always = &fault{pace: time.Millisecond, step: 64 * kib} })
		h := r.open(f)
		require.True(t, r.read(h, 0, 64*kib))
		h.Close()
		synctest.Wait()
		time.Sleep(time.Minute)
		h = r.open(f)
		require.True(t, r.read(h, piece-64*kib, 64*kib))
		assert.Equal(t, 1, r.origin.gets())
	})
}

// When the origin says "too often" all who use the API hear of it.
func TestMetered_Throttled(t *testing.T) {
	inBubble(t, 256*mib, func(t *testing.T, r *rig) {
		meter := metered(r, 100)
		f := r.put("f", mib, func(o *object) {
			o.script = []fault{
				{status: http.StatusTooManyRequests, header: http.Header{"X-Ogw-Ratelimit-Reset": {"7"}}},
				{status: http.StatusBadRequest, body: `{"code":1061045,"msg":"can retry"}`},
				{status: http.StatusForbidden, body: `{"code":1061004,"msg":"forbidden"}`},
			}
		})
		require.True(t, r.readAll(r.open(f)))
		assert.Equal(t, []time.Duration{7 * time.Second, 0}, meter.told)
		assert.Equal(t, 4, meter.turns)
		assert.Equal(t, 1, meter.denied)
		assert.Equal(t, 1, r.lender.fails(resolver.Denied))
	})
}

// Pieces of many readers do not push each other out of a small cache.
func TestMetered_PiecesFitIntoTheCache(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		assert.EqualValues(t, 8*mib, r.streams.least(8*mib))
		for range 16 {
			r.streams.countReader(1)
			defer r.streams.countReader(-1)
		}
		assert.EqualValues(t, 2*mib, r.streams.least(8*mib))
		assert.EqualValues(t, mib, r.streams.least(1))
	})
}
