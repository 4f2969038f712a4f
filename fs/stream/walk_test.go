package stream

import (
	"fmt"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
)

// trip is how far away the origin of a directory is.
const trip = 20 * time.Millisecond

// directory makes n files of size bytes, a trip away, that follow one another.
func (r *rig) directory(n int, size int64) []resolver.File {
	files := make([]resolver.File, n)
	for i := range files {
		files[i] = r.put(fmt.Sprintf("%04d", i), size, func(o *object) {
			o.always = &fault{pace: trip, step: int(size)}
		})
		files[i].Dir = "d"
	}
	r.source.Following = func(f resolver.File) iter.Seq[resolver.File] {
		return func(yield func(resolver.File) bool) {
			for _, next := range files {
				if next.Name > f.Name && !yield(next) {
					return
				}
			}
		}
	}
	return files
}

// copyFile reads a file to its end, as cp does.
func (r *rig) copyFile(f resolver.File) bool {
	h := r.open(f)
	defer h.Close()
	return r.readAll(h)
}

// Small files that are read one after another cost a fraction of a trip each,
// and one GET.
func TestWalk_OneReader(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		const n = 500
		began := time.Now()
		for _, f := range r.directory(n, 32*kib) {
			r.copyFile(f)
		}
		assert.Less(t, time.Since(began), n*trip/20)
		assert.Equal(t, n, r.origin.gets())
	})
}

// Readers who share a directory do not take its files in order.
func TestWalk_EightReaders(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		const n = 500
		files := r.directory(n, 32*kib)
		began := time.Now()
		var next atomic.Int64
		var readers sync.WaitGroup
		for range 8 {
			readers.Go(func() {
				for i := next.Add(1) - 1; i < n; i = next.Add(1) - 1 {
					r.copyFile(files[i])
				}
			})
		}
		readers.Wait()
		assert.Less(t, time.Since(began), n*trip/20)
		assert.Equal(t, n, r.origin.gets())
	})
}

// Programs that read in other ways have nothing fetched for them.
func TestWalk_OthersCostNothing(t *testing.T) {
	for name, read := range map[string]func(r *rig, files []resolver.File) (gets int){
		"one file": func(r *rig, files []resolver.File) int {
			r.copyFile(files[0])
			return 1
		},
		"heads": func(r *rig, files []resolver.File) int {
			for _, f := range files {
				h := r.open(f)
				r.read(h, 0, 4*kib)
				h.Close()
			}
			return len(files)
		},
		"backwards": func(r *rig, files []resolver.File) int {
			for i := range files {
				r.copyFile(files[len(files)-1-i])
			}
			return len(files)
		},
		"a few of many": func(r *rig, files []resolver.File) int {
			gets := 0
			for i := 0; i < len(files); i += walkSkips + 2 {
				r.copyFile(files[i])
				gets++
			}
			return gets
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 64*mib, func(t *testing.T, r *rig) {
				gets := read(r, r.directory(100, 256*kib))
				time.Sleep(time.Minute)
				assert.Equal(t, gets, r.origin.gets())
			})
		})
	}
}

// What is here is not read again for those who come by.
func TestWalk_NotOverWhatIsHere(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		files := r.directory(100, 32*kib)
		for _, f := range files {
			r.copyFile(f)
		}
		before := r.store.Stats().MemoryHits
		for _, f := range files {
			r.copyFile(f)
		}
		synctest.Wait()
		assert.Equal(t, before+int64(len(files)), r.store.Stats().MemoryHits)
		assert.Equal(t, len(files), r.origin.gets())
	})
}

// Of large files the heads are fetched, and no more than a window of all.
func TestWalk_LargeFiles(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		const size = 10 * mib
		files := r.directory(20, size)
		r.copyFile(files[0])
		r.copyFile(files[1])
		time.Sleep(time.Minute)
		ahead := r.origin.bytesServed() - 2*size
		assert.Equal(t, int64(3*walkHead), ahead, "of as many as fit into a window of 32 MiB")
		r.copyFile(files[2])
		assert.LessOrEqual(t, r.origin.bytesServed(), int64(3*size+4*walkHead), "no byte twice")
	})
}

// Who stops in the middle leaves a window behind, not the rest of the
// directory; and what has no link yet by the time of another walk is not fetched.
func TestWalk_Left(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		files := r.directory(500, 32*kib)
		for _, f := range files[:50] {
			r.copyFile(f)
		}
		time.Sleep(time.Minute)
		assert.LessOrEqual(t, r.origin.gets(), 50+walkMost)
	})
}

// A file that cannot be had ahead of time is tried again for its reader.
func TestWalk_TroubleIsTheReaders(t *testing.T) {
	inBubble(t, 64*mib, func(t *testing.T, r *rig) {
		files := r.directory(20, 32*kib)
		r.origin.set("/0005", func(o *object) { o.script = []fault{{status: 500}, {status: 500}} })
		for _, f := range files {
			assert.True(t, r.copyFile(f), f.Name)
		}
	})
}
