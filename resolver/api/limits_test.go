package api_test

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

func TestLimits(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		header []string
		want   error
		told   time.Duration // RetryAfter of the error
		pause  time.Duration // of the endpoint
	}{
		{"Retry-After", 429, "", []string{"Retry-After", "7"}, resolver.ErrThrottled, 7 * time.Second, 7 * time.Second},
		{"gateway of Feishu", 400, `{"code": 99991400}`, []string{"X-Ogw-Ratelimit-Reset", "3"}, resolver.ErrThrottled, 3 * time.Second, 3 * time.Second},
		{"not said for how long", 429, "", nil, resolver.ErrThrottled, 0, time.Second},
		{"down for a while", 503, "", []string{"Retry-After", "2"}, resolver.ErrUnavailable, 2 * time.Second, 2 * time.Second},
		{"down, and of its limits", 500, "", []string{"X-Ratelimit-Reset", "3600"}, resolver.ErrUnavailable, 0, 0},
		{"down", 503, "", nil, resolver.ErrUnavailable, 0, 0},
		{"absurd", 429, "", []string{"Retry-After", "99999999999"}, resolver.ErrThrottled, time.Hour, time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				calls := 0
				client := open(t, api.Config{BaseURL: "http://h", Transport: transport(func(*http.Request) (*http.Response, error) {
					if calls++; calls == 1 {
						return respond(c.status, c.body, c.header...), nil
					}
					return respond(200, "{}"), nil
				})})
				_, err := client.Do(t.Context(), api.Call{Endpoint: getCall}, nil)
				require.ErrorIs(t, err, c.want)
				assert.Equal(t, c.told, resolver.RetryAfter(err))
				assert.Equal(t, 1, calls, "nothing is repeated")
				start := time.Now()
				_, err = client.Do(t.Context(), api.Call{Endpoint: getCall}, nil)
				require.NoError(t, err)
				assert.Equal(t, c.pause, time.Since(start))
			})
		})
	}
}

func TestLimits_Quota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		limits := limit.New(nil, nil)
		defer limits.Close()
		e := &api.Endpoint{
			Name: "urls", Method: http.MethodPost, Path: "/urls",
			Limit: limit.Spec{Budgets: []limit.Budget{{Calls: 100, Period: limit.Day}}},
		}
		calls := 0
		cfg := api.Config{BaseURL: "http://h", Account: "app", Limits: limits, Kinds: api.Kinds{"99991403": resolver.ErrQuota},
			Transport: transport(func(*http.Request) (*http.Response, error) {
				calls++
				return respond(200, `{"code": 99991403}`), nil
			})}
		for range 3 {
			client := open(t, cfg)
			_, err := client.Do(t.Context(), api.Call{Endpoint: e}, nil)
			require.ErrorIs(t, err, resolver.ErrQuota)
		}
		assert.Equal(t, 1, calls, "who knows that the quota is spent does not ask")
		require.Len(t, limits.Usage("app/"), 1)
		assert.Empty(t, limits.Usage("other/"))

		cfg.Account = "other"
		_, err := open(t, cfg).Do(t.Context(), api.Call{Endpoint: e}, nil)
		require.ErrorIs(t, err, resolver.ErrQuota)
		assert.Equal(t, 2, calls, "another account has its own")
	})
}

func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		client := open(t, api.Config{BaseURL: "http://h", Transport: transport(func(*http.Request) (*http.Response, error) {
			calls++
			return respond(200, "{}"), nil
		})})
		e := &api.Endpoint{Name: "e", Method: "GET", Path: "/", Limit: limit.Spec{Rates: []limit.Rate{{Calls: 1, Per: time.Second}}}}
		start := time.Now()
		require.NoError(t, client.Turn(t.Context(), e))
		_, err := client.Do(t.Context(), api.Call{Endpoint: e, Waited: true}, nil)
		require.NoError(t, err)
		assert.Zero(t, time.Since(start), "the turn was taken before")
		_, err = client.Do(t.Context(), api.Call{Endpoint: e}, nil)
		require.NoError(t, err)
		assert.GreaterOrEqual(t, time.Since(start), time.Second)
		assert.Equal(t, 2, calls)
	})
}

// A call whose token had to be fetched goes out no closer to the next one.
func TestTurn_TokenFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent []time.Time
		client := open(t, api.Config{
			BaseURL: "http://h",
			Tokens: tokens(t, func(context.Context, resolver.Secret) (api.Token, error) {
				time.Sleep(800 * time.Millisecond)
				return api.Token{Secret: resolver.NewSecret(marker)}, nil
			}, api.TokenOptions{}),
			Transport: transport(func(*http.Request) (*http.Response, error) {
				sent = append(sent, time.Now())
				return respond(200, "{}"), nil
			}),
		})
		e := &api.Endpoint{Name: "e", Method: "GET", Path: "/", Limit: limit.Spec{Rates: []limit.Rate{{Calls: 1, Per: time.Second}}}}
		for range 2 {
			require.NoError(t, client.Turn(t.Context(), e))
			_, err := client.Do(t.Context(), api.Call{Endpoint: e, Waited: true}, nil)
			require.NoError(t, err)
		}
		assert.GreaterOrEqual(t, sent[1].Sub(sent[0]), time.Second)
	})
}
