package feishumail

import (
	"context"
	"fmt"

	"github.com/attachfs/attachfs/resolver"
)

// Check tells in words what can be read: the folders, and a page of messages of
// the first folder that has any. It asks for no link that could be used. With an
// error it returns what it found until then.
func (p *Provider) Check(ctx context.Context) ([]string, error) {
	all, err := p.folders(ctx)
	if err != nil {
		return nil, fmt.Errorf("folders: %w", err)
	}
	shown, missing := p.choose(all)
	lines := []string{
		"logged in at " + p.app.Load().Account(),
		fmt.Sprintf("%s has %s", p.cfg.Mailbox, folderNames(all)),
	}
	if len(missing) > 0 {
		return lines, fmt.Errorf("%s: %w", missingFolders(missing, all), resolver.ErrUnsupported)
	}
	for _, f := range shown {
		ids, _, err := p.ids(ctx, f.id, "")
		if err != nil {
			return lines, fmt.Errorf("messages of %s: %w", f.name, err)
		}
		if len(ids) == 0 {
			continue
		}
		found, err := p.messages(ctx, ids)
		if err != nil {
			return lines, fmt.Errorf("messages of %s: %w", f.name, err)
		}
		return append(lines, p.report(f, found)...), nil
	}
	return append(lines, "no messages in "+folderNames(shown)), nil
}

// report says what a page of messages shows.
func (p *Provider) report(f folder, found map[string]message) []string {
	subjects, shown := 0, 0
	for _, m := range found {
		if m.Subject != nil {
			subjects++
		}
		if _, ok := p.directory(m); ok {
			shown++
		}
	}
	lines := []string{fmt.Sprintf("messages on the first page of %s: %d, with attachments: %d", f.name, len(found), shown)}
	if len(found) > 0 && subjects == 0 {
		lines = append(lines, "none of them has a subject; is the scope "+subjectScope+" missing?")
	}
	return lines
}
