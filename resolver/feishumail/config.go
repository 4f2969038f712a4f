package feishumail

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu"
)

// ownMailbox stands for the mailbox of the user whose token it is.
const ownMailbox = "me"

// Config is what a provider is made from.
type Config struct {
	// BaseURL is the address of the API; that of Feishu in China if empty.
	BaseURL string `toml:"base_url"`
	// AppID and AppSecret are those of an app whose data range has the mailbox.
	AppID     string          `toml:"app_id"`
	AppSecret resolver.Secret `toml:"app_secret"`
	// AccessToken takes the place of the secret, if it is there.
	AccessToken resolver.Secret `toml:"access_token"`
	// TokenFile is where the login of a user keeps its tokens; the calls are that
	// user's then, and the app's secret renews them.
	TokenFile string `toml:"token_file"`
	// Mailbox is an address, or "me" with the token of a user.
	Mailbox string `toml:"mailbox"`
	// Folders are the names or ids of those to show; all but drafts, spam and
	// trash if empty.
	Folders []string `toml:"folders"`
	// Since is how far back messages are listed; 0 for all of them.
	Since time.Duration `toml:"since"`
	// Inline shows the pictures in the text of messages, too.
	Inline bool `toml:"inline"`
	// Log is told when the API asks to wait; nil is slog.Default().
	Log *slog.Logger `toml:"-"`
}

// Validate says what is missing and what would be right, without asking the API.
func (c Config) Validate() error {
	if err := c.feishu().Validate(); err != nil {
		return err
	}
	switch {
	case c.Mailbox == "":
		return errors.New(`mailbox: is missing; write its address, such as "finance@example.com"`)
	case c.Mailbox == ownMailbox && c.AccessToken.IsZero() && c.TokenFile == "":
		return errors.New(`mailbox: "me" is for the token_file or the access_token of a user; an app needs the address`)
	case c.Mailbox != ownMailbox && !isAddress(c.Mailbox):
		return fmt.Errorf(`mailbox: %q is no address; want one such as "finance@example.com"`, c.Mailbox)
	case c.Since < 0:
		return errors.New(`since: must be a length of time such as "90d", or nothing for all messages`)
	case slices.ContainsFunc(c.Folders, func(f string) bool { return strings.TrimSpace(f) == "" }):
		return errors.New(`folders: has an empty name; want names or ids, such as ["Inbox", "Archive"]`)
	}
	return nil
}

func isAddress(mailbox string) bool {
	local, host, ok := strings.Cut(mailbox, "@")
	return ok && local != "" && host != "" && !strings.ContainsAny(mailbox, " \t\r\n/?#")
}

func (c Config) feishu() feishu.Config {
	return feishu.Config{
		BaseURL: c.BaseURL, AppID: c.AppID, AppSecret: c.AppSecret, AccessToken: c.AccessToken, TokenFile: c.TokenFile,
		Log: c.Log,
	}
}

// larkDomain is that of Lark, which is used all over the world.
const larkDomain = "larksuite.com"

// zone is the one that the names of messages tell times in. It has to be the
// same always and everywhere, or the names would not be. Feishu is used in China,
// where there is one zone; Lark is used in many, and none of them is the right one.
func (c Config) zone() *time.Location {
	if u, err := url.Parse(c.BaseURL); err == nil && strings.HasSuffix(u.Hostname(), larkDomain) {
		return time.UTC
	}
	return time.FixedZone("UTC+8", 8*60*60)
}
