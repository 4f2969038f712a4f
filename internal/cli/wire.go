package cli

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/fs"
	"github.com/attachfs/attachfs/fs/stream"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/broker"
	"github.com/attachfs/attachfs/resolver/catalog"
	"github.com/attachfs/attachfs/resolver/manifest"
	"github.com/attachfs/attachfs/resolver/sim"
)

// stack is everything between the mount point and the origins.
type stack struct {
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
}

// newStack puts the stack together, from the cache up. The caller closes it.
func newStack(c *Config, log *slog.Logger) (_ *stack, err error) {
	s := &stack{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := errors.Join(c.cacheConfig(log).Validate(), c.streamConfig().Validate(), c.mountConfig().Validate()); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	if err := s.connect(c, log); err != nil {
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
		s.build(p, c, state.Learnt(p.Name+"\n"+accountOf(p.provider)), streams, log.With("provider", p.Name))
	}
	return s, nil
}

// connect makes the providers. It comes first, because what the user wrote may
// be wrong, and nothing is to be left behind then.
func (s *stack) connect(c *Config, log *slog.Logger) error {
	for _, p := range c.Providers {
		provider, err := newProvider(p.Options, log.With("provider", p.Name))
		if err != nil {
			return fmt.Errorf("provider %s: %w", p.Name, err)
		}
		s.closeLater(func() error { return closeProvider(provider) })
		s.providers = append(s.providers, &connection{ProviderConfig: p, provider: provider})
	}
	return nil
}

// build puts on top of a provider the broker that lends its links, the source
// that reads through them, and the catalog of its names.
func (s *stack) build(p *connection, c *Config, learnt *catalog.Learnt, streams *stream.Streams, log *slog.Logger) {
	p.broker = broker.New(p.provider, c.brokerConfig(), log)
	s.closeLater(p.broker.Close)
	p.source = streams.Source(stream.SourceConfig{
		Name: p.Name, Account: accountOf(p.provider), InsecureHosts: p.InsecureHosts,
		Lender: p.broker, Ledger: learnt,
	})
	p.catalog = catalog.New(p.provider, learnt, p.source, catalog.Config{
		ListingTTL: time.Duration(c.Mount.ListingTTL), Log: log,
	})
	s.closeLater(p.catalog.Close)
}

// newProvider makes the provider that the options are for. A provider that
// cannot be made from what the user wrote is an error of the configuration.
func newProvider(options any, log *slog.Logger) (resolver.Provider, error) {
	switch o := options.(type) {
	case *manifest.Config:
		cfg := *o
		cfg.Log = log
		p, err := manifest.New(cfg)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrConfig, err)
		}
		return p, nil
	case *sim.Config:
		return sim.New(*o), nil
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
		trees[i] = &fs.Provider{Name: p.Name, Tree: p.catalog, Source: p.source}
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
