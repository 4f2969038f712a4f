package kdocs_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/kdocs"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

// loggedIn is a service with a document, and the configuration of a login to it
// whose tokens have these lives.
func loggedIn(t *testing.T, access, refresh time.Duration) (*kdocssim.Server, kdocs.Config, *bytes.Buffer) {
	t.Helper()
	s, err := kdocssim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.AddApp(kdocssim.App{ID: loginApp, Key: loginKey, Scopes: []string{kdocssim.ScopeUser, kdocssim.ScopeFiles}})
	s.AddDocument(kdocssim.Document{Name: "one.dbt"})
	log := new(bytes.Buffer)
	cfg := kdocs.Config{
		BaseURL: s.URL(), AppID: loginApp, AppKey: resolver.NewSecret(loginKey),
		TokenFile: filepath.Join(t.TempDir(), "tokens"), Log: slog.New(slog.NewTextHandler(log, nil)),
	}
	require.NoError(t, cfg.Validate())
	logIn(t, s, cfg, access, refresh)
	return s, cfg, log
}

// logIn writes the tokens of a new login, as the verb does.
func logIn(t *testing.T, s *kdocssim.Server, cfg kdocs.Config, access, refresh time.Duration) {
	t.Helper()
	login := s.Login(loginApp)
	require.NoError(t, tokenfile.At(cfg.TokenFile).Save(t.Context(), tokenfile.Tokens{
		Access: resolver.NewSecret(login.Access), Refresh: resolver.NewSecret(login.Refresh),
		Expires: time.Now().Add(access), RefreshExpires: time.Now().Add(refresh),
	}))
}

func connect(t *testing.T, cfg kdocs.Config) *kdocs.Provider {
	t.Helper()
	p := kdocs.New(cfg, nil)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

func root(t *testing.T, p *kdocs.Provider) error {
	_, err := p.List(t.Context(), resolver.Root, "")
	return err
}

const (
	day   = 24 * time.Hour
	month = 30 * day
)

func TestToken_RenewedBeforeItsEnd(t *testing.T) {
	s, cfg, log := loggedIn(t, time.Hour, month)
	before, err := tokenfile.At(cfg.TokenFile).Load()
	require.NoError(t, err)
	require.NoError(t, root(t, connect(t, cfg)))
	after, err := tokenfile.At(cfg.TokenFile).Load()
	require.NoError(t, err)
	assert.NotEqual(t, before.Access.Reveal(), after.Access.Reveal())
	assert.NotEqual(t, before.Refresh.Reveal(), after.Refresh.Reveal())
	assert.WithinDuration(t, time.Now().Add(day), after.Expires, time.Minute)
	require.NoError(t, root(t, connect(t, cfg)))
	assert.Equal(t, 1, s.Counts(kdocssim.RefreshToken).Calls, "the other one finds it in the file")
	assert.Contains(t, log.String(), "level=INFO msg=\"logged in\" days=89")
	assert.NotContains(t, log.String(), kdocssim.Marker)
}

func TestToken_EndOfTheLoginIsTold(t *testing.T) {
	_, cfg, log := loggedIn(t, day, 3*day+time.Hour)
	p := connect(t, cfg)
	lines, err := p.Check(t.Context())
	require.NoError(t, err)
	told := strings.Join(lines, "\n")
	assert.Contains(t, told, "as 小明")
	assert.Contains(t, told, "the login lasts 3 more days, until ")
	assert.Contains(t, told, "attachfs login NAME")
	assert.Contains(t, told, "documents: 1: one")
	assert.Contains(t, log.String(), "level=WARN msg=\"the login ends soon")
	assert.Contains(t, log.String(), "days=3")
}

func TestToken_NobodyIsLoggedIn(t *testing.T) {
	_, cfg, _ := loggedIn(t, day, month)
	require.NoError(t, os.Remove(cfg.TokenFile))
	err := root(t, connect(t, cfg))
	require.ErrorIs(t, err, resolver.ErrCredentials)
	assert.ErrorContains(t, err, "log in again with: attachfs login NAME")
	assert.NotContains(t, err.Error(), "cut off")
}

// refreshed spends the refresh token of the file, as a process does whose answer
// never gets to the disk.
func refreshed(t *testing.T, s *kdocssim.Server, cfg kdocs.Config) {
	t.Helper()
	old, err := tokenfile.At(cfg.TokenFile).Load()
	require.NoError(t, err)
	body, err := json.Marshal(map[string]string{"app_key": loginKey, "refresh_token": old.Refresh.Reveal()})
	require.NoError(t, err)
	res, err := http.Post(s.URL()+"/api/v1/oauth2/refresh_token?app_id="+loginApp, "application/json", bytes.NewReader(body))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, http.StatusOK, res.StatusCode)
}

