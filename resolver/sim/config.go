package sim

import (
	"errors"
	"net/url"

	"github.com/attachfs/attachfs/resolver"
)

// Config is what a simulated provider is made from.
type Config struct {
	// BaseURL is where the API is, such as "http://127.0.0.1:8080".
	BaseURL string `toml:"base_url"`
	// AccessToken is sent with each call; empty when the API wants none.
	AccessToken resolver.Secret `toml:"access_token"`
}

// Validate says what is wrong and what would be right, without asking the API.
func (c Config) Validate() error {
	u, err := url.Parse(c.BaseURL)
	switch {
	case c.BaseURL == "":
		return errors.New(`base_url: is missing; say where the simulator is, such as "http://127.0.0.1:8080"`)
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("base_url: must be an absolute http or https address")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("base_url: must not hold a user, a query or a fragment")
	}
	return nil
}
