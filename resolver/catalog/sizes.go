package catalog

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// aheadMoment is how soon one lookup has to follow another in a directory
	// to be taken for one of many.
	aheadMoment = 10 * time.Second
	// aheadFirst and aheadMost are how many files beyond the one looked up are
	// in the window of sizes that are learnt ahead, at first and in the end.
	aheadFirst, aheadMost = 4, 64
	// aheadReach is how far the window may stretch: where most sizes are
	// known, a lookup would look through all files for one that is not.
	aheadReach = 4 * aheadMost
	// aheadParallel is how many sizes are learnt ahead at a time.
	aheadParallel = 32
	// aheadTimeout ends the learning of a size that nobody waits for.
	aheadTimeout = time.Minute
)

// remembered completes a listed node from memory; false when its size is still
// not known then.
func (c *Catalog) remembered(n resolver.Node) (resolver.Node, bool) {
	c.learnt.apply(&n)
	if n.Dir || n.Size != resolver.SizeUnknown {
		return n, true
	}
	c.mu.Lock()
	r, ok := c.refused[fileVersion{n.ID, n.Version}]
	c.mu.Unlock()
	if !ok || !time.Now().Before(r.until) {
		return n, false
	}
	return refusedNode(n, r.err), true
}

// learn completes a node whose size is not known by asking its origin.
func (c *Catalog) learn(ctx context.Context, n resolver.Node) (resolver.Node, error) {
	identity, err := c.sizer.Learn(ctx, n.File)
	switch {
	case resolver.Refused(err):
		c.mu.Lock()
		c.refused[fileVersion{n.ID, n.Version}] = refusal{err, time.Now().Add(refusalTTL)}
		c.mu.Unlock()
		return refusedNode(n, err), nil
	case err != nil:
		return resolver.Node{}, fmt.Errorf("learn the size of %q: %w", n.Name, err)
	case identity.Size < 0:
		return resolver.Node{}, fmt.Errorf("learn the size of %q: none told: %w", n.Name, resolver.ErrUnavailable)
	}
	c.learnt.apply(&n)
	if n.Size == resolver.SizeUnknown {
		n.Size, n.SizeLearnt, n.Learnt = identity.Size, true, &identity
	}
	return n, nil
}

func refusedNode(n resolver.Node, err error) resolver.Node {
	n.Size, n.Refused = 0, err
	return n
}

// ahead is the run of lookups through a directory whose sizes are learnt before
// they are asked for.
type ahead struct {
	mu     sync.Mutex // guards the following
	of     *listing
	place  int       // of the file that was looked up last
	asked  time.Time // when that was
	from   int       // the run went through the places [from, limit) so far
	limit  int
	window int       // how many files it is to be ahead, 0 at first
	begun  []int     // the places of those that it is ahead
	paused time.Time // until when nothing is learnt ahead
}

// aheadOf returns the run through a directory.
func (c *Catalog) aheadOf(d *directory) *ahead {
	c.mu.Lock()
	defer c.mu.Unlock()
	if d.ahead == nil {
		d.ahead = new(ahead)
	}
	return d.ahead
}

// learnFollowing sees that the sizes of the files after place are learnt, if its
// lookup is one of many. The listing does not tell the size of that file, which
// may be known all the same.
func (c *Catalog) learnFollowing(a *ahead, l *listing, place int, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.follow(l, place, known) {
		return
	}
	end := min(place+aheadReach, len(l.sizes))
	for ; len(a.begun) < a.window && a.limit < end; a.limit++ {
		if l.sizes[a.limit] != resolver.SizeUnknown {
			continue
		}
		n, known := c.remembered(l.at(a.limit))
		if !known && c.begin(func() { c.learnAhead(a, n) }) {
			a.begun = append(a.begun, a.limit)
		}
	}
}

// follow takes note of a lookup, and reports whether the window is to be filled
// up after it. The caller holds a.mu.
func (a *ahead) follow(l *listing, place int, known bool) bool {
	now := time.Now()
	oneOfMany := a.of == l && now.Sub(a.asked) < aheadMoment
	inRun := oneOfMany && a.from <= place && place <= a.limit
	if known && !inRun {
		return false
	}
	again := oneOfMany && place == a.place
	a.of, a.place, a.asked = l, place, now
	if !inRun {
		a.from, a.limit, a.window, a.begun = place, place, 0, nil
	}
	a.limit = max(a.limit, place+1)
	a.begun = slices.DeleteFunc(a.begun, func(begun int) bool { return begun <= place })
	if !oneOfMany || again || now.Before(a.paused) || len(a.begun) > a.window/2 {
		return false
	}
	a.window = min(max(aheadFirst, 2*a.window), aheadMost)
	return true
}

// heed pauses the learning ahead after an error that the next file would meet,
// too.
func (a *ahead) heed(err error) {
	for _, kind := range []error{resolver.ErrQuota, resolver.ErrThrottled, resolver.ErrDown, resolver.ErrCredentials} {
		if errors.Is(err, kind) {
			a.mu.Lock()
			a.paused = time.Now().Add(pauseAfter(err))
			a.mu.Unlock()
			return
		}
	}
}

func (a *ahead) isPaused() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return time.Now().Before(a.paused)
}

// learnAhead learns a size that nobody asked for yet.
func (c *Catalog) learnAhead(a *ahead, n resolver.Node) {
	select {
	case c.places <- struct{}{}:
		defer func() { <-c.places }()
	case <-c.ctx.Done():
		return
	}
	if _, known := c.remembered(n); known || a.isPaused() {
		return
	}
	ctx, cancel := context.WithTimeout(c.ctx, aheadTimeout)
	defer cancel()
	_, err := c.learn(resolver.WithDemand(ctx, resolver.NewDemand(resolver.Ahead, nil)), n)
	a.heed(err)
}

// begin runs f on a goroutine that Close waits for; false when the catalog is
// closed.
func (c *Catalog) begin(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ctx.Err() != nil {
		return false
	}
	c.flights.Go(f)
	return true
}
