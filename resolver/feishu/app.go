package feishu

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

const (
	// maxAnswer has room for twenty mails with long bodies, which come along
	// with their attachments' names.
	maxAnswer = 64 << 20
	// timeout is for such an answer over a slow line.
	timeout = 20 * time.Second
)

// App makes calls with one credential. Its methods may be called in parallel.
type App struct {
	*session
	close func() error
}

// session is what all Apps of one credential share.
type session struct {
	key     key
	account string
	tokens  *api.TokenSource
	client  *api.Client
	user    *userTokens // nil without a token file
	users   int         // guarded by open.mu
}

// key tells credentials apart; the digest keeps the secret out of what may be
// printed.
type key struct {
	limits     *limit.Limits
	account    string
	credential [sha256.Size]byte
}

// open holds the sessions in use.
var open = struct {
	mu       sync.Mutex // guards the following
	sessions map[key]*session
}{sessions: make(map[key]*session)}

// Open returns an App for a valid cfg without making a call. Apps of the same
// credential and limits, which are those of the process, share what they can;
// with nil limits an App is on its own. Close it in the end.
func Open(cfg Config, limits *limit.Limits) *App {
	cfg = cfg.withDefaults()
	if limits == nil {
		limits = limit.New(nil, nil)
	}
	k := key{limits, cfg.account(), sha256.Sum256([]byte(cfg.AppSecret.Reveal() + "\n" + cfg.AccessToken.Reveal() + "\n" + cfg.TokenFile))}
	open.mu.Lock()
	defer open.mu.Unlock()
	s := open.sessions[k]
	if s == nil {
		s = newSession(cfg, k)
		open.sessions[k] = s
	}
	s.users++
	return &App{session: s, close: sync.OnceValue(s.leave)}
}

func newSession(cfg Config, k key) *session {
	s := &session{key: k, account: k.account}
	var fetch api.Fetch
	margin := tokenMargin
	switch {
	case !cfg.AccessToken.IsZero():
		fetch = api.Static(cfg.AccessToken)
	case cfg.TokenFile != "":
		s.user, margin = newUserTokens(cfg), userMargin
		fetch = s.user.keptTokens(tokenfile.At(cfg.TokenFile))
	default:
		fetch = func(ctx context.Context, _ resolver.Secret) (api.Token, error) {
			return s.tenantToken(ctx, cfg.AppID, cfg.AppSecret)
		}
	}
	s.tokens = api.NewTokenSource(fetch, api.TokenOptions{Margin: margin, Log: cfg.Log})
	s.client = api.New(api.Config{
		BaseURL: cfg.BaseURL, Account: k.account, Limits: k.limits, Tokens: s.tokens,
		Kinds: gatewayKinds, Judge: judgeScopes, Timeout: timeout, MaxAnswer: maxAnswer, Log: cfg.Log,
	})
	return s
}

// leave ends the session when nobody is left.
func (s *session) leave() error {
	open.mu.Lock()
	s.users--
	last := s.users == 0
	if last {
		delete(open.sessions, s.key)
	}
	open.mu.Unlock()
	if !last {
		return nil
	}
	err := errors.Join(s.tokens.Close(), s.client.Close())
	if s.user != nil {
		err = errors.Join(err, s.user.Close())
	}
	return err
}

// Close gives up the share in the token and the connections. Calls that are
// under way are not ended, but get no new token. Closing again is harmless.
func (a *App) Close() error { return a.close() }

// Account is the host of the API and the id of the app.
func (a *App) Account() string { return a.account }

// Turn is [api.Client.Turn].
func (a *App) Turn(ctx context.Context, e *api.Endpoint) error { return a.client.Turn(ctx, e) }

// Link is [api.Client.Link].
func (a *App) Link(ctx context.Context, call api.Call) (resolver.Link, error) {
	return a.client.Link(ctx, call)
}

// Usage is [api.Client.Usage].
func (a *App) Usage() []limit.Usage { return a.client.Usage() }

// Do is [api.Client.Do], with out for the data in the envelope. An answer
// without the data that is asked for is ErrUnavailable: it must not pass for one
// that says that there is nothing.
func (a *App) Do(ctx context.Context, call api.Call, out any) (api.Reply, error) {
	var envelope struct {
		Code *int            `json:"code"`
		Data json.RawMessage `json:"data"`
	}
	reply, err := a.client.Do(ctx, call, &envelope)
	switch {
	case err != nil:
		return reply, err
	case envelope.Code == nil: // some other service, which may have nothing to tell
		return reply, fmt.Errorf("%s: answer has no code, is base_url right?: %w", call.Endpoint.Name, resolver.ErrUnavailable)
	case out == nil:
		return reply, nil
	case len(envelope.Data) == 0 || string(envelope.Data) == "null":
		return reply, fmt.Errorf("%s: answer has no data: %w", call.Endpoint.Name, resolver.ErrUnavailable)
	}
	if json.Unmarshal(envelope.Data, out) != nil { // its error may quote the answer
		return reply, fmt.Errorf("%s: answer is not of the documented form: %w", call.Endpoint.Name, resolver.ErrUnavailable)
	}
	return reply, nil
}
