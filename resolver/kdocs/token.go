package kdocs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

const (
	// tokenMargin is how long before its end an access token is renewed, of the 24
	// hours that it lives: time enough for a person to log in again if the renewal
	// is refused.
	tokenMargin = 2 * time.Hour
	// warnDays is how many days before its end a login is told of as a warning.
	warnDays = 7
)

// howToLogIn ends what is said of a login that is over.
const howToLogIn = "log in again with: attachfs login NAME, where NAME is that of this provider"

// keeper brings the tokens of a login from its file and renews them there. Its
// methods may be called in parallel.
type keeper struct {
	oauth *oauth
	file  *tokenfile.File
	log   *slog.Logger

	mu       sync.Mutex // guards the following
	told     time.Time  // the end of the login that the log was told of
	cutShort time.Time  // when a renewal had no answer, and may have been made
}

func newKeeper(cfg Config) *keeper {
	return &keeper{
		oauth: newOAuth(cfg.BaseURL, cfg.AppID, cfg.AppKey, cfg.Log), file: tokenfile.At(cfg.TokenFile), log: cfg.Log,
	}
}

// Close gives up the connections.
func (k *keeper) Close() error { return k.oauth.Close() }

// fetch is an [api.Fetch]. When there is no newer token the old one is good to
// its end, unless it was refused.
func (k *keeper) fetch(ctx context.Context, refused resolver.Secret) (api.Token, error) {
	k.noteCrash()
	kept := true
	tokens, err := k.file.Renew(ctx, refused, tokenMargin, func(ctx context.Context, old tokenfile.Tokens) (tokenfile.Tokens, error) {
		kept = false
		return k.refresh(ctx, old)
	})
	if err == nil {
		k.tell(tokens)
		return issued(tokens, kept), nil
	}
	if errors.Is(err, tokenfile.ErrNone) {
		err = k.explain(err)
	}
	if old, unread := k.file.Load(); unread == nil && old.Access.Reveal() != refused.Reveal() && time.Now().Before(old.Expires) {
		k.log.Warn("the login could not be renewed, going on with what is left of it", "error", err, "until", old.Expires)
		return issued(old, true), nil
	}
	return api.Token{}, err
}

// issued is an access token of a login, kept or just issued.
func issued(t tokenfile.Tokens, kept bool) api.Token {
	token := api.Token{Secret: t.Access, Kept: kept}
	if !t.Expires.IsZero() {
		token.Life = max(1, time.Until(t.Expires))
	}
	return token
}

// refresh is oauth's, and notes whether it may have been made without an answer.
func (k *keeper) refresh(ctx context.Context, old tokenfile.Tokens) (tokenfile.Tokens, error) {
	began := time.Now()
	tokens, err := k.oauth.refresh(ctx, old)
	var told *api.Error
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case err == nil:
		k.cutShort = time.Time{}
	case !errors.As(err, &told) && !errors.Is(err, errLogin):
		k.cutShort = began
	}
	return tokens, err
}

// noteCrash looks whether a process ended in the middle of a renewal: it leaves
// the room that it had made for the answer.
func (k *keeper) noteCrash() {
	info, err := os.Lstat(k.file.Path() + ".new")
	if err != nil {
		return
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.cutShort = info.ModTime()
}

// explain says why a login is over, as far as that is known, and what to do.
func (k *keeper) explain(err error) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.cutShort.IsZero() && errors.Is(err, errLogin) {
		return fmt.Errorf("%w; a renewal at %s was cut off before its answer was on the disk, which may have used up the refresh token: %s",
			err, k.cutShort.Format(time.RFC3339), howToLogIn)
	}
	return fmt.Errorf("%w; %s", err, howToLogIn)
}

// tell logs once how long the login lasts, and each day when it is about to end.
func (k *keeper) tell(t tokenfile.Tokens) {
	k.mu.Lock()
	news := !t.RefreshExpires.Equal(k.told)
	k.told = t.RefreshExpires
	k.mu.Unlock()
	if t.RefreshExpires.IsZero() {
		return
	}
	left := daysLeft(t.RefreshExpires)
	switch {
	case left <= warnDays:
		k.log.Warn("the login ends soon; "+howToLogIn, "days", left, "until", t.RefreshExpires)
	case news:
		k.log.Info("logged in", "days", left, "until", t.RefreshExpires)
	}
}

// daysLeft are whole days.
func daysLeft(end time.Time) int { return int(max(0, time.Until(end)) / (24 * time.Hour)) }
