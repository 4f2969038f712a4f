package kdocs

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// testCalls is how many calls of each endpoint an app may make in a day that is
// not released yet.
const testCalls = 10_000

// Config is what a provider is made from: an app with a file that a login wrote,
// or a token that somebody else keeps fresh. If both are there the token counts.
type Config struct {
	// BaseURL is the address of the API; DefaultBaseURL if empty.
	BaseURL string `toml:"base_url"`
	// AppID and AppKey are those of an app of developer.kdocs.cn. The id is not
	// secret.
	AppID  string          `toml:"app_id"`
	AppKey resolver.Secret `toml:"app_key"`
	// TokenFile is where the login keeps its tokens.
	TokenFile string `toml:"token_file"`
	// AccessToken cannot be renewed. With it the others may be empty, and then
	// calls count as those of one nameless app.
	AccessToken resolver.Secret `toml:"access_token"`
	// Documents are the tokens of those to show, each with "ksheet:" before it if
	// it is an online sheet that the list of files does not have; every table that
	// the user can list if empty.
	Documents []string `toml:"documents"`
	// DailyCalls is how many calls a day an endpoint grants, and at most all of
	// them together are made; 10,000 if 0, as for an app that is not released.
	DailyCalls int `toml:"daily_calls"`
	// Log is told how long the login lasts, and when the API asks to wait; nil is
	// slog.Default().
	Log *slog.Logger `toml:"-"`
}

// Validate says what is missing and what would be right, without asking the API.
func (c Config) Validate() error {
	if c.BaseURL != "" {
		if err := api.ValidateBaseURL(c.BaseURL); err != nil {
			return fmt.Errorf("base_url: %w", err)
		}
	}
	if err := c.validateCredentials(); err != nil {
		return err
	}
	if c.DailyCalls < 0 {
		return errors.New("daily_calls: must be a number of calls in a day, or 0 for the 10,000 of an app that is not released")
	}
	for _, word := range c.Documents {
		if kind, token := kindAndToken(word); token == "" || kind == "" {
			return fmt.Errorf(`documents: %q is no file token; want one as the list of files has it, or "ksheet:" and one`, word)
		}
	}
	return nil
}

func (c Config) validateCredentials() error {
	switch {
	case !c.AccessToken.IsZero():
		return nil
	case c.AppID == "" && c.AppKey.IsZero():
		return errors.New("app_id: is missing; write app_id and app_key as the app's page on developer.kdocs.cn has them, and a token_file, or an access_token")
	case c.AppID == "":
		return errors.New("app_id: is missing; it stands beside the app_key on the app's page on developer.kdocs.cn")
	case c.AppKey.IsZero():
		return errors.New(`app_key: is missing; it stands beside the app_id on the app's page, and is best written as "env:NAME" or "file:PATH"`)
	case c.TokenFile == "":
		return errors.New(`token_file: is missing; name a file for the tokens, such as "kdocs.token", and then run attachfs login`)
	}
	return nil
}

// kindAndToken reads a word of Documents. The kind is empty if it is none.
func kindAndToken(word string) (kind, token string) {
	kind, token, ok := strings.Cut(word, ":")
	if !ok {
		kind, token = tableKind, word
	}
	if !slices.Contains(kinds, kind) || strings.ContainsAny(token, "/?#& \t") {
		return "", ""
	}
	return kind, token
}

// withDefaults fills in what may be left out.
func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
	}
	if c.DailyCalls == 0 {
		c.DailyCalls = testCalls
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	return c
}

// account is whose calls are counted together.
func (c Config) account() string {
	u, err := url.Parse(c.BaseURL)
	if err != nil { // was validated
		return c.AppID
	}
	return u.Host + u.Path + "/" + c.AppID
}
