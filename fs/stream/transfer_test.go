package stream

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

var errTest = errors.New("caller had enough")

// reading is a read on its way.
type reading struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
	bytes  []byte // valid when done is closed
	err    error
}

// start begins a read that a test can leave.
func (r *rig) start(h *Handle, off int64, n int) *reading {
	ctx, cancel := context.WithCancelCause(r.t.Context())
	rd := &reading{cancel: cancel, done: make(chan struct{})}
	go func() {
		defer close(rd.done)
		rd.bytes, rd.err = bytesAt(ctx, h, off, n)
	}()
	return rd
}

func (rd *reading) wait() error {
	<-rd.done
	rd.cancel(nil)
	return rd.err
}

func TestSmallFile_OneGETForTheWhole(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", 3*mib+5))
		r.read(h, 2*mib, 4*kib)
		r.readAll(h)
		assert.Equal(t, []string{""}, r.origin.ranges(), "without a Range header, whatever was read")
		assert.Equal(t, 1, r.lender.links())
	})
}

func TestReadAt_CutAtTheEnd(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", 100))
		r.read(h, 90, 4*kib)
		for _, off := range []int64{100, 101, -1, 1 << 62} {
			got, err := bytesAt(t.Context(), h, off, 10)
			assert.NoError(t, err)
			assert.Empty(t, got, "at %d", off)
		}
		assert.Equal(t, 1, r.origin.gets())
	})
}

func TestRandomReader_GetsWhatHeNeeds(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", 100*mib))
		for off := int64(90 * mib); off > 10*mib; off -= 10 * mib {
			r.read(h, off+5, 4*kib)
		}
		synctest.Wait()
		assert.Equal(t, 8, r.origin.gets())
		assert.Equal(t, int64(8*64*kib), r.origin.bytesServed())
	})
}

func TestSequentialReader_FewLargeRequestsAndEveryByteOnce(t *testing.T) {
	for name, slow := range map[string]*fault{"fast": nil, "slow": {pace: time.Millisecond, step: 32 * kib}} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 64*mib, func(t *testing.T, r *rig) {
				h := r.open(r.put("f", 40*mib+1, func(o *object) { o.always = slow }))
				r.readAll(h)
				synctest.Wait()
				assert.LessOrEqual(t, r.origin.gets(), 48, "a block each at least, but for the first ones and the last")
				assert.Equal(t, int64(40*mib+1), r.origin.bytesServed())
			})
		})
	}
}

func TestStall_ResumedWhereItStopped(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		f := r.put("f", 3*mib, func(o *object) { o.script = []fault{{stallAfter: mib + 1000}} })
		began := time.Now()
		r.readAll(r.open(f))
		assert.Equal(t, []string{"", "bytes=1049576-3145727"}, r.origin.ranges())
		assert.Equal(t, int64(3*mib), r.origin.bytesServed(), "no byte twice")
		assert.Equal(t, r.streams.cfg.Stall+firstPause, time.Since(began))
		assert.Equal(t, 1, r.lender.links(), "the link is not to blame")
	})
}

func TestStall_BeforeTheFirstByte(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", mib, func(o *object) { o.script = []fault{{dead: true}} }))
		began := time.Now()
		r.readAll(h)
		assert.Equal(t, 2, r.origin.gets())
		assert.Equal(t, r.streams.cfg.Stall+firstPause, time.Since(began))
	})
}

func TestCut_ManyTimesCostsNoByteTwice(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", 3*mib+77, func(o *object) {
			for range 20 {
				o.script = append(o.script, fault{cutAfter: 100*kib + 3})
			}
		}))
		assert.NoError(t, r.start(h, 3*mib+70, 7).wait())
		r.readAll(h)
		assert.Equal(t, 21, r.origin.gets())
		assert.Equal(t, int64(3*mib+77), r.origin.bytesServed())
	})
}

func TestBackoff_DoublesAndIsBoundedAndEndsAtTheDeadline(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", mib, func(o *object) { o.always = &fault{status: http.StatusServiceUnavailable} }))
		began := time.Now()
		err := r.start(h, 0, 100).wait()
		assert.ErrorIs(t, err, resolver.ErrUnavailable)
		took := time.Since(began)
		assert.Greater(t, took, r.streams.cfg.Deadline)
		assert.LessOrEqual(t, took, r.streams.cfg.Deadline+lastPause)
		pause := firstPause
		for i := 1; i < len(r.origin.log()); i++ {
			assert.Equal(t, pause, r.origin.log()[i].at.Sub(r.origin.log()[i-1].at), "pause %d", i)
			pause = min(2*pause, lastPause)
		}
		assert.Equal(t, lastPause, pause)
		assert.Equal(t, 1, r.lender.links())
	})
}

