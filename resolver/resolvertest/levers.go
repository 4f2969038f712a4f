package resolvertest

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// Method is one of a [Fake]'s calls, for its levers.
type Method string

// The methods of a provider.
const (
	List    Method = "List"
	Update  Method = "Update"
	Resolve Method = "Resolve"
)

// faults is what befalls one method.
type faults struct {
	calls  int
	always error
	nth    map[int]error // by number of the call
	delay  time.Duration
	gate   chan struct{} // open when nil, else opened by closing it
}

func newFaults() *faults { return &faults{nth: make(map[int]error)} }

// enter counts a call and lets it run into what is set for it.
func (f *Fake) enter(ctx context.Context, m Method) error {
	f.mu.Lock()
	s := f.faults[m]
	s.calls++
	fault := s.always
	if err, ok := s.nth[s.calls]; ok {
		fault = err
		delete(s.nth, s.calls)
	}
	delay, gate := s.delay, s.gate
	f.mu.Unlock()
	if err := wait(ctx, delay, gate); err != nil {
		return err
	}
	return fault
}

// wait returns when the delay is over and the gate is open, or with the error
// of ctx.
func wait(ctx context.Context, delay time.Duration, gate <-chan struct{}) error {
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-ctx.Done():
		case <-timer.C:
		}
	}
	if gate != nil {
		select {
		case <-ctx.Done():
		case <-gate:
		}
	}
	return ctx.Err()
}

// Fail lets the n-th call of m from now fail with err; 1 is the next one. The
// call is counted, delayed and held like any other.
func (f *Fake) Fail(m Method, n int, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s := f.faults[m]
	s.nth[s.calls+n] = err
}

// FailAll lets every call of m fail with err, until it is set to nil.
func (f *Fake) FailAll(m Method, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[m].always = err
}

// FailID makes err the answer for id; nil heals it.
func (f *Fake) FailID(id resolver.ID, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.refused[id] = err
}

// Poison lets every Resolve that asks for id fail as a whole with err; nil
// heals it.
func (f *Fake) Poison(id resolver.ID, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.poison[id] = err
}

// Hold stops the calls of m that begin from now on until release is called or
// their context ends. [Fake.Calls] tells how many have begun. Holding again
// replaces the hold for later calls; release may be called more than once.
func (f *Fake) Hold(m Method) (release func()) {
	gate := make(chan struct{})
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[m].gate = gate
	return sync.OnceFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.faults[m].gate == gate {
			f.faults[m].gate = nil
		}
		close(gate)
	})
}

// SetDelay makes each call of m take d.
func (f *Fake) SetDelay(m Method, d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.faults[m].delay = d
}

// SetPageSize makes pages of n entries; 0, as at first, is one page for all.
func (f *Fake) SetPageSize(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.pageSize = n
}

// SetChildren decides which directories' listings come along with the listing
// of their parent; at first none do, and nil is none again. Alone is what List
// answers of such a directory when it is asked for by itself; with nil it lists
// it.
func (f *Fake) SetChildren(along func(dir resolver.ID) bool, alone error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.along, f.alone = along, alone
}

// SetUpdates makes the last page of a listing carry a mark, and Update answer it
// with what changed and went away since; at first listings have no marks, and
// Update is ErrUnsupported.
func (f *Fake) SetUpdates(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.updates = on
}

// SetTerms is about the links that are made from now on.
func (f *Fake) SetTerms(terms Terms) {
	terms.Header = maps.Clone(terms.Header)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.terms = terms
}

// SetBatch sets what Batch returns; at first all files are of one lane and one
// group, and asked for one by one. It has to answer always the same for an id.
func (f *Fake) SetBatch(batch func(resolver.ID) resolver.Batch) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.batch = batch
}

// SetTurn sets what Turn does; at first it returns nil at once.
func (f *Fake) SetTurn(turn func(ctx context.Context, lane string) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.turn = turn
}

// SetRevision sets what Revision returns.
func (f *Fake) SetRevision(revision string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.revision = revision
}

// Calls is how many calls of m have begun.
func (f *Fake) Calls(m Method) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.faults[m].calls
}

// Batches returns the ids of each Resolve that has begun, in order.
func (f *Fake) Batches() [][]resolver.ID {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.batches)
}
