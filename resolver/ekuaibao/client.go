package ekuaibao

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

const (
	// vendorHost tells where companies are.
	vendorHost = "https://app.ekuaibao.com"

	// tokenMargin is how long before its end a token is renewed.
	tokenMargin = 5 * time.Minute
	// settle is what the API may need to know a token that it just issued.
	settle = 1500 * time.Millisecond

	// timeout is for a hundred documents over a slow line; a call without one
	// was seen to hang for hours.
	timeout = 20 * time.Second
	// maxAnswer has room for a hundred documents of hundreds of lines.
	maxAnswer = 64 << 20

	// doubtAfter is how many calls in a row that the host does not serve make it
	// be looked for again, and doubtAgain the least time between two searches.
	doubtAfter = 3
	doubtAgain = time.Minute
)

// client makes the calls of one company with one credential, one at a time. Its
// methods may be called in parallel.
type client struct {
	cfg     Config
	account string
	limits  *limit.Limits
	busy    chan struct{} // holds the place of the one call

	finding chan struct{} // held by who looks for the host

	mu       sync.Mutex // guards the following
	host     *host      // nil before it is found
	sought   time.Time  // when it was found
	failures int        // calls in a row that it did not serve
	closed   bool
}

// host is one address of the API.
type host struct {
	address string
	client  *api.Client
	tokens  *api.TokenSource
}

func newClient(cfg Config, account string, limits *limit.Limits) *client {
	c := &client{cfg: cfg, account: account, limits: limits, busy: make(chan struct{}, 1), finding: make(chan struct{}, 1)}
	if cfg.BaseURL != "" {
		c.host = c.connect(cfg.BaseURL)
	}
	return c
}

// connect makes what is needed for calls to an address.
func (c *client) connect(address string) *host {
	h := &host{address: address}
	fetch := func(ctx context.Context, _ resolver.Secret) (api.Token, error) { return h.login(ctx, c.cfg) }
	h.tokens = api.NewTokenSource(fetch, api.TokenOptions{Margin: tokenMargin, Settle: settle, Log: c.cfg.Log})
	h.client = api.New(c.api(address, h.tokens))
	return h
}

func (c *client) api(address string, tokens *api.TokenSource) api.Config {
	return api.Config{
		BaseURL: address, Account: c.account, Limits: c.limits, Tokens: tokens, TokenQuery: "accessToken",
		Kinds: kinds, Judge: judge, Timeout: timeout, MaxAnswer: maxAnswer, Log: c.cfg.Log,
	}
}

func (h *host) close() error {
	if h == nil {
		return nil
	}
	return errors.Join(h.tokens.Close(), h.client.Close())
}

// login takes a token. It is never refreshed: a new one is as cheap, and does not
// end those of others.
func (h *host) login(ctx context.Context, cfg Config) (api.Token, error) {
	body := struct {
		Key      string `json:"appKey"`
		Security string `json:"appSecurity"`
	}{cfg.AppKey.Reveal(), cfg.AppSecurity.Reveal()}
	var answer tokenAnswer
	reply, err := h.client.Do(ctx, api.Call{Endpoint: tokenCall, Body: body}, &answer)
	if err != nil {
		return api.Token{}, err
	}
	if answer.Value.Token.IsZero() {
		return api.Token{}, fmt.Errorf("answer has no token, is base_url right?: %w", resolver.ErrUnavailable)
	}
	token := api.Token{Secret: answer.Value.Token}
	if answer.Value.Expire > 0 {
		token.Life = max(time.Second, reply.Left(time.UnixMilli(answer.Value.Expire)))
	}
	return token, nil
}

