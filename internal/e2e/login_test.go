package e2e_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
)

// loginScene is a configuration of a kdocs to which nobody has logged in yet.
func loginScene(t *testing.T) (scene, *kdocssim.Server) {
	t.Helper()
	server, err := kdocssim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, server.Close()) })
	key := "key-" + linksim.Marker
	server.AddApp(kdocssim.App{ID: "AK-1", Key: key, Scopes: []string{kdocssim.ScopeUser, kdocssim.ScopeFiles}})
	server.AddDocument(kdocssim.Document{Name: "Shops.dbt", Sheets: []kdocssim.Sheet{{
		Name: "All", Fields: []kdocssim.Field{{ID: "B", Name: "name"}, {ID: "C", Name: "files", Type: kdocssim.AttachmentType}},
		Records: []kdocssim.Record{{Cells: map[string]any{
			"B": "First", "C": []kdocssim.Attachment{
				{Name: "photo.png", Content: linksim.Pattern(1, 100_000)}, {Name: "photo 2.png", Content: linksim.Pattern(2, 1000)},
				{Name: "photo 3.png", Content: linksim.Pattern(3, 1000)},
			},
		}}},
	}}})
	s := newScene(t)
	s.write(t, "config.toml", fmt.Sprintf("[cache]\ndir = %q\nmin_free = 0\n[[provider]]\nname = \"tables\"\ntype = \"kdocs\"\n"+
		"base_url = %q\napp_id = \"AK-1\"\napp_key = \"file:key\"\ntoken_file = \"kdocs.token\"\ninsecure_hosts = [\"127.0.0.1\"]\n",
		s.path("cache"), server.URL()))
	s.write(t, "key", key)
	return s, server
}

var consentPage = regexp.MustCompile(`http://\S+/h5/auth\?\S+`)

// agree opens the page that a login has printed. It does not go where that leads.
func agree(t *testing.T, p *program) (back *url.URL) {
	t.Helper()
	p.awaitIn(p.err, "/h5/auth?")
	p.awaitIn(p.err, "\n\nThe browser")
	client := &http.Client{
		Timeout:       patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Get(consentPage.FindString(p.err.String()))
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	back, err = res.Location()
	require.NoError(t, err)
	return back
}

// logIn logs the person in.
func (s scene) logIn(t *testing.T) {
	t.Helper()
	login := s.start(t, s.attachfs("login", "--no-browser", "--callback", "127.0.0.1:0", "--config", s.config, "tables"))
	res, err := http.Get(agree(t, login).String())
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 0, login.wait())
}

func TestLogin_ThenMount(t *testing.T) {
	needFUSE(t)
	s, server := loginScene(t)
	got := call(t, s.attachfs("check", "--config", s.config))
	assert.Equal(t, 1, got.code)
	assert.Contains(t, got.out, "attachfs login", "it says what to do")

	login := s.start(t, s.attachfs("login", "--no-browser", "--callback", "127.0.0.1:0", "--config", s.config, "tables"))
	back := agree(t, login)
	res, err := http.Get(back.String())
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	assert.Equal(t, http.StatusOK, res.StatusCode)
	require.Equal(t, 0, login.wait())
	assert.Contains(t, login.out.String(), "tables: logged in as 小明 until ")
	assert.NotContains(t, login.out.String(), linksim.Marker)
	info, err := os.Stat(s.path("kdocs.token"))
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	got = call(t, s.attachfs("check", "--config", s.config))
	assert.Equal(t, 0, got.code, got.out)
	assert.Regexp(t, `the login lasts (89|90) more days`, got.out)
	assert.NotContains(t, got.out+got.err, linksim.Marker)

	p := s.start(t, s.mount())
	p.await("mounted ")
	picture := filepath.Join(s.mnt, "tables", "Shops", "All", "First", "photo.png")
	requireSame(t, contentOf(t, linksim.Pattern(1, 100_000)), read(t, picture))
	assert.Equal(t, 0, p.end(unix.SIGTERM))
	assert.Zero(t, server.Counts(kdocssim.Records).Leaks)
}

func TestLogin_Pasted(t *testing.T) {
	s, _ := loginScene(t)
	in, person, err := os.Pipe()
	require.NoError(t, err)
	defer in.Close()
	defer person.Close()
	cmd := s.attachfs("login", "--paste", "--no-browser", "--config", s.config, "tables")
	cmd.Stdin = in
	login := s.start(t, cmd)
	back := agree(t, login)
	assert.Equal(t, "127.0.0.1:7431", back.Host, "where nobody waits")
	_, err = fmt.Fprintln(person, back)
	require.NoError(t, err)
	require.Equal(t, 0, login.wait())
	assert.Contains(t, login.out.String(), "logged in as")
}

