package catalog

import (
	"iter"
	"maps"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// step is one directory on its way from one listing to the next.
type step struct {
	dir     resolver.ID
	entries []resolver.Entry
	before  *listing // nil if there was none
	after   *listing // before, where nothing changed
	loaded  bool     // before comes from disk
	news    changes
}

// changed reports whether the directory is not listed as before.
func (s *step) changed() bool { return s.before != s.after }

// relist puts entries in the place of what was listed before.
func (s *step) relist(entries []resolver.Entry) {
	s.after = newListing(s.dir, entries, s.before)
	s.news = compare(s.before, s.after)
	if s.before != nil && s.news.count == 0 {
		s.after = s.before
	}
}

// comesAlong reports whether the listing of a directory came along.
func comesAlong(e *resolver.Entry) bool { return e.Dir && e.Children != nil }

func contains(ids map[resolver.ID]struct{}, id resolver.ID) bool {
	_, ok := ids[id]
	return ok
}

// arrival is what a flight brought, arranged.
type arrival struct {
	edition *edition
	whole   bool                     // it was all there is
	steps   []step                   // of the directory that was asked for, and of those that came along
	along   map[resolver.ID]struct{} // the latter
}

func (a *arrival) children() []step { return a.steps[1:] }

// arrange makes an arrival of an answer over what the flight found. A directory
// that comes along more than once is arranged as it came first.
func (c *Catalog) arrange(s *source, f *flight, told *answer) *arrival {
	top := step{dir: s.of.id}
	if f.before != nil {
		top.before = f.before.listing
	}
	a := &arrival{whole: told.whole, along: make(map[resolver.ID]struct{})}
	if told.none() {
		top.after = top.before
		a.steps = []step{top}
	} else {
		top.relist(told.over(top.before))
		a.steps = gather([]step{top}, told.entries, map[resolver.ID]struct{}{top.dir: {}})
		c.find(a.children())
	}
	for i := range a.children() {
		child := &a.children()[i]
		child.relist(child.entries)
		a.along[child.dir] = struct{}{}
	}
	a.edition = &edition{listing: a.steps[0].after, fetched: time.Now(), revision: f.revision, mark: f.marked(told)}
	return a
}

// gather appends a step for each directory that has its listing with it and is
// not in seen yet, where it is put.
func gather(steps []step, entries []resolver.Entry, seen map[resolver.ID]struct{}) []step {
	for i := range entries {
		e := &entries[i]
		if _, twice := seen[e.ID]; twice || !comesAlong(e) {
			continue
		}
		seen[e.ID] = struct{}{}
		below := appendDistinct(nil, e.Children, make(map[resolver.ID]struct{}))
		steps = append(steps, step{dir: e.ID, entries: below})
		steps = gather(steps, below, seen)
	}
	return steps
}

// find sets what was listed before, in memory or on disk.
func (c *Catalog) find(children []step) {
	missing := make(map[resolver.ID]*step)
	c.mu.Lock()
	for i := range children {
		child := &children[i]
		if d := c.dirs[child.dir]; d != nil && d.held != nil {
			child.before = d.held
		} else {
			missing[child.dir] = child
		}
	}
	c.mu.Unlock()
	c.cfg.Listings.loadAll(maps.Keys(missing), func(id resolver.ID, kept *edition) {
		missing[id].before, missing[id].loaded = kept.listing, true
	})
}

// lost yields the directories that are listed no longer.
func (a *arrival) lost() iter.Seq[resolver.ID] {
	return a.others(func(s *step) []resolver.ID { return s.news.lost })
}

// loose yields the directories whose listings come along no longer.
func (a *arrival) loose() iter.Seq[resolver.ID] {
	return a.others(func(s *step) []resolver.ID { return s.news.loose })
}

// others yields ids of each step but for those that came along after all.
func (a *arrival) others(ids func(*step) []resolver.ID) iter.Seq[resolver.ID] {
	return func(yield func(resolver.ID) bool) {
		for i := range a.steps {
			for _, id := range ids(&a.steps[i]) {
				if !contains(a.along, id) && !yield(id) {
					return
				}
			}
		}
	}
}

// newcomers yields the files of the listings that were not in memory before.
func (a *arrival) newcomers() iter.Seq[resolver.ID] {
	return func(yield func(resolver.ID) bool) {
		for i := range a.steps {
			if s := &a.steps[i]; s.loaded || s.changed() {
				for id := range s.after.files() {
					if !yield(id) {
						return
					}
				}
			}
		}
	}
}