// The process died between the answer and the disk; the room that it had made for
// the answer is still there.
func TestToken_CrashBetweenAnswerAndDisk(t *testing.T) {
	s, cfg, log := loggedIn(t, time.Hour, month)
	refreshed(t, s, cfg)
	require.NoError(t, os.WriteFile(cfg.TokenFile+".new", make([]byte, 100), 0o600))
	p := connect(t, cfg)
	require.NoError(t, root(t, p), "the old access token is good to its end")
	assert.Contains(t, log.String(), "going on with what is left of it")

	s.RevokeAccess()
	err := root(t, p)
	require.ErrorIs(t, err, resolver.ErrCredentials)
	assert.ErrorContains(t, err, "was cut off before its answer was on the disk")
	assert.ErrorContains(t, err, "log in again with: attachfs login NAME")
	assert.NotContains(t, err.Error()+log.String(), kdocssim.Marker)

	logIn(t, s, cfg, day, month)
	p.Renew(&cfg)
	require.NoError(t, root(t, p))
}

// The answer was lost on the way, and the refresh token may be dead or not.
func TestToken_AnswerLost(t *testing.T) {
	for _, rotates := range []bool{true, false} {
		t.Run(fmt.Sprint("rotates ", rotates), func(t *testing.T) {
			s, cfg, log := loggedIn(t, time.Hour, month)
			s.SetRotation(kdocssim.Rotation{Stays: !rotates})
			s.Fail(kdocssim.RefreshToken, kdocssim.Failure{After: true, Drop: true, Times: 10})
			p := connect(t, cfg)
			require.NoError(t, root(t, p), "there is an hour left")
			assert.Contains(t, log.String(), "could not be renewed")
			s.Fail(kdocssim.RefreshToken, kdocssim.Failure{Skip: 1 << 30})
			s.RevokeAccess()
			err := root(t, p)
			if !rotates {
				require.NoError(t, err)
				return
			}
			require.ErrorIs(t, err, resolver.ErrCredentials)
			assert.ErrorContains(t, err, "was cut off")
		})
	}
}

func TestToken_TwoMountsShareAFile(t *testing.T) {
	s, cfg, _ := loggedIn(t, 12*time.Hour, month)
	s.SetRotation(kdocssim.Rotation{KillsAccess: true})
	cfg.Log = slog.New(slog.DiscardHandler)
	var mounts []*kdocs.Provider
	for range 2 {
		p := connect(t, cfg)
		require.NoError(t, root(t, p))
		mounts = append(mounts, p)
	}
	require.Zero(t, s.Counts(kdocssim.RefreshToken).Calls)
	s.RevokeAccess()
	var both sync.WaitGroup
	for _, p := range mounts {
		for range 4 {
			both.Go(func() { assert.NoError(t, root(t, p)) })
		}
	}
	both.Wait()
	assert.Equal(t, 1, s.Counts(kdocssim.RefreshToken).Calls, "for both of them")
}

func TestToken_SomebodyElsesCannotBeRenewed(t *testing.T) {
	s, cfg, _ := loggedIn(t, day, month)
	cfg = kdocs.Config{BaseURL: cfg.BaseURL, AccessToken: resolver.NewSecret(s.Login(loginApp).Access)}
	p := connect(t, cfg)
	account := p.Account()
	require.NoError(t, root(t, p))
	s.RevokeAccess()
	require.ErrorIs(t, root(t, p), resolver.ErrCredentials)
	p.Renew(&kdocs.Config{AccessToken: resolver.NewSecret(s.Login(loginApp).Access), AppID: "another"})
	require.NoError(t, root(t, p))
	assert.Equal(t, account, p.Account(), "the app stays")
	p.Renew("not the options of this provider")
	require.NoError(t, root(t, p))
	assert.Zero(t, s.Counts(kdocssim.RefreshToken).Calls)
}
