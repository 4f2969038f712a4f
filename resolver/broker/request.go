package broker

import (
	"slices"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// waiter is one call of Acquire.
type waiter struct {
	demand *resolver.Demand
	client resolver.Client // of the demand, which is not asked with a lock held
	epoch  uint64          // of the broker when it came; an answer from before is not for it
}

// request is one file asked for, and those who wait for it. While it is there
// the file's record holds it. Broker.mu guards it.
type request struct {
	file    resolver.File
	batch   resolver.Batch
	number  uint64 // in order of arrival
	since   time.Time
	waiters []*waiter
	asked   bool             // somebody waits or has waited
	ahead   bool             // a renewal, worth a call though nobody waits
	riding  bool             // in a call; pending otherwise
	epoch   uint64           // of the broker when it was last asked for
	turn    *resolver.Demand // of the turn that it waits for while riding, nil if for none

	failures int       // calls without an answer, each followed by a pause
	trouble  error     // what the last one ended with
	most     int       // files in a call with it, since one that others rode in had no answer; 0 before
	ready    time.Time // end of the pause
	end      time.Time // of patience

	done  chan struct{}
	lease *resolver.Lease // set before done is closed
	err   error
}

// requestLocked makes a request, which the caller puts into the file's record.
func (b *Broker) requestLocked(f resolver.File, batch resolver.Batch) *request {
	b.arrivals++
	return &request{
		file: f, batch: batch, number: b.arrivals, since: time.Now(), epoch: b.epoch, done: make(chan struct{}),
	}
}

func (r *request) leave(w *waiter) {
	r.waiters = slices.DeleteFunc(r.waiters, func(o *waiter) bool { return o == w })
}

// wanted reports whether the file is worth a call.
func (r *request) wanted() bool { return r.ahead || len(r.waiters) > 0 }

// due reports whether a pending request can ride in a call made now.
func (r *request) due(now time.Time) bool {
	return r.wanted() && !now.Before(r.ready) && !r.spent(now)
}

// spent reports whether patience is at its end.
func (r *request) spent(now time.Time) bool { return r.failures > 0 && !now.Before(r.end) }

// suspect reports whether the file may be one that the provider cannot answer,
// nor any other together with it.
func (r *request) suspect() bool { return r.most > 0 }

// takes reports whether o can ride in a call for r. Suspects ride apart.
func (r *request) takes(o *request) bool {
	return r == o || r.batch.Group == o.batch.Group && r.suspect() == o.suspect()
}

// size is how many files a call with it takes.
func (r *request) size(narrow bool) int {
	if narrow && r.suspect() {
		return r.most
	}
	return r.batch.Size
}

// start begins the patience with the file, if it has not begun.
func (r *request) start(now time.Time, patience time.Duration) {
	if r.end.IsZero() {
		r.end = now.Add(patience)
	}
}

// urgency is that of the most urgent waiter by now, and his program.
func (r *request) urgency() (resolver.Urgency, resolver.Client) {
	urgency, client := resolver.Background, resolver.Client{}
	if r.ahead {
		urgency = resolver.Ahead
	}
	for i, w := range r.waiters {
		if u := w.demand.Urgency(); i == 0 || u > urgency {
			urgency, client = max(u, urgency), w.client
		}
	}
	return urgency, client
}

// limit is how long a call for the file may take, which is not spent.
func (r *request) limit(now time.Time, most time.Duration) time.Duration {
	if r.failures == 0 {
		return most
	}
	return min(most, r.end.Sub(now))
}
