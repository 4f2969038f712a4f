package feishudocs

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu"
)

// maxRoots is how many names one call tells.
const maxRoots = 200

// Config is what a provider is made from.
type Config struct {
	// BaseURL is the address of the API; that of Feishu in China if empty.
	BaseURL string `toml:"base_url"`
	// AppID and AppSecret are those of an app that the roots are shared with.
	AppID     string          `toml:"app_id"`
	AppSecret resolver.Secret `toml:"app_secret"`
	// AccessToken takes the place of the secret, if it is there.
	AccessToken resolver.Secret `toml:"access_token"`
	// TokenFile is where the login of a user keeps its tokens; the calls are that
	// user's then, and the app's secret renews them.
	TokenFile string `toml:"token_file"`
	// Roots are what the top directory has, each as "folder:TOKEN", "docx:TOKEN",
	// "sheet:TOKEN", "bitable:TOKEN", "wiki:SPACE_ID" or "drive"; if empty, it has
	// what is in the drive of the app or user.
	Roots []string `toml:"roots"`
	// ImageTypes has every picture looked at when its document is listed, so that
	// its name ends in what it is.
	ImageTypes bool `toml:"image_types"`
	// Log is told when the API asks to wait, and of what is left out; nil is
	// slog.Default().
	Log *slog.Logger `toml:"-"`
}

// Validate says what is missing and what would be right, without asking the API.
func (c Config) Validate() error {
	if err := c.feishu().Validate(); err != nil {
		return err
	}
	if len(c.Roots) > maxRoots {
		return fmt.Errorf("roots: has %d of them, which is more than %d", len(c.Roots), maxRoots)
	}
	for i, text := range c.Roots {
		if _, err := parseRoot(text); err != nil {
			return fmt.Errorf("roots: %q: %w", text, err)
		}
		if slices.Contains(c.Roots[:i], text) {
			return fmt.Errorf("roots: %q is there twice", text)
		}
	}
	return nil
}

func (c Config) feishu() feishu.Config {
	return feishu.Config{
		BaseURL: c.BaseURL, AppID: c.AppID, AppSecret: c.AppSecret, AccessToken: c.AccessToken, TokenFile: c.TokenFile,
		Log: c.Log,
	}
}

// root is one that the configuration names.
type root struct {
	text        string // as it is written there
	kind, token string
}

const (
	driveRoot = "drive"
	wikiRoot  = "wiki"
)

var rootKinds = []string{folderKind, docxKind, sheetKind, baseKind, wikiRoot}

// tokenText is how tokens and ids look, "my_library" included. An address in
// place of one is a frequent mistake.
var tokenText = regexp.MustCompile(`^[A-Za-z0-9_-]{4,128}$`)

func parseRoot(text string) (root, error) {
	if text == driveRoot {
		return root{text: text, kind: driveRoot}, nil
	}
	kind, token, ok := strings.Cut(text, ":")
	switch {
	case !ok || !slices.Contains(rootKinds, kind):
		return root{}, errors.New(`want one such as "folder:TOKEN", "docx:TOKEN", "sheet:TOKEN", "bitable:TOKEN", "wiki:SPACE_ID" or "drive"`)
	case !tokenText.MatchString(token):
		return root{}, errors.New("the token is the last part of the address that a browser shows, up to a ? if there is one")
	}
	return root{text: text, kind: kind, token: token}, nil
}

// larkDomain is that of Lark, which is used all over the world.
const larkDomain = "larksuite.com"

// zone is where days begin that calls are counted by. The documents do not say;
// Feishu is in Beijing, and of Lark nothing is known.
func (c Config) zone() *time.Location {
	if u, err := url.Parse(c.BaseURL); err == nil && strings.HasSuffix(u.Hostname(), larkDomain) {
		return time.UTC
	}
	return time.FixedZone("UTC+8", 8*60*60)
}
