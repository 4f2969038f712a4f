package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/attachfs/attachfs/internal/demo"
	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/manifest"
	"github.com/attachfs/attachfs/resolver/sim"
)

// demoSources are the simulated services, each with a trouble of its own.
var demoSources = []struct {
	set    string
	about  string
	terms  linksim.Terms
	hide   bool             // listings tell no sizes
	plain  bool             // a manifest of plain addresses
	limits []linksim.Option // that the service enforces
	known  sim.Config       // what its client knows of them
}{
	{
		set: demo.Mail, about: "one call a second, for 20 links; each works twice; no sizes; two files fail",
		terms: linksim.Terms{Uses: 2, Lifetime: 2 * time.Hour}, hide: true,
		limits: []linksim.Option{linksim.WithBatch(20), linksim.WithGroups(), linksim.WithLinkRate(1, time.Second)},
		known:  sim.Config{Batch: 20, ByDirectory: true, LinkRate: 1},
	},
	{set: demo.Contracts, about: "a list of plain addresses (provider type manifest)", plain: true},
	{set: demo.Expenses, about: "no listing tells a size", terms: linksim.Terms{Lifetime: 15 * time.Minute}, hide: true},
	{set: demo.Pictures, about: "every link dies after 3 seconds", terms: linksim.Terms{Lifetime: 3 * time.Second}},
}

func demoCommand(to console) *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "demo [MOUNTPOINT]",
		Short: "Mount simulated services; needs no account and no configuration",
		Args:  usage(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			d := &demonstration{to: to, level: "warn"}
			if verbose {
				d.level = "debug"
			}
			if len(args) == 1 {
				d.mountpoint = args[0]
			}
			return errors.Join(d.run(cmd.Context()), d.Close())
		},
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "tell about every link that is borrowed and renewed")
	return cmd
}

// demonstration is a mount over services that are simulated in this process.
type demonstration struct {
	to         console
	level      string // of the log
	mountpoint string // empty: a temporary directory
	scratch    string // cache, manifest and such; removed by Close
	made       bool   // the mount point is ours to remove
	origins    []*linksim.Origin
}

func (d *demonstration) run(ctx context.Context) error {
	signals := catchSignals()
	defer signal.Stop(signals)
	if err := d.makeDirectories(); err != nil {
		return err
	}
	c, err := d.config()
	if err != nil {
		return err
	}
	return mounting{config: c, to: d.to, log: d.logger(c), signals: signals, ready: d.greet}.on(ctx, d.mountpoint)
}

// makeDirectories makes the scratch directory, and a mount point if none was
// given.
func (d *demonstration) makeDirectories() (err error) {
	if d.scratch, err = os.MkdirTemp("", "attachfs-demo-"); err != nil {
		return fmt.Errorf("make a scratch directory: %w", err)
	}
	if d.mountpoint != "" {
		return nil
	}
	if d.mountpoint, err = os.MkdirTemp("", "attachfs-"); err != nil {
		return fmt.Errorf("make a mount point: %w", err)
	}
	d.made = true
	return nil
}

// Close ends the simulated services and removes what was made.
func (d *demonstration) Close() error {
	var errs []error
	for _, o := range d.origins {
		errs = append(errs, o.Close())
	}
	if d.made {
		errs = append(errs, os.Remove(d.mountpoint))
	}
	if d.scratch != "" {
		errs = append(errs, os.RemoveAll(d.scratch))
	}
	return errors.Join(errs...)
}

// config starts the services and returns the configuration that reads them.
func (d *demonstration) config() (*Config, error) {
	c := DefaultConfig()
	c.Cache.Dir = filepath.Join(d.scratch, "cache")
	c.Cache.Disk, c.Cache.MinFree = 1<<30, 0
	c.Mount.Xattrs = true
	c.Log.Level = d.level
	for i := range demoSources {
		p, err := d.serve(i)
		if err != nil {
			return nil, fmt.Errorf("simulating %s: %w", demoSources[i].set, err)
		}
		c.Providers = append(c.Providers, p)
	}
	return c, nil
}

// serve starts the i-th service and returns the provider that speaks to it.
func (d *demonstration) serve(i int) (ProviderConfig, error) {
	source, token := demoSources[i], rand.Text()
	origin, err := linksim.Start(append([]linksim.Option{linksim.WithToken(token)}, source.limits...)...)
	if err != nil {
		return ProviderConfig{}, err
	}
	d.origins = append(d.origins, origin)
	for _, f := range demo.Set(source.set) {
		terms := source.terms
		terms.Refusal = linksim.Refusal(f.Withheld)
		origin.Put(linksim.Object{
			Path: f.Path, Content: f.Content, ModTime: f.ModTime,
			Terms: terms, HideSize: source.hide,
		})
	}
	client := source.known
	client.BaseURL, client.AccessToken = origin.URL(), resolver.NewSecret(token)
	p := ProviderConfig{Name: source.set, Type: "sim", InsecureHosts: []string{"127.0.0.1"}, Options: &client}
	if source.plain {
		p.Type = "manifest"
		p.Options, err = d.manifest(origin, source.set)
	}
	return p, err
}

// manifest writes the list of the plain addresses of a set.
func (d *demonstration) manifest(origin *linksim.Origin, set string) (*manifest.Config, error) {
	type entry struct {
		Path  string    `json:"path"`
		URL   string    `json:"url"`
		Size  int64     `json:"size"`
		MTime time.Time `json:"mtime"`
	}
	var list struct {
		Files []entry `json:"files"`
	}
	for _, f := range demo.Set(set) {
		list.Files = append(list.Files, entry{f.Path, origin.FileURL(f.Path), f.Content.Size(), f.ModTime})
	}
	text, err := json.MarshalIndent(list, "", "  ")
	if err != nil {
		return nil, err
	}
	path := filepath.Join(d.scratch, set+".json")
	return &manifest.Config{File: path}, os.WriteFile(path, text, 0o600)
}

// logger tells in plain words what becomes of links, and the rest as the
// configuration asks for.
func (d *demonstration) logger(c *Config) *slog.Logger {
	return slog.New(newNarrator(d.to.err, newLogger(c.Log, d.to).Handler()))
}

// greet says that the mount answers, and what to try.
func (d *demonstration) greet(mountpoint string, providers int) {
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(d.to.out, format+"\n", args...) }
	say("%s\n", mountedLine(mountpoint, providers))
	for _, s := range demoSources {
		say("  %-10s %s", s.set, s.about)
	}
	say("\nNothing is on this disk: every byte comes over HTTP, through links that are")
	say("borrowed and renewed behind your back. Try, in another terminal:\n")
	say("  time cat %s/mail/*Meter*/* | wc     # 45 files: three calls for links", mountpoint)
	say("  ls -lR %s/mail                      # one message a second", mountpoint)
	say("  cp -r %s/pictures /tmp/", mountpoint)
	say("  grep -rl Hangzhou %s", mountpoint)
	say("  getfattr -d %s/pictures/*/* | head -20", mountpoint)
	say("\nor open it in a file manager. attachfs demo -v tells about every call and link.")
	say("^C ends the demo and leaves nothing behind.")
}
