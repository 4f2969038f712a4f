package callback

import (
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/attachfs/attachfs/resolver"
)

var (
	// ErrState is that of a redirect that belongs to another login, or to none.
	ErrState = errors.New("the answer belongs to another login")
	// ErrRefused is that of a person who does not agree, or of a service that does
	// not ask.
	ErrRefused = errors.New("the login was refused")
)

// State makes up what ties a redirect to its login.
func State() string { return rand.Text() }

// Parse reads what a person pastes: the address that the browser was sent to, or
// the code in it alone, which tells no state and is taken as it is.
func Parse(text, state string) (code resolver.Secret, err error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "?") && !strings.Contains(text, "=") {
		if text == "" || strings.ContainsAny(text, " \t/") {
			return code, errors.New("want the address that the browser was sent to, or the code in it")
		}
		return resolver.NewSecret(text), nil
	}
	_, query, asked := strings.Cut(text, "?")
	if !asked {
		query = text
	}
	query, _, _ = strings.Cut(query, "#")
	values, err := url.ParseQuery(query)
	if err != nil { // its words quote the query
		return code, errors.New("the address is not whole; paste it as the browser shows it")
	}
	return read(values, state)
}

// read finds the code in a redirect.
func read(query url.Values, state string) (code resolver.Secret, err error) {
	given := query.Get("state")
	switch {
	case state == "" || subtle.ConstantTimeCompare([]byte(given), []byte(state)) != 1:
		return code, ErrState
	case query.Get("error") != "":
		return code, fmt.Errorf("%w: %s", ErrRefused, plain(query.Get("error")))
	case query.Get("code") == "":
		return code, errors.New("the answer has no code")
	}
	return resolver.NewSecret(query.Get("code")), nil
}

// plain keeps what came over the network fit to be printed.
func plain(text string) string {
	const most = 40
	ok := func(r rune) bool {
		return r == '_' || r == '-' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
	}
	if len(text) > most || strings.ContainsFunc(text, func(r rune) bool { return !ok(r) }) {
		return "for a reason that cannot be printed"
	}
	return text
}
