package sim

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// defaultBatch is how many ids the API takes in one call unless told otherwise.
const defaultBatch = 100

// Config is what a simulated provider is made from.
type Config struct {
	// BaseURL is where the API is, such as "http://127.0.0.1:8080".
	BaseURL string `toml:"base_url"`
	// AccessToken is sent with each call; empty when the API wants none.
	AccessToken resolver.Secret `toml:"access_token"`
	// Batch is how many ids one call for links takes; 100 if 0.
	Batch int `toml:"batch"`
	// ByDirectory says that one call for links takes ids of one directory only.
	ByDirectory bool `toml:"by_directory"`
	// LinkRate is how many calls for links the API takes in a second; 0 for any
	// number.
	LinkRate int `toml:"link_rate"`
	// DailyCalls is how many calls for links may be made in a day, by UTC; 0
	// for any number.
	DailyCalls int `toml:"daily_calls"`
	// Log is told when the API asks to wait; nil is slog.Default().
	Log *slog.Logger `toml:"-"`
}

// Validate says what is wrong and what would be right, without asking the API.
func (c Config) Validate() error {
	if c.BaseURL == "" {
		return errors.New(`base_url: is missing; say where the simulator is, such as "http://127.0.0.1:8080"`)
	}
	if err := api.ValidateBaseURL(c.BaseURL); err != nil {
		return fmt.Errorf("base_url: %w", err)
	}
	if c.Batch < 0 {
		return errors.New("batch: must be a number of ids, or 0 for 100")
	}
	if c.LinkRate < 0 {
		return errors.New("link_rate: must be a number of calls in a second, or 0 for any")
	}
	if c.DailyCalls < 0 {
		return errors.New("daily_calls: must be a number of calls in a day, or 0 for any")
	}
	return nil
}
