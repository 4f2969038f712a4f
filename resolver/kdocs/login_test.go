package kdocs_test

import (
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/kdocs"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

const (
	loginApp = "AK-login"
	loginKey = "key-" + kdocssim.Marker
	redirect = "http://127.0.0.1:7431/callback"
)

// newLogin starts a service with an app, and returns the login to it.
func newLogin(t *testing.T, key string) (*kdocssim.Server, *kdocs.Login, string) {
	t.Helper()
	s, err := kdocssim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.AddApp(kdocssim.App{
		ID: loginApp, Key: loginKey, Scopes: []string{kdocssim.ScopeUser, kdocssim.ScopeFiles}, Redirects: []string{redirect},
	})
	path := filepath.Join(t.TempDir(), "tokens.json")
	l := kdocs.NewLogin(kdocs.LoginConfig{
		BaseURL: s.URL() + "/", AppID: loginApp, AppKey: resolver.NewSecret(key), TokenFile: path,
	})
	t.Cleanup(func() { assert.NoError(t, l.Close()) })
	return s, l, path
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
	assert.Equal(t, "/callback", back.Path)
	return back.Query()
}

func TestLogin(t *testing.T) {
	s, l, path := newLogin(t, loginKey)
	page := l.Page(redirect, "s1")
	assert.Contains(t, page, "&scope=user_basic,access_personal_files")
	assert.NotContains(t, page, kdocssim.Marker)
	back := agree(t, page)
	assert.Equal(t, "s1", back.Get("state"))

	told, err := l.Finish(t.Context(), resolver.NewSecret(back.Get("code")), redirect)
	require.NoError(t, err)
	assert.Equal(t, "logged in as 小明 until "+time.Now().Add(90*24*time.Hour).Format(time.DateOnly)+
		"; the tokens are in "+path, told)
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	kept, err := tokenfile.At(path).Load()
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now().Add(24*time.Hour), kept.Expires, time.Minute)
	assert.WithinDuration(t, time.Now().Add(90*24*time.Hour), kept.RefreshExpires, time.Minute)
	assert.Equal(t, "user_basic,access_personal_files", kept.Scope)
	assert.Equal(t, 1, s.Counts(kdocssim.UserBasic).Calls)
	assert.Zero(t, s.Counts(kdocssim.UserBasic).Leaks)
}

func TestLogin_Refused(t *testing.T) {
	s, l, path := newLogin(t, loginKey)
	for _, status := range []int{0, 200} {
		s.SetErrors(kdocssim.Errors{Status: status})
		_, err := l.Finish(t.Context(), resolver.NewSecret(kdocssim.Marker), redirect)
		require.ErrorIs(t, err, resolver.ErrCredentials)
		assert.ErrorContains(t, err, "the code is not, or no longer, good")
		assert.NotContains(t, err.Error(), kdocssim.Marker)
	}
	_, wrong, _ := newLogin(t, "wrong")
	_, err := wrong.Finish(t.Context(), resolver.NewSecret("code"), redirect)
	assert.ErrorContains(t, err, "app_id and app_key do not fit")
	_, err = os.Stat(path)
	assert.ErrorIs(t, err, os.ErrNotExist)

	s.Fail(kdocssim.AccessToken, kdocssim.Failure{Status: 200, Body: `{"code":0,"data":{}}`})
	_, err = l.Finish(t.Context(), resolver.NewSecret("code"), redirect)
	assert.ErrorContains(t, err, "is base_url right?")
}

func TestLogin_WithoutAName(t *testing.T) {
	s, l, path := newLogin(t, loginKey)
	s.Fail(kdocssim.UserBasic, kdocssim.Failure{})
	told, err := l.Finish(t.Context(), resolver.NewSecret(agree(t, l.Page(redirect, "s1")).Get("code")), redirect)
	require.NoError(t, err)
	assert.Contains(t, told, "somebody without a name")
	_, err = tokenfile.At(path).Load()
	require.NoError(t, err)
	s.Fail(kdocssim.UserBasic, kdocssim.Failure{Status: 200, Body: `{"code":0,"data":{"nickname":"x\u001b[2J\u202ey"}}`})
	told, err = l.Finish(t.Context(), resolver.NewSecret(agree(t, l.Page(redirect, "s1")).Get("code")), redirect)
	require.NoError(t, err)
	assert.Contains(t, told, "logged in as x[2Jy until")
}
