package resolver

import (
	"context"
	"sync/atomic"
)

// Urgency orders calls that wait for the same limit: the higher goes first.
type Urgency int32

// The urgencies.
const (
	// Background: nobody waits.
	Background Urgency = iota
	// Ahead: somebody is about to want it.
	Ahead
	// Stat: somebody waits for a name, a size or an open.
	Stat
	// Read: somebody waits for bytes.
	Read
)

// Client is the program that asks. The zero value is one that is not known.
type Client struct {
	// Job is its process group: what a shell starts by one command line, such
	// as all the children of one xargs.
	Job int
	// Process is its number.
	Process int
}

// Demand tells who wants a call, and how urgently. It travels in a context; a
// call may become more urgent while it waits, never less. Its methods may be
// called in parallel.
type Demand struct {
	client  func() Client
	urgency atomic.Int32
}

// NewDemand makes a demand. Client tells programs apart, so that one with many
// requests does not crowd out one with few; it is called when the demand has to
// queue, and may be nil.
func NewDemand(u Urgency, client func() Client) *Demand {
	d := &Demand{client: client}
	d.urgency.Store(int32(u))
	return d
}

// Urgency is how urgent the call is by now.
func (d *Demand) Urgency() Urgency { return Urgency(d.urgency.Load()) }

// Raise makes the call at least as urgent as u.
func (d *Demand) Raise(u Urgency) {
	for {
		old := d.urgency.Load()
		if old >= int32(u) || d.urgency.CompareAndSwap(old, int32(u)) {
			return
		}
	}
}

// Client is the program that asks.
func (d *Demand) Client() Client {
	if d.client == nil {
		return Client{}
	}
	return d.client()
}

type demandKey struct{}

// WithDemand returns a context whose calls are made for d.
func WithDemand(ctx context.Context, d *Demand) context.Context {
	return context.WithValue(ctx, demandKey{}, d)
}

// DemandOf returns the demand that ctx carries; without one, a Stat of an
// unknown client.
func DemandOf(ctx context.Context) *Demand {
	if d, ok := ctx.Value(demandKey{}).(*Demand); ok {
		return d
	}
	return NewDemand(Stat, nil)
}
