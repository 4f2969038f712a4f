package feishudocs

import "github.com/attachfs/attachfs/resolver/feishu"

// loginScopes are what a user is asked for: those without which something is
// missing in the mount.
var loginScopes = []string{
	"space:document:retrieve", "drive:drive.metadata:readonly", "drive:file:download", "docs:document.media:download",
	"docx:document:readonly", "sheets:spreadsheet:readonly", "bitable:app:readonly", "wiki:wiki:readonly",
}

// Login is the way to the tokens of a user, for a valid cfg. It keeps them in the
// TokenFile, without which it is an error. The caller closes it.
func Login(cfg Config) (*feishu.Login, error) {
	return feishu.NewLogin(cfg.feishu(), loginScopes...)
}
