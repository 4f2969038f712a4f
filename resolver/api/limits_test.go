package api_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strings"
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

// Who would wait for very long is told so at once, also when he only takes a turn.
func TestLimits_LongPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		client := open(t, api.Config{BaseURL: "http://h", Transport: transport(func(*http.Request) (*http.Response, error) {
			calls++
			return respond(429, "", "Retry-After", "99999999999"), nil
		})})
		start := time.Now()
		for range 3 {
			_, err := client.Do(t.Context(), api.Call{Endpoint: getCall}, nil)
			require.ErrorIs(t, err, resolver.ErrThrottled)
			assert.Equal(t, time.Hour, resolver.RetryAfter(err))
		}
		require.ErrorIs(t, client.Turn(t.Context(), getCall), resolver.ErrThrottled)
		assert.Zero(t, time.Since(start))
		assert.Equal(t, 1, calls)
	})
}

// The log tells why it is slow, without filling up.
func TestLimits_Log(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		answers := []*http.Response{
			respond(429, marker, "Retry-After", "7"), respond(429, ""), respond(503, "", "Retry-After", "2"),
			respond(503, ""), respond(404, ""), respond(200, "{}"), respond(429, ""),
		}
		client := open(t, api.Config{
			BaseURL: "http://h",
			Log:     slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})).With("provider", "mail"),
			Transport: transport(func(*http.Request) (*http.Response, error) {
				next := answers[0]
				answers = answers[1:]
				return next, nil
			}),
		})
		for range 6 {
			_ = get(t.Context(), client)
		}
		time.Sleep(time.Minute)
		require.ErrorIs(t, get(t.Context(), client), resolver.ErrThrottled)
		var lines []string
		for line := range strings.Lines(log.String()) {
			_, rest, _ := strings.Cut(line, " ") // the time
			lines = append(lines, strings.TrimSpace(rest))
		}
		assert.Equal(t, []string{
			`level=INFO msg="asked to wait" provider=mail endpoint=things.get for=7s`,
			`level=DEBUG msg="asked to wait" provider=mail endpoint=things.get for=1s`,
			`level=DEBUG msg="asked to wait" provider=mail endpoint=things.get for=2s`,
			`level=INFO msg="asked to wait" provider=mail endpoint=things.get for=1s`,
		}, lines)
	})
}

func TestUsage(t *testing.T) {
	limits := limit.New(nil, nil)
	defer limits.Close()
	account := func(name string) *api.Client {
		return open(t, api.Config{
			BaseURL: "http://h", Account: name, Limits: limits,
			Transport: transport(func(*http.Request) (*http.Response, error) { return respond(200, "{}"), nil }),
		})
	}
	e := &api.Endpoint{Name: "urls", Method: http.MethodGet, Path: "/urls", Limit: limit.Spec{
		Budgets: []limit.Budget{{Calls: 100}, {Key: "total", Calls: 3000, Period: limit.Month}},
	}}
	short, long := account("cli_a"), account("cli_ab")
	assert.Empty(t, short.Usage(), "no call was made yet")
	for range 2 {
		_, err := long.Do(t.Context(), api.Call{Endpoint: e}, nil)
		require.NoError(t, err)
	}
	assert.Empty(t, short.Usage(), "another account")
	_, err := short.Do(t.Context(), api.Call{Endpoint: e}, nil)
	require.NoError(t, err)
	told := func(c *api.Client) (keys []string, used []int) {
		for _, u := range c.Usage() {
			keys, used = append(keys, u.Key), append(used, u.Used)
		}
		return keys, used
	}
	keys, used := told(short)
	assert.Equal(t, []string{"cli_a/total", "cli_a/urls"}, keys)
	assert.Equal(t, []int{1, 1}, used)
	_, used = told(long)
	assert.Equal(t, []int{2, 2}, used)
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

// A call that cannot be made for want of a token is charged to no budget.
func TestTurn_LoginFails(t *testing.T) {
	for _, why := range []error{resolver.ErrCredentials, resolver.ErrUnavailable, resolver.ErrThrottled} {
		t.Run(why.Error(), func(t *testing.T) {
			client := open(t, api.Config{BaseURL: "http://h", Account: "app", Tokens: tokens(t,
				func(context.Context, resolver.Secret) (api.Token, error) { return api.Token{}, why }, api.TokenOptions{})})
			e := &api.Endpoint{Name: "e", Method: "GET", Path: "/", Limit: limit.Spec{Budgets: []limit.Budget{{Calls: 2}}}}
			for range 5 {
				require.ErrorIs(t, client.Turn(t.Context(), e), why)
			}
			assert.Empty(t, client.Usage())
		})
	}
}
