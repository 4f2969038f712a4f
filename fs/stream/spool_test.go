package stream

import (
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

func TestCounted_OneGETForTheWholeFile(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		r.lender.uses = 2
		h := r.open(r.put("f", 20*mib))
		var readers []*reading
		for i := range 16 {
			readers = append(readers, r.start(h, int64(15-i)*mib+5, 128*kib))
		}
		for _, rd := range readers {
			assert.NoError(t, rd.wait())
		}
		r.readAll(h)
		assert.Equal(t, []string{""}, r.origin.ranges())
		assert.Equal(t, 1, r.lender.Peek("f").UsesLeft(), "kept for going on after a cut")
	})
}

func TestCounted_CutCostsTheSecondUseThenAFreshLink(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		r.lender.uses = 2
		h := r.open(r.put("f", 20*mib, func(o *object) { o.script = []fault{{cutAfter: 5*mib + 1}, {cutAfter: 5 * mib}} }))
		assert.NoError(t, r.start(h, 20*mib-1, 1).wait())
		r.readAll(h)
		assert.Equal(t, []string{"", "bytes=5242881-20971519", "bytes=10485761-20971519"}, r.origin.ranges())
		assert.Equal(t, 2, r.lender.links())
	})
}

func TestCounted_FromTheFirstMissingByte(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		r.lender.uses = 2
		h := r.open(r.put("f", 20*mib, func(o *object) { o.script = []fault{{cutAfter: 5*mib + 1}} }))
		r.read(h, 0, 1)
		synctest.Wait()
		time.Sleep(time.Minute) // nobody waits: the cut is not mended
		assert.Equal(t, 1, r.origin.gets())
		r.read(h, 15*mib, 1)
		synctest.Wait()
		assert.Equal(t, []string{"", "bytes=5242880-20971519"}, r.origin.ranges())
	})
}

// Many who borrow a counted link at the same time find it used up; each takes
// a fresh one, and no use is taken twice.
func TestUsedUpRace(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		r.lender.uses = 1
		var readers sync.WaitGroup
		f := r.put("f", 3*mib)
		for i := range 6 {
			f.Version = string(rune('a' + i)) // versions share their link, but nothing else
			h := r.open(f)
			readers.Go(func() { r.read(h, 0, 4*kib) })
		}
		readers.Wait()
		synctest.Wait()
		assert.Equal(t, 6, r.origin.gets())
		assert.Equal(t, 6, r.lender.links())
		leases := make(map[string]int)
		for _, req := range r.origin.log() {
			leases[req.lease]++
		}
		assert.Len(t, leases, 6, "no link was asked twice")
	})
}

// The first reader of a file finds out that ranges are ignored; those who come
// meanwhile wait for what he finds.
func TestRangeIgnored_ManyReadersCostOneGET(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		gate := make(chan struct{})
		h := r.open(r.put("f", 24*mib, func(o *object) { o.noRanges, o.always = true, &fault{hold: gate} }))
		var readers []*reading
		for i := range 8 {
			readers = append(readers, r.start(h, int64(i)*3*mib, 64*kib))
		}
		synctest.Wait()
		close(gate)
		for _, rd := range readers {
			assert.NoError(t, rd.wait())
		}
		r.readAll(h)
		synctest.Wait()
		assert.Equal(t, 1, r.origin.gets())
		assert.LessOrEqual(t, r.origin.bytesServed(), int64(25*mib))
	})
}

// While a reply without length is on its way, whoever comes waits for it: it
// must not be fetched again for each of them.
func TestUnsized_IsFetchedOnceHoweverManyRead(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", 6*mib, func(o *object) {
			o.noRanges, o.noLength, o.always = true, true, &fault{pace: 10 * time.Millisecond, step: 64 * kib}
		}))
		var readers []*reading
		for i := range 8 {
			readers = append(readers, r.start(h, int64(i)*128*kib, 128*kib))
			time.Sleep(100 * time.Millisecond)
		}
		for _, rd := range readers {
			assert.NoError(t, rd.wait())
		}
		r.readAll(h)
		assert.Equal(t, 1, r.origin.gets())
		assert.Equal(t, int64(6*mib), r.origin.bytesServed())
	})
}

func TestUnsized_OtherLengthThanTheFileHas(t *testing.T) {
	for name, size := range map[string]int64{"too short": 4*mib - 1, "too long": 4*mib + 1, "much too long": 64 * mib, "empty": 0} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 16*mib, func(t *testing.T, r *rig) {
				f := r.put("f", size, func(o *object) { o.noRanges, o.noLength = true, true })
				f.Size = 4 * mib
				h := r.open(f)
				assert.ErrorIs(t, r.start(h, 0, 100).wait(), resolver.ErrUnavailable)
				assert.Equal(t, strikes, r.origin.gets())
				assert.Zero(t, r.present(h), "nothing of it is remembered")
				assert.LessOrEqual(t, r.origin.bytesServed(), int64(strikes)*(4*mib+128*kib), "surplus is not taken in")
			})
		})
	}
}