func TestBackoff_BeginsAnewAfterProgress(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		busy := fault{status: http.StatusBadGateway}
		h := r.open(r.put("f", mib, func(o *object) { o.script = []fault{busy, busy, busy, {cutAfter: 30 * kib}, busy} }))
		r.readAll(h)
		require.Len(t, r.origin.log(), 6)
		var pauses []time.Duration
		for i := 1; i < len(r.origin.log()); i++ {
			pauses = append(pauses, r.origin.log()[i].at.Sub(r.origin.log()[i-1].at))
		}
		assert.Equal(t, []time.Duration{firstPause, 2 * firstPause, 4 * firstPause, firstPause, 2 * firstPause}, pauses)
	})
}

func TestRetryAfter_IsObeyedUpToTheDeadline(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		wait := func(seconds string) fault {
			return fault{status: http.StatusTooManyRequests, header: http.Header{"Retry-After": {seconds}}}
		}
		h := r.open(r.put("f", mib, func(o *object) { o.script = []fault{wait("7"), wait("40")} }))
		r.readAll(h)
		require.Len(t, r.origin.log(), 3)
		assert.Equal(t, 7*time.Second, r.origin.log()[1].at.Sub(r.origin.log()[0].at))
		assert.Equal(t, 40*time.Second, r.origin.log()[2].at.Sub(r.origin.log()[1].at))
		r.origin.set("/f", func(o *object) { o.always = new(wait("86400")) })
		g := r.open(r.put("g", mib, func(o *object) { o.always = new(wait("86400")) }))
		began := time.Now()
		assert.ErrorIs(t, r.start(g, 0, 1).wait(), resolver.ErrThrottled)
		assert.LessOrEqual(t, time.Since(began), 2*r.streams.cfg.Deadline)
	})
}

func TestTrickle_EndsAtTheDeadline(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", mib, func(o *object) { o.always = &fault{pace: time.Second, step: 1} }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		_, err := bytesAt(ctx, h, 0, 100)
		assert.ErrorIs(t, err, context.DeadlineExceeded)
		h.Close()
		time.Sleep(10 * time.Minute)
		before := r.origin.gets()
		time.Sleep(time.Hour)
		assert.Equal(t, before, r.origin.gets(), "nobody waits: it is given up")
		assert.Zero(t, r.origin.bodies())
	})
}

func TestTrickle_ThatIsFastEnoughGoesOn(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", 2*mib, func(o *object) { o.always = &fault{pace: time.Second, step: 2 * kib} }))
		r.readAll(h)
		assert.Equal(t, 1, r.origin.gets(), "a page in 32 s is within the deadline")
	})
}

func TestNobodyWaits_FailureEndsTheTransfer(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", mib, func(o *object) { o.always = &fault{status: http.StatusServiceUnavailable} }))
		rd := r.start(h, 0, 100)
		time.Sleep(time.Second)
		rd.cancel(errTest)
		assert.ErrorIs(t, rd.wait(), errTest)
		time.Sleep(lastPause)
		before := r.origin.gets()
		time.Sleep(time.Hour)
		assert.Equal(t, before, r.origin.gets())
		assert.Zero(t, h.file.underWay())
		r.origin.set("/f", func(o *object) { o.always = nil })
		r.readAll(h)
	})
}

func TestFirstCallerLeaves_OthersAreServed(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		gate := make(chan struct{})
		h := r.open(r.put("f", mib, func(o *object) { o.script = []fault{{hold: gate}} }))
		first := r.start(h, 0, 100)
		synctest.Wait()
		others := []*reading{r.start(h, 0, 100), r.start(h, 50, 100), r.start(h, 512*kib, 100)}
		synctest.Wait()
		first.cancel(errTest)
		assert.ErrorIs(t, first.wait(), errTest)
		close(gate)
		for _, rd := range others {
			assert.NoError(t, rd.wait())
		}
		assert.Equal(t, 1, r.origin.gets())
	})
}

