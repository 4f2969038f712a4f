package kdocs

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver/api"
)

// mostNames is how many documents are named.
const mostNames = 5

// Check tells in words who is logged in and for how long, which documents there
// are, and what a page of the first sheet has. It asks for no link. With an error
// it returns what it found until then.
func (p *Provider) Check(ctx context.Context) ([]string, error) {
	var user struct {
		Name string `json:"nickname"`
	}
	if _, err := p.session.do(ctx, api.Call{Endpoint: p.session.calls.user}, &user); err != nil {
		return p.lasts(), fmt.Errorf("login: %w", err)
	}
	lines := append([]string{fmt.Sprintf("logged in at %s as %s", p.Account(), printable(user.Name))}, p.lasts()...)
	all, err := p.files(ctx)
	if err != nil {
		return lines, fmt.Errorf("list of files: %w", err)
	}
	shown := p.shown(all)
	lines = append(lines, fmt.Sprintf("documents: %d%s", len(shown), someNames(shown)))
	for _, d := range shown {
		line, err := p.tryDocument(ctx, d)
		if err != nil {
			return lines, fmt.Errorf("document %s: %w", d.name, err)
		}
		if line != "" {
			return append(lines, line), nil
		}
	}
	return lines, nil
}

// lasts says how long the login does.
func (p *Provider) lasts() []string {
	k := p.session.keeper.Load()
	if k == nil {
		return []string{"the access_token is kept by somebody else, and lasts 24 hours as a rule"}
	}
	tokens, err := k.file.Load()
	if err != nil || tokens.RefreshExpires.IsZero() {
		return nil
	}
	line := fmt.Sprintf("the login lasts %d more days, until %s", daysLeft(tokens.RefreshExpires), tokens.RefreshExpires.Local().Format(time.DateOnly))
	if daysLeft(tokens.RefreshExpires) <= warnDays {
		line += "; " + howToLogIn
	}
	return []string{line}
}

func someNames(shown []document) string {
	var names []string
	for _, d := range shown[:min(len(shown), mostNames)] {
		names = append(names, printable(d.name))
	}
	if len(shown) > mostNames {
		names = append(names, "...")
	}
	if len(names) == 0 {
		return ""
	}
	return ": " + strings.Join(names, ", ")
}

// tryDocument says what the first page of its first sheet has; nothing if it has
// none.
func (p *Provider) tryDocument(ctx context.Context, d document) (string, error) {
	all, err := p.sheetsOf(ctx, d.place, time.Time{})
	if err != nil || len(all) == 0 {
		return "", err
	}
	d.sheet = string(all[0].ID)
	page, err := p.listSheet(ctx, d.place, "")
	if err != nil {
		return "", err
	}
	files, linked := 0, 0
	for _, dir := range page.Entries {
		for _, f := range dir.Children {
			files++
			if at, _ := placeOf(f.ID); at.attachment.isPicture() || at.attachment.isCloud() {
				linked++
			}
		}
	}
	return fmt.Sprintf("the first page of %s in %s has %d records with attachments, %d of %d of which can be read",
		printable(all[0].Name), printable(d.name), len(page.Entries), linked, files), nil
}
