package feishu

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// tokenMargin is how long before its end a tenant token is renewed. While 30
// minutes or more are left the API answers with the same one.
const tokenMargin = 29 * time.Minute

var errApp = fmt.Errorf("app_id and app_secret do not fit, or the app is disabled: %w", resolver.ErrCredentials)

var tenantTokenCall = &api.Endpoint{
	Name:   "feishu.tenant_token",
	Method: http.MethodPost, Path: "/open-apis/auth/v3/tenant_access_token/internal",
	NoToken: true,
	Kinds:   api.Kinds{"10003": errApp, "10014": errApp, "10015": errApp, "99991543": errApp},
}

// tenantToken asks for the token of the app in its own tenant. The answer has no
// envelope.
func (s *session) tenantToken(ctx context.Context, id string, secret resolver.Secret) (api.Token, error) {
	body := struct {
		ID     string `json:"app_id"`
		Secret string `json:"app_secret"`
	}{id, secret.Reveal()}
	var answer struct {
		Token  resolver.Secret `json:"tenant_access_token"`
		Expire int             `json:"expire"` // seconds left
	}
	if _, err := s.client.Do(ctx, api.Call{Endpoint: tenantTokenCall, Body: body}, &answer); err != nil {
		return api.Token{}, err
	}
	if answer.Token.IsZero() {
		return api.Token{}, fmt.Errorf("answer has no token: %w", resolver.ErrUnavailable)
	}
	return api.Token{Secret: answer.Token, Life: time.Duration(max(1, answer.Expire)) * time.Second}, nil
}
