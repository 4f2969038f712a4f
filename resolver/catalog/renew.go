package catalog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// retryDelay is how long a failed refresh is not tried again, so that a
	// directory that does not answer costs one call in a while however often
	// it is looked at.
	retryDelay = 5 * time.Second
	// patience is how long a refresh is waited for when there is an older
	// listing to show: a large folder takes minutes, a dead network longer.
	patience = 10 * time.Second
	// pageTimeout bounds one page. The whole has no other bound than maxPages:
	// at one call a second, a large folder takes minutes and is still coming.
	pageTimeout = time.Minute
	// maxPages is beyond any real directory.
	maxPages = 1_000_000
)

// pauseAfter is how long nothing is asked again that failed with err.
func pauseAfter(err error) time.Duration { return max(retryDelay, resolver.RetryAfter(err)) }

// directory is what the catalog holds of one directory. All but id, load and
// ahead is guarded by Catalog.mu.
type directory struct {
	id    resolver.ID
	load  func() // brings the listing from disk, once
	ahead ahead

	held *edition // the last complete one; nil before the first
	err  error    // why there is none yet
	// until is when the provider is to be asked again, and revision what it
	// had when it was asked last.
	until    time.Time
	revision string
	outdated bool    // Expire came since
	stale    bool    // the last refresh failed, and what is held is older
	flight   *flight // the refresh under way, or nil
}

// flight is one refresh of a directory and what came of it, which may be read
// when done is closed.
type flight struct {
	revision string   // the provider's when the flight began
	before   *edition // what is to be replaced, or nil
	began    time.Time
	demand   *resolver.Demand
	outdated bool // Expire came in between; guarded by Catalog.mu
	done     chan struct{}
	listing  *listing
	err      error
}

// end sets what came of the flight: what is held now, or the error for none.
func (f *flight) end(held *edition, err error) {
	if held == nil {
		f.err = err
		return
	}
	f.listing = held.listing
}

// directory returns what the catalog holds of a directory, which may be what the
// last run left on disk.
func (c *Catalog) directory(id resolver.ID) *directory {
	c.mu.Lock()
	d := c.dirs[id]
	if d == nil {
		d = &directory{id: id}
		d.load = sync.OnceFunc(func() { c.load(d) })
		c.dirs[id] = d
	}
	c.mu.Unlock()
	d.load()
	return d
}

func (c *Catalog) load(d *directory) {
	kept := c.cfg.Listings.load(d.id)
	if kept == nil {
		return
	}
	c.learnt.load(kept.listing.ids())
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	d.held, d.revision, d.outdated = kept, kept.revision, kept.fetched.Before(c.expired)
	if !kept.fetched.After(now) { // or the clock was wrong
		d.until = kept.fetched.Add(c.cfg.ListingTTL)
	}
}

// list returns the directory's listing: from memory when there is one that may
// be shown, and else when a refresh has ended.
func (c *Catalog) list(ctx context.Context, d *directory) (*listing, error) {
	revision := c.revision()
	c.mu.Lock()
	mayShow := d.revision == revision && !d.outdated
	switch {
	case mayShow && time.Now().Before(d.until):
		defer c.mu.Unlock()
		if d.held == nil {
			return nil, d.err
		}
		return d.held.listing, nil
	case mayShow && d.held != nil:
		defer c.mu.Unlock()
		c.join(d, revision, resolver.Background)
		return d.held.listing, nil
	}
	f := c.join(d, revision, resolver.Stat)
	c.mu.Unlock()
	return f.wait(ctx, d.id)
}

// wait returns the listing that a flight brings, or the one before when it takes
// too long.
func (f *flight) wait(ctx context.Context, dir resolver.ID) (*listing, error) {
	var late <-chan time.Time
	if f.before != nil {
		late = time.After(time.Until(f.began.Add(patience)))
	}
	select {
	case <-f.done:
		return f.listing, f.err
	case <-late:
		return f.before.listing, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("list %q: %w", dir, ctx.Err())
	}
}

// join returns the directory's refresh, at least as urgent as u, and starts one
// if there is none. The caller holds c.mu.
func (c *Catalog) join(d *directory, revision string, u resolver.Urgency) *flight {
	if d.flight != nil {
		d.flight.demand.Raise(u)
		return d.flight
	}
	f := &flight{
		revision: revision,
		before:   d.held,
		began:    time.Now(),
		demand:   resolver.NewDemand(u, nil),
		done:     make(chan struct{}),
	}
	if c.ctx.Err() != nil {
		f.end(d.held, errClosed)
		close(f.done)
		return f
	}
	d.flight = f
	c.flights.Go(func() {
		defer close(f.done)
		c.renew(d, f)
	})
	return f
}

