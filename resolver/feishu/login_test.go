package feishu_test

import (
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/feishu"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

const (
	loginScope = "mail:user_mailbox.folder:read"
	loginBack  = "http://127.0.0.1:7431/callback"
)

// newLogin starts a service with a person's mailbox, and returns the way in.
func newLogin(t *testing.T, secret string) (*feishusim.Server, *feishu.Login, feishu.Config) {
	t.Helper()
	s, err := feishusim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.AddApp(feishusim.App{ID: "cli_login", Secret: "right", Scopes: []string{loginScope}})
	s.SetPerson("me@example.com")
	s.AddMailbox("me@example.com")
	s.SetRedirects(loginBack)
	cfg := feishu.Config{
		BaseURL: s.URL(), AppID: "cli_login", AppSecret: resolver.NewSecret(secret),
		TokenFile: filepath.Join(t.TempDir(), "tokens.json"),
	}
	require.NoError(t, cfg.Validate())
	l, err := feishu.NewLogin(cfg, loginScope)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return s, l, cfg
}

// agree does what the browser and the person do, and returns what the browser is
// sent back with.
func agree(t *testing.T, page string) url.Values {
	t.Helper()
	client := &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Get(page)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusFound, res.StatusCode)
	back, err := res.Location()
	require.NoError(t, err)
	return back.Query()
}

var foldersCall = &api.Endpoint{
	Name: "test.folders", Method: http.MethodGet, Path: "/open-apis/mail/v1/user_mailboxes/me/folders",
}

// folders makes a call that only a person's token may make.
func folders(t *testing.T, cfg feishu.Config) error {
	t.Helper()
	app := feishu.Open(cfg, nil)
	defer func() { assert.NoError(t, app.Close()) }()
	_, err := app.Do(t.Context(), api.Call{Endpoint: foldersCall}, nil)
	return err
}

func TestLogin_InTheBrowser(t *testing.T) {
	_, l, cfg := newLogin(t, "right")
	require.ErrorIs(t, folders(t, cfg), resolver.ErrCredentials)
	assert.ErrorContains(t, folders(t, cfg), `attachfs login`)

	back := agree(t, l.Page(loginBack, "s1"))
	assert.Equal(t, "s1", back.Get("state"))
	told, err := l.Finish(t.Context(), resolver.NewSecret(back.Get("code")), loginBack)
	require.NoError(t, err)
	assert.Contains(t, told, "before "+time.Now().Add(7*24*time.Hour).Format(time.DateOnly))
	assert.NotContains(t, told, feishusim.Marker)
	require.NoError(t, folders(t, cfg))

	_, err = l.Finish(t.Context(), resolver.NewSecret(back.Get("code")), loginBack)
	require.ErrorIs(t, err, resolver.ErrCredentials, "a code works once")
	assert.ErrorContains(t, err, "no longer, good")
	require.NoError(t, folders(t, cfg), "what was kept stays")
}

func TestLogin_TheCodeIsOfAnotherProgram(t *testing.T) {
	_, l, cfg := newLogin(t, "right")
	other, err := feishu.NewLogin(cfg, loginScope)
	require.NoError(t, err)
	defer func() { assert.NoError(t, other.Close()) }()
	code := agree(t, other.Page(loginBack, "s1")).Get("code")
	_, err = l.Finish(t.Context(), resolver.NewSecret(code), loginBack)
	require.ErrorIs(t, err, resolver.ErrCredentials)
	assert.ErrorContains(t, err, "code 20049")
	_, err = tokenfile.At(cfg.TokenFile).Load()
	assert.ErrorIs(t, err, tokenfile.ErrNone)
}

func TestLogin_WrongSecret(t *testing.T) {
	_, l, _ := newLogin(t, "wrong")
	_, err := l.Finish(t.Context(), resolver.NewSecret("code"), loginBack)
	assert.ErrorContains(t, err, "app_id and app_secret do not fit")
	_, err = l.StartDevice(t.Context())
	assert.ErrorContains(t, err, "app_id and app_secret do not fit")
}

func TestLogin_Device(t *testing.T) {
	s, l, cfg := newLogin(t, "right")
	s.SetTimeScale(5) // one second between polls
	s.SetConsent(feishusim.Hesitate)
	d, err := l.StartDevice(t.Context())
	require.NoError(t, err)
	assert.Equal(t, s.URL()+"/device?user_code=ABCD-EFGH", d.Page)
	assert.Equal(t, "ABCD-EFGH", d.Code)
	assert.Equal(t, 48*time.Second, d.Life)
	done := make(chan error, 1)
	go func() {
		_, err := l.FinishDevice(t.Context(), d)
		done <- err
	}()
	require.Eventually(t, func() bool { return s.Counts(feishusim.UserToken).Calls > 0 }, 30*time.Second, 10*time.Millisecond)
	s.SetConsent(feishusim.Agrees)
	require.NoError(t, <-done)
	require.NoError(t, folders(t, cfg))
}

func TestLogin_DeviceRefused(t *testing.T) {
	s, l, _ := newLogin(t, "right")
	for _, c := range []struct {
		consent feishusim.Consent
		scale   float64
		want    string
	}{
		{feishusim.Refuses, 5, "the user did not agree: "},
		{feishusim.Hesitate, 1000, "the user did not agree in time"}, // has one second
	} {
		s.SetTimeScale(c.scale)
		s.SetConsent(c.consent)
		d, err := l.StartDevice(t.Context())
		require.NoError(t, err)
		_, err = l.FinishDevice(t.Context(), d)
		require.ErrorIs(t, err, resolver.ErrCredentials)
		assert.ErrorContains(t, err, c.want)
	}
}

func TestUserToken_IsRenewedAndKept(t *testing.T) {
	s, l, cfg := newLogin(t, "right")
	code := agree(t, l.Page(loginBack, "s1")).Get("code")
	_, err := l.Finish(t.Context(), resolver.NewSecret(code), loginBack)
	require.NoError(t, err)
	file := tokenfile.At(cfg.TokenFile)
	before, err := file.Load()
	require.NoError(t, err)
	s.RevokeTokens()
	require.NoError(t, folders(t, cfg), "refused, renewed, and made again")
	after, err := file.Load()
	require.NoError(t, err)
	assert.NotEqual(t, before.Refresh.Reveal(), after.Refresh.Reveal())
	calls := s.Counts(feishusim.UserToken).Calls
	require.NoError(t, folders(t, cfg))
	assert.Equal(t, calls, s.Counts(feishusim.UserToken).Calls)

	// A refresh token that another program has used.
	require.NoError(t, file.Save(t.Context(), before))
	err = folders(t, cfg)
	require.ErrorIs(t, err, resolver.ErrCredentials)
	assert.ErrorContains(t, err, "the login is over")
	assert.NotContains(t, err.Error(), feishusim.Marker)
}
