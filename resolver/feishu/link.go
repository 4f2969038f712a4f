package feishu

import (
	"fmt"
	"net/url"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// Link is the temporary link at address that reply brought. How long it lives
// and how often it can be used the caller adds; no header belongs to it, for it
// is signed itself, and the token must not reach its host.
func Link(address resolver.Secret, reply api.Reply) (resolver.Link, error) {
	u, err := url.Parse(address.Reveal())
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return resolver.Link{}, fmt.Errorf("link is not an absolute http or https address: %w", resolver.ErrUnavailable)
	}
	return resolver.Link{URLs: []resolver.Secret{address}, Obtained: reply.Asked, ServerTime: reply.Date}, nil
}
