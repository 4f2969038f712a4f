package cli

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/fs"
	"github.com/attachfs/attachfs/fs/stream"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/broker"
	"github.com/attachfs/attachfs/resolver/catalog"
	"github.com/attachfs/attachfs/resolver/ekuaibao"
	"github.com/attachfs/attachfs/resolver/feishudocs"
	"github.com/attachfs/attachfs/resolver/feishumail"
	"github.com/attachfs/attachfs/resolver/kdocs"
	"github.com/attachfs/attachfs/resolver/limit"
	"github.com/attachfs/attachfs/resolver/manifest"
	"github.com/attachfs/attachfs/resolver/sim"
)

// stack is everything between the mount point and the origins.
type stack struct {
	config    *Config
	log       *slog.Logger
	providers []*connection
	closers   []func() error
}

// connection is one provider with what remembers its names and lends its links.
type connection struct {
	ProviderConfig
	provider resolver.Provider
	catalog  *catalog.Catalog
	broker   *broker.Broker
	source   *stream.Source
	tree     *fs.Provider
}

// newLimits returns the limits of all providers, whose budgets are kept in dir.
// The caller closes them.
func newLimits(dir string, log *slog.Logger) *limit.Limits {
	return limit.New(limit.NewFile(filepath.Join(dir, "budgets.json"), log), log)
}

// newStack puts the stack together, from the cache up. Limits stay the caller's.
// The caller closes the stack.
func newStack(c *Config, limits *limit.Limits, log *slog.Logger) (_ *stack, err error) {
	s := &stack{config: c, log: log}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := errors.Join(c.cacheConfig(log).Validate(), c.streamConfig().Validate(), c.mountConfig().Validate()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := s.connect(limits); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Cache.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the cache directory: %w", err)
	}
	state, err := catalog.OpenState(filepath.Join(c.Cache.Dir, "state.db"), log)
	if err != nil {
		return nil, err
	}
	s.closeLater(state.Close)
	store, err := cache.Open(c.cacheConfig(log))
	if err != nil {
		return nil, err
	}
	s.closeLater(store.Close)
	streams := stream.New(c.streamConfig(), store, log)
	s.closeLater(streams.Close)
	for _, p := range s.providers {
		s.build(p, state, streams)
	}
	return s, nil
}

// connect makes the providers. It comes first, because what the user wrote may
// be wrong, and nothing is to be left behind then.
func (s *stack) connect(limits *limit.Limits) error {
	for _, p := range s.config.Providers {
		provider, err := newProvider(p.Options, limits, s.log.With("provider", p.Name))
		if err != nil {
			return fmt.Errorf("provider %s: %w", p.Name, err)
		}
		s.closeLater(func() error { return closeProvider(provider) })
		s.providers = append(s.providers, &connection{ProviderConfig: p, provider: provider})
	}
	return nil
}

// build puts on top of a provider the broker that lends its links, the source
// that reads through them, the catalog of its names, and the tree that the
// kernel sees. Broker and catalog serve each other: one asks for the siblings
// of a file, the other brings links along with listings.
func (s *stack) build(p *connection, state *catalog.State, streams *stream.Streams) {
	log := s.log.With("provider", p.Name)
	key := p.Name + "\n" + accountOf(p.provider)
	learnt := state.Learnt(key)
	gate := limit.NewBreaker(func(ctx context.Context) error {
		_, err := p.provider.List(ctx, resolver.Root, "")
		return err
	}, log)
	s.closeLater(gate.Close)
	b := s.config.brokerConfig()
	b.Gate = gate
	b.Siblings = func(f resolver.File) iter.Seq[resolver.ID] { return p.catalog.Siblings(f) }
	p.broker = broker.New(p.provider, b, log)
	s.closeLater(p.broker.Close)
	p.source = streams.Source(stream.SourceConfig{
		Name: p.Name, Account: accountOf(p.provider), InsecureHosts: p.trustedHosts(),
		Lender: p.broker, Ledger: learnt, Doubtful: doubtful(p.provider),
		Following: func(f resolver.File) iter.Seq[resolver.File] { return p.catalog.Following(f) },
	})
	if looks, ok := p.provider.(interface{ ProbeWith(resolver.Prober) }); ok {
		looks.ProbeWith(p.source)
	}
	p.tree = &fs.Provider{Name: p.Name, Source: p.source, Budgets: p.budgets}
	p.catalog = catalog.New(p.provider, learnt, p.source, catalog.Config{
		ListingTTL: time.Duration(s.config.Mount.ListingTTL), Listings: state.Listings(key),
		Changed: p.tree.Changed, Seed: p.broker.Seed, Gate: gate, Log: log,
	})
	s.closeLater(p.catalog.Close)
	p.tree.Tree = p.catalog
}

