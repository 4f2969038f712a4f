package broker

import (
	"slices"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// waiter is one call of Acquire.
type waiter struct {
	demand *resolver.Demand
	client uint64 // of the demand, which is not asked with a lock held
}

// request is one file asked for, and those who wait for it. While it is there
// the file's record holds it. Broker.mu guards it.
type request struct {
	file    resolver.File
	batch   resolver.Batch
	number  uint64 // in order of arrival
	since   time.Time
	waiters []*waiter
	asked   bool // somebody waits or has waited
	ahead   bool // a renewal, worth a call though nobody waits
	riding  bool // in a call; pending otherwise

	failures int       // calls without an answer, each followed by a pause
	shared   int       // of them those that others rode in
	trouble  error     // what the last one ended with
	ready    time.Time // end of the pause
	end      time.Time // of patience

	done  chan struct{}
	lease *resolver.Lease // set before done is closed
	err   error
}

// requestLocked makes a request, which the caller puts into the file's record.
func (b *Broker) requestLocked(f resolver.File, batch resolver.Batch) *request {
	b.arrivals++
	return &request{file: f, batch: batch, number: b.arrivals, since: time.Now(), done: make(chan struct{})}
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

// alone reports whether the file is asked for by itself: it may be the one that
// the provider cannot answer together with any other.
func (r *request) alone() bool { return r.shared >= sharedFailures }

// takes reports whether o can ride in a call for r.
func (r *request) takes(o *request) bool {
	return r == o || r.batch.Group == o.batch.Group && !r.alone() && !o.alone()
}

// urgency is that of the most urgent waiter by now, and his program.
func (r *request) urgency() (resolver.Urgency, uint64) {
	urgency, client := resolver.Background, uint64(0)
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

// limit is how long a call for the file may take.
func (r *request) limit(now time.Time, most time.Duration) time.Duration {
	if r.failures == 0 {
		return most
	}
	return min(most, r.end.Sub(now))
}
