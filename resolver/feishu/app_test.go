package feishu_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/feishu"
	"github.com/attachfs/attachfs/resolver/limit"
)

const (
	marker    = "9b1f4e77c0"
	appSecret = "secret-" + marker
)

var thing = &api.Endpoint{Name: "test.thing", Method: http.MethodGet, Path: "/open-apis/thing"}

// service answers for tokens as Feishu does, and for the thing as told.
type service struct {
	*httptest.Server
	tokens atomic.Int32 // issued so far

	mu     sync.Mutex // guards the following
	answer http.HandlerFunc
	bearer []string
}

func serve(t *testing.T, answer http.HandlerFunc) *service {
	t.Helper()
	s := &service{answer: answer}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /open-apis/auth/v3/tenant_access_token/internal", s.token)
	mux.HandleFunc("GET "+thing.Path, func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.bearer = append(s.bearer, r.Header.Get("Authorization"))
		s.mu.Unlock()
		s.answer(w, r)
	})
	s.Server = httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return s
}

func (s *service) token(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		ID     string `json:"app_id"`
		Secret string `json:"app_secret"`
	}
	if json.NewDecoder(r.Body).Decode(&asked) != nil || asked.Secret != appSecret {
		_, _ = io.WriteString(w, `{"code":10015,"msg":"`+marker+`"}`)
		return
	}
	fmt.Fprintf(w, `{"code":0,"msg":"ok","tenant_access_token":"t-%s-%d","expire":7200}`, marker, s.tokens.Add(1))
}

// says answers always the same.
func says(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Ogw-Ratelimit-Reset", "7")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func (s *service) config() feishu.Config {
	return feishu.Config{BaseURL: s.URL + "/", AppID: "cli_1", AppSecret: resolver.NewSecret(appSecret)}
}

func open(t *testing.T, cfg feishu.Config, limits *limit.Limits) *feishu.App {
	t.Helper()
	require.NoError(t, cfg.Validate())
	app := feishu.Open(cfg, limits)
	t.Cleanup(func() { assert.NoError(t, app.Close()) })
	return app
}

func TestApp_Do(t *testing.T) {
	s := serve(t, says(200, `{"code":0,"msg":"success","data":{"name":"x"}}`))
	app := open(t, s.config(), nil)
	var out struct{ Name string }
	reply, err := app.Do(t.Context(), api.Call{Endpoint: thing}, &out)
	require.NoError(t, err)
	assert.Equal(t, "x", out.Name)
	assert.WithinDuration(t, time.Now(), reply.Date, time.Minute)
	assert.Equal(t, []string{"Bearer t-" + marker + "-1"}, s.bearer)
	assert.Equal(t, strings.TrimPrefix(s.URL, "http://")+"/cli_1", app.Account())

	s.answer = says(200, `{}`)
	_, err = app.Do(t.Context(), api.Call{Endpoint: thing}, &out)
	require.ErrorIs(t, err, resolver.ErrUnavailable, "no envelope, no answer")
}

func TestApp_AccessToken(t *testing.T) {
	s := serve(t, says(200, `{"code":0}`))
	cfg := feishu.Config{BaseURL: s.URL, AccessToken: resolver.NewSecret("u-" + marker)}
	app := open(t, cfg, nil)
	_, err := app.Do(t.Context(), api.Call{Endpoint: thing}, nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"Bearer u-" + marker}, s.bearer)

	s.answer = says(400, `{"code":99991668,"msg":"`+marker+`"}`)
	_, err = app.Do(t.Context(), api.Call{Endpoint: thing}, nil)
	require.ErrorIs(t, err, resolver.ErrCredentials)
	assert.Zero(t, s.tokens.Load(), "a token that was configured cannot be renewed")
}

func TestApp_Kinds(t *testing.T) {
	for _, c := range []struct {
		code int
		want error
	}{
		{99991661, resolver.ErrCredentials},
		{99991663, resolver.ErrCredentials},
		{99991668, resolver.ErrCredentials},
		{99991672, resolver.ErrCredentials},
		{99991679, resolver.ErrCredentials},
		{99991662, resolver.ErrCredentials},
		{99991401, resolver.ErrCredentials},
		{99991400, resolver.ErrThrottled},
		{99991403, resolver.ErrQuota},
		{99992402, resolver.ErrRejected},
		{2200, resolver.ErrUnavailable},
	} {
		for _, status := range []int{200, 400, 401, 403, 429, 500} {
			t.Run(fmt.Sprint(c.code, " ", status), func(t *testing.T) {
				s := serve(t, says(status, fmt.Sprintf(`{"code":%d,"msg":"%s https://h/?t=%s"}`, c.code, marker, marker)))
				_, err := open(t, s.config(), nil).Do(t.Context(), api.Call{Endpoint: thing}, nil)
				require.ErrorIs(t, err, c.want)
				assert.NotContains(t, err.Error(), marker)
				if c.want == resolver.ErrThrottled {
					assert.Equal(t, 7*time.Second, resolver.RetryAfter(err))
				}
			})
		}
	}
}