// trustedHosts are those of links that may be plain http or private: what the
// user allowed, and the API itself, to which some links lead, because base_url is
// the user's own word.
func (p *connection) trustedHosts() []string {
	h, ok := p.provider.(interface{ LinkHosts() []string })
	if !ok {
		return p.InsecureHosts
	}
	return slices.Concat(p.InsecureHosts, h.LinkHosts())
}

// budgets says what is left of the calls that the provider grants; empty when
// it has no such limit.
func (p *connection) budgets() string {
	u, ok := p.provider.(interface{ Usage() []limit.Usage })
	if !ok {
		return ""
	}
	var words []string
	for _, usage := range u.Usage() {
		words = append(words, usage.String())
	}
	return strings.Join(words, "; ")
}

// newProvider makes the provider that the options are for. A provider that
// cannot be made from what the user wrote is an error of the configuration.
func newProvider(options any, limits *limit.Limits, log *slog.Logger) (resolver.Provider, error) {
	switch o := options.(type) {
	case *manifest.Config:
		cfg := *o
		cfg.Log = log
		p, err := manifest.New(cfg)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
		return p, nil
	case *ekuaibao.Config:
		cfg := *o
		cfg.Log = log
		return ekuaibao.New(cfg, limits), nil
	case *feishudocs.Config:
		cfg := *o
		cfg.Log = log
		return feishudocs.New(cfg, limits), nil
	case *feishumail.Config:
		cfg := *o
		cfg.Log = log
		return feishumail.New(cfg, limits), nil
	case *kdocs.Config:
		cfg := *o
		cfg.Log = log
		return kdocs.New(cfg, limits), nil
	case *sim.Config:
		cfg := *o
		cfg.Log = log
		return sim.New(cfg, limits), nil
	default:
		return nil, fmt.Errorf("%w: no provider has options of type %T", ErrConfig, options)
	}
}

func closeProvider(p resolver.Provider) error {
	if c, ok := p.(interface{ Close() error }); ok {
		return c.Close()
	}
	return nil
}

func accountOf(p resolver.Provider) string {
	if a, ok := p.(resolver.Accounter); ok {
		return a.Account()
	}
	return ""
}

// doubtful tells whether the sizes in a provider's listings may be wrong.
func doubtful(p resolver.Provider) bool {
	d, ok := p.(interface{ SizesDoubtful() bool })
	return ok && d.SizesDoubtful()
}

func (s *stack) closeLater(f func() error) { s.closers = append(s.closers, f) }

// Close takes the stack apart, the newest part first. It may be called twice.
func (s *stack) Close() error {
	var errs []error
	for len(s.closers) > 0 {
		last := len(s.closers) - 1
		errs = append(errs, s.closers[last]())
		s.closers = s.closers[:last]
	}
	return errors.Join(errs...)
}

// trees are the directories under the mount point.
func (s *stack) trees() []*fs.Provider {
	trees := make([]*fs.Provider, len(s.providers))
	for i, p := range s.providers {
		trees[i] = p.tree
	}
	return trees
}

func (c *Config) cacheConfig(log *slog.Logger) cache.Config {
	return cache.Config{
		Memory: int64(c.Cache.Memory), Disk: int64(c.Cache.Disk),
		Dir: c.Cache.Dir, MinFree: int64(c.Cache.MinFree), Log: log,
	}
}

func (c *Config) streamConfig() stream.Config {
	return stream.Config{
		Streams: c.Read.Streams, Window: int64(c.Read.Window),
		Deadline: time.Duration(c.Read.Deadline), Stall: time.Duration(c.Read.Stall),
		UserAgent: "attachfs/" + version(),
	}
}

// brokerConfig lets the broker give up shortly before its callers do, so that
// they are told why.
func (c *Config) brokerConfig() broker.Config {
	b := broker.DefaultConfig()
	b.Patience = time.Duration(c.Read.Deadline) * 9 / 10
	b.CallTimeout = min(b.CallTimeout, b.Patience)
	return b
}

func (c *Config) mountConfig() fs.Config {
	m := c.Mount
	return fs.Config{
		Source: "attachfs", AllowOther: m.AllowOther, UID: m.UID, GID: m.GID,
		FileMode: uint32(m.FileMode), DirMode: uint32(m.DirMode),
		AttrTimeout: time.Duration(m.AttrTimeout), EntryTimeout: time.Duration(m.EntryTimeout),
		NegativeTimeout: time.Duration(m.NegativeTimeout),
		XAttrs:          m.Xattrs, Deadline: time.Duration(c.Read.Deadline),
	}
}

// newLogger writes the log that the configuration asks for.
func newLogger(c LogConfig, to console) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // was checked with the configuration
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(to.err, options))
	}
	return slog.New(slog.NewTextHandler(to.err, options))
}
