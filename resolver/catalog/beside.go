package catalog

import (
	"iter"
	"slices"

	"github.com/attachfs/attachfs/resolver"
)

// beside yields the listings that came along with that of a directory from the
// same source, as documents of a few files do with their month: those within it
// and those that follow first, then those before, nearest first. Programs that
// go through one directory mostly go on with the next.
func (c *Catalog) beside(dir resolver.ID) iter.Seq[*listing] {
	return func(yield func(*listing) bool) {
		top := c.topOf(dir)
		if top == nil {
			return
		}
		nodes := top.nodes()
		place := slices.IndexFunc(nodes, func(n resolver.Node) bool { return n.ID == dir })
		if place < 0 {
			for i := range nodes {
				if top.comesAlong(i) && c.holds(nodes[i].ID, dir) {
					place = i
					break
				}
			}
		}
		if place < 0 {
			return
		}
		for i := place; i < len(nodes); i++ {
			if top.comesAlong(i) && !c.under(nodes[i].ID, dir, yield) {
				return
			}
		}
		for i := place - 1; i >= 0; i-- {
			if top.comesAlong(i) && !c.under(nodes[i].ID, dir, yield) {
				return
			}
		}
	}
}

// topOf is the listing of the directory whose source dir shares; nil if it has
// one of its own.
func (c *Catalog) topOf(dir resolver.ID) *listing {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := c.dirs[dir]
	if d == nil || d.source.of == d {
		return nil
	}
	return d.source.of.held
}

// heldOf is what is listed of a directory that came along: after a restart it may
// be on disk yet. It is nil if it is not there either.
func (c *Catalog) heldOf(dir resolver.ID) *listing {
	d := c.directory(dir)
	c.mu.Lock()
	defer c.mu.Unlock()
	return d.held
}

// holds reports whether dir came along within a directory.
func (c *Catalog) holds(within, dir resolver.ID) bool {
	for id := range c.heldOf(within).brought() {
		if id == dir || c.holds(id, dir) {
			return true
		}
	}
	return false
}

// under yields the listing of a directory and of those that came along within
// it, but for that of skip; false if yield wants no more.
func (c *Catalog) under(dir, skip resolver.ID, yield func(*listing) bool) bool {
	l := c.heldOf(dir)
	if l == nil {
		return true
	}
	if dir != skip && !yield(l) {
		return false
	}
	for id := range l.brought() {
		if !c.under(id, skip, yield) {
			return false
		}
	}
	return true
}
