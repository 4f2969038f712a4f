package api_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

func TestTokens_LoginRefused(t *testing.T) {
	for status, want := range map[int]error{
		400: resolver.ErrCredentials, 401: resolver.ErrCredentials, 403: resolver.ErrCredentials,
		503: resolver.ErrUnavailable, 429: resolver.ErrThrottled,
	} {
		t.Run(http.StatusText(status), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &tenant{life: time.Hour, login: func() *http.Response { return respond(status, marker) }}
				client, _ := s.client(t, api.TokenOptions{})
				for range 40 { // ten seconds
					err := get(t.Context(), client)
					require.ErrorIs(t, err, want)
					assert.NotErrorIs(t, err, resolver.ErrRejected)
					assert.NotContains(t, err.Error(), marker)
					time.Sleep(250 * time.Millisecond)
				}
				logins, calls := s.counts()
				assert.LessOrEqual(t, logins, 10)
				if want == resolver.ErrCredentials {
					assert.Equal(t, 2, logins)
				}
				assert.Zero(t, calls)
				s.mu.Lock()
				s.login = nil
				s.mu.Unlock()
				time.Sleep(5 * time.Second)
				require.NoError(t, get(t.Context(), client))
			})
		})
	}
}

// A login that hangs does not look to a caller as if his own time were up.
func TestTokens_LoginHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client := open(t, api.Config{BaseURL: "http://h", Tokens: tokens(t, func(ctx context.Context, _ resolver.Secret) (api.Token, error) {
			<-ctx.Done()
			return api.Token{}, ctx.Err()
		}, api.TokenOptions{})})
		start := time.Now()
		err := get(t.Context(), client)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		assert.NotErrorIs(t, err, context.DeadlineExceeded)
		assert.Equal(t, 30*time.Second, time.Since(start))
	})
}

func TestTokens_LoginPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		logins := 0
		client := open(t, api.Config{BaseURL: "http://h",
			Transport: transport(func(*http.Request) (*http.Response, error) { return respond(200, "{}"), nil }),
			Tokens: tokens(t, func(context.Context, resolver.Secret) (api.Token, error) {
				if logins++; logins == 1 {
					panic(marker)
				}
				return api.Token{Secret: resolver.NewSecret(marker)}, nil
			}, api.TokenOptions{Log: slog.New(slog.NewTextHandler(&log, nil))})})
		err := get(t.Context(), client)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		assert.Contains(t, log.String(), "panic in a login")
		assert.NotContains(t, err.Error()+log.String(), marker)
		time.Sleep(time.Second)
		require.NoError(t, get(t.Context(), client), "the next one may fare better")
	})
}
