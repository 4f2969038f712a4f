package api_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

var loginCall = &api.Endpoint{Name: "login", Method: http.MethodPost, Path: "/login", NoToken: true}

// tenant is a service with tokens. Its levers are set before calls are made,
// or between them.
type tenant struct {
	mu      sync.Mutex // guards the following
	life    time.Duration
	issued  int
	takes   func(n int) bool // which tokens are taken; nil for the newest
	status  int              // of a refused token, 401 if 0
	login   func() *http.Response
	logins  int
	calls   int // with a token
	latency time.Duration
}

// client makes a client of the tenant that logs in by itself.
func (s *tenant) client(t *testing.T, opts api.TokenOptions) (*api.Client, *api.TokenSource) {
	t.Helper()
	var client *api.Client
	source := tokens(t, func(ctx context.Context, _ resolver.Secret) (api.Token, error) {
		var out struct {
			Token  string
			Expire int
		}
		_, err := client.Do(ctx, api.Call{Endpoint: loginCall, Body: map[string]string{"secret": marker}}, &out)
		return api.Token{Secret: resolver.NewSecret(out.Token), Life: time.Duration(out.Expire) * time.Second}, err
	}, opts)
	client = open(t, api.Config{
		BaseURL: "http://h", Tokens: source, Transport: transport(s.answer),
		Kinds: api.Kinds{"403": api.ErrToken},
	})
	return client, source
}

func (s *tenant) answer(r *http.Request) (*http.Response, error) {
	select {
	case <-time.After(s.latency):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.URL.Path == loginCall.Path {
		s.logins++
		if s.login != nil {
			return s.login(), nil
		}
		s.issued++
		return respond(200, fmt.Sprintf(`{"code": 0, "token": "%s-%d", "expire": %d}`, marker, s.issued, int(s.life.Seconds()))), nil
	}
	s.calls++
	var n int
	if _, err := fmt.Sscanf(r.Header.Get("Authorization"), "Bearer "+marker+"-%d", &n); err != nil {
		return nil, err
	}
	if s.takes == nil && n == s.issued || s.takes != nil && s.takes(n) {
		return respond(200, "{}"), nil
	}
	return respond(max(s.status, 401), marker), nil
}

// kill makes the tokens up to now worthless.
func (s *tenant) kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	dead := s.issued
	s.takes = func(n int) bool { return n > dead }
}

func (s *tenant) counts() (logins, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.logins, s.calls
}

func get(ctx context.Context, c *api.Client) error {
	_, err := c.Do(ctx, api.Call{Endpoint: getCall}, nil)
	return err
}

func TestTokens_OneRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const callers = 64
		s := &tenant{life: 2 * time.Hour, latency: 10 * time.Millisecond}
		client, _ := s.client(t, api.TokenOptions{})
		many := func() {
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					time.Sleep(time.Duration(i%7) * 3 * time.Millisecond)
					assert.NoError(t, get(t.Context(), client))
				})
			}
			wg.Wait()
		}
		many()
		logins, calls := s.counts()
		assert.Equal(t, 1, logins)
		assert.Equal(t, callers, calls)

		time.Sleep(time.Minute)
		s.kill()
		many()
		logins, calls = s.counts()
		assert.Equal(t, 2, logins)
		assert.LessOrEqual(t, calls, 3*callers, "a call is repeated once")
	})
}

func TestTokens_BeforeTheirEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tenant{life: 2 * time.Hour, takes: func(int) bool { return true }}
		client, _ := s.client(t, api.TokenOptions{Margin: 30 * time.Minute})
		require.NoError(t, get(t.Context(), client))
		time.Sleep(89 * time.Minute)
		require.NoError(t, get(t.Context(), client))
		logins, _ := s.counts()
		assert.Equal(t, 1, logins)

		time.Sleep(2 * time.Minute)
		s.latency = time.Second
		start := time.Now()
		require.NoError(t, get(t.Context(), client))
		assert.Equal(t, time.Second, time.Since(start), "the call goes on with the token at hand")
		synctest.Wait()
		logins, _ = s.counts()
		assert.Equal(t, 2, logins)

		s.login = func() *http.Response { return respond(503, marker) }
		time.Sleep(100 * time.Minute)
		require.NoError(t, get(t.Context(), client), "the token is still good")
		time.Sleep(30 * time.Minute)
		require.ErrorIs(t, get(t.Context(), client), resolver.ErrUnavailable)
	})
}

