package stream

import "github.com/attachfs/attachfs/cache"

const (
	// runs is how many sequential readers of one handle are told apart: a
	// program that reads two places in turn keeps both windows.
	runs = 4
	// near is how far from its expected place a read may be and still belong
	// to a run that has a window: the kernel sends up to 1 MiB per request and
	// several at once, in any order.
	near = 1 << 20
	// next is how far ahead a read may be to begin a run: one request of the
	// kernel's default read-ahead.
	next = 128 << 10
)

// readAhead follows where a handle is read in sequence.
type readAhead struct {
	runs [runs]run
	tick uint64
}

// run is one reader who goes forward.
type run struct {
	next    int64  // where he is expected to read
	fetched int64  // up to where bytes are here or coming
	window  int64  // how far ahead of him is fetched; 0 for a random read
	grown   int64  // the window does not grow again before he is here
	used    uint64 // tick of his last read
}

// note finds the run that a read belongs to, or begins one in the place of the
// least recently used.
func (a *readAhead) note(r byteRange) *run {
	a.tick++
	found := a.find(r.start)
	if found == nil {
		found = &a.runs[0]
		for i := range a.runs {
			if a.runs[i].used < found.used {
				found = &a.runs[i]
			}
		}
		*found = run{next: r.start}
		if r.start == 0 {
			found.window = cache.BlockSize
		}
	} else if found.window == 0 {
		found.window = cache.BlockSize
	}
	found.used = a.tick
	found.next = max(found.next, r.limit)
	return found
}

func (a *readAhead) find(off int64) *run {
	for i := range a.runs {
		r := &a.runs[i]
		from, to := r.next, r.next+next
		if r.window > 0 {
			from, to = r.next-near, r.next+near
		}
		if r.used > 0 && off >= from && off <= to {
			return r
		}
	}
	return nil
}

// grow doubles the window of the run at off, up to limit, and returns the run,
// or nil if the read at off belongs to none. It does so once for what is on its
// way: the kernel sends several requests at a time, which all wait for it.
func (a *readAhead) grow(off, limit int64) *run {
	r := a.find(off)
	if r == nil || r.window == 0 {
		return nil
	}
	if off >= r.grown {
		r.grown = max(r.fetched, r.next)
		r.window = min(2*r.window, limit)
	}
	return r
}

// sequential reports whether any run has a window.
func (a *readAhead) sequential() bool {
	for i := range a.runs {
		if a.runs[i].window > 0 {
			return true
		}
	}
	return false
}

// plan returns what to fetch for a read, and in which pieces. It is empty when
// the read is served by what is on its way and the next piece can wait. So many
// pieces as streams are allowed make up a window, so that all may be under way.
func (r *run) plan(read byteRange, size int64, streams int) (want byteRange, chunk int64) {
	chunk = min(max(pageDown(r.window/int64(streams)), cache.BlockSize), maxRange)
	target := min(pageUp(max(read.limit, r.next)+r.window), size)
	if read.limit > r.fetched {
		return byteRange{pageDown(read.start), target}, max(chunk, pageUp(read.limit)-pageDown(read.start))
	}
	if target-r.fetched < chunk && target < size {
		return byteRange{}, chunk
	}
	return byteRange{r.fetched, target}, chunk
}
