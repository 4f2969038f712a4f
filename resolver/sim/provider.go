package sim

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/attachfs/attachfs/resolver"
)

// batch is how many ids the API takes in one call.
const batch = 100

// Provider speaks the simulator's API. Its methods may be called in parallel.
type Provider struct {
	base   string
	token  atomic.Pointer[resolver.Secret] // replaced by Renew
	client *http.Client
}

var (
	_ resolver.Provider  = (*Provider)(nil)
	_ resolver.Accounter = (*Provider)(nil)
)

// New makes a provider from a valid cfg. Close it in the end.
func New(cfg Config) *Provider {
	p := &Provider{base: strings.TrimRight(cfg.BaseURL, "/"), client: newClient()}
	p.token.Store(&cfg.AccessToken)
	return p
}

// Renew takes the token from options, a *Config, and nothing else of it: a
// provider stays with its account. Calls under way end with the old token.
func (p *Provider) Renew(options any) {
	if cfg, ok := options.(*Config); ok {
		token := cfg.AccessToken
		p.token.Store(&token)
	}
}

// Close gives up the idle connections. Calls that are under way are not ended.
func (p *Provider) Close() error {
	p.client.CloseIdleConnections()
	return nil
}

// List returns one page of dir in one call.
func (p *Provider) List(ctx context.Context, dir resolver.ID, cursor string) (resolver.Page, error) {
	query := url.Values{"dir": {string(dir)}}
	if cursor != "" {
		query.Set("cursor", cursor)
	}
	var answer listAnswer
	if err := p.call(ctx, http.MethodGet, "/api/list?"+query.Encode(), nil, &answer); err != nil {
		return resolver.Page{}, fmt.Errorf("list directory %q: %w", dir, err)
	}
	page := resolver.Page{Entries: make([]resolver.Entry, len(answer.Entries)), Next: answer.Next}
	for i, e := range answer.Entries {
		page.Entries[i] = e.entry()
	}
	return page, nil
}

// Resolve makes one call for each hundred ids. An id that is asked for twice is
// sent once, and both answers have the same link.
func (p *Provider) Resolve(ctx context.Context, ids []resolver.ID) ([]resolver.Answer, error) {
	links := make(map[resolver.ID]linkAnswer, len(ids))
	once := slices.Compact(slices.Sorted(slices.Values(ids)))
	for chunk := range slices.Chunk(once, batch) {
		var answer linksAnswer
		if err := p.call(ctx, http.MethodPost, "/api/links", linksRequest{IDs: chunk}, &answer); err != nil {
			return nil, fmt.Errorf("resolve %d ids: %w", len(ids), err)
		}
		for _, l := range answer.Links {
			links[l.ID] = l
		}
	}
	answers := make([]resolver.Answer, len(ids))
	for i, id := range ids {
		l, ok := links[id]
		if !ok {
			l.Error = notFound
		}
		link, err := l.link()
		if err != nil {
			err = fmt.Errorf("resolve %q: %w", id, err)
		}
		answers[i] = resolver.Answer{Link: link, Err: err}
	}
	return answers, nil
}

// Account returns the address of the API.
func (p *Provider) Account() string { return p.base }