// A margin beyond the life of the tokens must not make every call renew them.
func TestTokens_ShortLived(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tenant{life: time.Minute}
		client, _ := s.client(t, api.TokenOptions{Margin: 30 * time.Minute})
		for range 600 {
			require.NoError(t, get(t.Context(), client))
			time.Sleep(time.Second)
		}
		logins, _ := s.counts()
		assert.LessOrEqual(t, logins, 21)
	})
}

func TestTokens_FirstCallerLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tenant{life: time.Hour, latency: time.Second}
		client, _ := s.client(t, api.TokenOptions{})
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() { assert.ErrorIs(t, get(ctx, client), context.Canceled) })
		synctest.Wait()
		wg.Go(func() { assert.NoError(t, get(t.Context(), client)) })
		synctest.Wait()
		start := time.Now()
		cancel()
		synctest.Wait()
		assert.Zero(t, time.Since(start))
		wg.Wait()
		logins, calls := s.counts()
		assert.Equal(t, []int{1, 1}, []int{logins, calls})
	})
}

func TestTokens_FreshOneRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tenant{life: time.Hour}
		client, _ := s.client(t, api.TokenOptions{})
		require.NoError(t, get(t.Context(), client))
		time.Sleep(time.Minute)
		s.takes = func(int) bool { return false }
		for range 40 { // ten seconds
			err := get(t.Context(), client)
			require.ErrorIs(t, err, resolver.ErrCredentials)
			assert.Contains(t, err.Error(), "things.get: status 401")
			time.Sleep(250 * time.Millisecond)
		}
		logins, _ := s.counts()
		assert.LessOrEqual(t, logins, 1+3, "not more than one renewal in five seconds")
		s.takes = nil
		time.Sleep(5 * time.Second)
		require.NoError(t, get(t.Context(), client))
	})
}

// Feishu gives out the same token again while it has half an hour to live.
func TestTokens_SameAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tenant{takes: func(int) bool { return false }}
		s.login = func() *http.Response { return respond(200, `{"token": "`+marker+`-1", "expire": 7200}`) }
		client, _ := s.client(t, api.TokenOptions{})
		require.ErrorIs(t, get(t.Context(), client), resolver.ErrCredentials)
		time.Sleep(time.Minute)
		require.ErrorIs(t, get(t.Context(), client), resolver.ErrCredentials)
		logins, calls := s.counts()
		assert.Equal(t, []int{2, 2}, []int{logins, calls}, "a call is not repeated with the same token")
	})
}

func TestTokens_Settle(t *testing.T) {
	for _, c := range []struct {
		name   string
		settle time.Duration
		knows  time.Duration // after which the service takes a token
		want   error
		calls  int
	}{
		{"in time", 1500 * time.Millisecond, time.Second, nil, 2},
		{"not in time", 1500 * time.Millisecond, time.Minute, resolver.ErrCredentials, 3},
		{"not waited for", 0, time.Second, resolver.ErrCredentials, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				s := &tenant{life: time.Hour, status: 403, takes: func(int) bool { return time.Since(start) >= c.knows }}
				client, _ := s.client(t, api.TokenOptions{Settle: c.settle})
				require.ErrorIs(t, get(t.Context(), client), c.want)
				logins, calls := s.counts()
				assert.Equal(t, 1, logins)
				assert.Equal(t, c.calls, calls)
			})
		})
	}
}

func TestTokens_Replace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tenant{life: time.Hour}
		client, source := s.client(t, api.TokenOptions{})
		require.NoError(t, get(t.Context(), client))
		source.Replace(api.Static(resolver.NewSecret(marker + "-77")))
		require.ErrorIs(t, get(t.Context(), client), resolver.ErrCredentials)
		s.takes = func(n int) bool { return n == 78 }
		source.Replace(api.Static(resolver.NewSecret(marker + "-78")))
		require.NoError(t, get(t.Context(), client), "what was refused before says nothing of it")
		logins, _ := s.counts()
		assert.Equal(t, 1, logins)

		refuse := func(context.Context, resolver.Secret) (api.Token, error) { return api.Token{}, resolver.ErrCredentials }
		source.Replace(refuse)
		require.ErrorIs(t, get(t.Context(), client), resolver.ErrCredentials)
		source.Replace(api.Static(resolver.NewSecret(marker + "-78")))
		require.NoError(t, get(t.Context(), client), "nor does a login")
	})
}

