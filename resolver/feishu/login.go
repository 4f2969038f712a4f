package feishu

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

// offlineAccess is the scope without which there is no refresh token.
const offlineAccess = "offline_access"

// Login is the way from a user who agrees to tokens in the file of a Config,
// where an [App] finds them. It is for one login at a time. Close it in the end.
type Login struct {
	cfg      Config
	scopes   string
	verifier resolver.Secret
	tokens   *userTokens
	file     *tokenfile.File
}

// NewLogin makes a Login without a call, for a valid cfg. It keeps the tokens in
// the TokenFile, without which it is an error. Scopes are those that the user is
// asked for, the one for refresh tokens besides. The caller closes it.
func NewLogin(cfg Config, scopes ...string) (*Login, error) {
	switch {
	case !cfg.AccessToken.IsZero():
		return nil, errors.New("access_token: takes the place of a login; leave it out")
	case cfg.TokenFile == "":
		return nil, errors.New(`token_file: is missing; name a file for the tokens, such as "feishu.token"`)
	}
	cfg = cfg.withDefaults()
	if !slices.Contains(scopes, offlineAccess) {
		scopes = append(slices.Clone(scopes), offlineAccess)
	}
	return &Login{
		cfg: cfg, scopes: strings.Join(scopes, " "), tokens: newUserTokens(cfg), file: tokenfile.At(cfg.TokenFile),
		// 52 characters, of which the documents want 43 to 128.
		verifier: resolver.NewSecret(rand.Text() + rand.Text()),
	}, nil
}

// Close gives up the connections.
func (l *Login) Close() error { return l.tokens.Close() }

// accounts is where users log in: another host than that of the API, which
// private deployments do not have.
func (c Config) accounts() string {
	u, err := url.Parse(c.BaseURL)
	if err != nil { // was validated
		return c.BaseURL
	}
	if domain, ok := strings.CutPrefix(u.Hostname(), "open."); ok && slices.Contains([]string{"feishu.cn", larkDomain}, domain) {
		return "https://accounts." + domain
	}
	return c.BaseURL
}

// larkDomain is that of Lark, which is used all over the world.
const larkDomain = "larksuite.com"

// Page is the address of the page where a user agrees. It sends the browser on to
// redirect, which must be registered with the app, with a code and the state.
func (l *Login) Page(redirect, state string) string {
	sum := sha256.Sum256([]byte(l.verifier.Reveal()))
	return l.cfg.accounts() + "/open-apis/authen/v1/authorize?" + url.Values{
		"client_id": {l.cfg.AppID}, "response_type": {"code"}, "redirect_uri": {redirect}, "scope": {l.scopes},
		"state": {state}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}.Encode()
}

// Finish trades the code of the page for tokens and keeps them, and tells in a
// line for how long.
func (l *Login) Finish(ctx context.Context, code resolver.Secret, redirect string) (string, error) {
	t, err := l.tokens.grant(ctx, map[string]string{
		"grant_type": "authorization_code", "code": code.Reveal(), "redirect_uri": redirect,
		"code_verifier": l.verifier.Reveal(),
	})
	if err != nil {
		return "", refusedCode(err)
	}
	return l.keep(ctx, t)
}

// keep writes tokens and tells about them.
func (l *Login) keep(ctx context.Context, t tokenfile.Tokens) (string, error) {
	if err := l.file.Save(ctx, t); err != nil {
		return "", err
	}
	if t.Refresh.IsZero() {
		return fmt.Sprintf("logged in until %s, and no longer: the app has no scope %s; the token is in %s",
			t.Expires.Local().Format(time.DateTime), offlineAccess, l.file.Path()), nil
	}
	return fmt.Sprintf("logged in; the tokens are in %s and renew themselves while a mount uses them, which it must do before %s",
		l.file.Path(), t.RefreshExpires.Local().Format(time.DateOnly)), nil
}
