package kdocs

import (
	"context"
	"fmt"
	"sync"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/limit"
)

// Provider provides the tables of one user. Its methods may be called in parallel.
type Provider struct {
	cfg      Config
	revision string
	session  *session

	mu       sync.Mutex // guards the following
	listed   catalogue  // what the list of files told last
	schemas  map[place]sheets
	pageSize int // of records that the server takes
}

var (
	_ resolver.Provider   = (*Provider)(nil)
	_ resolver.Batcher    = (*Provider)(nil)
	_ resolver.Pacer      = (*Provider)(nil)
	_ resolver.Updater    = (*Provider)(nil)
	_ resolver.Accounter  = (*Provider)(nil)
	_ resolver.Revisioner = (*Provider)(nil)
)

// New makes a provider from a valid cfg without a call. Limits are those of the
// process, which keep its budgets; with nil it has some of its own. Close it in
// the end.
func New(cfg Config, limits *limit.Limits) *Provider {
	cfg = cfg.withDefaults()
	if limits == nil {
		limits = limit.New(nil, cfg.Log)
	}
	return &Provider{
		cfg: cfg, revision: fmt.Sprint(cfg.Documents), session: newSession(cfg, limits),
		schemas: make(map[place]sheets), pageSize: mostRecords,
	}
}

// Renew takes the credentials from options, a *Config, and nothing else of it: a
// provider stays with its app. Calls under way end with the old ones. It is not
// called after Close.
func (p *Provider) Renew(options any) {
	cfg, ok := options.(*Config)
	if !ok {
		return
	}
	renewed := p.cfg
	renewed.AppKey, renewed.AccessToken, renewed.TokenFile = cfg.AppKey, cfg.AccessToken, cfg.TokenFile
	p.session.renew(renewed)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listed = catalogue{}
	clear(p.schemas)
}

// Close gives up the connections. Calls that are under way are not ended, but get
// no new token. Closing again is harmless.
func (p *Provider) Close() error { return p.session.Close() }

// SizesDoubtful says that a picture may be handed out in another size than its
// cell tells: nobody says whether it is the original.
func (p *Provider) SizesDoubtful() bool { return true }

// Revision changes with what the configuration has listed.
func (p *Provider) Revision() string { return p.revision }

// Account is the host of the API and the id of the app.
func (p *Provider) Account() string { return p.session.account }

// Usage tells what is left of the day's calls, all together; and of those of an
// endpoint of which nothing is left.
func (p *Provider) Usage() []limit.Usage { return p.session.usage() }

// List returns one page of dir. The top and a document have all in one page; a
// page of a sheet is one call.
func (p *Provider) List(ctx context.Context, dir resolver.ID, cursor string) (resolver.Page, error) {
	page, err := p.list(ctx, dir, cursor)
	if err != nil {
		return resolver.Page{}, fmt.Errorf("directory %q: %w", dir, err)
	}
	return page, nil
}

func (p *Provider) list(ctx context.Context, dir resolver.ID, cursor string) (resolver.Page, error) {
	if dir == resolver.Root {
		return p.listRoot(ctx)
	}
	switch at, level := placeOf(dir); level {
	case documentLevel:
		return p.listDocument(ctx, at)
	case sheetLevel:
		return p.listSheet(ctx, at, cursor)
	case recordLevel: // came along with its sheet
		return resolver.Page{}, resolver.ErrUnsupported
	default:
		return resolver.Page{}, resolver.ErrNotExist
	}
}