func TestFirstCallerLeaves_WhileTheLeaseIsBeingBorrowed(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		r.lender.hold = make(chan struct{})
		h := r.open(r.put("f", mib))
		first, second := r.start(h, 0, 100), r.start(h, 0, 100)
		synctest.Wait()
		first.cancel(errTest)
		assert.ErrorIs(t, first.wait(), errTest)
		close(r.lender.hold)
		assert.NoError(t, second.wait())
		assert.Equal(t, 1, r.origin.gets())
	})
}

func TestReaderWhoLeavesAtTheMomentOfArrival_LeaksNoPage(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		for range 50 {
			gate := make(chan struct{})
			h := r.open(r.put("f", mib, func(o *object) { o.script = []fault{{hold: gate}} }))
			var readers []*reading
			for i := range 8 {
				readers = append(readers, r.start(h, int64(i)*64*kib, 128*kib))
			}
			synctest.Wait()
			close(gate)
			for _, rd := range readers {
				rd.cancel(errTest)
			}
			for _, rd := range readers {
				_ = rd.wait()
			}
			synctest.Wait()
			assert.Equal(t, r.store.Budget(), r.store.Free())
			h.Close()
			r.store.Drop(h.file.object)
		}
	})
}

func TestClose_EndsReadAheadButNotTheLastBlock(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		slow := &fault{pace: 100 * time.Millisecond, step: 64 * kib}
		h := r.open(r.put("f", 100*mib, func(o *object) { o.always = slow }))
		r.read(h, 0, 4*kib)
		h.mu.Lock()
		h.ahead.runs[0].window = 32 * mib // pieces of 4 MiB
		h.mu.Unlock()
		r.read(h, 512*kib, 4*kib)
		synctest.Wait()
		assert.Equal(t, fewStreams, r.origin.bodies())
		h.Close()
		synctest.Wait()
		assert.Equal(t, 1, r.origin.bodies(), "what is far ahead ends with the handle, the block at hand does not")

		g := r.open(r.put("g", 100*mib, func(o *object) { o.always = slow }))
		r.read(g, 50*mib, 4*kib)
		r.read(g, 0, 4*kib) // a window of one block
		g.Close()
		time.Sleep(time.Minute)
		assert.True(t, r.store.Has(g.file.object, 15), "the rest of a block is nearly there")
	})
}

func TestClose_DoesNotEndASmallFileOrASpool(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		slow := &fault{pace: 10 * time.Millisecond, step: 64 * kib}
		h := r.open(r.put("small", 4*mib, func(o *object) { o.always = slow }))
		r.read(h, 0, 4*kib)
		h.Close()
		time.Sleep(time.Minute)
		assert.Equal(t, 64, r.present(h))
		r.lender.uses = 2
		h = r.open(r.put("counted", 20*mib, func(o *object) { o.always = slow }))
		r.read(h, 0, 4*kib)
		h.Close()
		time.Sleep(time.Minute)
		assert.Equal(t, 320, r.present(h))
		assert.Equal(t, 2, r.origin.gets())
	})
}

// present is how many pages of the file are remembered.
func (r *rig) present(h *Handle) int {
	n := 0
	for p := range h.file.object.Pages() {
		if r.store.Has(h.file.object, p) {
			n++
		}
	}
	return n
}

func TestLinkThatAlwaysFails_IsBounded(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 410, 416, 302} {
		inBubble(t, 16*mib, func(t *testing.T, r *rig) {
			h := r.open(r.put("f", mib, func(o *object) { o.always = &fault{status: status} }))
			assert.Error(t, r.start(h, 0, 100).wait())
			assert.Equal(t, strikes, r.origin.gets(), "%d", status)
			assert.Equal(t, strikes, r.lender.links(), "a fresh link for each try")
		})
	}
}

func TestLinkThatDies_IsRenewedOnce(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", 3*mib, func(o *object) { o.script = []fault{{cutAfter: mib}, {status: 403}} }))
		r.readAll(h)
		assert.Equal(t, 3, r.origin.gets())
		assert.Equal(t, 2, r.lender.links())
		assert.Equal(t, int64(3*mib), r.origin.bytesServed())
	})
}

func TestNoLease_IsTheReadersErrorAtOnce(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		r.lender.err = resolver.ErrQuota
		h := r.open(r.put("f", mib))
		began := time.Now()
		assert.ErrorIs(t, r.start(h, 0, 100).wait(), resolver.ErrQuota)
		assert.Zero(t, time.Since(began))
		assert.ErrorIs(t, r.source.Status(h.file.entry).Err, resolver.ErrQuota)
		r.lender.err = nil
		r.readAll(h)
	})
}

