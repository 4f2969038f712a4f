package feishu

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strings"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// DefaultBaseURL is the API of Feishu in China. That of Lark, everywhere else,
// is https://open.larksuite.com.
const DefaultBaseURL = "https://open.feishu.cn"

// Config is what an [App] is made from: an app with its secret, the same with the
// login of a user, or a token that somebody else keeps fresh. If that is there it
// counts.
type Config struct {
	// BaseURL is the address of the API; DefaultBaseURL if empty.
	BaseURL string
	// AppID is not secret. With an AccessToken it may be empty, and then calls
	// count as those of one nameless app.
	AppID string
	// AppSecret brings tenant tokens.
	AppSecret resolver.Secret
	// AccessToken is a tenant's or a user's. It cannot be renewed.
	AccessToken resolver.Secret
	// TokenFile has the tokens of a user, which [Login] keeps there. Calls are the
	// user's then, and the app's secret renews them.
	TokenFile string
	// Log is told when the API asks to wait, for all Apps of the credential;
	// nil is slog.Default().
	Log *slog.Logger
}

// Validate says what is wrong and what would be right, without a call. It names
// fields as a configuration file does.
func (c Config) Validate() error {
	if c.BaseURL != "" {
		if err := api.ValidateBaseURL(c.BaseURL); err != nil {
			return fmt.Errorf("base_url: %w", err)
		}
	}
	switch {
	case !c.AccessToken.IsZero():
		return nil
	case c.AppID == "" && c.AppSecret.IsZero():
		return errors.New("app_id: is missing; write app_id and app_secret as the app's page of credentials in the developer console has them, or an access_token")
	case c.AppID == "":
		return errors.New(`app_id: is missing; it stands beside the app_secret in the developer console, such as "cli_a1b2c3"`)
	case c.AppSecret.IsZero():
		return errors.New(`app_secret: is missing; it stands beside the app_id in the developer console, and is best written as "env:NAME" or "file:PATH"`)
	}
	return nil
}

// withDefaults fills in what may be left out.
func (c Config) withDefaults() Config {
	c.BaseURL = strings.TrimRight(c.BaseURL, "/")
	if c.BaseURL == "" {
		c.BaseURL = DefaultBaseURL
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
