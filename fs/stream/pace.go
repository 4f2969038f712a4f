package stream

import (
	"math"
	"sync"
	"time"
)

const (
	// fewStreams is how many ranges of a file are fetched at a time before it is
	// known whether more bring more: one, and the next, so that none waits for
	// the request of the other.
	fewStreams = 2
	// worthwhile is by how much twice as many streams must be faster to be kept.
	// On one connection's worth of a fast line they are not, behind a limit for
	// each connection they are 2.0 times as fast.
	worthwhile = 1.2
	// paceAge is how long it is believed what so many streams bring.
	paceAge = 30 * time.Second
	// paceWeight is the share of the last range in the average.
	paceWeight = 0.5
	// paceLeast is the shortest range that tells how fast a stream is.
	paceLeast = 512 << 10
)

// pace finds out how many ranges of one host are worth fetching at a time: as
// long as twice as many bring more, twice as many are allowed. Its methods may
// be called in parallel.
type pace struct {
	mu      sync.Mutex    // guards the following
	active  int           // ranges under way
	area    time.Duration // of active over time, until changed
	changed time.Time     // when active did last
	levels  [8]level      // of 1<<i streams
}

// level is how fast each of so many streams was of late.
type level struct {
	rate float64 // bytes a second; 0 where that is not known
	at   time.Time
}

// total is what all streams of the level bring together, 0 where that is not
// known, or was too long ago.
func (p *pace) total(i int, now time.Time) float64 {
	if l := p.levels[i]; now.Sub(l.at) < paceAge {
		return l.rate * float64(int(1)<<i)
	}
	return 0
}

// streams returns how many ranges of a file may be fetched at a time, no more than
// most. Of a nil pace nothing is known.
func (p *pace) streams(most int) int {
	if p == nil {
		return min(fewStreams, most)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	now, n := time.Now(), 1
	for i := 0; n < most && i+1 < len(p.levels); i, n = i+1, 2*n {
		here, more := p.total(i, now), p.total(i+1, now)
		if n >= fewStreams && (here == 0 || more > 0 && more < worthwhile*here) {
			break
		}
	}
	return min(n, most)
}

// begin notes that a range is being fetched. The caller ends it.
func (p *pace) begin() (end func(bytes int64)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	began := p.change(+1)
	area := p.area
	return func(bytes int64) {
		p.mu.Lock()
		defer p.mu.Unlock()
		now := p.change(-1)
		if took := now.Sub(began); bytes >= paceLeast && took > 0 {
			p.note(float64(bytes)/took.Seconds(), float64(p.area-area)/float64(took), now)
		}
	}
}

// change has by more ranges under way from now on.
func (p *pace) change(by int) (now time.Time) {
	now = time.Now()
	p.area += time.Duration(p.active) * now.Sub(p.changed)
	p.active, p.changed = p.active+by, now
	return now
}

// note takes in how fast a range was while n were under way, itself included.
func (p *pace) note(rate, n float64, now time.Time) {
	i := min(max(0, int(math.Round(math.Log2(n)))), len(p.levels)-1)
	l := &p.levels[i]
	if l.rate == 0 || now.Sub(l.at) >= paceAge {
		l.rate = rate
	}
	l.rate += paceWeight * (rate - l.rate)
	l.at = now
}
