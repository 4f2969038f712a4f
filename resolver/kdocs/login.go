package kdocs

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

// DefaultBaseURL is where kdocs is, its API as well as the page that asks a
// person.
const DefaultBaseURL = "https://developer.kdocs.cn"

// LoginConfig is what a [Login] is made from; all but BaseURL and Log is needed.
type LoginConfig struct {
	// BaseURL is DefaultBaseURL if empty.
	BaseURL string
	AppID   string
	AppKey  resolver.Secret
	// TokenFile is where the tokens are kept.
	TokenFile string
	// Log is slog.Default() if nil.
	Log *slog.Logger
}

// Login is the way from a person who agrees to tokens in a file, where a
// [Provider] finds them. Close it in the end.
type Login struct {
	base  string
	oauth *oauth
	file  *tokenfile.File
}

// NewLogin makes a Login without a call.
func NewLogin(cfg LoginConfig) *Login {
	base := strings.TrimRight(cmp.Or(cfg.BaseURL, DefaultBaseURL), "/")
	return &Login{
		base: base, oauth: newOAuth(base, cfg.AppID, cfg.AppKey, cfg.Log), file: tokenfile.At(cfg.TokenFile),
	}
}

// Close gives up the connections.
func (l *Login) Close() error { return l.oauth.Close() }

// Page is the address of the page where a person agrees. It sends the browser on
// to redirect, with a code and the state.
func (l *Login) Page(redirect, state string) string {
	query := url.Values{"app_id": {l.oauth.appID}, "redirect_uri": {redirect}, "state": {state}}
	// The commas between scopes stay as they are, as the documents show them.
	return l.base + "/h5/auth?" + query.Encode() + "&scope=" + oauthScopes
}

// Finish trades the code of the page for tokens and keeps them, and tells in a
// line who is logged in and for how long. What is kept before stays if that
// fails, and another code may be tried.
func (l *Login) Finish(ctx context.Context, code resolver.Secret, _ string) (string, error) {
	tokens, err := l.oauth.exchange(ctx, code)
	if err != nil {
		return "", err
	}
	if err := l.file.Save(ctx, tokens); err != nil {
		return "", err
	}
	who, err := l.oauth.person(ctx, tokens.Access)
	if err != nil || who == "" { // the tokens are good all the same
		who = "somebody without a name"
	}
	end := "an unknown time"
	if !tokens.RefreshExpires.IsZero() {
		end = tokens.RefreshExpires.Local().Format(time.DateOnly)
	}
	return fmt.Sprintf("logged in as %s until %s; the tokens are in %s", printable(who), end, l.file.Path()), nil
}

// printable keeps a name that came over the network from moving a terminal's
// cursor.
func printable(text string) string {
	const most = 60
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0xfffd || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return -1
		}
		return r
	}, text)
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most])
	}
	return text
}
