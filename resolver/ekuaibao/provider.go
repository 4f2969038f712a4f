package ekuaibao

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/limit"
)

// Provider provides the documents of one company. Its methods may be called in
// parallel.
type Provider struct {
	cfg      Config
	account  string
	revision string
	limits   *limit.Limits
	calls    atomic.Pointer[client]

	mu   sync.Mutex // guards the following
	told map[string]time.Time
}

var (
	_ resolver.Provider   = (*Provider)(nil)
	_ resolver.Batcher    = (*Provider)(nil)
	_ resolver.Pacer      = (*Provider)(nil)
	_ resolver.Updater    = (*Provider)(nil)
	_ resolver.Accounter  = (*Provider)(nil)
	_ resolver.Revisioner = (*Provider)(nil)
)

// New makes a provider from a valid cfg, without a call. Limits are those of the
// process; with nil it has some of its own. Close it in the end.
func New(cfg Config, limits *limit.Limits) *Provider {
	if limits == nil {
		limits = limit.New(nil, nil)
	}
	p := &Provider{
		cfg: cfg, account: cfg.account(), limits: limits, told: make(map[string]time.Time),
		revision: fmt.Sprint(cfg.types(), cfg.states(), cfg.Templates, cfg.Staff, cfg.Since, cfg.Thumbnails),
	}
	p.calls.Store(newClient(cfg, p.account, limits))
	return p
}

func (p *Provider) client() *client { return p.calls.Load() }

// Renew takes the secrets from options, a *Config, and nothing else of it: a
// provider stays with its account. Calls under way end with the old ones. It is
// not called after Close.
func (p *Provider) Renew(options any) {
	cfg, ok := options.(*Config)
	if !ok {
		return
	}
	renewed := p.cfg
	renewed.AppKey, renewed.AppSecurity = cfg.AppKey, cfg.AppSecurity
	old := p.calls.Swap(newClient(renewed, p.account, p.limits))
	_ = old.Close()
}

// Close ends a login that is under way. Calls that are under way are not ended.
func (p *Provider) Close() error { return p.client().Close() }

// Account is the company, behind the host if one is configured.
func (p *Provider) Account() string { return p.account }

// SizesDoubtful says that a file in a DingTalk drive may have another length than
// its key tells: it may have been replaced there since.
func (p *Provider) SizesDoubtful() bool { return true }

// Revision changes with what the configuration has listed: a listing that was
// made for less, or for more, is made anew.
func (p *Provider) Revision() string { return p.revision }

// List returns one page of dir. The top costs a call for each type, a type two,
// a page of a month one or two, and a document the same.
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
	kind, texts := split(dir)
	switch kind {
	case typeKind:
		return p.listType(ctx, texts[0])
	case monthKind:
		return p.listMonth(ctx, texts[0], texts[1], cursor)
	case documentKind:
		return p.listDocument(ctx, dir, texts[0])
	default:
		return resolver.Page{}, resolver.ErrNotExist
	}
}
