package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/callback"
	"github.com/attachfs/attachfs/resolver"
)

const (
	// defaultCallback is where the browser comes back to. It is a fixed port,
	// because services want the address registered with the app.
	defaultCallback = "127.0.0.1:7431"
	// loginPatience is how long a person has to agree.
	loginPatience = 10 * time.Minute
	// loginCall bounds the call that trades the code for tokens.
	loginCall = 30 * time.Second
)

// login is the way to the tokens of one provider. It is closed in the end.
type login interface {
	// Page is the address of the page where a person agrees, which sends the
	// browser to redirect with a code and the state.
	Page(redirect, state string) string
	// Finish trades the code for tokens, keeps them where the provider finds
	// them, and tells in a line who is logged in and for how long. It may be
	// called again with another code.
	Finish(ctx context.Context, code resolver.Secret, redirect string) (string, error)
	Close() error
}

// deviceLogin is a login that needs no way back from the browser.
type deviceLogin interface {
	// Start begins one, which a person ends at page within life; code is what the
	// page may ask for.
	Start(ctx context.Context) (page, code string, life time.Duration, finish finishLogin, err error)
}

// finishLogin waits for the person, and is otherwise as login.Finish.
type finishLogin func(ctx context.Context) (string, error)

// loginOptions are the flags of the verb.
type loginOptions struct {
	config, callback, redirect string
	paste, noBrowser, device   bool
	patience                   time.Duration
}

func loginCommand(to console) *cobra.Command {
	o := loginOptions{patience: loginPatience}
	cmd := &cobra.Command{
		Use:   "login [--config FILE] NAME",
		Short: "Log a person in to the provider of that name, in the browser",
		Long: "Log a person in to the provider of that name, in the browser, and keep the tokens in its token_file.\n\n" +
			"The service sends the browser back to this machine, at http://" + defaultCallback + "/callback unless told\n" +
			"otherwise; that address must be registered with the app. Where the browser is on another machine, --paste\n" +
			"reads the address that it ends up at, or the code in it, from the terminal.",
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := loadConfig(o.config, to)
			if err != nil {
				return err
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), unix.SIGINT, unix.SIGTERM)
			defer stop()
			return runLogin(ctx, c, args[0], o, cmd.InOrStdin(), to)
		},
	}
	cmd.Flags().StringVar(&o.config, "config", "", "configuration file (default $XDG_CONFIG_HOME/attachfs/config.toml)")
	cmd.Flags().StringVar(&o.callback, "callback", defaultCallback, "where to wait for the browser, on this machine")
	cmd.Flags().StringVar(&o.redirect, "redirect", "", "the address that is registered with the app, if it is another; implies --paste")
	cmd.Flags().BoolVar(&o.paste, "paste", false, "do not wait for the browser, but for a person to paste the address that it was sent to")
	cmd.Flags().BoolVar(&o.device, "device", false, "let the person agree in any browser, without a way back (Feishu and Lark)")
	cmd.Flags().BoolVar(&o.noBrowser, "no-browser", false, "print the address of the login, and open no browser")
	return cmd
}

// runLogin logs in to one provider of c.
func runLogin(ctx context.Context, c *Config, name string, o loginOptions, in io.Reader, to console) error {
	if err := callback.Validate(o.callback); err != nil {
		return fmt.Errorf("%w: --callback: %w", errUsage, err)
	}
	l, err := c.login(name, to)
	if err != nil {
		return err
	}
	defer func() { _ = l.Close() }()
	state := callback.State()
	var told string
	switch {
	case o.device:
		told, err = byDevice(ctx, l, o, to)
	case o.paste || o.redirect != "":
		told, err = pasteLogin(ctx, l, o, state, in, to)
	default:
		told, err = browserLogin(ctx, l, o, state, to)
	}
	if err != nil {
		return fmt.Errorf("provider %s: %w", name, err)
	}
	_, err = fmt.Fprintf(to.out, "%s: %s\n", name, told)
	return err
}

// login finds the provider of that name, and the way to its tokens.
func (c *Config) login(name string, to console) (login, error) {
	var names []string
	for _, p := range c.Providers {
		if p.Name == name {
			return newLogin(p, newLogger(LogConfig{Level: "error"}, to))
		}
		names = append(names, p.Name)
	}
	return nil, fmt.Errorf("%w: %s has no provider %q; it has %s", errUsage, c.Path, name, strings.Join(names, ", "))
}

// browserLogin waits for the browser to come back.
func browserLogin(ctx context.Context, l login, o loginOptions, state string, to console) (string, error) {
	server, err := callback.Listen(o.callback, state)
	if err != nil {
		return "", fmt.Errorf("%w; --callback 127.0.0.1:PORT waits elsewhere, --paste does without", err)
	}
	defer func() { _ = server.Close() }()
	page := l.Page(server.URL(), state)
	_, _ = fmt.Fprintf(to.err, "Log in here, within %v:\n\n  %s\n\nThe browser comes back to %s.\n",
		o.patience, page, server.URL())
	if !o.noBrowser {
		openBrowser(page)
	}
	waiting, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	code, err := server.Wait(waiting)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return "", fmt.Errorf("nobody logged in within %v; try again, or with --paste if the browser could not come back", o.patience)
	case err != nil:
		return "", err
	}
	return finish(ctx, l, code, server.URL())
}

// pasteLogin waits for a person to paste what the browser shows.
func pasteLogin(ctx context.Context, l login, o loginOptions, state string, in io.Reader, to console) (string, error) {
	redirect := o.redirect
	if redirect == "" {
		redirect = callback.URL(o.callback)
	}
	_, _ = fmt.Fprintf(to.err, "Log in here:\n\n  %s\n\n"+
		"The browser is then sent to %s, where it may find nothing.\nPaste the address that it shows, and press Enter: ",
		l.Page(redirect, state), redirect)
	waiting, cancel := context.WithTimeout(ctx, o.patience)
	defer cancel()
	line, err := readLine(waiting, in)
	_, _ = fmt.Fprintln(to.err)
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return "", fmt.Errorf("nothing was pasted within %v; try again", o.patience)
	case err != nil:
		return "", err
	}
	code, err := callback.Parse(line, state)
	if err != nil {
		return "", err
	}
	return finish(ctx, l, code, redirect)
}

// byDevice waits for a person to agree anywhere.
func byDevice(ctx context.Context, l login, o loginOptions, to console) (string, error) {
	d, ok := l.(deviceLogin)
	if !ok {
		return "", fmt.Errorf("%w: the service knows no login by device; see --paste", errUsage)
	}
	starting, cancel := context.WithTimeout(ctx, loginCall)
	defer cancel()
	page, code, life, finish, err := d.Start(starting)
	if err != nil {
		return "", err
	}
	_, _ = fmt.Fprintf(to.err, "Log in here, in any browser, within %v:\n\n  %s\n\nIf the page asks for a code, it is %s.\n", life, page, code)
	if !o.noBrowser {
		openBrowser(page)
	}
	return finish(ctx)
}

func finish(ctx context.Context, l login, code resolver.Secret, redirect string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, loginCall)
	defer cancel()
	return l.Finish(ctx, code, redirect)
}
