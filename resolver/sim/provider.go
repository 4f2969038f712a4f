package sim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

var listCall = &api.Endpoint{Name: "list", Method: http.MethodGet, Path: "/api/list"}

// linksCall is limited as the simulated service is configured to be; a limit of
// 0 is none.
func linksCall(cfg Config) *api.Endpoint {
	return &api.Endpoint{Name: "links", Method: http.MethodPost, Path: "/api/links", Limit: limit.Spec{
		Rates:   []limit.Rate{{Calls: cfg.LinkRate, Per: time.Second}},
		Budgets: []limit.Budget{{Calls: cfg.DailyCalls, Period: limit.Day}},
	}}
}

// quotaSpent is the API's code for it.
const quotaSpent = "99991403"

// Provider speaks the simulator's API. Its methods may be called in parallel.
type Provider struct {
	cfg    Config
	links  *api.Endpoint
	tokens *api.TokenSource
	client *api.Client
}

var (
	_ resolver.Provider  = (*Provider)(nil)
	_ resolver.Batcher   = (*Provider)(nil)
	_ resolver.Pacer     = (*Provider)(nil)
	_ resolver.Accounter = (*Provider)(nil)
)

// New makes a provider from a valid cfg. Limits are those of the process; with
// nil it has some of its own. Close it in the end.
func New(cfg Config, limits *limit.Limits) *Provider {
	cfg.BaseURL = strings.TrimRight(cfg.BaseURL, "/")
	cfg.Batch = cmp.Or(cfg.Batch, defaultBatch)
	tokens := api.NewTokenSource(api.Static(cfg.AccessToken), api.TokenOptions{Log: cfg.Log})
	return &Provider{
		cfg: cfg, links: linksCall(cfg), tokens: tokens,
		client: api.New(api.Config{
			BaseURL: cfg.BaseURL, Account: cfg.BaseURL, Limits: limits, Tokens: tokens, Log: cfg.Log,
			Kinds: api.Kinds{quotaSpent: resolver.ErrQuota},
		}),
	}
}

// Renew takes the token from options, a *Config, and nothing else of it: a
// provider stays with its account. Calls under way end with the old token.
func (p *Provider) Renew(options any) {
	if cfg, ok := options.(*Config); ok {
		p.tokens.Replace(api.Static(cfg.AccessToken))
	}
}

// Close gives up the idle connections. Calls that are under way are not ended.
func (p *Provider) Close() error { return errors.Join(p.tokens.Close(), p.client.Close()) }

// Usage tells what is left of the day's calls, if they are limited.
func (p *Provider) Usage() []limit.Usage { return p.client.Usage() }

// Account returns the address of the API.
func (p *Provider) Account() string { return p.cfg.BaseURL }

// Batch says that a call takes ids of any kind, or of one directory, as
// configured.
func (p *Provider) Batch(id resolver.ID) resolver.Batch {
	b := resolver.Batch{Lane: p.links.Name, Size: p.cfg.Batch}
	if p.cfg.ByDirectory {
		b.Group = groupOf(id)
	}
	return b
}

// Turn waits for that of a call for links.
func (p *Provider) Turn(ctx context.Context, _ string) error { return p.client.Turn(ctx, p.links) }

// List returns one page of dir in one call.
func (p *Provider) List(ctx context.Context, dir resolver.ID, cursor string) (resolver.Page, error) {
	query := url.Values{"dir": {string(dir)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	var answer listAnswer
	reply, err := p.client.Do(ctx, api.Call{Endpoint: listCall, Query: query}, &answer)
	if err != nil {
		return resolver.Page{}, fmt.Errorf("directory %q: %w", dir, err)
	}
	page := resolver.Page{Entries: make([]resolver.Entry, len(answer.Entries)), Next: answer.Next}
	for i, e := range answer.Entries {
		entry := e.entry(reply)
		if p.cfg.ByDirectory && !e.Dir {
			entry.ID = grouped(dir, entry.ID)
		}
		page.Entries[i] = entry
	}
	return page, nil
}

// Resolve makes one call. An id that is asked for twice is sent once, and both
// answers have the same link.
func (p *Provider) Resolve(ctx context.Context, ids []resolver.ID) ([]resolver.Answer, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	asked := make([]resolver.ID, len(ids))
	for i, id := range ids {
		asked[i] = p.bare(id)
	}
	body := linksRequest{IDs: slices.Compact(slices.Sorted(slices.Values(asked)))}
	var answer linksAnswer
	reply, err := p.client.Do(ctx, api.Call{Endpoint: p.links, Body: body, Waited: true}, &answer)
	if err != nil {
		return nil, fmt.Errorf("%d ids: %w", len(ids), err)
	}
	links := make(map[resolver.ID]linkAnswer, len(answer.Links))
	for _, l := range answer.Links {
		links[l.ID] = l
	}
	answers := make([]resolver.Answer, len(ids))
	for i, id := range asked {
		l, ok := links[id]
		if !ok {
			l.Error = notFound
		}
		link, err := l.link(reply)
		if err != nil {
			err = fmt.Errorf("link of %q: %w", id, err)
		}
		answers[i] = resolver.Answer{Link: link, Err: err}
	}
	return answers, nil
}
