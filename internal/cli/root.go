// Package cli is the command line of attachfs: it loads the configuration, puts
// the parts together in reading order (wire.go), runs a verb, and takes
// everything apart again in reverse.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// The exit codes of attachfs.
const (
	exitOK     = 0
	exitFailed = 1 // something went wrong at run time
	exitUsage  = 2 // wrong usage or configuration
)

// errUsage is the kind of errors in the command line.
var errUsage = errors.New("wrong usage")

// console is where a verb speaks to the user.
type console struct{ out, err io.Writer }

// Run runs the command line args, the name of the program first, until it is
// done or ctx ends, and returns the exit code.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	starter := readiness()
	to := console{stdout, stderr}
	var err error
	if isMountHelper(args[0]) {
		err = runHelper(ctx, args[1:], to, starter)
	} else {
		root := newRoot(to, starter, args[1:])
		err = root.ExecuteContext(ctx)
	}
	if err == nil {
		return exitOK
	}
	code := exitCode(err)
	var done exited
	if !errors.As(err, &done) {
		starter.Failed(err, code)
		_, _ = fmt.Fprintf(stderr, "attachfs: %v\n", err)
	}
	return code
}

// exited ends a run with a code; everything was said already.
type exited int

func (e exited) Error() string { return fmt.Sprintf("exit code %d", int(e)) }

func exitCode(err error) int {
	var done exited
	switch {
	case errors.As(err, &done):
		return int(done)
	case errors.Is(err, ErrConfig), errors.Is(err, errUsage):
		return exitUsage
	default:
		return exitFailed
	}
}

func newRoot(to console, starter *starter, args []string) *cobra.Command {
	root := &cobra.Command{
		Use:           "attachfs",
		Short:         "A read-only drive over the attachments of business services",
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          usage(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetArgs(args)
	root.SetOut(to.out)
	root.SetErr(to.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return fmt.Errorf("%w: %w; see %s --help", errUsage, err, cmd.CommandPath())
	})
	root.AddCommand(
		mountCommand(to, starter, args), demoCommand(to), checkCommand(to), loginCommand(to), umountCommand(),
		versionCommand(to),
	)
	return root
}

// usage makes an error of arguments one of usage.
func usage(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return fmt.Errorf("%w: %w; it is called as: %s", errUsage, err, cmd.UseLine())
		}
		return nil
	}
}

func umountCommand() *cobra.Command {
	var lazy bool
	cmd := &cobra.Command{
		Use:   "umount MOUNTPOINT",
		Short: "Unmount a drive",
		Args:  usage(cobra.ExactArgs(1)),
		RunE:  func(_ *cobra.Command, args []string) error { return unmount(args[0], lazy) },
	}
	cmd.Flags().BoolVar(&lazy, "lazy", false, "detach it now, and let it end when nobody uses it any more")
	return cmd
}

func versionCommand(to console) *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  usage(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprintln(to.out, "attachfs", version())
			return err
		},
	}
}

// version is the module's version, or of a build from a checkout the commit.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		return v
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return "devel-" + s.Value[:min(12, len(s.Value))]
		}
	}
	return "devel"
}