// A file of no told length that does not fit the cache cannot be remembered as
// a whole; fetching it for ever does not make it fit.
func TestUnsized_LargerThanTheCache_IsBounded(t *testing.T) {
	for _, etag := range []string{`"a"`, ""} {
		t.Run("tag "+etag, func(t *testing.T) {
			inBubble(t, 4*mib, func(t *testing.T, r *rig) {
				f := r.put("f", 16*mib, func(o *object) { o.noRanges, o.noLength, o.etag = true, true, etag })
				r.lender.limit = 50 // ends it
				rd := r.start(r.open(f), 0, 100)
				_ = rd.wait()
				assert.LessOrEqual(t, r.origin.gets(), 4*strikes)
			})
		})
	}
}

func TestChanged_AllWaitersAndTheLedgerAreTold(t *testing.T) {
	for name, size := range map[string]int64{"same length": 40 * mib, "longer": 40*mib + 1, "shorter": 30 * mib} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 64*mib, func(t *testing.T, r *rig) {
				f := r.put("f", 40*mib)
				f.SizeLearnt = true
				h := r.open(f)
				r.read(h, 0, 4*kib)
				synctest.Wait()
				hold := make(chan struct{})
				r.origin.set("/f", func(o *object) {
					o.content, o.etag = pattern{99, size}, `"new"`
					o.always = &fault{hold: hold}
				})
				readers := []*reading{r.start(h, 10*mib, 4*kib), r.start(h, 20*mib, 4*kib), r.start(h, 20*mib+4*kib, 4*kib), r.start(h, 29*mib, 4*kib)}
				synctest.Wait()
				close(hold)
				for _, rd := range readers {
					assert.ErrorIs(t, rd.wait(), resolver.ErrChanged)
				}
				synctest.Wait()
				known, revision, _ := r.ledger.Get("f", "1")
				assert.Equal(t, 1, revision)
				assert.Equal(t, resolver.Identity{Size: size, ETag: `"new"`}, known)
				assert.ErrorIs(t, r.start(h, 25*mib, 1).wait(), resolver.ErrChanged, "the handle stays with what it opened")
				again, err := r.source.Open(f)
				if !assert.ErrorIs(t, err, resolver.ErrChanged) {
					again.Close()
					return
				}
				f.Revision, f.Size, f.Learnt = revision, known.Size, &known
				g := r.open(f)
				r.readAll(g)
			})
		})
	}
}

func TestChanged_TransfersThatWereOnTheirWayEnd(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", 40*mib))
		r.read(h, 0, 4*kib)
		synctest.Wait()
		r.origin.set("/f", func(o *object) { o.script = []fault{{stallAfter: 1}} })
		slow := r.start(h, 30*mib, 4*kib)
		synctest.Wait()
		r.origin.set("/f", func(o *object) { o.etag = `"new"` })
		assert.ErrorIs(t, r.start(h, 10*mib, 1).wait(), resolver.ErrChanged)
		assert.ErrorIs(t, slow.wait(), resolver.ErrChanged)
		synctest.Wait()
		assert.Zero(t, h.file.underWay())
	})
}

func TestChanged_APageInPlaceOfALearntFileIsNoChange(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		f := r.put("f", 8*mib)
		f.SizeLearnt = true
		h := r.open(f)
		r.read(h, 0, 4*kib)
		synctest.Wait()
		r.origin.set("/f", func(o *object) { o.script = []fault{{body: "please log in"}} })
		r.read(h, 6*mib, 4*kib)
		_, revision, _ := r.ledger.Get("f", "1")
		assert.Zero(t, revision)
	})
}

func TestLargeSpool_KeepsCloseToItsReader(t *testing.T) {
	inBubble(t, 8*mib, func(t *testing.T, r *rig) {
		r.lender.uses = 2
		h := r.open(r.put("f", 64*mib))
		r.read(h, 0, 128*kib)
		time.Sleep(time.Second)
		assert.LessOrEqual(t, r.origin.bytesServed(), int64(5*mib), "half the cache ahead, no more")
		r.readAll(h)
		assert.Equal(t, 1, r.origin.gets())
		assert.Equal(t, int64(64*mib), r.origin.bytesServed())
		assert.LessOrEqual(t, r.store.Stats().MemoryBytes, int64(8*mib))
	})
}