// at returns the host, which it looks for if need be, once for all who want it.
func (c *client) at(ctx context.Context) (*host, error) {
	if h, err := c.known(); h != nil || err != nil {
		return h, err
	}
	select {
	case c.finding <- struct{}{}:
		defer func() { <-c.finding }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if h, err := c.known(); h != nil || err != nil {
		return h, err
	}
	address, err := c.locate(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the host of the company: %w", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	c.host, c.sought, c.failures = c.connect(address), time.Now(), 0
	return c.host, nil
}

var errClosed = fmt.Errorf("closed: %w", resolver.ErrUnavailable)

func (c *client) known() (*host, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, errClosed
	}
	return c.host, nil
}

// locate asks the vendor for the address of the company's host.
func (c *client) locate(ctx context.Context) (string, error) {
	asked := api.New(c.api(cmp.Or(c.cfg.locator, vendorHost), nil))
	defer asked.Close()
	var answer struct {
		Value string `json:"value"`
	}
	call := api.Call{Endpoint: locationCall, Query: url.Values{"corpId": {c.cfg.CorpID}}}
	if _, err := asked.Do(ctx, call, &answer); err != nil {
		return "", err
	}
	address := strings.TrimRight(answer.Value, "/")
	secure := strings.HasPrefix(address, "https://") || c.cfg.locator != ""
	if api.ValidateBaseURL(address) != nil || !secure { // app_security goes there
		return "", fmt.Errorf("answer is no https address, is corp_id right?: %w", resolver.ErrUnavailable)
	}
	return address, nil
}

// turn returns when a call may be made.
func (c *client) turn(ctx context.Context, e *api.Endpoint) error {
	h, err := c.at(ctx)
	if err != nil {
		return err
	}
	if err = h.client.Turn(ctx, e); err != nil { // success says nothing of the host
		c.heed(h, err)
	}
	return err
}

// do makes a call. An answer that says that there is nothing leaves out as it is.
func (c *client) do(ctx context.Context, call api.Call, out any) (api.Reply, error) {
	if !call.Waited {
		if err := c.turn(ctx, call.Endpoint); err != nil {
			return api.Reply{}, err
		}
		call.Waited = true
	}
	h, err := c.at(ctx)
	if err != nil {
		return api.Reply{}, err
	}
	select {
	case c.busy <- struct{}{}:
		defer func() { <-c.busy }()
	case <-ctx.Done():
		return api.Reply{}, ctx.Err()
	}
	reply, err := h.client.Do(ctx, call, out)
	if errors.Is(err, errNothing) {
		return reply, nil
	}
	c.heed(h, err)
	return reply, err
}

// heed doubts a host that was found and does not serve: companies are moved.
func (c *client) heed(h *host, err error) {
	c.mu.Lock()
	switch {
	case c.cfg.BaseURL != "" || c.host != h || errors.Is(err, context.Canceled):
		c.mu.Unlock()
		return
	case !lost(err):
		c.failures = 0
		c.mu.Unlock()
		return
	}
	c.failures++
	doubted := c.failures >= doubtAfter && time.Since(c.sought) >= doubtAgain
	if doubted {
		c.host = nil
	}
	c.mu.Unlock()
	if doubted {
		_ = h.close()
	}
}

// lost reports whether err may come from a host that a company is not on.
func lost(err error) bool {
	var told *api.Error
	switch {
	case err == nil:
		return false
	case errors.Is(err, resolver.ErrCredentials):
		return true
	case errors.As(err, &told):
		return told.Status == http.StatusNotFound
	}
	return errors.Is(err, resolver.ErrUnavailable)
}

// Close ends a login that is under way. Calls are not ended.
func (c *client) Close() error {
	c.mu.Lock()
	h := c.host
	c.host, c.closed = nil, true
	c.mu.Unlock()
	return h.close()
}

// refusals are the words in which a company is told that it may not make a call,
// as opposed to a token that is not taken.
var refusals = [][]byte{[]byte("不允许调用"), []byte("无api访问权限"), []byte("无API访问权限"), []byte("no api permission")}

// judge knows the answers that neither status nor code tell.
func judge(status int, _ string, body []byte) error {
	text := bytes.TrimSpace(body)
	if status == http.StatusOK && bytes.Equal(text, []byte("{[]}")) {
		return errNothing
	}
	if status < http.StatusBadRequest {
		return nil
	}
	for _, words := range refusals {
		if bytes.Contains(text, words) {
			return errCall
		}
	}
	return nil
}
