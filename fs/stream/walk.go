package stream

import (
	"context"
	"iter"
	"slices"
	"sync"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

const (
	// walks is how many walks through directories are followed at a time.
	walks = 32
	// walkFirst and walkMost are how many files of a walk are fetched ahead, at
	// first and in the end. 64 round trips at a time read 3,000 files a second
	// at 20 ms, which is more than one reader takes in.
	walkFirst, walkMost = 4, 64
	// walkSkips is how many files may be passed over by a walk: several readers
	// who share a directory do not finish in its order. Who passes over more
	// reads some files only, and nothing is known of the next.
	walkSkips = 16
	// walkHead is what is fetched ahead of a large file. The rest is fetched
	// ahead of its reader, when there is one.
	walkHead = cache.BlockSize
)

// walking follows those who read one file after another of a directory, as cp,
// rsync and tar do, and has the next ones fetched before they are opened. It
// begins with the second file that had to be fetched, and goes on for as long as
// the files that were fetched ahead are read.
type walking struct {
	src *Source

	mu  sync.Mutex // guards the following
	all []*walk    // the least recently used first
}

// walk is one run through a directory.
type walk struct {
	dir    resolver.ID
	coming []*ahead // the next files, in order
	window int      // how many are to be fetched ahead, 0 before a second file was read
}

// ahead is a file that is likely to be read next.
type ahead struct {
	file   resolver.File
	stop   context.CancelCauseFunc // nil before it is begun
	passed int                     // how many files behind it were read before it
}

// finished notes that a file was read to its end. Missed tells that bytes of it
// had to be waited for.
func (w *walking) finished(f resolver.File, missed bool) {
	if w.src.Following == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	run, place := w.find(f)
	switch {
	case run == nil && missed:
		w.begin(f)
	case run != nil && place > walkSkips:
		w.end(run)
		w.begin(f)
	case run != nil:
		run.pass(place)
		w.fetch(run)
	}
}

// find returns the walk in which f is to come, and its place there.
func (w *walking) find(f resolver.File) (*walk, int) {
	for i := len(w.all) - 1; i >= 0; i-- {
		run := w.all[i]
		if run.dir != f.Dir {
			continue
		}
		if place := run.find(f.ID); place >= 0 {
			w.all = append(slices.Delete(w.all, i, i+1), run)
			return run, place
		}
	}
	return nil, 0
}

func (r *walk) find(id resolver.ID) int {
	return slices.IndexFunc(r.coming, func(a *ahead) bool { return a.file.ID == id })
}

// begin makes a walk of which f was the first file.
func (w *walking) begin(f resolver.File) {
	if len(w.all) == walks {
		w.end(w.all[0])
	}
	run := &walk{dir: f.Dir}
	run.refill(w.src.Following(f))
	if len(run.coming) > 0 {
		w.all = append(w.all, run)
	}
}

// end gives up a walk. What is fetched ahead and has no link yet is not fetched.
func (w *walking) end(run *walk) {
	for _, a := range run.coming {
		a.cancel()
	}
	w.all = slices.DeleteFunc(w.all, func(o *walk) bool { return o == run })
}

func (a *ahead) cancel() {
	if a.stop != nil {
		a.stop(errAbandoned)
	}
}

// refill takes over the files that are to come after those that are known.
func (r *walk) refill(following iter.Seq[resolver.File]) {
	for f := range following {
		if len(r.coming) >= walkSkips+2*walkMost {
			return
		}
		r.coming = append(r.coming, &ahead{file: f})
	}
}

// pass takes the file of that place from those to come, and with it those that
// nobody is going to read any more. The window grows.
func (r *walk) pass(place int) {
	for _, a := range r.coming[:place] {
		a.passed++
	}
	r.coming = slices.Delete(r.coming, place, place+1)
	r.coming = slices.DeleteFunc(r.coming, func(a *ahead) bool {
		if a.passed > walkSkips {
			a.cancel()
		}
		return a.passed > walkSkips
	})
	r.window = min(max(walkFirst, 2*r.window), walkMost)
}

// fetch fills the window once half of it was read, so that links are asked for
// many at a time. The bytes of those ahead take no more than a reader's window.
func (w *walking) fetch(run *walk) {
	if last := len(run.coming) - 1; last >= 0 && last < walkSkips+walkMost {
		run.refill(w.src.Following(run.coming[last].file))
	}
	begun, bytes := 0, int64(0)
	for _, a := range run.coming {
		if a.stop != nil {
			begun++
			bytes += a.file.Size
		}
	}
	if begun > run.window/2 {
		return
	}
	most := w.src.window()
	for _, a := range run.coming {
		if begun >= run.window || begun > 0 && bytes+a.file.Size > most {
			break
		}
		if a.stop == nil && w.fetchFile(a) {
			begun++
			bytes += a.file.Size
		}
	}
	if len(run.coming) == 0 {
		w.end(run)
	}
}

// fetchFile has a file fetched by a reader of its own, whom nobody waits for;
// false when that is not possible any more.
func (w *walking) fetchFile(a *ahead) bool {
	ctx, cancel := context.WithCancelCause(w.src.ctx)
	a.stop = cancel
	err := w.src.start(func() {
		defer cancel(nil)
		w.src.fetchHead(ctx, a.file)
	})
	if err != nil {
		cancel(err)
	}
	return err == nil
}

// fetchHead brings a small file, or the head of a large one, into the cache.
func (s *Source) fetchHead(ctx context.Context, entry resolver.File) {
	ctx, expire := context.WithTimeout(ctx, s.cfg.Deadline)
	defer expire()
	ctx = resolver.WithDemand(ctx, resolver.NewDemand(resolver.Ahead, nil))
	f := s.hold(entry)
	defer f.release()
	limit, since := entry.Size, f.lastFallen()
	if limit > wholeFile {
		limit = walkHead
	}
	for p := int64(0); p*cache.PageSize < limit; p++ {
		page, _, err := f.page(ctx, p, byteRange{p * cache.PageSize, pageUp(limit)}, since)
		if err != nil {
			return // a reader will be told, if there is one
		}
		page.Release()
	}
}
