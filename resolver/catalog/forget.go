package catalog

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// remove drops a source that is gone. What was below the root stays on disk: an
// account that is back has it back.
func (c *Catalog) remove(s *source) {
	if s.of.id == resolver.Root {
		c.cfg.Listings.remove(s.of.id)
		return
	}
	c.forget(only(s.of.id), s)
}

// forget drops directories that are no longer listed in one whose source is s,
// and all that was below them. One that moved elsewhere is listed anew.
func (c *Catalog) forget(dirs iter.Seq[resolver.ID], s *source) {
	for id := range dirs {
		held, from, ok := c.take(id, s)
		if !ok {
			continue
		}
		if held == nil {
			if kept := c.cfg.Listings.load(id); kept != nil {
				held = kept.listing
			}
		}
		c.cfg.Listings.remove(id)
		c.forget(held.dirs(), from)
	}
}

// take drops a directory from memory and returns the listing that was there, nil
// for none, and its source. That of s itself, and one that came along with it, is
// known to be gone, for a while; one that comes along with another by now stays, and is not ok.
func (c *Catalog) take(id resolver.ID, s *source) (held *listing, from *source, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.dirs[id]
	switch {
	case d == nil:
		return nil, nil, true
	case d.source == s && s.of == d: // it is gone, which is to be remembered
		held, d.held = d.held, nil
		return held, s, true
	case d.source.of == d:
		delete(c.dirs, id)
		return d.held, d.source, true
	case d.source != s:
		return nil, nil, false
	}
	held, d.held = d.held, nil
	d.source = &source{
		of:       d,
		err:      fmt.Errorf("directory %q is listed no longer: %w", id, resolver.ErrNotExist),
		until:    time.Now().Add(c.cfg.ListingTTL),
		revision: s.revision,
	}
	return held, s, true
}

// sweep drops what was to be remembered for a while. The caller holds c.mu.
func (c *Catalog) sweep(now time.Time) {
	maps.DeleteFunc(c.refused, func(_ fileVersion, r refusal) bool { return now.After(r.until) })
	maps.DeleteFunc(c.dirs, func(id resolver.ID, d *directory) bool {
		gone := d.source.of == d && d.held == nil && errors.Is(d.source.err, resolver.ErrNotExist)
		return gone && id != resolver.Root && now.After(d.source.until)
	})
}
