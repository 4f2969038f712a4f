package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/fs"
)

// grace is how long those who still read get after the mount point is gone,
// when the user asked to end.
const grace = 10 * time.Second

func mountCommand(to console, starter *starter, args []string) *cobra.Command {
	var config string
	var background bool
	cmd := &cobra.Command{
		Use:   "mount [--config FILE] MOUNTPOINT",
		Short: "Mount the configured providers and serve them until unmounted",
		Args:  usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, places []string) error {
			c, err := loadConfig(config, to)
			if err != nil {
				return err
			}
			if background && starter == nil {
				return daemonizeMount(cmd.Context(), c, args, to)
			}
			return runMount(cmd.Context(), c, places[0], to, starter)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "configuration file (default $XDG_CONFIG_HOME/attachfs/config.toml)")
	cmd.Flags().BoolVar(&background, "daemon", false, "return when the mount answers, and go on in the background")
	return cmd
}

// runHelper is mount(8)'s way in: mount -t attachfs CONFIG MOUNTPOINT.
func runHelper(ctx context.Context, args []string, to console, starter *starter) error {
	call, err := parseHelper(args)
	if err != nil {
		return fmt.Errorf("%w: %w", errUsage, err)
	}
	c, err := loadConfig(call.Config, to)
	if err != nil || call.Fake {
		return err
	}
	call.Overrides.apply(&c.Mount)
	if starter == nil {
		return daemonizeMount(ctx, c, args, to)
	}
	return runMount(ctx, c, call.Mountpoint, to, starter)
}

func loadConfig(path string, to console) (*Config, error) {
	c, err := LoadConfig(path, os.Getenv)
	if err != nil {
		return nil, err
	}
	for _, w := range c.Warnings {
		_, _ = fmt.Fprintf(to.err, "attachfs: warning: %s\n", w)
	}
	return c, nil
}

// daemonizeMount runs the same command line again in the background.
func daemonizeMount(ctx context.Context, c *Config, args []string, to console) error {
	ctx, stop := signal.NotifyContext(ctx, unix.SIGINT, unix.SIGTERM)
	defer stop()
	code := daemonize(ctx, filepath.Join(c.Cache.Dir, "attachfs.log"), args, to.out, to.err)
	if code != exitOK {
		return exited(code)
	}
	return nil
}

// runMount mounts, says so to all who wait for it, and serves until the mount is
// gone.
func runMount(ctx context.Context, c *Config, mountpoint string, to console, starter *starter) error {
	signals := catchSignals()
	defer signal.Stop(signals)
	run := mounting{config: c, to: to, log: newLogger(c.Log, to), signals: signals, reload: true}
	run.ready = func(mountpoint string, providers int) {
		line := mountedLine(mountpoint, providers)
		_, _ = fmt.Fprintln(to.out, line)
		notifyReady(line)
		starter.Ready(line)
	}
	return run.on(ctx, mountpoint)
}

// mountedLine is what scripts wait for.
func mountedLine(mountpoint string, providers int) string {
	return fmt.Sprintf("mounted %s (%d providers)", mountpoint, providers)
}

// mounting is a run of attachfs with a mount.
type mounting struct {
	config  *Config
	to      console
	log     *slog.Logger
	signals <-chan os.Signal
	reload  bool // on SIGHUP, which otherwise ends the run
	// ready is called when the mount answers.
	ready func(mountpoint string, providers int)
}

// on mounts on mountpoint and returns when the mount is gone.
func (r mounting) on(ctx context.Context, mountpoint string) error {
	if err := fuseAvailable(); err != nil {
		return err
	}
	mountpoint, err := checkMountpoint(mountpoint, r.config.Cache.Dir, r.log)
	if err != nil {
		return err
	}
	if err := mayMount(os.Geteuid(), mountpoint, r.config.Mount.AllowOther, fuseConf); err != nil {
		return err
	}
	limits := newLimits(r.config.Cache.Dir, r.log)
	defer closeLogged("call budgets", limits, r.log)
	s, err := newStack(r.config, limits, r.log)
	if err != nil {
		return err
	}
	defer closeLogged("stack", s, r.log)
	m, err := fs.New(mountpoint, r.config.mountConfig(), s.trees(), r.log)
	if err != nil {
		return err
	}
	r.ready(mountpoint, len(s.providers))
	var reload func()
	if r.reload {
		reload = func() { s.reload(r.config.Path) }
	}
	served := &served{m, mountpoint, r.to, r.log}
	return served.wait(ctx, r.signals, reload)
}

// closeLogged closes what is no longer needed, when there is nobody left to
// return an error to.
func closeLogged(what string, c io.Closer, log *slog.Logger) {
	if err := c.Close(); err != nil {
		log.Error("closing "+what, "error", err)
	}
}

// catchSignals is called before anything is made that has to be unmade, so that
// no signal ends the process half-way.
func catchSignals() chan os.Signal {
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	return signals
}

// served is a mount that answers.
type served struct {
	mount      *fs.Mount
	mountpoint string
	to         console
	log        *slog.Logger
}

// wait returns when the mount is gone: unmounted by somebody, or by us when ctx
// ends or a signal asks for it. SIGHUP calls reload; without one it ends, too.
func (s *served) wait(ctx context.Context, signals <-chan os.Signal, reload func()) error {
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		s.mount.Wait()
	}()
	for {
		select {
		case <-gone:
			return nil
		case sig := <-signals:
			if sig == unix.SIGHUP && reload != nil {
				reload()
				continue
			}
		case <-ctx.Done():
		}
		notifyStopping()
		if err := s.end(); err != nil {
			s.log.Error("unmounting", "mountpoint", s.mountpoint, "error", err)
		}
		return awaitReaders(gone, signals)
	}
}

// awaitReaders gives those who still read some time; another signal ends it.
func awaitReaders(gone <-chan struct{}, signals <-chan os.Signal) error {
	late := time.After(grace)
	for {
		select {
		case <-gone:
			return nil
		case sig := <-signals:
			if sig != unix.SIGHUP {
				return errors.New("ended while files were still open")
			}
		case <-late:
			return fmt.Errorf("ended while files were still open, %v after the mount point was detached", grace)
		}
	}
}

// end unmounts; if somebody is in the way, the mount point is detached and the
// user is told who.
func (s *served) end() error {
	if err := s.mount.Unmount(); err == nil {
		return nil
	}
	who := "somebody"
	if users := busyUsers(s.mountpoint); len(users) > 0 {
		who = strings.Join(users, ", ")
	}
	if err := detach(s.mountpoint, true); err != nil && !errors.Is(err, unix.EINVAL) {
		return err
	}
	line := fmt.Sprintf("%s is in use by %s: detached; open files work for %v more", s.mountpoint, who, grace)
	_, _ = fmt.Fprintf(s.to.err, "attachfs: %s\n", line)
	notifyStatus(line)
	return nil
}

// reload drops listings, and takes over credentials from the configuration.
func (s *stack) reload(path string) {
	c, err := LoadConfig(path, os.Getenv)
	if err != nil {
		s.log.Error("configuration was not read again", "error", err)
		return
	}
	for _, p := range s.providers {
		for _, now := range c.Providers {
			if now.Name == p.Name && now.Type == p.Type {
				p.renew(now.Options)
			}
		}
		p.broker.Expire()
		p.catalog.Expire()
	}
	s.log.Info("credentials read again, listings dropped")
}

// renew gives new credentials to a provider that can take them.
func (p *connection) renew(options any) {
	if r, ok := p.provider.(interface{ Renew(options any) }); ok {
		r.Renew(options)
	}
}
