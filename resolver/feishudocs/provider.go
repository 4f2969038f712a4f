package feishudocs

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"sync/atomic"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/feishu"
	"github.com/attachfs/attachfs/resolver/limit"
)

// Provider provides the documents that an app, or a user, may read. Its methods
// may be called in parallel.
type Provider struct {
	cfg       Config
	roots     []root
	downloads downloads
	limits    *limit.Limits
	log       *slog.Logger
	app       atomic.Pointer[feishu.App]
	drive     atomic.Pointer[string] // the token of the drive's own folder; nil before it was asked for
	plain     plainBases
	denied    denials
	prober    atomic.Pointer[resolver.Prober]
	kinds     pictureKinds
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
	p := &Provider{cfg: cfg, limits: limits, downloads: downloadCalls(cfg.zone()), log: cmp.Or(cfg.Log, slog.Default())}
	for _, text := range cfg.Roots {
		if r, err := parseRoot(text); err == nil { // was validated
			p.roots = append(p.roots, r)
		}
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
	p.drive.Store(nil) // that of a user may be another's
	p.denied.forget()
	_ = old.Close()
}

// Close gives up what is shared with others of the app. Calls that are under
// way are not ended.
func (p *Provider) Close() error { return p.app.Load().Close() }

// Revision changes with what the configuration has listed.
func (p *Provider) Revision() string { return fmt.Sprint(p.cfg.Roots, p.cfg.ImageTypes) }

// Account is the host and the app.
func (p *Provider) Account() string { return p.app.Load().Account() }

// Usage tells what is left of the day's downloads, as far as there were any.
func (p *Provider) Usage() []limit.Usage { return p.app.Load().Usage() }

// LinkHosts are the hosts of the API, as "host:port" or "host": files of a drive
// are read there.
func (p *Provider) LinkHosts() []string {
	u, err := url.Parse(cmp.Or(p.cfg.BaseURL, feishu.DefaultBaseURL))
	if err != nil { // was validated
		return nil
	}
	return []string{u.Host}
}

// List returns one page of dir, with one or two calls as a rule.
func (p *Provider) List(ctx context.Context, dir resolver.ID, cursor string) (resolver.Page, error) {
	page, err := p.list(ctx, dir, cursor)
	if err != nil {
		return resolver.Page{}, fmt.Errorf("directory %q: %w", dir, err)
	}
	return page, nil
}

func (p *Provider) list(ctx context.Context, dir resolver.ID, cursor string) (resolver.Page, error) {
	if dir == resolver.Root {
		return p.listTop(ctx, cursor)
	}
	at := placeOf(dir)
	switch at.kind {
	case folderKind:
		return p.listFolder(ctx, at, cursor)
	case spaceKind:
		return p.listNodes(ctx, at, cursor)
	case nodeKind:
		return p.listNode(ctx, at, cursor)
	case recordKind: // comes with its table
		return resolver.Page{}, resolver.ErrUnsupported
	case docxKind, sheetKind, baseKind, tableKind:
		return p.listDocument(ctx, at, cursor)
	default:
		return resolver.Page{}, resolver.ErrNotExist
	}
}

// listDocument returns one page of what is in a document of any kind.
func (p *Provider) listDocument(ctx context.Context, at place, cursor string) (resolver.Page, error) {
	switch at.kind {
	case docxKind:
		return p.listDocx(ctx, at, cursor)
	case sheetKind:
		return p.listSheet(ctx, at, cursor)
	case baseKind:
		return p.listBase(ctx, at, cursor)
	case tableKind:
		return p.listTable(ctx, at, cursor)
	default: // nothing that is shown
		return resolver.Page{}, nil
	}
}

func (p *Provider) do(ctx context.Context, call api.Call, out any) (api.Reply, error) {
	return p.app.Load().Do(ctx, call, out)
}

// readCursor reads a cursor that encode wrote; the empty one leaves to as it is.
func readCursor(cursor string, to any) error {
	if cursor == "" {
		return nil
	}
	if json.Unmarshal([]byte(cursor), to) != nil {
		return fmt.Errorf("not a cursor of this package: %w", resolver.ErrRejected)
	}
	return nil
}

func encode(v any) string {
	text, _ := json.Marshal(v) // texts, numbers and flags
	return string(text)
}

// following is the token of the next page, empty if there is none. A page token
// comes also with the last page.
func following(more bool, token string) (string, error) {
	switch {
	case !more:
		return "", nil
	case token == "":
		return "", fmt.Errorf("there is more, but no page token: %w", resolver.ErrUnavailable)
	default:
		return token, nil
	}
}

// hasCode reports whether err is an answer with this code.
func hasCode(err error, code string) bool {
	var answer *api.Error
	return errors.As(err, &answer) && answer.Code == code
}
