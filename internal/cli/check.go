package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// checkPatience bounds each question of the doctor.
	checkPatience = 30 * time.Second
	// checkDepth is how many directories it looks into for a file to ask a
	// link for.
	checkDepth = 50
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
			return runCheck(cmd.Context(), c, to)
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
	for _, p := range c.Providers {
		trial.Providers = []ProviderConfig{p}
		report.provider(ctx, &trial)
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

// provider lists the top of the only provider of c, and asks for one link.
func (r *checkup) provider(ctx context.Context, c *Config) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	what := "provider " + c.Providers[0].Name
	s, err := newStack(c, newLogger(LogConfig{Level: "error"}, r.to))
	if err != nil {
		r.say(what, err, "")
		return
	}
	defer func() { _ = s.Close() }()
	p := s.providers[0]
	top, err := p.catalog.Readdir(ctx, resolver.Root)
	r.say(what+", listing", err, fmt.Sprintf("%d entries at the top", len(top.Nodes)))
	if err != nil {
		return
	}
	file, err := p.firstFile(ctx, top)
	if err != nil || file == nil {
		r.say(what+", link", err, "no file to ask one for")
		return
	}
	lease, err := p.broker.Acquire(ctx, file.ID)
	detail := ""
	if err == nil {
		detail = fmt.Sprintf("%s is at %s", file.Name, lease.Link().Host())
	}
	r.say(what+", link", err, detail)
}

// firstFile finds a file breadth first, in not too many directories; nil if
// there is none.
func (p *connection) firstFile(ctx context.Context, top resolver.Listing) (*resolver.Node, error) {
	todo := []resolver.Listing{top}
	for i := 0; i < len(todo) && i < checkDepth; i++ {
		for n := range todo[i].Nodes {
			if node := &todo[i].Nodes[n]; !node.Dir {
				return node, nil
			}
		}
		for _, node := range todo[i].Nodes {
			if len(todo) == checkDepth {
				break
			}
			below, err := p.catalog.Readdir(ctx, node.ID)
			if err != nil {
				return nil, err
			}
			todo = append(todo, below)
		}
	}
	return nil, nil
}