func TestTokens_Fetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		s := &tenant{takes: func(n int) bool { return n == 2 }}
		client := open(t, api.Config{BaseURL: "http://h", Transport: transport(s.answer), Tokens: tokens(t,
			func(_ context.Context, refused resolver.Secret) (api.Token, error) {
				told = append(told, refused.Reveal())
				return api.Token{Secret: resolver.NewSecret(fmt.Sprintf("%s-%d", marker, len(told)))}, nil
			}, api.TokenOptions{})})
		require.ErrorIs(t, get(t.Context(), client), resolver.ErrCredentials)
		time.Sleep(time.Minute)
		require.NoError(t, get(t.Context(), client))
		assert.Equal(t, []string{"", marker + "-1"}, told)
	})
}

// A token that was kept somewhere is replaced at once, and what replaces it is
// not.
func TestTokens_Kept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		s := &tenant{takes: func(n int) bool { return n == 9 }}
		client := open(t, api.Config{BaseURL: "http://h", Transport: transport(s.answer), Tokens: tokens(t,
			func(_ context.Context, refused resolver.Secret) (api.Token, error) {
				told = append(told, refused.Reveal())
				return api.Token{Secret: resolver.NewSecret(fmt.Sprintf("%s-%d", marker, len(told))), Kept: len(told) == 1}, nil
			}, api.TokenOptions{})})
		require.ErrorIs(t, get(t.Context(), client), resolver.ErrCredentials)
		require.ErrorIs(t, get(t.Context(), client), resolver.ErrCredentials)
		assert.Equal(t, []string{"", marker + "-1"}, told)
	})
}

// A token that is over before it comes, by a clock that is wrong.
func TestTokens_OverAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tenant{life: -time.Hour}
		client, _ := s.client(t, api.TokenOptions{})
		for range 40 { // ten seconds
			require.NoError(t, get(t.Context(), client))
			time.Sleep(250 * time.Millisecond)
		}
		synctest.Wait()
		logins, _ := s.counts()
		assert.LessOrEqual(t, logins, 21)
	})
}

// What a renewal brings whose credentials were replaced meanwhile is not kept.
func TestTokens_ReplaceDuringRenewal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tenant{life: time.Hour, latency: time.Second, takes: func(int) bool { return true }}
		client, source := s.client(t, api.TokenOptions{})
		var wg sync.WaitGroup
		wg.Go(func() { assert.NoError(t, get(t.Context(), client)) })
		synctest.Wait()
		source.Replace(api.Static(resolver.NewSecret(marker + "-78")))
		wg.Wait()
		s.takes = func(n int) bool { return n == 78 }
		require.NoError(t, get(t.Context(), client))
	})
}

func TestTokens_Close(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &tenant{life: time.Hour, latency: time.Minute}
		client, source := s.client(t, api.TokenOptions{})
		var wg sync.WaitGroup
		wg.Go(func() { assert.Error(t, get(t.Context(), client)) })
		synctest.Wait()
		start := time.Now()
		require.NoError(t, source.Close())
		wg.Wait()
		assert.Zero(t, time.Since(start))
		require.ErrorIs(t, get(t.Context(), client), resolver.ErrUnavailable)
	})
}

func TestSecrets(t *testing.T) {
	cfg := api.Config{BaseURL: "http://h", Account: "app", Tokens: static(t, marker), TokenQuery: "accessToken"}
	cfg.Transport = transport(func(*http.Request) (*http.Response, error) { return respond(200, "{}", "Date", clock), nil })
	client := open(t, cfg)
	reply, err := client.Do(t.Context(), api.Call{Endpoint: getCall}, nil)
	require.NoError(t, err)
	require.NoError(t, cfg.Tokens.Close(), "nothing goes on behind what is printed")
	token := api.Token{Secret: resolver.NewSecret(marker), Life: time.Hour}
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	for _, v := range []any{cfg, &cfg, client, *client, cfg.Tokens, token, &token, reply, api.Static(token.Secret)} {
		logger.Info("print", "value", v)
		text := log.String()
		for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
			text += fmt.Sprintf(verb, v)
		}
		assert.False(t, strings.Contains(text, marker), "%T shows a secret", v)
	}
}
