package kdocs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

// refreshLife is how long a refresh token lives. No answer tells it; the
// documents do.
const refreshLife = 90 * 24 * time.Hour

// The scopes that are asked for: whose login it is, and to read tables and the
// links of their attachments.
const oauthScopes = "user_basic,access_personal_files"

var (
	// errLogin is the ErrCredentials of a login that is over, however that came:
	// ninety days, another program with the same refresh token, the person's will.
	errLogin = fmt.Errorf("the login is over: %w", tokenfile.ErrNone)
	errCode  = fmt.Errorf("the code is not, or no longer, good: %w", resolver.ErrCredentials)
	errKey   = fmt.Errorf("app_id and app_key do not fit: %w", resolver.ErrCredentials)
)

// The calls of logins. They take no access token, or bring their own.
var (
	exchangeCall = &api.Endpoint{
		Name: "kdocs.access_token", Method: http.MethodGet, Path: "/api/v1/oauth2/access_token", NoToken: true,
		Kinds: api.Kinds{"20001": errCode, "40002": errKey},
	}
	refreshCall = &api.Endpoint{
		Name: "kdocs.refresh_token", Method: http.MethodPost, Path: "/api/v1/oauth2/refresh_token", NoToken: true,
		Kinds: api.Kinds{"40002": errKey},
	}
	personCall = &api.Endpoint{
		Name: "kdocs.user", Method: http.MethodGet, Path: "/api/v1/openapi/user/basic", NoToken: true,
	}
)

// oauth trades codes and refresh tokens for tokens. It is closed in the end.
type oauth struct {
	client *api.Client
	appID  string
	appKey resolver.Secret
}

// newOAuth makes the trader of an app, for a base address that is valid.
func newOAuth(baseURL, appID string, appKey resolver.Secret, log *slog.Logger) *oauth {
	return &oauth{
		client: api.New(api.Config{BaseURL: baseURL, Account: appID, Log: log}), appID: appID, appKey: appKey,
	}
}

func (o *oauth) Close() error { return o.client.Close() }

// granted is the answer to both trades.
type granted struct {
	Data struct {
		Access  string `json:"access_token"`
		Refresh string `json:"refresh_token"`
		Expires int64  `json:"expires_in"` // seconds
	} `json:"data"`
}

// tokens are what was granted, with ends counted from when it was asked for.
func (g granted) tokens(reply api.Reply) (tokenfile.Tokens, error) {
	if g.Data.Access == "" {
		return tokenfile.Tokens{}, fmt.Errorf("the answer has no token, is base_url right?: %w", resolver.ErrUnavailable)
	}
	t := tokenfile.Tokens{Access: resolver.NewSecret(g.Data.Access), Refresh: resolver.NewSecret(g.Data.Refresh)}
	if g.Data.Expires > 0 {
		t.Expires = reply.Asked.Add(time.Duration(g.Data.Expires) * time.Second)
	}
	if g.Data.Refresh != "" {
		t.RefreshExpires = reply.Asked.Add(refreshLife)
	}
	return t, nil
}

// exchange trades a code, which lives five minutes.
func (o *oauth) exchange(ctx context.Context, code resolver.Secret) (tokenfile.Tokens, error) {
	var g granted
	reply, err := o.client.Do(ctx, api.Call{Endpoint: exchangeCall, Query: url.Values{
		"code": {code.Reveal()}, "app_id": {o.appID}, "app_key": {o.appKey.Reveal()},
	}}, &g)
	if err != nil {
		return tokenfile.Tokens{}, err
	}
	t, err := g.tokens(reply)
	t.Scope = oauthScopes
	return t, err
}

// refresh trades a refresh token. It is a [tokenfile.Refresh]. An answer that
// refuses it, in whatever words, means that the login is over: the codes of that
// are not documented, and asking again with the same token is of no use.
func (o *oauth) refresh(ctx context.Context, old tokenfile.Tokens) (tokenfile.Tokens, error) {
	var g granted
	reply, err := o.client.Do(ctx, api.Call{
		Endpoint: refreshCall, Query: url.Values{"app_id": {o.appID}},
		Body: map[string]string{"app_key": o.appKey.Reveal(), "refresh_token": old.Refresh.Reveal()},
	}, &g)
	var told *api.Error
	switch {
	case errors.As(err, &told) && told.Code != "" && told.Status < http.StatusInternalServerError &&
		!errors.Is(err, errKey) && !errors.Is(err, resolver.ErrThrottled):
		return tokenfile.Tokens{}, fmt.Errorf("status %d, code %s: %w", told.Status, told.Code, errLogin)
	case err != nil:
		return tokenfile.Tokens{}, err
	}
	return g.tokens(reply)
}

// person tells whose token it is.
func (o *oauth) person(ctx context.Context, access resolver.Secret) (string, error) {
	var answer struct {
		Data struct {
			Nickname string `json:"nickname"`
		} `json:"data"`
	}
	_, err := o.client.Do(ctx, api.Call{
		Endpoint: personCall, Query: url.Values{"access_token": {access.Reveal()}},
	}, &answer)
	return answer.Data.Nickname, err
}
