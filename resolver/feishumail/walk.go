package feishumail

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// walk is one way through the pages of a folder, and goes into their cursors. The
// API does not say in which order it lists messages.
type walk struct {
	Token string `json:"token"` // of the next page
	// Head is what the first page began with.
	Head []dated `json:"head"`
	// Last is the date of the last message so far whose date is known.
	Last milliseconds `json:"last"`
	// Shuffled says that a message was newer than one before it.
	Shuffled bool `json:"shuffled,omitempty"`
}

// dated is a message in its place.
type dated struct {
	ID   string       `json:"id"`
	Date milliseconds `json:"date"`
}

// read takes up the walk at a cursor, the empty one for a new walk.
func (w *walk) read(cursor string) error {
	if cursor == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(cursor), w); err != nil || w.Token == "" {
		return fmt.Errorf("not a cursor of this package: %w", resolver.ErrRejected)
	}
	return nil
}

// pass notes the messages of a page, in its order.
func (w *walk) pass(page []dated) {
	if w.Token == "" {
		w.Head = page
	}
	for _, m := range page {
		if m.Date == 0 {
			continue
		}
		w.Shuffled = w.Shuffled || w.Last != 0 && m.Date > w.Last
		w.Last = m.Date
	}
}

// next is the cursor of the page after this one.
func (w *walk) next(token string) string {
	w.Token = token
	return encode(w)
}

// mark is what an update of this listing begins with; empty if the order does
// not allow one.
func (w *walk) mark() string {
	if w.Shuffled {
		return ""
	}
	return encode(head{w.Head})
}

func encode(v any) string {
	text, _ := json.Marshal(v) // texts, numbers and flags
	return string(text)
}

// older reports whether messages of a date are too old to be shown. One without
// a date never is.
func (p *Provider) older(date milliseconds) bool {
	return p.cfg.Since > 0 && date != 0 && date.time().Before(time.Now().Add(-p.cfg.Since))
}

// allOlder reports whether there is nothing to be shown among some messages, and
// neither among those after them, if the order is newest first.
func (p *Provider) allOlder(page []dated) bool {
	return len(page) > 0 && !slices.ContainsFunc(page, func(m dated) bool { return !p.older(m.Date) })
}

// describe returns the messages of ids that are there, in their order, and what
// is to be shown of them.
func (p *Provider) describe(ctx context.Context, ids []string) ([]dated, []resolver.Entry, error) {
	found, err := p.messages(ctx, ids)
	if err != nil {
		return nil, nil, err
	}
	var order []dated
	var entries []resolver.Entry
	for _, id := range ids {
		m, ok := found[id]
		if !ok {
			continue
		}
		order = append(order, dated{id, m.Date})
		if dir, shown := p.directory(m); shown && !p.older(m.Date) {
			entries = append(entries, dir)
		}
	}
	return order, entries, nil
}

// listFolder returns one page of a folder. It is the last when there are no more
// messages, or none that are new enough.
func (p *Provider) listFolder(ctx context.Context, folder, cursor string) (resolver.Page, error) {
	var w walk
	if err := w.read(cursor); err != nil {
		return resolver.Page{}, err
	}
	first := w.Token == ""
	ids, token, err := p.ids(ctx, folder, w.Token)
	if err != nil {
		return resolver.Page{}, err
	}
	order, entries, err := p.describe(ctx, ids)
	if err != nil {
		return resolver.Page{}, err
	}
	w.pass(order)
	page := resolver.Page{Entries: entries}
	// One page may be in order by chance, as old mails are that came in today.
	if token == "" || !first && !w.Shuffled && p.allOlder(order) {
		page.Mark = w.mark()
	} else {
		page.Next = w.next(token)
	}
	return page, nil
}
