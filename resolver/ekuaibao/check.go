package ekuaibao

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/attachfs/attachfs/resolver"
)

// Check tells in words what can be read: the host, the types of documents with
// how many there are, and a page of the newest ones. It asks for no link that
// could be used. With an error it returns what it found until then.
func (p *Provider) Check(ctx context.Context) ([]string, error) {
	h, err := p.client().at(ctx)
	if err != nil {
		return nil, err
	}
	var counts, missing []string
	var newest resolver.ID
	where := ""
	for _, kind := range p.cfg.types() {
		last, count, err := p.edge(ctx, kind, "desc")
		switch {
		case errors.Is(err, errType):
			missing = append(missing, kind)
			continue
		case err != nil:
			return nil, err
		}
		counts = append(counts, fmt.Sprintf("%s %d", kind, count))
		if newest == "" && last != nil {
			month := startOf(last.created()).Format(monthFormat)
			newest, where = join(monthKind, kind, month), kind+" "+month
		}
	}
	lines := []string{"logged in at " + h.address + " as " + p.account}
	if len(counts) == 0 {
		return lines, fmt.Errorf("types: the company has none of %s: %w", strings.Join(missing, ", "), resolver.ErrUnsupported)
	}
	lines = append(lines, "documents: "+strings.Join(counts, ", "))
	if len(missing) > 0 {
		lines = append(lines, "not available in this company: "+strings.Join(missing, ", "))
	}
	if newest == "" {
		return lines, nil
	}
	page, err := p.List(ctx, newest, "")
	if err != nil {
		return lines, err
	}
	return append(lines, fmt.Sprintf("documents with attachments on the first page of %s: %d", where, len(page.Entries))), nil
}
