package stream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
)

// badDays are faults after which a reader is served all the same, badLinks those
// that cost a link: fewer of them than a transfer takes.
var badLinks = []fault{{status: 403}, {body: "<html>please log in</html>"}, {status: 404}}

var badDays = []fault{
	{cutAfter: 1}, {cutAfter: 64 * kib}, {cutAfter: 200*kib + 1}, {stallAfter: 70 * kib}, {status: 503}, {dead: true},
	{status: 429, header: http.Header{"Retry-After": {"1"}}},
	{pace: time.Millisecond, step: 3 * kib}, {pace: time.Microsecond, step: 30 * kib},
}

// TestHammer reads random places of files of every kind through faults, with
// readers that come, go and give up, and compares every byte.
func TestHammer(t *testing.T) {
	const memory, readers, reads = 16 * mib, 64, 30
	inBubble(t, memory, func(t *testing.T, r *rig) {
		kinds := []func(*object){
			func(*object) {},
			func(*object) {},
			func(o *object) { o.etag, o.modified = "", "then" },
			func(o *object) { o.noRanges = true },
			func(o *object) { o.noTotal = true },
			func(o *object) { o.content.size = 3*mib + 1 },
			func(o *object) { o.content.size, o.noRanges, o.noLength = 2*mib+77, true, true },
			func(o *object) { o.content.size = 64*kib + 1 },
		}
		var files []resolver.File
		for i, kind := range kinds {
			f := r.put(fmt.Sprint("file ", i), 9*mib+int64(i)*1234, kind)
			f.Name, f.Size = "f.bin", r.origin.objects["/file "+fmt.Sprint(i)].content.size
			rng := rand.New(rand.NewPCG(uint64(i), 1))
			r.origin.set("/"+string(f.ID), func(o *object) {
				o.script = append(o.script, fault{}, badLinks[0], fault{}, badLinks[1], fault{}, badLinks[2])
				for range 60 {
					if rng.IntN(3) == 0 {
						o.script = append(o.script, badDays[rng.IntN(len(badDays))])
					} else {
						o.script = append(o.script, fault{})
					}
				}
			})
			files = append(files, f)
		}
		var peak, served atomic.Int64
		var all sync.WaitGroup
		for i := range readers {
			all.Go(func() {
				rng := rand.New(rand.NewPCG(uint64(i), 2))
				h, err := r.source.Open(files[i%len(files)])
				if !assert.NoError(t, err) {
					return
				}
				defer h.Close()
				content := r.contentOf(h)
				off := rng.Int64N(h.size)
				for range reads {
					if rng.IntN(3) == 0 {
						off = rng.Int64N(h.size)
					}
					n := 1 + rng.IntN(64*kib)
					if rng.IntN(8) == 0 {
						ctx, cancel := context.WithTimeoutCause(t.Context(), time.Duration(rng.IntN(5))*time.Millisecond, errTest)
						if _, err := bytesAt(ctx, h, off, n); err != nil && !errors.Is(err, errTest) {
							assert.ErrorIs(t, err, resolver.ErrUnavailable)
						}
						cancel()
						continue
					}
					if !r.readContext(t.Context(), h, content, off, n) {
						return
					}
					served.Add(1)
					peak.Store(max(peak.Load(), r.store.Stats().MemoryBytes))
					if off += int64(n); off >= h.size {
						off = 0
					}
				}
			})
		}
		all.Wait()
		assert.Greater(t, served.Load(), int64(readers*reads/2))
		// Readers and transfers may hold a few pages each beyond what is remembered.
		assert.LessOrEqual(t, peak.Load(), int64(memory+2*mib))
	})
}
