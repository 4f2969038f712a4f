package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/limit"
)

const (
	defaultTimeout   = 10 * time.Second
	defaultMaxAnswer = 8 << 20

	// connections is how many idle ones are kept: a broker makes about that
	// many calls at a time.
	connections = 16

	// repeats of a call whose token is refused: one with a newer token, and one
	// when that has settled (see TokenOptions).
	repeats = 2
)

// Client makes the calls of one API. Its methods may be called in parallel.
type Client struct {
	cfg   Config
	http  *http.Client
	waits *waits
}

// New makes a client from a cfg whose BaseURL is valid; see [ValidateBaseURL].
// Close it in the end.
func New(cfg Config) *Client {
	cfg.Timeout = cmp.Or(cfg.Timeout, defaultTimeout)
	cfg.MaxAnswer = cmp.Or(cfg.MaxAnswer, defaultMaxAnswer)
	cfg.UserAgent = cmp.Or(cfg.UserAgent, "attachfs")
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	if cfg.Limits == nil {
		cfg.Limits = limit.New(nil, nil)
	}
	if cfg.Transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.MaxIdleConnsPerHost = connections
		cfg.Transport = t
	}
	return &Client{cfg: cfg, waits: &waits{log: cfg.Log}, http: &http.Client{
		Transport: cfg.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}}
}

// Close gives up the idle connections. Calls that are under way are not ended.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Turn returns when a call of e may be made; that call says Waited. The error
// is at once that of the token, if there is none for the call, or ErrQuota if a
// budget is spent; else that of [limit.Bucket.Wait].
func (c *Client) Turn(ctx context.Context, e *Endpoint) error {
	// A call that had to fetch its token after its turn came would be made
	// late, and too close to the next one.
	if _, err := c.token(ctx, e); err != nil {
		return fmt.Errorf("%s: %w", e.Name, err)
	}
	return c.bucket(e).Wait(ctx)
}

// Usage tells what is left of the account's budgets, as far as calls were made
// that are charged to them.
func (c *Client) Usage() []limit.Usage { return c.cfg.Limits.Usage(c.cfg.Account + "/") }

// bucket is that of the endpoint for this account, as are its budgets.
func (c *Client) bucket(e *Endpoint) *limit.Bucket {
	spec := limit.Spec{Rates: e.Limit.Rates, Budgets: slices.Clone(e.Limit.Budgets)}
	for i, b := range spec.Budgets {
		spec.Budgets[i].Key = c.cfg.Account + "/" + cmp.Or(b.Key, e.bucket())
	}
	return c.cfg.Limits.Bucket(c.cfg.Account+"/"+e.bucket(), spec)
}

// Do makes the call and decodes its answer into out, which may be nil. It waits
// for its turn unless the call has Waited. The error is that of ctx if ctx
// ended, with an ErrThrottled if that was while the provider wanted a pause, else
// of a kind of package resolver; one that tells a status or a code wraps an
// [Error].
func (c *Client) Do(ctx context.Context, call Call, out any) (Reply, error) {
	reply, err := c.do(ctx, call, out)
	if err != nil {
		return Reply{}, fmt.Errorf("%s: %w", call.Endpoint.Name, err)
	}
	return reply, nil
}

func (c *Client) do(ctx context.Context, call Call, out any) (Reply, error) {
	token, err := c.token(ctx, call.Endpoint)
	if err != nil {
		return Reply{}, err
	}
	if !call.Waited {
		if err := c.bucket(call.Endpoint).Wait(ctx); err != nil {
			return Reply{}, err
		}
		if token, err = c.token(ctx, call.Endpoint); err != nil {
			return Reply{}, err
		}
	}
	reply, err := c.once(ctx, call, token, out)
	for range repeats {
		if !errors.Is(err, ErrToken) || token == nil {
			break
		}
		next, fault := c.cfg.Tokens.instead(ctx, token)
		if fault == nil && next != nil {
			fault = c.bucket(call.Endpoint).Wait(ctx)
		}
		if fault != nil {
			return Reply{}, fault
		}
		if next == nil {
			break
		}
		token = next
		reply, err = c.once(ctx, call, token, out)
	}
	return reply, err
}

// token is the one that a call of e carries, nil if it carries none.
func (c *Client) token(ctx context.Context, e *Endpoint) (*issue, error) {
	if e.NoToken || c.cfg.Tokens == nil {
		return nil, nil
	}
	return c.cfg.Tokens.current(ctx)
}

// once makes one request in bounded time, and judges and decodes its answer.
func (c *Client) once(ctx context.Context, call Call, token *issue, out any) (Reply, error) {
	limited, cancel := context.WithTimeout(ctx, c.cfg.Timeout)
	defer cancel()
	a, err := c.send(limited, call, token)
	switch {
	case err != nil && ctx.Err() != nil:
		return Reply{}, ctx.Err()
	case err != nil && limited.Err() != nil:
		return Reply{}, fmt.Errorf("no answer within %v: %w", c.cfg.Timeout, resolver.ErrUnavailable)
	case err != nil:
		return Reply{}, err
	}
	if err := c.judge(call.Endpoint, a); err != nil {
		return Reply{}, c.obey(call.Endpoint, err)
	}
	return a.reply, a.decode(out)
}
