package cli

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/attachfs/attachfs/internal/demo"
	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishumail"
	"github.com/attachfs/attachfs/resolver/manifest"
	"github.com/attachfs/attachfs/resolver/sim"
)

// source is a simulated service.
type source struct {
	set, about string
	terms      linksim.Terms // of links
	hide       bool          // listings tell no sizes
	serve      func(*demonstration, source) (ProviderConfig, error)
}

// demoSources are the simulated services, each with a trouble of its own.
var demoSources = []source{
	{
		set: demo.Mail, about: "Feishu: one call a second, links work twice, no sizes, one file fails",
		serve: (*demonstration).serveMail,
	},
	{set: demo.Contracts, about: "a list of plain addresses (provider type manifest)", serve: (*demonstration).serveList},
	{
		set: demo.Expenses, about: "no listing tells a size",
		terms: linksim.Terms{Lifetime: 15 * time.Minute}, hide: true, serve: (*demonstration).serveFiles,
	},
	{
		set: demo.Pictures, about: "every link dies after 3 seconds",
		terms: linksim.Terms{Lifetime: 3 * time.Second}, serve: (*demonstration).serveFiles,
	},
	{
		set: demo.Drive, about: "Feishu: folders and documents; five links a call, drive files have none",
		serve: (*demonstration).serveDrive,
	},
	{
		set: demo.Claims, about: "ekuaibao: no sizes, four kinds of links, one file on a DingTalk drive",
		serve: (*demonstration).serveClaims,
	},
	{
		set: demo.Tables, about: "kdocs: 10,000 calls a day, links of ten minutes, for pictures alone",
		serve: (*demonstration).serveTables,
	},
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
	services   []io.Closer
	names      map[string]string // of files whose ids tell nothing, by the ends of these
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
	for _, s := range d.services {
		errs = append(errs, s.Close())
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
	d.names = make(map[string]string)
	c := DefaultConfig()
	c.Cache.Dir = filepath.Join(d.scratch, "cache")
	c.Cache.Disk, c.Cache.MinFree = 1<<30, 0
	c.Mount.Xattrs = true
	c.Log.Level = d.level
	d.names = make(map[string]string)
	for _, s := range demoSources {
		p, err := s.serve(d, s)
		if err != nil {
			return nil, fmt.Errorf("simulating %s: %w", s.set, err)
		}
		p.Name, p.InsecureHosts = s.set, []string{"127.0.0.1"}
		c.Providers = append(c.Providers, p)
	}
	return c, nil
}

// start starts a service that has the files of a set, and wants a token of those
// who list them.
func (d *demonstration) start(s source) (_ *linksim.Origin, token string, err error) {
	token = rand.Text()
	origin, err := linksim.Start(linksim.WithToken(token))
	if err != nil {
		return nil, "", err
	}
	d.services = append(d.services, origin)
	for _, f := range demo.Set(s.set) {
		origin.Put(linksim.Object{
			Path: f.Path, Content: f.Content, ModTime: f.ModTime, Terms: s.terms, HideSize: s.hide,
		})
	}
	return origin, token, nil
}

// serveFiles starts a service and returns the provider that speaks to it.
func (d *demonstration) serveFiles(s source) (ProviderConfig, error) {
	origin, token, err := d.start(s)
	if err != nil {
		return ProviderConfig{}, err
	}
	client := &sim.Config{BaseURL: origin.URL(), AccessToken: resolver.NewSecret(token)}
	return ProviderConfig{Type: "sim", Options: client}, nil
}

// serveList starts a service and returns the provider that reads a list of its
// plain addresses.
func (d *demonstration) serveList(s source) (ProviderConfig, error) {
	origin, _, err := d.start(s)
	if err != nil {
		return ProviderConfig{}, err
	}
	list, err := d.manifest(origin, s.set)
	return ProviderConfig{Type: "manifest", Options: list}, err
}

// mailScopes are those that docs/providers/feishu-mail.md asks for.
var mailScopes = []string{
	"mail:user_mailbox:readonly", "mail:user_mailbox.folder:read", "mail:user_mailbox.message:readonly",
	"mail:user_mailbox.message.body:read", "mail:user_mailbox.message.subject:read", "mail:user_mailbox.message.address:read",
}

// serveMail starts a Feishu with one mailbox and returns the provider of that.
func (d *demonstration) serveMail(source) (ProviderConfig, error) {
	const address = "finance@qingfeng.example"
	server, err := feishusim.Start()
	if err != nil {
		return ProviderConfig{}, err
	}
	d.services = append(d.services, server)
	app := feishusim.App{ID: "cli_demo", Secret: rand.Text(), Scopes: mailScopes, DataRange: []string{address}}
	server.AddApp(app)
	for _, m := range demo.Mailbox() {
		mail := feishusim.Message{Subject: m.Subject, Date: m.Date}
		for _, f := range m.Files {
			mail.Attachments = append(mail.Attachments, feishusim.Attachment{
				Name: path.Base(f.Path), Content: f.Content, Fails: f.Withheld,
			})
		}
		for i, id := range server.AddMessage(address, mail).Attachments {
			d.names[id] = mail.Attachments[i].Name
		}
	}
	return ProviderConfig{Type: "feishu-mail", Options: &feishumail.Config{
		BaseURL: server.URL(), AppID: app.ID, AppSecret: resolver.NewSecret(app.Secret),
		Mailbox: address, Folders: []string{"Inbox"},
	}}, nil
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
	return slog.New(newNarrator(d.to.err, newLogger(c.Log, d.to).Handler(), d.names))
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
	say("  time cat %s/mail/Inbox/*Meter*/* | wc   # 45 files: three calls for links", mountpoint)
	say("  ls -lR %s/mail                          # one message a second", mountpoint)
	say("  cp -r %s/pictures /tmp/", mountpoint)
	say("  wc %s/drive/供应商/*/*/*                # the files in records of a base", mountpoint)
	say("  find %s/claims -type f -size +0         # sizes from the first bytes", mountpoint)
	say("  grep -rl Hangzhou %s", mountpoint)
	say("  cp -r %s/tables /tmp/                   # the pictures; the texts are refused", mountpoint)
	say("  getfattr -d %s/pictures/*/* | head -20", mountpoint)
	say("\nor open it in a file manager. attachfs demo -v tells about every call and link.")
	say("^C ends the demo and leaves nothing behind.")
}
