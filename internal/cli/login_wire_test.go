package cli

import (
	"bytes"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishumail"
	"github.com/attachfs/attachfs/resolver/kdocs"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

// follower opens the page that is printed, and goes where it leads.
func follower(t *testing.T, page string) *person {
	return &person{page: regexp.MustCompile(regexp.QuoteMeta(page) + `\S*`), does: func(u *url.URL) { visit(t, u.String()) }}
}

// loggedIn is what a file then holds, and nothing secret of it was printed.
func loggedIn(t *testing.T, path string, printed ...string) {
	t.Helper()
	kept, err := tokenfile.At(path).Load()
	require.NoError(t, err)
	assert.False(t, kept.Access.IsZero() || kept.Refresh.IsZero())
	for _, text := range printed {
		assert.NotContains(t, text, linksim.Marker)
		assert.NotContains(t, text, feishusim.Marker)
	}
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
}

func kdocsAccount(t *testing.T) (*kdocssim.Server, *Config, string) {
	t.Helper()
	s, err := kdocssim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	key := "key-" + linksim.Marker
	s.AddApp(kdocssim.App{ID: "AK-1", Key: key, Scopes: []string{kdocssim.ScopeUser, kdocssim.ScopeFiles}})
	file := filepath.Join(t.TempDir(), "kdocs.token")
	return s, &Config{Providers: []ProviderConfig{{Name: "tables", Type: "kdocs", Options: &kdocs.Config{
		BaseURL: s.URL(), AppID: "AK-1", AppKey: resolver.NewSecret(key), TokenFile: file,
	}}}}, file
}

func TestLogin_ToKdocs(t *testing.T) {
	s, c, file := kdocsAccount(t)
	p, out := follower(t, s.URL()+"/h5/auth"), new(bytes.Buffer)
	require.NoError(t, runLogin(t.Context(), c, "tables", anyPort, nil, console{out, p}))
	p.busy.Wait()
	assert.Contains(t, out.String(), "tables: logged in as 小明 until 20")
	loggedIn(t, file, out.String(), p.String())
}

func TestLogin_ToKdocsRefused(t *testing.T) {
	s, c, file := kdocsAccount(t)
	s.SetConsent(kdocssim.Refuses)
	p := follower(t, s.URL()+"/h5/auth")
	err := runLogin(t.Context(), c, "tables", anyPort, nil, console{io.Discard, p})
	p.busy.Wait()
	assert.EqualError(t, err, "provider tables: the login was refused: access_denied")
	_, err = os.Stat(file)
	assert.ErrorIs(t, err, os.ErrNotExist)

	o := anyPort
	o.device = true
	err = runLogin(t.Context(), c, "tables", o, nil, console{io.Discard, io.Discard})
	require.ErrorIs(t, err, errUsage)
	o = anyPort
	o.paste = true
	err = runLogin(t.Context(), c, "tables", o, strings.NewReader(linksim.Marker+"\n"), console{io.Discard, io.Discard})
	assert.ErrorContains(t, err, "the code is not, or no longer, good")
	assert.NotContains(t, err.Error(), linksim.Marker)

	c.Providers[0].Options = &kdocs.Config{AccessToken: resolver.NewSecret("a")}
	err = runLogin(t.Context(), c, "tables", anyPort, nil, console{io.Discard, io.Discard})
	require.ErrorIs(t, err, ErrConfig)
	assert.ErrorContains(t, err, "takes the place of a login")
}

// feishuAccount is read from a file, as a person writes it.
func feishuAccount(t *testing.T) (*feishusim.Server, *Config, string) {
	t.Helper()
	s, err := feishusim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.AddApp(feishusim.App{ID: "cli_1", Secret: "secret-" + feishusim.Marker, Scopes: slices.Concat(mailScopes, driveScopes)})
	dir := t.TempDir()
	t.Setenv("TEST_APP_SECRET", "secret-"+feishusim.Marker)
	text := "[[provider]]\nname = \"mail\"\ntype = \"feishu-mail\"\nbase_url = \"" + s.URL() + "\"\n" +
		"app_id = \"cli_1\"\napp_secret = \"env:TEST_APP_SECRET\"\nmailbox = \"me\"\ntoken_file = \"mail.token\"\n" +
		"[[provider]]\nname = \"docs\"\ntype = \"feishu-docs\"\nbase_url = \"" + s.URL() + "\"\n" +
		"app_id = \"cli_1\"\napp_secret = \"env:TEST_APP_SECRET\"\ntoken_file = \"mail.token\"\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "config.toml"), []byte(text), 0o600))
	c, err := LoadConfig(filepath.Join(dir, "config.toml"), os.Getenv)
	require.NoError(t, err)
	return s, c, filepath.Join(dir, "mail.token")
}

func TestLogin_ToFeishu(t *testing.T) {
	s, c, file := feishuAccount(t)
	for _, name := range []string{"mail", "docs"} {
		p, out := follower(t, s.URL()+"/open-apis/authen/v1/authorize"), new(bytes.Buffer)
		require.NoError(t, runLogin(t.Context(), c, name, anyPort, nil, console{out, p}))
		p.busy.Wait()
		assert.Contains(t, out.String(), name+": logged in; the tokens are in "+file)
		loggedIn(t, file, out.String(), p.String())
		require.NoError(t, os.Remove(file))
	}
}

func TestLogin_ToFeishuByDevice(t *testing.T) {
	s, c, file := feishuAccount(t)
	s.SetTimeScale(5) // one second between polls
	o := anyPort
	o.device = true
	var out, printed bytes.Buffer
	require.NoError(t, runLogin(t.Context(), c, "mail", o, nil, console{&out, &printed}))
	assert.Contains(t, printed.String(), s.URL()+"/device?user_code=ABCD-EFGH\n")
	assert.Contains(t, printed.String(), "it is ABCD-EFGH")
	loggedIn(t, file, out.String(), printed.String())
}

func TestLogin_ToFeishuNeedsAFile(t *testing.T) {
	for want, cfg := range map[string]feishumail.Config{
		"token_file: is missing":     {AppID: "cli_1", AppSecret: resolver.NewSecret("s"), Mailbox: "a@b.c"},
		"takes the place of a login": {AccessToken: resolver.NewSecret("u-1"), TokenFile: "x", Mailbox: "me"},
	} {
		c := &Config{Providers: []ProviderConfig{{Name: "mail", Type: "feishu-mail", Options: &cfg}}}
		err := runLogin(t.Context(), c, "mail", anyPort, nil, console{io.Discard, io.Discard})
		require.ErrorIs(t, err, ErrConfig)
		assert.ErrorContains(t, err, want)
	}
}