// renew lists a directory and puts what came of it in place.
func (c *Catalog) renew(d *directory, f *flight) {
	entries, err := c.fetch(f.demand, d.id)
	switch {
	case err == nil:
		c.replace(d, f, entries)
	case errors.Is(err, resolver.ErrNotExist):
		c.remove(d.id)
		c.land(d, f, nil, err)
		if f.before != nil {
			c.notices.add(d.id, nil)
		}
	default:
		c.land(d, f, nil, err)
	}
}

// replace ends a flight that brought all entries. What is to be saved or removed
// is handed on before it lands, so that the next flight hands on later.
func (c *Catalog) replace(d *directory, f *flight, entries []resolver.Entry) {
	var before *listing
	if f.before != nil {
		before = f.before.listing
	}
	fresh := &edition{newListing(d.id, entries, before), time.Now(), f.revision}
	news := compare(before, fresh.listing)
	if before != nil && news.count == 0 {
		fresh.listing = before
	} else {
		c.learnt.load(fresh.listing.ids())
	}
	c.forget(news.lost)
	if fresh.listing != before || f.before.revision != f.revision {
		c.cfg.Listings.save(d.id, fresh)
	}
	c.seed(entries)
	c.land(d, f, fresh, nil)
	if news.count > 0 {
		c.notices.add(d.id, news.names)
	}
}

// land ends a flight: the directory takes the fresh edition, or makes do with
// the one before.
func (c *Catalog) land(d *directory, f *flight, fresh *edition, err error) {
	now := time.Now()
	c.mu.Lock()
	wasStale := d.stale
	d.flight, d.revision, d.outdated, d.stale = nil, f.revision, f.outdated, false
	switch {
	case err == nil:
		d.held, d.err, d.until = fresh, nil, now.Add(c.cfg.ListingTTL)
	case d.held == nil || errors.Is(err, resolver.ErrNotExist):
		d.held, d.err, d.until = nil, err, now.Add(pauseAfter(err))
	default:
		d.stale, d.until = true, now.Add(pauseAfter(err))
	}
	f.end(d.held, d.err)
	warn := d.stale && !wasStale && c.ctx.Err() == nil
	maps.DeleteFunc(c.refused, func(_ fileVersion, r refusal) bool { return now.After(r.until) })
	c.mu.Unlock()

	if warn {
		level := slog.LevelWarn
		if errors.Is(err, resolver.ErrDown) { // the gate says so once for all directories
			level = slog.LevelDebug
		}
		c.log.Log(c.ctx, level, "listing could not be renewed, serving the old one", "directory", d.id, "error", err)
	}
}

// seed hands on the links that a listing brought along.
func (c *Catalog) seed(entries []resolver.Entry) {
	if c.cfg.Seed == nil {
		return
	}
	for i := range entries {
		if e := &entries[i]; e.Link != nil && !e.Dir {
			c.cfg.Seed(e.ID, *e.Link)
		}
	}
}

// remove drops a directory that is gone. What was below the root stays on disk:
// an account that is back has it back.
func (c *Catalog) remove(dir resolver.ID) {
	if dir == resolver.Root {
		c.cfg.Listings.remove(dir)
		return
	}
	c.forget([]resolver.ID{dir})
}

// forget drops directories that are no longer listed, and all that was below
// them. One that moved elsewhere is listed anew.
func (c *Catalog) forget(dirs []resolver.ID) {
	for len(dirs) > 0 {
		last := len(dirs) - 1
		dir := dirs[last]
		dirs = dirs[:last]
		if held := c.take(dir); held != nil {
			dirs = slices.AppendSeq(dirs, held.listing.dirs())
		}
		c.cfg.Listings.remove(dir)
	}
}

// take drops a directory from memory and returns the edition that was there or
// is on disk, nil if none is.
func (c *Catalog) take(dir resolver.ID) *edition {
	c.mu.Lock()
	d := c.dirs[dir]
	delete(c.dirs, dir)
	var held *edition
	if d != nil {
		held = d.held
	}
	c.mu.Unlock()
	if held == nil {
		held = c.cfg.Listings.load(dir)
	}
	return held
}

// revision is the provider's, or empty for one that has none.
func (c *Catalog) revision() string {
	if r, ok := c.provider.(resolver.Revisioner); ok {
		return r.Revision()
	}
	return ""
}
