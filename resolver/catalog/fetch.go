package catalog

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// pageTimeout bounds one page. The whole has no other bound than maxPages:
	// at one call a second, a large folder takes minutes and is still coming.
	pageTimeout = time.Minute
	// pageTries is how often a page is asked for again, after a pause that
	// begins with pagePause and doubles.
	pageTries = 3
	pagePause = time.Second
	// longPause is one that a provider may ask for and that nobody waits for: a
	// listing that fails now is asked for again when it is looked at.
	longPause = 30 * time.Second
	// maxPages is beyond any real directory.
	maxPages = 1_000_000
)

// answer is what a provider told of a directory, from its first page to the last.
type answer struct {
	entries []resolver.Entry
	whole   bool          // entries are all there are; otherwise what is new
	gone    []resolver.ID // if not whole
	mark    string
}

// none reports that nothing is new.
func (a *answer) none() bool { return !a.whole && len(a.entries) == 0 && len(a.gone) == 0 }

// over returns what is listed when an answer came over what was listed before.
// Of what it does not mention only the names that it has here are known, which
// lead to themselves.
func (a *answer) over(before *listing) []resolver.Entry {
	if a.whole {
		return a.entries
	}
	told := make(map[resolver.ID]struct{}, len(a.entries)+len(a.gone))
	for _, id := range a.gone {
		told[id] = struct{}{}
	}
	for i := range a.entries {
		told[a.entries[i].ID] = struct{}{}
	}
	entries := make([]resolver.Entry, 0, len(before.sizes)+len(a.entries))
	for i := range before.nodes() {
		if e := before.entry(i); !contains(told, e.ID) {
			entries = append(entries, e)
		}
	}
	return append(entries, a.entries...)
}

// pager asks for one page.
type pager func(ctx context.Context, cursor string) (resolver.Page, error)

// fetch asks for what a flight is about: what is new since its mark, else, or if
// the provider wants it so, everything.
func (c *Catalog) fetch(f *flight, dir resolver.ID) (*answer, error) {
	ctx := resolver.WithDemand(c.ctx, f.demand)
	if u, ok := c.provider.(resolver.Updater); ok && f.mark != "" {
		told, err := c.pages(ctx, dir, func(ctx context.Context, cursor string) (resolver.Page, error) {
			return u.Update(ctx, dir, f.mark, cursor)
		})
		if err == nil {
			return told, nil
		}
		if !errors.Is(err, resolver.ErrUnsupported) {
			return nil, fmt.Errorf("update %q: %w", dir, err)
		}
	}
	told, err := c.pages(ctx, dir, func(ctx context.Context, cursor string) (resolver.Page, error) {
		return c.provider.List(ctx, dir, cursor)
	})
	if err != nil {
		return nil, fmt.Errorf("list %q: %w", dir, err)
	}
	told.whole = true
	return told, nil
}

// pages reads a directory to its last page. Of the entries only those that are
// distinct count.
func (c *Catalog) pages(ctx context.Context, dir resolver.ID, ask pager) (*answer, error) {
	told := new(answer)
	ids := make(map[resolver.ID]struct{})
	cursors := make(map[string]struct{})
	cursor := ""
	for range maxPages {
		page, err := c.patiently(ctx, dir, cursor, ask)
		if err != nil {
			return nil, err
		}
		told.entries = appendDistinct(told.entries, page.Entries, ids)
		told.gone = append(told.gone, page.Gone...)
		if page.Next == "" {
			told.mark = page.Mark
			return told, nil
		}
		if _, twice := cursors[page.Next]; twice {
			return nil, fmt.Errorf("the provider repeats a cursor: %w", resolver.ErrUnavailable)
		}
		cursors[page.Next] = struct{}{}
		cursor = page.Next
	}
	return nil, fmt.Errorf("no end after %d pages: %w", maxPages, resolver.ErrUnavailable)
}

// appendDistinct appends the entries that have an id and whose id is not in ids
// yet, where it is put.
func appendDistinct(to, entries []resolver.Entry, ids map[resolver.ID]struct{}) []resolver.Entry {
	for i := range entries {
		id := entries[i].ID
		if _, twice := ids[id]; id == "" || twice {
			continue
		}
		ids[id] = struct{}{}
		to = append(to, entries[i])
	}
	return to
}

// patiently asks for a page again that could not be had just now: one call that
// fails must not cost the thousand before it that did not. A first page is asked
// for again only where the provider does answer, and asks to wait.
func (c *Catalog) patiently(ctx context.Context, dir resolver.ID, cursor string, ask pager) (page resolver.Page, err error) {
	for try := 0; ; try++ {
		page, err = c.page(ctx, dir, cursor, ask)
		passing := errors.Is(err, resolver.ErrThrottled) ||
			cursor != "" && errors.Is(err, resolver.ErrUnavailable) && !errors.Is(err, resolver.ErrDown)
		pause := max(pagePause<<try, resolver.RetryAfter(err))
		if try == pageTries || !passing || pause > longPause {
			return page, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return page, err
		}
	}
}

// page makes one call, if the gate lets it through.
func (c *Catalog) page(ctx context.Context, dir resolver.ID, cursor string, ask pager) (page resolver.Page, err error) {
	if gate := c.cfg.Gate; gate != nil {
		if err := gate.Allow(); err != nil {
			return resolver.Page{}, err
		}
		defer func() { gate.Report(cmp.Or(c.ctx.Err(), err)) }()
	}
	late := fmt.Errorf("no page within %s: %w", pageTimeout, resolver.ErrUnavailable)
	ctx, cancel := context.WithTimeoutCause(ctx, pageTimeout, late)
	defer cancel()
	page, err = c.guarded(dir, func() (resolver.Page, error) { return ask(ctx, cursor) })
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return page, err
}

// guarded makes a call. A provider that panics has failed.
func (c *Catalog) guarded(dir resolver.ID, call func() (resolver.Page, error)) (page resolver.Page, err error) {
	defer func() {
		if p := recover(); p != nil { // its text may hold anything, a token too
			c.log.Error("panic in provider", "directory", dir, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in provider: %w", resolver.ErrUnavailable)
		}
	}()
	return call()
}