func TestLogin_Interrupted(t *testing.T) {
	s, _ := loginScene(t)
	login := s.start(t, s.attachfs("login", "--no-browser", "--callback", "127.0.0.1:0", "--config", s.config, "tables"))
	login.awaitIn(login.err, "/h5/auth?")
	assert.Equal(t, 1, login.end(unix.SIGINT))
	_, err := os.Stat(s.path("kdocs.token"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

// What a person sees when the login is over in the middle of a mount, and how
// another one helps without a restart.
func TestLogin_OverAndRenewed(t *testing.T) {
	needFUSE(t)
	s, server := loginScene(t)
	s.logIn(t)
	p := s.start(t, s.mount())
	p.await("mounted ")
	picture := filepath.Join(s.mnt, "tables", "Shops", "All", "First", "photo.png")
	_, err := os.Stat(picture)
	require.NoError(t, err)
	server.Logout()
	_, err = os.ReadFile(picture)
	require.ErrorIs(t, err, unix.EACCES)
	require.Eventually(t, func() bool { return strings.Contains(p.err.String(), "attachfs login") }, patience, 20*time.Millisecond)

	s.logIn(t)
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(picture)
		return err == nil && len(b) == 100_000
	}, patience, 100*time.Millisecond, "without a restart")
	assert.Equal(t, 0, p.end(unix.SIGTERM))
}

// A refresh token works once. Two mounts of one login, both of which meet a token
// that was revoked, renew it one after the other.
func TestLogin_TwoMountsShareIt(t *testing.T) {
	needFUSE(t)
	s, server := loginScene(t)
	s.logIn(t)
	text, err := os.ReadFile(s.config)
	require.NoError(t, err)
	s.write(t, "other.toml", strings.ReplaceAll(string(text), s.path("cache"), s.path("cache2")))
	other := s.path("mnt2")
	require.NoError(t, os.Mkdir(other, 0o755))
	first, second := s.start(t, s.mount()), s.start(t, s.attachfs("mount", "--config", s.path("other.toml"), other))
	first.await("mounted ")
	second.await("mounted ")

	record := filepath.Join("tables", "Shops", "All", "First")
	dirs := []string{s.mnt, other}
	for _, dir := range dirs {
		_, err := os.Stat(filepath.Join(dir, record, "photo.png"))
		require.NoError(t, err)
	}
	for i, name := range []string{"photo.png", "photo 2.png", "photo 3.png"} {
		server.RevokeAccess()
		for _, dir := range dirs {
			require.Eventually(t, func() bool {
				_, err := os.ReadFile(filepath.Join(dir, record, name))
				return err == nil
			}, patience, 100*time.Millisecond)
		}
		assert.Equal(t, i+1, server.Counts(kdocssim.RefreshToken).Calls)
		server.ExpireLinks() // so that the next one needs a call
		dirs[0], dirs[1] = dirs[1], dirs[0]
	}
	assert.NotContains(t, first.err.String()+second.err.String(), "attachfs login")
	assert.Equal(t, 0, first.end(unix.SIGTERM))
	assert.Equal(t, 0, second.end(unix.SIGTERM))
}

// The answer to a renewal is lost, and with it the refresh token: the mount says
// what happened and what to do, and goes on after that.
func TestLogin_TheAnswerToARenewalIsLost(t *testing.T) {
	needFUSE(t)
	s, server := loginScene(t)
	s.logIn(t)
	server.RevokeAccess()
	server.Fail(kdocssim.RefreshToken, kdocssim.Failure{After: true, Drop: true})
	p := s.start(t, s.mount())
	p.await("mounted ")
	picture := filepath.Join(s.mnt, "tables", "Shops", "All", "First", "photo.png")
	require.Eventually(t, func() bool {
		_, _ = os.Stat(picture)
		said := p.err.String()
		return strings.Contains(said, "was cut off before its answer was on the disk") && strings.Contains(said, "attachfs login")
	}, patience, 100*time.Millisecond)
	s.logIn(t)
	require.Eventually(t, func() bool {
		b, err := os.ReadFile(picture)
		return err == nil && len(b) == 100_000
	}, patience, 100*time.Millisecond, "without a restart")
	assert.Equal(t, 0, p.end(unix.SIGTERM))
}