func TestForeignReply_CachesNothing(t *testing.T) {
	for name, f := range map[string]fault{
		"short page": {body: "<html>please log in</html>"},
		"gzip":       {body: "xx", header: http.Header{"Content-Encoding": {"gzip"}}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 16*mib, func(t *testing.T, r *rig) {
				h := r.open(r.put("f.pdf", 5*mib, func(o *object) { o.script = []fault{f} }))
				r.readAll(h)
				assert.Equal(t, 1, r.lender.fails(resolver.Wrong))
			})
		})
	}
}

func TestPanicInATransfer_IsAnError(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", mib, func(o *object) { o.script = []fault{{panic: true}} }))
		assert.ErrorIs(t, r.start(h, 0, 1).wait(), resolver.ErrUnavailable)
		r.readAll(h)
	})
}

func TestStreamsClose_WaitsForAllAndFailsReaders(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		var readers []*reading
		var handles []*Handle
		for _, name := range []string{"a", "b", "c"} {
			h := r.open(r.put(name, 40*mib, func(o *object) { o.always = &fault{stallAfter: 64*kib + 1} }))
			handles = append(handles, h)
			readers = append(readers, r.start(h, 0, 128*kib), r.start(h, 20*mib, 128*kib))
		}
		synctest.Wait()
		assert.NoError(t, r.streams.Close())
		for _, h := range handles {
			assert.Zero(t, h.file.underWay())
		}
		assert.Zero(t, r.origin.bodies())
		for _, rd := range readers {
			assert.ErrorIs(t, rd.wait(), resolver.ErrUnavailable)
		}
		assert.ErrorIs(t, r.start(handles[0], 30*mib, 1).wait(), resolver.ErrUnavailable)
		assert.NoError(t, r.streams.Close(), "twice")
	})
}

func TestHandles_CountSequentialReadersOnlyWhileTheyAre(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		f := r.put("f", 100*mib)
		for range 20 {
			h := r.open(f)
			r.read(h, 0, 4*kib) // the head, as every reader of archives does
			for _, place := range []int64{90, 70, 50, 30, 10} {
				r.read(h, place*mib, 4*kib)
			}
			h.Close()
			h.Close()
		}
		r.streams.mu.Lock()
		defer r.streams.mu.Unlock()
		assert.Zero(t, r.streams.readers)
	})
}

func TestWindow_IsSharedByTheReaders(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		assert.Equal(t, int64(32*mib), r.streams.window())
		r.streams.countReader(4)
		assert.Equal(t, int64(8*mib), r.streams.window())
		r.streams.countReader(1000)
		assert.Equal(t, int64(cache.BlockSize), r.streams.window())
		r.streams.countReader(-1004)
	})
}

func TestLearn(t *testing.T) {
	for name, c := range map[string]struct {
		size   int64
		change func(*object)
		uses   int
		gets   int
	}{
		"empty":                                {size: 0, gets: 1},
		"one byte":                             {size: 1, gets: 1},
		"a page":                               {size: sizing, gets: 1},
		"large":                                {size: 50 * mib, gets: 1},
		"small, ranges ignored":                {size: mib, change: func(o *object) { o.noRanges = true }, gets: 1},
		"large, ranges ignored":                {size: 50 * mib, change: func(o *object) { o.noRanges = true }, gets: 1},
		"no length":                            {size: 3*mib + 1, change: func(o *object) { o.noRanges, o.noLength = true, true }, gets: 1},
		"empty, no length":                     {size: 0, change: func(o *object) { o.noRanges, o.noLength = true, true }, gets: 1},
		"no total":                             {size: 3*mib + 1, change: func(o *object) { o.noTotal = true }, gets: 2},
		"no total, smaller than what is asked": {size: 100, change: func(o *object) { o.noTotal = true }, gets: 2},
		"counted":                              {size: 5 * mib, uses: 2, gets: 1},
		"counted, no length":                   {size: 5 * mib, uses: 2, change: func(o *object) { o.noLength = true }, gets: 1},
		"first answer is a page with a 200": {size: 5 * mib, change: func(o *object) {
			o.script = []fault{{body: "<html>", header: http.Header{"Content-Type": {"text/html"}}}}
		}, gets: 2},
		"first answer is a 503, then it is cut, which nobody waits for": {size: 5 * mib, change: func(o *object) { o.script = []fault{{status: 503}, {cutAfter: 7}} }, gets: 2},
		"no length, cut in the middle of a page":                        {size: 2*mib + 9, change: func(o *object) { o.noRanges, o.noLength, o.script = true, true, []fault{{cutAfter: mib + 7}} }, gets: 2},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 64*mib, func(t *testing.T, r *rig) {
				r.lender.uses = c.uses
				f := r.put("f.bin", c.size)
				if c.change != nil {
					r.origin.set("/f.bin", c.change)
				}
				f.Size = unknown
				r.lender.hold = make(chan struct{})
				var learners sync.WaitGroup
				for range 8 {
					learners.Go(func() {
						identity, err := r.source.Learn(t.Context(), f)
						assert.NoError(t, err)
						assert.Equal(t, c.size, identity.Size)
					})
				}
				synctest.Wait()
				close(r.lender.hold)
				learners.Wait()
				synctest.Wait()
				assert.Equal(t, c.gets, r.origin.gets(), "%v", r.origin.ranges())
				known, _, ok := r.ledger.Get("f.bin", "1")
				assert.True(t, ok)
				assert.Equal(t, c.size, known.Size)
				f.Size, f.SizeLearnt, f.Learnt = known.Size, true, &known
				r.readAll(r.open(f))
			})
		})
	}
}

