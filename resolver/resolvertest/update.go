package resolvertest

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/attachfs/attachfs/resolver"
)

// changes remembers when what was put into or taken out of a directory last. Its
// clock counts changes, so that every one has a time of its own.
type changes struct {
	clock int
	times map[spot]int
}

type spot struct{ dir, id resolver.ID }

func newChanges() changes { return changes{times: make(map[spot]int)} }

func (c *changes) set(dir, id resolver.ID) {
	c.clock++
	c.times[spot{dir, id}] = c.clock
}

// point is a place in a listing or an update that began at a time of the clock.
type point struct{ clock, index int }

func (p point) String() string { return fmt.Sprintf("%d.%d", p.clock, p.index) }

func parsePoint(cursor string) (p point, ok bool) {
	clock, index, _ := strings.Cut(cursor, ".")
	var err error
	if p.clock, err = strconv.Atoi(clock); err != nil {
		return p, false
	}
	p.index, err = strconv.Atoi(index)
	return p, err == nil && p.index >= 0
}

// page cuts the page at cursor out of entries; f.mu is held.
func (f *Fake) page(entries []resolver.Entry, cursor string) (resolver.Page, error) {
	start, ok := point{clock: f.changes.clock}, true
	if cursor != "" {
		start, ok = parsePoint(cursor)
	}
	if !ok || start.index > len(entries) {
		return resolver.Page{}, fmt.Errorf("unknown cursor: %w", resolver.ErrUnavailable)
	}
	limit := len(entries)
	if f.pageSize > 0 {
		limit = min(limit, start.index+f.pageSize)
	}
	var page resolver.Page
	for _, e := range entries[start.index:limit] {
		page.Entries = append(page.Entries, f.whole(e))
	}
	switch {
	case limit < len(entries):
		page.Next = point{start.clock, limit}.String()
	case f.updates:
		page.Mark = strconv.Itoa(start.clock)
	}
	return page, nil
}

// comesAlong tells of a directory; f.mu is held.
func (f *Fake) comesAlong(dir resolver.ID) bool {
	return dir != resolver.Root && f.along != nil && f.along(dir)
}

// whole returns the entry with what comes along; f.mu is held.
func (f *Fake) whole(e resolver.Entry) resolver.Entry {
	if !e.Dir || !f.comesAlong(e.ID) {
		return e
	}
	e.Children = []resolver.Entry{}
	for _, child := range f.dirs[e.ID] {
		e.Children = append(e.Children, f.whole(child))
	}
	return e
}

// Update is part of [resolver.Updater]; see [Fake.SetUpdates].
func (f *Fake) Update(ctx context.Context, dir resolver.ID, mark, cursor string) (resolver.Page, error) {
	page, err := f.update(ctx, dir, mark, cursor)
	if err != nil {
		return resolver.Page{}, fmt.Errorf("update %q: %w", dir, err)
	}
	return page, nil
}

func (f *Fake) update(ctx context.Context, dir resolver.ID, mark, cursor string) (resolver.Page, error) {
	if err := f.enter(ctx, Update); err != nil {
		return resolver.Page{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	since, err := strconv.Atoi(mark)
	switch {
	case !f.updates || err != nil:
		return resolver.Page{}, resolver.ErrUnsupported
	case !f.exists(dir):
		return resolver.Page{}, resolver.ErrNotExist
	}
	var entries []resolver.Entry
	there := make(map[resolver.ID]bool)
	for _, e := range f.dirs[dir] {
		there[e.ID] = true
		if f.changes.times[spot{dir, e.ID}] > since || e.Dir && f.comesAlong(e.ID) && f.changedBelow(e.ID, since) {
			entries = append(entries, e)
		}
	}
	page, err := f.page(entries, cursor)
	if err != nil || page.Next != "" {
		return page, err
	}
	for at, when := range f.changes.times {
		if at.dir == dir && when > since && !there[at.id] {
			page.Gone = append(page.Gone, at.id)
		}
	}
	return page, nil
}

// changedBelow reports whether what comes along with a directory changed; f.mu is
// held.
func (f *Fake) changedBelow(dir resolver.ID, since int) bool {
	for at, when := range f.changes.times {
		if at.dir == dir && when > since {
			return true
		}
	}
	for _, e := range f.dirs[dir] {
		if e.Dir && f.comesAlong(e.ID) && f.changedBelow(e.ID, since) {
			return true
		}
	}
	return false
}

// exists reports whether there is a directory; f.mu is held.
func (f *Fake) exists(dir resolver.ID) bool {
	_, ok := f.dirs[dir]
	return ok
}
