package feishumail

import "github.com/attachfs/attachfs/resolver/feishu"

// loginScopes are what a user is asked for: those without which something is
// missing in the mount.
var loginScopes = []string{
	"mail:user_mailbox:readonly", "mail:user_mailbox.folder:read", "mail:user_mailbox.message:readonly",
	"mail:user_mailbox.message.body:read", "mail:user_mailbox.message.subject:read",
	"mail:user_mailbox.message.address:read",
}

// Login is the way to the tokens of a user, for a valid cfg. It keeps them in the
// TokenFile, without which it is an error. The caller closes it.
func Login(cfg Config) (*feishu.Login, error) {
	return feishu.NewLogin(cfg.feishu(), loginScopes...)
}
