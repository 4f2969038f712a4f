package kdocs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// settling is how long a document has to be unchanged before its time counts: it
// is told in seconds, and by a list that may be behind.
const settling = 2 * time.Minute

// settled reports whether the state tells later whether the document changed.
func (c catalogue) settled(s state) bool {
	now := cmp.Or(c.shown, c.asked)
	return s.Modified > 0 && s.time().Before(now.Add(-settling))
}

// Update tells that nothing is new in a sheet whose document has not changed. It
// costs a call for all sheets of all documents; a sheet of 20,000 records would
// cost twenty, or 200, every few minutes of a day that has 10,000. It is
// ErrUnsupported for a document that has changed, and for other directories.
func (p *Provider) Update(ctx context.Context, dir resolver.ID, mark, _ string) (resolver.Page, error) {
	page, err := p.update(ctx, dir, mark)
	if err != nil {
		return resolver.Page{}, fmt.Errorf("update %q: %w", dir, err)
	}
	return page, nil
}

func (p *Provider) update(ctx context.Context, dir resolver.ID, mark string) (resolver.Page, error) {
	var before state
	at, level := placeOf(dir)
	if level != sheetLevel || json.Unmarshal([]byte(mark), &before) != nil || before == (state{}) {
		return resolver.Page{}, resolver.ErrUnsupported
	}
	now, _, err := p.stateOf(ctx, at)
	switch {
	case err != nil:
		return resolver.Page{}, err
	case now != before:
		return resolver.Page{}, fmt.Errorf("the document has changed: %w", resolver.ErrUnsupported)
	}
	return resolver.Page{Mark: mark}, nil
}
