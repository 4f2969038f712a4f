package catalog

import (
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// directory is what the catalog holds of one directory. All but id and loaded is
// guarded by Catalog.mu.
type directory struct {
	id     resolver.ID
	loaded sync.Once // done when it was looked for on disk
	source *source
	held   *listing // the last complete one; nil before the first
	ahead  *ahead   // nil before it is needed
}

// source is where listings come from: a directory that the provider is asked
// for. Those whose listings come along with it share its source, and so are as
// fresh as it is. It is guarded by Catalog.mu.
type source struct {
	of   *directory
	held *edition // the last complete one of that directory; nil before the first
	err  error    // why the last refresh failed; nil if it did not
	// until is when the provider is to be asked again, and revision what it
	// had when it was asked last.
	until       time.Time
	revision    string
	outdated    bool    // Expire came since
	mustBeWhole bool    // what is new is not enough for the next refresh
	flight      *flight // the refresh under way, or nil
}

// stale reports that the last refresh failed, and what is held is older.
func (s *source) stale() bool { return s.held != nil && s.err != nil }

// old reports that what is held is too old to be shown before a refresh was
// tried. When the last one failed, nobody is to wait for the next.
func (s *source) old(now time.Time) bool {
	return s.held != nil && s.err == nil && now.Sub(s.held.fetched) > oldAge
}

// expire makes the next refresh be waited for and list everything.
func (s *source) expire() {
	s.outdated, s.mustBeWhole = true, true
	if s.flight != nil {
		s.flight.outdated = true
	}
}

// directory returns what the catalog holds of a directory, which may be what the
// last run left on disk.
func (c *Catalog) directory(id resolver.ID) *directory {
	c.mu.Lock()
	d := c.dirs[id]
	if d == nil {
		d = &directory{id: id}
		d.source = &source{of: d}
		c.dirs[id] = d
	}
	c.mu.Unlock()
	d.loaded.Do(func() { c.load(d) })
	return d
}

// load brings what is on disk of a directory into memory.
func (c *Catalog) load(d *directory) {
	kept := c.cfg.Listings.load(d.id)
	if kept == nil {
		return
	}
	c.learnt.load(kept.listing.files())
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	s := d.source
	if d.held != nil || s.of == d && s.err != nil { // it came along, or went, meanwhile
		return
	}
	d.held = kept.listing
	if s.of == d {
		s.held, s.revision = kept, kept.revision
		if kept.fetched.Before(c.expired) {
			s.expire()
		}
		if !kept.fetched.After(now) { // or the clock was wrong
			s.until = kept.fetched.Add(c.cfg.ListingTTL)
		}
	}
	for id := range kept.listing.brought() {
		c.adopt(id, s)
	}
}

// adopt makes s the source of a directory, and of those that come along with it.
// The caller holds c.mu.
func (c *Catalog) adopt(id resolver.ID, s *source) *directory {
	d := c.dirs[id]
	if d == nil {
		d = &directory{id: id}
		c.dirs[id] = d
	}
	if d.source != s {
		c.supply(d, s)
	}
	return d
}

// supply is adopt for a directory that has another source. The caller holds c.mu.
func (c *Catalog) supply(d *directory, s *source) {
	d.source = s
	for id := range d.held.brought() {
		c.adopt(id, s)
	}
}

// release makes a directory a source of its own that came along with s until
// now. It is renewed when it is looked at. The caller holds c.mu.
func (c *Catalog) release(id resolver.ID, s *source) {
	d := c.dirs[id]
	if d == nil || d.source != s || s.of == d {
		return
	}
	own := &source{of: d, revision: s.revision, outdated: s.outdated}
	if d.held != nil {
		own.held = &edition{listing: d.held}
	}
	c.supply(d, own)
}

// current reports whether the source is not forgotten, nor its directory come
// along with another. The caller holds c.mu.
func (c *Catalog) current(s *source) bool { return c.dirs[s.of.id] == s.of && s.of.source == s }

// settle puts what arrived in place. The caller holds c.mu.
func (c *Catalog) settle(s *source, a *arrival) {
	if s.of.source == s {
		s.of.held = a.edition.listing
	}
	if !c.current(s) {
		return
	}
	for i := range a.children() {
		child := &a.children()[i]
		c.adopt(child.dir, s).held = child.after
	}
	for id := range a.loose() {
		c.release(id, s)
	}
}
