package feishumail

import (
	"context"
	"fmt"
	"net/url"
	"sync/atomic"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/feishu"
	"github.com/attachfs/attachfs/resolver/limit"
)

// Provider provides one mailbox. Its methods may be called in parallel.
type Provider struct {
	cfg      Config
	zone     *time.Location
	revision string
	limits   *limit.Limits
	app      atomic.Pointer[feishu.App]
	proven   atomic.Pointer[time.Time] // when bodies were last seen to be readable; nil for never
}

var (
	_ resolver.Provider   = (*Provider)(nil)
	_ resolver.Batcher    = (*Provider)(nil)
	_ resolver.Pacer      = (*Provider)(nil)
	_ resolver.Updater    = (*Provider)(nil)
	_ resolver.Accounter  = (*Provider)(nil)
	_ resolver.Revisioner = (*Provider)(nil)
)

// New makes a provider from a valid cfg. Limits are those of the process; with
// nil it has some of its own. Close it in the end.
func New(cfg Config, limits *limit.Limits) *Provider {
	if limits == nil {
		limits = limit.New(nil, nil)
	}
	p := &Provider{
		cfg: cfg, zone: cfg.zone(), limits: limits,
		revision: fmt.Sprint(cfg.Since, cfg.Inline, cfg.Folders),
	}
	p.app.Store(feishu.Open(cfg.feishu(), limits))
	return p
}

// Renew takes the secrets from options, a *Config, and nothing else of it: a
// provider stays with its account. Calls under way end with the old ones. It is
// not called after Close.
func (p *Provider) Renew(options any) {
	cfg, ok := options.(*Config)
	if !ok {
		return
	}
	renewed := p.cfg.feishu()
	renewed.AppSecret, renewed.AccessToken = cfg.AppSecret, cfg.AccessToken
	old := p.app.Swap(feishu.Open(renewed, p.limits))
	p.proven.Store(nil)
	_ = old.Close()
}

// Close gives up what is shared with others of the app. Calls that are under
// way are not ended.
func (p *Provider) Close() error { return p.app.Load().Close() }

// Revision changes with what the configuration has listed: a listing that was
// made for less, or for more, is made anew.
func (p *Provider) Revision() string { return p.revision }

// Account is the host, the app and the mailbox.
func (p *Provider) Account() string { return p.app.Load().Account() + "/" + p.cfg.Mailbox }

// List returns one page of dir. The top has all in one page and one call, a page
// of a folder two calls as a rule.
func (p *Provider) List(ctx context.Context, dir resolver.ID, cursor string) (resolver.Page, error) {
	page, err := p.list(ctx, dir, cursor)
	if err != nil {
		return resolver.Page{}, fmt.Errorf("directory %q: %w", dir, err)
	}
	return page, nil
}

func (p *Provider) list(ctx context.Context, dir resolver.ID, cursor string) (resolver.Page, error) {
	at := placeOf(dir)
	switch {
	case dir == resolver.Root:
		return p.listRoot(ctx)
	case at.folder != "":
		return p.listFolder(ctx, at.folder, cursor)
	case at.message != "" && at.attachment == "":
		return p.listMessage(ctx, at.message)
	default:
		return resolver.Page{}, resolver.ErrNotExist
	}
}

// listMessage is for those who do not have it from the folder's listing.
func (p *Provider) listMessage(ctx context.Context, id string) (resolver.Page, error) {
	found, err := p.messages(ctx, []string{id})
	if err != nil {
		return resolver.Page{}, err
	}
	m, ok := found[id]
	if !ok {
		return resolver.Page{}, resolver.ErrNotExist
	}
	dir, _ := p.directory(m)
	return resolver.Page{Entries: dir.Children}, nil
}

// ids returns the ids of one page of a folder, and the token of the next page.
func (p *Provider) ids(ctx context.Context, folder, token string) (ids []string, next string, err error) {
	query := url.Values{"folder_id": {folder}, "page_size": {fmt.Sprint(pageSize)}}
	if token != "" {
		query.Set("page_token", token)
	}
	var answer listAnswer
	call := api.Call{Endpoint: listCall, Params: []string{p.cfg.Mailbox}, Query: query}
	if _, err := p.app.Load().Do(ctx, call, &answer); err != nil {
		return nil, "", err
	}
	switch {
	case !answer.HasMore:
		return answer.Items, "", nil
	case answer.Token == "":
		return nil, "", fmt.Errorf("more messages, but no page_token: %w", resolver.ErrUnavailable)
	default:
		return answer.Items, answer.Token, nil
	}
}
