package feishu

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

// userMargin is how long before its end a user's token is renewed, as Feishu's
// own client does. The token file is asked for a little more, so that it does not
// answer with the same one.
const (
	userMargin = 5 * time.Minute
	fileMargin = userMargin + 10*time.Second
)

var (
	// errOver is the ErrCredentials of a login that is over: a week without use, a
	// year since the consent, a refresh token that another program has used, or the
	// user's will.
	errOver     = fmt.Errorf("the login is over: %w", tokenfile.ErrNone)
	errDenied   = fmt.Errorf("the user did not agree: %w", resolver.ErrCredentials)
	errTooLate  = fmt.Errorf("the user did not agree in time: %w", resolver.ErrCredentials)
	errPending  = errors.New("the user has not agreed yet")
	errSlowDown = errors.New("the service wants to be asked less often")
)

// userTokenCall trades what a grant brings for the tokens of a user. That a
// login is over has a dozen codes, and no other call uses them.
var userTokenCall = &api.Endpoint{
	Name:   "feishu.user_token",
	Method: http.MethodPost, Path: "/open-apis/authen/v2/oauth/token",
	NoToken: true,
	Kinds: api.Kinds{
		"20002": errApp, "20048": errApp, "20009": errDisabled, "20069": errDisabled,
		"20050": resolver.ErrUnavailable, "20072": resolver.ErrUnavailable,
	},
}

// userTokens trades codes and refresh tokens of one app. It is closed in the end.
type userTokens struct {
	client *api.Client
	appID  string
	secret resolver.Secret
}

func newUserTokens(cfg Config) *userTokens {
	return &userTokens{
		client: api.New(api.Config{BaseURL: cfg.BaseURL, Account: cfg.account(), Judge: judgeGrant, Log: cfg.Log}),
		appID:  cfg.AppID, secret: cfg.AppSecret,
	}
}

func (u *userTokens) Close() error { return u.client.Close() }

// judgeGrant tells what a login without a browser goes on with.
func judgeGrant(_ int, _ string, body []byte) error {
	var told struct {
		Error string `json:"error"`
	}
	if json.Unmarshal(body, &told) != nil {
		return nil
	}
	switch told.Error {
	case "authorization_pending":
		return errPending
	case "slow_down":
		return errSlowDown
	case "access_denied":
		return errDenied
	case "expired_token":
		return errTooLate
	}
	return nil
}

// grant asks with the fields of a grant, beside the app's own.
func (u *userTokens) grant(ctx context.Context, fields map[string]string) (tokenfile.Tokens, error) {
	body := map[string]string{"client_id": u.appID, "client_secret": u.secret.Reveal()}
	for name, value := range fields {
		body[name] = value
	}
	var answer struct {
		Access         string `json:"access_token"`
		Refresh        string `json:"refresh_token"`
		Expires        int64  `json:"expires_in"`               // seconds
		RefreshExpires int64  `json:"refresh_token_expires_in"` // seconds
		Scope          string `json:"scope"`
	}
	reply, err := u.client.Do(ctx, api.Call{Endpoint: userTokenCall, Body: body}, &answer)
	if err != nil {
		return tokenfile.Tokens{}, err
	}
	if answer.Access == "" {
		return tokenfile.Tokens{}, fmt.Errorf("the answer has no token, is base_url right?: %w", resolver.ErrUnavailable)
	}
	t := tokenfile.Tokens{
		Access: resolver.NewSecret(answer.Access), Refresh: resolver.NewSecret(answer.Refresh), Scope: answer.Scope,
	}
	if answer.Expires > 0 {
		t.Expires = reply.Asked.Add(time.Duration(answer.Expires) * time.Second)
	}
	if answer.Refresh != "" && answer.RefreshExpires > 0 {
		t.RefreshExpires = reply.Asked.Add(time.Duration(answer.RefreshExpires) * time.Second)
	}
	return t, nil
}

// refresh is a [tokenfile.Refresh]. The refresh token works once, so a refusal,
// whatever its code, is not answered with another try.
func (u *userTokens) refresh(ctx context.Context, old tokenfile.Tokens) (tokenfile.Tokens, error) {
	t, err := u.grant(ctx, map[string]string{"grant_type": "refresh_token", "refresh_token": old.Refresh.Reveal()})
	var told *api.Error
	if errors.As(err, &told) && told.Status < http.StatusInternalServerError && told.Code != "" &&
		!errors.Is(err, errApp) && !errors.Is(err, errDisabled) && !errors.Is(err, resolver.ErrThrottled) &&
		!errors.Is(err, resolver.ErrUnavailable) {
		return t, fmt.Errorf("status %d, code %s: %w", told.Status, told.Code, errOver)
	}
	return t, err
}

// keptTokens fetches the token that a file has, renewed if need be.
func (u *userTokens) keptTokens(file *tokenfile.File) api.Fetch {
	return func(ctx context.Context, refused resolver.Secret) (api.Token, error) {
		renewed := false
		t, err := file.Renew(ctx, refused, fileMargin, func(ctx context.Context, old tokenfile.Tokens) (tokenfile.Tokens, error) {
			renewed = true
			return u.refresh(ctx, old)
		})
		if err != nil {
			return api.Token{}, err
		}
		token := api.Token{Secret: t.Access, Kept: !renewed}
		if !t.Expires.IsZero() {
			token.Life = max(time.Until(t.Expires), time.Second)
		}
		return token, nil
	}
}