func TestApp_NamesMissingScopes(t *testing.T) {
	s := serve(t, says(400, `{"code":99991672,"msg":"Access denied","error":{"permission_violations":[
		{"type":"action_scope_required","subject":"mail:user_mailbox"},
		{"type":"action_scope_required","subject":"mail:user_mailbox.folder:read"},
		{"type":"action_scope_required","subject":"`+marker+`"},
		{"type":"action_scope_required","subject":"https://h:`+marker+`"}]}}`))
	_, err := open(t, s.config(), nil).Do(t.Context(), api.Call{Endpoint: thing}, nil)
	require.ErrorIs(t, err, resolver.ErrCredentials)
	assert.ErrorContains(t, err, "one of mail:user_mailbox, mail:user_mailbox.folder:read:")
	assert.NotContains(t, err.Error(), marker)
}

func TestApp_WrongSecret(t *testing.T) {
	s := serve(t, says(200, `{"code":0}`))
	cfg := s.config()
	cfg.AppSecret = resolver.NewSecret("wrong-" + marker)
	_, err := open(t, cfg, nil).Do(t.Context(), api.Call{Endpoint: thing}, nil)
	require.ErrorIs(t, err, resolver.ErrCredentials)
	assert.ErrorContains(t, err, "app_secret")
	assert.NotContains(t, err.Error(), marker)
	assert.Empty(t, s.bearer)
}

func TestOpen_Shares(t *testing.T) {
	s := serve(t, says(200, `{"code":0}`))
	limits := limit.New(nil, nil)
	call := func(app *feishu.App) {
		t.Helper()
		_, err := app.Do(t.Context(), api.Call{Endpoint: thing}, nil)
		require.NoError(t, err)
	}
	first, second := open(t, s.config(), limits), open(t, s.config(), limits)
	call(first)
	call(second)
	assert.EqualValues(t, 1, s.tokens.Load(), "one token for both")
	require.NoError(t, first.Close())
	require.NoError(t, first.Close(), "closing twice takes nothing from others")
	call(second)
	third := open(t, s.config(), limits)
	call(third)
	assert.EqualValues(t, 1, s.tokens.Load())
	require.NoError(t, third.Close())

	call(open(t, s.config(), limit.New(nil, nil)))
	assert.EqualValues(t, 2, s.tokens.Load(), "other limits are another process, as it were")
	require.NoError(t, second.Close())
	call(open(t, s.config(), limits))
	assert.EqualValues(t, 3, s.tokens.Load(), "nobody was left")
}

func TestOpen_SharesLimits(t *testing.T) {
	s := serve(t, says(200, `{"code":0}`))
	slow := &api.Endpoint{Name: "test.slow", Method: http.MethodGet, Path: thing.Path,
		Limit: limit.Spec{Rates: []limit.Rate{{Calls: 1, Per: time.Hour}}}}
	limits := limit.New(nil, nil)
	other := s.config()
	other.AccessToken = resolver.NewSecret("u-" + marker)
	first, second := open(t, s.config(), limits), open(t, other, limits)
	require.NoError(t, first.Turn(t.Context(), slow))
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, second.Turn(ctx, slow), context.DeadlineExceeded, "the app is the same, whatever the token")
}

func TestConfig_Validate(t *testing.T) {
	secret := resolver.NewSecret(marker)
	for _, c := range []struct {
		cfg  feishu.Config
		says string
	}{
		{feishu.Config{AppID: "a", AppSecret: secret}, ""},
		{feishu.Config{AccessToken: secret}, ""},
		{feishu.Config{BaseURL: "https://open.larksuite.com", AccessToken: secret}, ""},
		{feishu.Config{BaseURL: "open.feishu.cn", AccessToken: secret}, "base_url: must be an absolute"},
		{feishu.Config{}, "app_id: is missing; write app_id and app_secret"},
		{feishu.Config{AppSecret: secret}, "app_id: is missing"},
		{feishu.Config{AppID: "a"}, "app_secret: is missing"},
	} {
		err := c.cfg.Validate()
		if c.says == "" {
			assert.NoError(t, err)
			continue
		}
		assert.ErrorContains(t, err, c.says)
		assert.NotContains(t, err.Error(), marker)
	}
}

func TestLink(t *testing.T) {
	reply := api.Reply{Asked: time.Now(), Date: time.Now().Add(time.Hour)}
	link, err := feishu.Link(resolver.NewSecret("https://h/a?code="+marker), reply)
	require.NoError(t, err)
	assert.Equal(t, reply.Asked, link.Obtained)
	assert.Equal(t, reply.Date, link.ServerTime)
	assert.Empty(t, link.Header)
	for _, address := range []string{"", "/relative", "ftp://h/a", "http:///a", "https://user@h/a", "https://h/%zz"} {
		_, err := feishu.Link(resolver.NewSecret(address), reply)
		assert.ErrorIs(t, err, resolver.ErrUnavailable, address)
	}
}
