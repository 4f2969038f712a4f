package feishudocs

import (
	"context"
	"fmt"

	"github.com/attachfs/attachfs/resolver"
)

// errOutdated has a directory listed again.
var errOutdated = fmt.Errorf("it has changed: %w", resolver.ErrUnsupported)

// Update tells by one call that nothing has changed in a document, a spreadsheet
// or a table of a base, as it does most of the time. Else it is ErrUnsupported,
// and the directory has to be listed again.
func (p *Provider) Update(ctx context.Context, dir resolver.ID, mark, _ string) (resolver.Page, error) {
	at := placeOf(dir)
	err := resolver.ErrUnsupported
	switch at.kind {
	case docxKind:
		err = p.updateDocx(ctx, at.tokens[0], mark)
	case sheetKind:
		err = p.updateSheet(ctx, at.tokens[0], mark)
	case tableKind:
		err = p.updateTable(ctx, at, mark)
	}
	if err != nil {
		return resolver.Page{}, fmt.Errorf("update %q: %w", dir, err)
	}
	return resolver.Page{Mark: mark}, nil
}
