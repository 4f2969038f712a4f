package feishudocs

import (
	"context"
	"fmt"
	"strings"

	"github.com/attachfs/attachfs/resolver"
)

// Check tells in words what can be read: the first page of each root. With an
// error it returns what it found until then.
func (p *Provider) Check(ctx context.Context) ([]string, error) {
	top, err := p.listTop(ctx, "")
	if err != nil {
		return nil, fmt.Errorf("roots: %w", err)
	}
	lines := []string{"logged in at " + p.app.Load().Account()}
	if len(p.roots) == 0 {
		lines = append(lines, "the drive has "+countOf(top))
		if len(top.Entries) == 0 {
			lines = append(lines, "an app sees its own space, which is empty unless it made something; name folders that are shared with it in roots")
		}
		return lines, nil
	}
	for i, root := range top.Entries {
		page, err := p.list(ctx, root.ID, "")
		if err != nil {
			return lines, fmt.Errorf("%s, %s: %w%s", p.roots[i].text, root.Name, err, advice(err))
		}
		lines = append(lines, fmt.Sprintf("%s, %s, has %s", p.roots[i].text, root.Name, countOf(page)))
	}
	return lines, nil
}

// advice is what helps where something is not shared with the app.
func advice(err error) string {
	if resolver.Refused(err) {
		return "; share it with the app, or with a group that the app's bot is in"
	}
	return ""
}

// countOf tells what is on a page.
func countOf(page resolver.Page) string {
	dirs := 0
	for _, e := range page.Entries {
		if e.Dir {
			dirs++
		}
	}
	text := fmt.Sprintf("%d directories and %d files", dirs, len(page.Entries)-dirs)
	if page.Next != "" {
		text += " on its first page"
	}
	return strings.TrimSpace(text)
}