// A reader may stop for longer than the deadline, say a player that pauses.
func TestLargeSpool_WaitsForAReaderWhoPauses(t *testing.T) {
	inBubble(t, 8*mib, func(t *testing.T, r *rig) {
		r.lender.uses = 2
		h := r.open(r.put("f", 32*mib, func(o *object) { o.always = &fault{pace: time.Millisecond, step: 16 * kib} }))
		r.read(h, 0, 128*kib)
		time.Sleep(10 * time.Minute)
		r.readAll(h)
		assert.Equal(t, 1, r.origin.gets(), "%v", r.origin.ranges())
	})
}

func TestLargeSpool_EndsWhenItsReadersLeave(t *testing.T) {
	inBubble(t, 8*mib, func(t *testing.T, r *rig) {
		r.lender.uses = 2
		f := r.put("f", 64*mib)
		h, g := r.open(f), r.open(f)
		r.read(h, 0, 128*kib)
		synctest.Wait()
		require.Equal(t, 1, r.origin.bodies())
		h.Close()
		synctest.Wait()
		assert.Equal(t, 1, r.origin.bodies(), "somebody still holds the file")
		g.Close()
		synctest.Wait()
		assert.Zero(t, r.origin.bodies())
		assert.Zero(t, h.file.underWay())
	})
}

// Reading the file a second time costs one more GET, not one for every piece
// that the spool drove out of the cache.
func TestLargeSpool_ReadTwice(t *testing.T) {
	inBubble(t, 8*mib, func(t *testing.T, r *rig) {
		r.lender.uses = 2
		h := r.open(r.put("f", 32*mib, func(o *object) { o.always = &fault{pace: time.Millisecond, step: 64 * kib} }))
		for range 2 {
			for off := int64(0); off < h.size; off += 128 * kib {
				if !r.read(h, off, 128*kib) {
					return
				}
				time.Sleep(20 * time.Millisecond) // slower than the origin
			}
		}
		assert.Equal(t, 2, r.origin.gets(), "%v", r.origin.ranges())
	})
}

// Two who read far from each other in a file that does not fit the cache are
// both served, whatever that costs.
func TestLargeSpool_TwoReadersFarApart(t *testing.T) {
	inBubble(t, 8*mib, func(t *testing.T, r *rig) {
		f := r.put("f", 64*mib, func(o *object) { o.noRanges, o.always = true, &fault{pace: time.Millisecond, step: 64 * kib} })
		began := time.Now()
		var readers sync.WaitGroup
		for _, start := range []int64{0, 40 * mib, 63 * mib} {
			h := r.open(f)
			readers.Go(func() {
				for off := start; off < min(start+8*mib, h.size); off += 128 * kib {
					if !r.read(h, off, 128*kib) {
						return
					}
				}
			})
		}
		readers.Wait()
		assert.Less(t, time.Since(began), r.streams.cfg.Deadline, "nobody hung")
	})
}

// What lies before the reader and is gone from the cache is not fetched again
// because the connection broke.
func TestLargeSpool_CutWhileNobodyWaits(t *testing.T) {
	inBubble(t, 8*mib, func(t *testing.T, r *rig) {
		r.lender.uses = 2
		h := r.open(r.put("f", 32*mib, func(o *object) { o.script = []fault{{cutAfter: 20 * mib}} }))
		r.readAll(h)
		assert.Equal(t, 2, r.origin.gets())
		assert.LessOrEqual(t, r.origin.bytesServed(), int64(33*mib), "%v", r.origin.ranges())
	})
}

func TestBusyStreams_SequentialReadersStillGetLargeRequests(t *testing.T) {
	inBubble(t, 128*mib, func(t *testing.T, r *rig) {
		f := r.put("f", 256*mib, func(o *object) { o.always = &fault{pace: time.Millisecond, step: 32 * kib} })
		var readers sync.WaitGroup
		for i := range 8 {
			h := r.open(f)
			readers.Go(func() {
				start := int64(i) * 32 * mib
				for off := start; off < start+8*mib; off += 128 * kib {
					r.read(h, off, 128*kib)
				}
			})
		}
		readers.Wait()
		synctest.Wait()
		small := 0
		for _, want := range r.origin.ranges() {
			var from, to int64
			_, err := fmt.Sscanf(want, "bytes=%d-%d", &from, &to)
			assert.NoError(t, err)
			if to-from+1 < mib {
				small++
			}
		}
		assert.LessOrEqual(t, small, 8*2, "of %d: two to see that he reads in sequence, then by blocks", r.origin.gets())
		assert.LessOrEqual(t, r.origin.bytesServed(), int64(8*24*mib))
	})
}

func TestServiceUnavailableForAMinute_IsSurvived(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", mib, func(o *object) { o.always = &fault{status: http.StatusServiceUnavailable} }))
		rd := r.start(h, 0, 100)
		time.Sleep(50 * time.Second)
		r.origin.set("/f", func(o *object) { o.always = nil })
		assert.NoError(t, rd.wait())
	})
}