// A file whose size the listing tells can be asked about, too.
func TestLearn_OfAKnownSize(t *testing.T) {
	for _, size := range []int64{1, 5 * mib, 0} {
		inBubble(t, 16*mib, func(t *testing.T, r *rig) {
			r.lender.limit = 1000 // ends a loop that asks for nothing
			identity, err := r.source.Learn(t.Context(), r.put("f", size))
			assert.NoError(t, err)
			assert.Equal(t, size, identity.Size)
			assert.LessOrEqual(t, r.lender.borrowed, 1)
		})
	}
}

func TestOpen_Refused(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		f := r.put("f", 1)
		f.Refused = resolver.ErrUnsupported
		_, err := r.source.Open(f)
		assert.ErrorIs(t, err, resolver.ErrUnsupported)
	})
}

// Whoever joins a transfer at the moment at which it gives up because nobody
// waited has not been refused anything: he tries anew.
func TestNobodyWaits_LateComerTriesAnew(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		h := r.open(r.put("f", mib, func(o *object) { o.script = []fault{{cutAfter: 100}} }))
		f := h.file
		tr := newTransfer(f, resolver.NewDemand(resolver.Read, nil), byteRange{0, mib})
		f.mu.Lock()
		f.transfers[tr] = struct{}{}
		f.mu.Unlock()
		err := tr.bring() // gives up
		assert.Error(t, err)
		f.mu.Lock()
		a, joined := f.expectLocked(resolver.NewDemand(resolver.Read, nil), 0, byteRange{0, mib}, nil)
		f.mu.Unlock()
		assert.NoError(t, joined)
		tr.dropPage()
		tr.cancel(errAbandoned)
		tr.end(err)
		page, err := f.wait(t.Context(), a)
		assert.NoError(t, err)
		assert.Nil(t, page, "look again")
		assert.Error(t, r.source.Status(f.entry).Err, "it is told all the same")
		r.readAll(h)
	})
}

func TestStatus(t *testing.T) {
	inBubble(t, 16*mib, func(t *testing.T, r *rig) {
		f := r.put("f", 8*mib)
		assert.Equal(t, Status{}, r.source.Status(f))
		h := r.open(f)
		r.read(h, 6*mib, 2*mib)
		synctest.Wait()
		st := r.source.Status(f)
		assert.Equal(t, 25, st.Cached)
		assert.NotNil(t, st.Lease)
		assert.NoError(t, st.Err)
	})
}

func TestTwoHandles_NoByteTwiceWhileItIsOnItsWay(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		f := r.put("f", 20*mib, func(o *object) { o.always = &fault{pace: time.Millisecond, step: 32 * kib} })
		var readers sync.WaitGroup
		for range 3 {
			h := r.open(f)
			readers.Go(func() { r.readAll(h) })
			time.Sleep(3 * time.Millisecond)
		}
		readers.Wait()
		synctest.Wait()
		assert.Equal(t, int64(20*mib), r.origin.bytesServed())
	})
}
