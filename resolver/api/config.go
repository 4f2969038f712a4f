package api

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/limit"
)

// ErrToken is the kind of an answer that refuses the token and not the call. A
// newer token may help; if none does, it reaches the caller as the
// ErrCredentials that it is.
var ErrToken = fmt.Errorf("token refused: %w", resolver.ErrCredentials)

// Kinds says of what kind an answer is, by the provider's own code, such as
// "1061007", or by the HTTP status, such as "412". The code goes first. Kinds
// are errors of package resolver, [ErrToken], or errors that wrap one of them
// and say more.
type Kinds map[string]error

// Config is what a [Client] is made from. BaseURL alone is needed.
type Config struct {
	// BaseURL is the address below which all endpoints are.
	BaseURL string
	// Account tells the credential, such as an app id; not a secret. Clients of
	// the same Account and Limits share the limits of endpoints of one name.
	Account string
	// Limits are those of the process; nil for some that nobody shares.
	Limits *limit.Limits
	// Tokens has the token of all calls but those that say that they want
	// none; nil if there is no token at all. The client does not close it.
	Tokens *TokenSource
	// TokenQuery names the parameter of the query that carries the token. Empty
	// is the header "Authorization: Bearer".
	TokenQuery string
	// Kinds are the kinds of answers, as far as an endpoint does not know
	// better. An unknown code is judged by the HTTP status: 400 is ErrRejected,
	// 401 ErrToken, 403 ErrPermission, 404 ErrNotExist, 429 ErrThrottled and
	// anything unclear ErrUnavailable.
	Kinds Kinds
	// Judge finds in an answer what Kinds cannot tell, and is asked before them;
	// nil from it says nothing, not that all is well. Body is all that was
	// read; its text must not get into the error. It may be called in parallel.
	Judge func(status int, code string, body []byte) error
	// UserAgent is "attachfs" if empty.
	UserAgent string
	// Timeout is how long one request may take until its answer is read; ten
	// seconds if 0. Waiting for a turn or a token is not part of it.
	Timeout time.Duration
	// MaxAnswer is how many bytes of an answer are read; 8 MiB if 0.
	MaxAnswer int64
	// Transport carries the requests; nil for one of the client's own.
	Transport http.RoundTripper
	// Log is told when the provider asks to wait, once a minute at Info and
	// else at Debug; nil means slog.Default.
	Log *slog.Logger
}

// ValidateBaseURL says what is wrong with the address of an API.
func ValidateBaseURL(address string) error {
	u, err := url.Parse(address)
	switch {
	case address == "":
		return errors.New("is missing")
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("must be an absolute http or https address")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return errors.New("must not hold a user, a query or a fragment")
	}
	return nil
}
