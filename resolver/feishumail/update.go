package feishumail

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/attachfs/attachfs/resolver"
)

// head is the newest messages of a folder, as far as the first page went: all of
// them if they are fewer than a page.
type head struct {
	Messages []dated `json:"messages"`
}

func (h head) find(id string) int {
	return slices.IndexFunc(h.Messages, func(m dated) bool { return m.ID == id })
}

// Update returns what is above the messages that were the newest when the folder
// was listed, and which of those are gone. It costs a call when there is nothing
// new, else two for twenty new messages. Old messages that were moved into the
// folder further down it does not see. It is ErrUnsupported for other
// directories, and where messages are not listed newest first.
func (p *Provider) Update(ctx context.Context, dir resolver.ID, mark, cursor string) (resolver.Page, error) {
	page, err := p.update(ctx, placeOf(dir).folder, mark, cursor)
	if err != nil {
		return resolver.Page{}, fmt.Errorf("update %q: %w", dir, err)
	}
	return page, nil
}

func (p *Provider) update(ctx context.Context, folder, mark, cursor string) (resolver.Page, error) {
	var known head
	if json.Unmarshal([]byte(mark), &known) != nil || folder == "" {
		return resolver.Page{}, resolver.ErrUnsupported
	}
	var w walk
	if err := w.read(cursor); err != nil {
		return resolver.Page{}, err
	}
	ids, token, err := p.ids(ctx, folder, w.Token)
	if err != nil {
		return resolver.Page{}, err
	}
	above, met := known.above(ids)
	order, entries, err := p.describe(ctx, known.unknown(above))
	if err != nil {
		return resolver.Page{}, err
	}
	order = known.merge(above, order)
	w.pass(order)
	page := resolver.Page{Entries: entries, Gone: p.deleted(ctx, known.missing(ids, met))}
	over := token == "" || p.allOlder(order)
	switch {
	case w.Shuffled:
		return resolver.Page{}, fmt.Errorf("messages are not listed newest first: %w", resolver.ErrUnsupported)
	case met >= 0 || over && len(known.Messages) == 0:
		page.Mark = w.mark()
	case over, known.below(order):
		return resolver.Page{}, fmt.Errorf("no message is known any more: %w", resolver.ErrUnsupported)
	default:
		page.Next = w.next(token)
	}
	return page, nil
}

// above returns what a page has down to the last message of the head, the rest
// being older than that, and the place of it in the head, -1 if there is none.
func (h head) above(ids []string) (above []string, met int) {
	met = -1
	for i, id := range ids {
		if at := h.find(id); at >= 0 {
			above, met = ids[:i+1], max(met, at)
		}
	}
	if met < 0 || len(h.Messages) < pageSize { // what is below is not older, but new
		above = ids
	}
	return above, met
}

// unknown returns those of ids that are not in the head.
func (h head) unknown(ids []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return h.find(id) >= 0 })
}

// merge puts what is known of ids and what was asked for in the order of ids.
func (h head) merge(ids []string, asked []dated) []dated {
	var order []dated
	for _, id := range ids {
		if at := h.find(id); at >= 0 {
			order = append(order, h.Messages[at])
		} else if at := slices.IndexFunc(asked, func(m dated) bool { return m.ID == id }); at >= 0 {
			order = append(order, asked[at])
		}
	}
	return order
}

// below reports whether the messages of a page, none of which is in the head, are
// older than it: then those of the head are all gone.
func (h head) below(page []dated) bool {
	if len(h.Messages) == 0 {
		return false
	}
	oldest := h.Messages[len(h.Messages)-1].Date
	return slices.ContainsFunc(page, func(m dated) bool { return m.Date != 0 && m.Date < oldest })
}

// missing returns the messages of the head that should have been listed before
// the one at met.
func (h head) missing(ids []string, met int) []string {
	var missing []string
	for _, m := range h.Messages[:max(0, met)] {
		if !slices.Contains(ids, m.ID) {
			missing = append(missing, m.ID)
		}
	}
	return missing
}

// deleted returns those of ids that are no more. One that was moved stays where
// it was until the folder is listed whole: an update of the other folder may not
// see it, and a backup must not find it in neither.
func (p *Provider) deleted(ctx context.Context, ids []string) []resolver.ID {
	var deleted []resolver.ID
	for _, id := range ids {
		if _, err := p.message(ctx, id); errors.Is(err, resolver.ErrNotExist) {
			deleted = append(deleted, messageID(id))
		}
	}
	return deleted
}
