package cli

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/limit"
)

const (
	// checkPatience bounds each question of the doctor.
	checkPatience = 30 * time.Second
	// checkDepth is how many directories it looks into for a file to ask a
	// link for, and checkFiles how many refused ones it passes by.
	checkDepth, checkFiles = 50, 20
)

func checkCommand(to console) *cobra.Command {
	var config string
	cmd := &cobra.Command{
		Use:   "check [--config FILE]",
		Short: "Tell whether mounting will work: configuration, FUSE, each provider's login, one listing, one link",
		Args:  usage(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := loadConfig(config, to)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM)
			defer stop()
			return runCheck(ctx, c, to)
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "configuration file (default $XDG_CONFIG_HOME/attachfs/config.toml)")
	return cmd
}

// checkup prints a line for each thing that was looked at.
type checkup struct {
	to     console
	failed bool
}

func (c *checkup) say(what string, err error, detail string) {
	if err != nil {
		c.failed = true
		_, _ = fmt.Fprintf(c.to.out, "FAIL  %s: %v\n", what, err)
		return
	}
	_, _ = fmt.Fprintf(c.to.out, "ok    %s: %s\n", what, detail)
}

// runCheck looks at everything and fails if anything does. It uses no cache
// directory but its own, so that it can run beside a mount.
func runCheck(ctx context.Context, c *Config, to console) error {
	report := &checkup{to: to}
	report.say("configuration", nil, c.Path)
	report.say("FUSE", fuseAvailable(), "this user can mount")
	report.say("cache", checkCache(c.Cache.Dir), c.Cache.Dir)
	scratch, err := os.MkdirTemp("", "attachfs-check-")
	if err != nil {
		return fmt.Errorf("make a scratch directory: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()
	trial := *c
	trial.Cache.Dir, trial.Cache.Disk = scratch, 0
	trial.Read.Deadline = Duration(checkPatience / 2) // so that a provider's reason is told
	trial.Read.Stall = min(trial.Read.Stall, trial.Read.Deadline)
	log := newLogger(LogConfig{Level: "error"}, to)
	limits := newLimits(c.Cache.Dir, log) // what is asked here counts, too
	defer closeLogged("call budgets", limits, log)
	for _, p := range c.Providers {
		trial.Providers = []ProviderConfig{p}
		report.provider(ctx, &trial, limits, log)
	}
	if report.failed {
		return exited(exitFailed)
	}
	return nil
}

func checkCache(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(dir, "check-")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

// provider lists the top of the only provider of c, asks for one link, and tells
// what is left of its budgets.
func (r *checkup) provider(ctx context.Context, c *Config, limits *limit.Limits, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	what := "provider " + c.Providers[0].Name
	s, err := newStack(c, limits, log)
	if err != nil {
		r.say(what, err, "")
		return
	}
	defer func() { _ = s.Close() }()
	p := s.providers[0]
	defer func() {
		if left := p.budgets(); left != "" {
			r.say(what+", budget", nil, left)
		}
	}()
	if c, ok := p.provider.(interface {
		Check(ctx context.Context) ([]string, error)
	}); ok {
		found, err := c.Check(ctx)
		for _, line := range found {
			r.say(what, nil, line)
		}
		if err != nil {
			r.say(what, err, "")
			return
		}
	}
	top, err := p.catalog.Readdir(ctx, resolver.Root)
	r.say(what+", listing", err, fmt.Sprintf("%d entries at the top", len(top.Nodes)))
	if err != nil {
		return
	}
	name, lease, err := p.firstLink(ctx, top)
	if err == nil && lease != nil {
		err = p.source.Admits(lease.Link())
	}
	switch {
	case err != nil:
		r.say(what+", link", err, "")
	case lease == nil:
		r.say(what+", link", nil, "no file to ask one for")
	default:
		r.say(what+", link", nil, fmt.Sprintf("%s is at %s", name, lease.Link().Host()))
	}
}

// firstLink borrows a link for the first file that the provider hands out. It
// looks depth first, for a level may have more directories than it looks into,
// and past those that it may not read. Without a lease and an error there is no
// file.
func (p *connection) firstLink(ctx context.Context, listing resolver.Listing) (name string, lease *resolver.Lease, err error) {
	var dirs []resolver.ID
	files := 0
	for range checkDepth {
		var below []resolver.ID
		for _, node := range listing.Nodes {
			if node.Dir {
				below = append(below, node.ID)
				continue
			}
			files++
			lease, err = p.broker.Acquire(ctx, node.File)
			if err == nil || !resolver.Refused(err) || files == checkFiles {
				return node.Name, lease, err
			}
		}
		if dirs = append(below, dirs...); len(dirs) == 0 {
			break
		}
		var unread error
		if listing, unread = p.catalog.Readdir(ctx, dirs[0]); unread != nil {
			listing, err = resolver.Listing{}, unread
		}
		dirs = dirs[1:]
	}
	return "", nil, err
}
