package limit

import (
	"math"
	"time"
)

// window is a rate with a log of its last grants, a ring once it is full.
type window struct {
	calls  int
	per    time.Duration
	grants []time.Time
	oldest int
}

// windows returns what keeps the rates. A rate of more than a second gets a
// second window, so that what it allows is not spent in one burst.
func windows(rates []Rate) []*window {
	var all []*window
	for _, r := range rates {
		if r.Calls < 1 || r.Per < 1 {
			continue
		}
		all = append(all, newWindow(r))
		if r.Per > time.Second {
			perSecond := math.Ceil(float64(r.Calls) / r.Per.Seconds())
			all = append(all, newWindow(Rate{int(perSecond), time.Second}))
		}
	}
	return all
}

// newWindow adds 4 % to the length, because calls reach the server less evenly
// than they leave.
func newWindow(r Rate) *window { return &window{calls: r.Calls, per: r.Per + r.Per/25} }

// next is when the window has room for one more grant; zero is always.
func (w *window) next() time.Time {
	if len(w.grants) < w.calls {
		return time.Time{}
	}
	return w.grants[w.oldest].Add(w.per)
}

// grant notes a grant, for which there must be room.
func (w *window) grant(now time.Time) {
	if len(w.grants) < w.calls {
		w.grants = append(w.grants, now)
		return
	}
	w.grants[w.oldest] = now
	w.oldest = (w.oldest + 1) % w.calls
}
