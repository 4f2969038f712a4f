package catalog

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"

	"github.com/attachfs/attachfs/resolver"
)

// fetch reads a directory to its last page. Entries without an id are left out,
// and so are later ones of an id that was there before.
func (c *Catalog) fetch(demand *resolver.Demand, dir resolver.ID) ([]resolver.Entry, error) {
	ctx := resolver.WithDemand(c.ctx, demand)
	var entries []resolver.Entry
	ids := make(map[resolver.ID]struct{})
	cursors := make(map[string]struct{})
	cursor := ""
	for range maxPages {
		page, err := c.fetchPage(ctx, dir, cursor)
		if err != nil {
			return nil, fmt.Errorf("list %q: %w", dir, err)
		}
		for _, e := range page.Entries {
			if _, twice := ids[e.ID]; e.ID == "" || twice {
				continue
			}
			ids[e.ID] = struct{}{}
			entries = append(entries, e)
		}
		if page.Next == "" {
			return entries, nil
		}
		if _, twice := cursors[page.Next]; twice {
			return nil, fmt.Errorf("list %q: the provider repeats a cursor: %w", dir, resolver.ErrUnavailable)
		}
		cursors[page.Next] = struct{}{}
		cursor = page.Next
	}
	return nil, fmt.Errorf("list %q: no end after %d pages: %w", dir, maxPages, resolver.ErrUnavailable)
}

// fetchPage makes one call, if the gate lets it through.
func (c *Catalog) fetchPage(ctx context.Context, dir resolver.ID, cursor string) (page resolver.Page, err error) {
	if gate := c.cfg.Gate; gate != nil {
		if err := gate.Allow(); err != nil {
			return resolver.Page{}, err
		}
		defer func() { gate.Report(cmp.Or(c.ctx.Err(), err)) }()
	}
	late := fmt.Errorf("no page within %s: %w", pageTimeout, resolver.ErrUnavailable)
	ctx, cancel := context.WithTimeoutCause(ctx, pageTimeout, late)
	defer cancel()
	page, err = c.ask(ctx, dir, cursor)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return page, err
}

// ask is the provider's List. A provider that panics has failed.
func (c *Catalog) ask(ctx context.Context, dir resolver.ID, cursor string) (page resolver.Page, err error) {
	defer func() {
		if p := recover(); p != nil { // its text may hold anything, a token too
			c.log.Error("panic in provider", "directory", dir, "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in provider: %w", resolver.ErrUnavailable)
		}
	}()
	return c.provider.List(ctx, dir, cursor)
}
