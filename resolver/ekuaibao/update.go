package ekuaibao

import (
	"context"
	"fmt"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// overlap is how far before its mark an update looks: a document may be told
// later than its time says.
const overlap = 5 * time.Minute

// mark is what an update goes on from.
type mark struct {
	Since int64 `json:"since"` // milliseconds since 1970, by the API's clock
	Shown int   `json:"shown"` // documents in the listing
}

// step is one way through the pages of an update, and goes into their cursors.
// Documents that are updated meanwhile move to the end, so a page begins at the
// time of the last one's end and not at a number.
type step struct {
	From  int64 `json:"from"`
	Began int64 `json:"began"`
}

// Update lists what was made or changed in a month since the listing that had the
// mark. What was deleted is not told by the API, and is missed. It is
// ErrUnsupported when there is more to look at than in the whole month.
func (p *Provider) Update(ctx context.Context, dir resolver.ID, mark, cursor string) (resolver.Page, error) {
	page, err := p.update(ctx, dir, mark, cursor)
	if err != nil {
		return resolver.Page{}, fmt.Errorf("update %q: %w", dir, err)
	}
	return page, nil
}

func (p *Provider) update(ctx context.Context, dir resolver.ID, told, cursor string) (resolver.Page, error) {
	kind, texts := split(dir)
	var m mark
	if kind != monthKind || read(told, &m) != nil || m.Since == 0 {
		return resolver.Page{}, resolver.ErrUnsupported
	}
	month := monthOf(texts[1])
	if month.IsZero() {
		return resolver.Page{}, resolver.ErrNotExist
	}
	s := step{From: m.Since - overlap.Milliseconds()}
	if err := read(cursor, &s); err != nil {
		return resolver.Page{}, err
	}
	f, err := p.query(ctx, texts[0], byUpdate, "asc", time.UnixMilli(s.From), ahead(), 0, pageSize)
	if err != nil {
		return resolver.Page{}, err
	}
	if s.Began == 0 {
		s.Began = f.began.UnixMilli()
		if f.count > max(pageSize, m.Shown) {
			return resolver.Page{}, fmt.Errorf("%d documents were changed: %w", f.count, resolver.ErrUnsupported)
		}
	}
	page, err := p.page(ctx, f.documents, month)
	if err != nil {
		return resolver.Page{}, err
	}
	if len(f.documents) >= f.count || len(f.documents) == 0 {
		page.Mark = encode(mark{Since: s.Began, Shown: max(m.Shown, len(page.Entries))})
		return page, nil
	}
	// Times are asked for in whole seconds.
	next := f.documents[len(f.documents)-1].updated().Truncate(time.Second).UnixMilli()
	if next <= s.From {
		return resolver.Page{}, fmt.Errorf("more documents changed at once than a page has: %w", resolver.ErrUnsupported)
	}
	s.From = next
	page.Next = encode(s)
	return page, nil
}
