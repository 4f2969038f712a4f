package cli

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// fakeLogin has a page at an address and takes one code.
type fakeLogin struct {
	page, code string
	finished   []string // code and redirect of each Finish
	err        error
}

func (l *fakeLogin) Page(redirect, state string) string {
	return l.page + "?" + url.Values{"redirect_uri": {redirect}, "state": {state}}.Encode()
}

func (l *fakeLogin) Finish(_ context.Context, code resolver.Secret, redirect string) (string, error) {
	l.finished = append(l.finished, code.Reveal()+" "+redirect)
	return "logged in as somebody", l.err
}

func (l *fakeLogin) Close() error { return nil }

// person reads what is printed, and does something with the page's address once
// it is there.
type person struct {
	mu   sync.Mutex // guards the following
	text bytes.Buffer
	page *regexp.Regexp // pageAddress if nil
	does func(page *url.URL)
	once sync.Once
	busy sync.WaitGroup
}

var pageAddress = regexp.MustCompile(`http://page\.example/\S*`)

func (p *person) Write(text []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	_, _ = p.text.Write(text)
	pattern := pageAddress
	if p.page != nil {
		pattern = p.page
	}
	if found := pattern.FindString(p.text.String()); found != "" && p.does != nil {
		p.once.Do(func() {
			page, _ := url.Parse(found)
			p.busy.Go(func() { p.does(page) })
		})
	}
	return len(text), nil
}

func (p *person) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

func back(page *url.URL, query string) string {
	return page.Query().Get("redirect_uri") + "?state=" + page.Query().Get("state") + "&" + query
}

func visit(t *testing.T, address string) {
	client := &http.Client{Timeout: 20 * time.Second}
	res, err := client.Get(address)
	if assert.NoError(t, err) {
		_ = res.Body.Close()
	}
}

var anyPort = loginOptions{callback: "127.0.0.1:0", noBrowser: true, patience: loginPatience}

func TestLogin_TheBrowserComesBack(t *testing.T) {
	l := &fakeLogin{page: "http://page.example/"}
	p := &person{does: func(page *url.URL) {
		visit(t, strings.ReplaceAll(back(page, "code=evil"), "state=", "state=x"))
		visit(t, back(page, "code=good"))
	}}
	told, err := browserLogin(t.Context(), l, anyPort, "state-1", console{io.Discard, p})
	p.busy.Wait()
	require.NoError(t, err)
	assert.Equal(t, "logged in as somebody", told)
	require.Len(t, l.finished, 1)
	assert.Regexp(t, `^good http://127\.0\.0\.1:[0-9]+/callback$`, l.finished[0])
	assert.NotContains(t, p.String(), "good")
}

func TestLogin_ThePersonRefuses(t *testing.T) {
	l := &fakeLogin{page: "http://page.example/"}
	p := &person{does: func(page *url.URL) { visit(t, back(page, "error=access_denied")) }}
	_, err := browserLogin(t.Context(), l, anyPort, "s", console{io.Discard, p})
	p.busy.Wait()
	assert.EqualError(t, err, "the login was refused: access_denied")
	assert.Empty(t, l.finished)
}

func TestLogin_PortTaken(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	_, err = browserLogin(t.Context(), &fakeLogin{}, loginOptions{callback: taken.Addr().String(), patience: loginPatience}, "s", console{io.Discard, io.Discard})
	assert.ErrorContains(t, err, "--paste")
}

func TestLogin_Interrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	l := &fakeLogin{page: "http://page.example/"}
	p := &person{does: func(*url.URL) { cancel() }}
	_, err := browserLogin(ctx, l, anyPort, "s", console{io.Discard, p})
	p.busy.Wait()
	require.ErrorIs(t, err, context.Canceled)

	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	_, err = pasteLogin(ctx, l, anyPort, "s", r, console{io.Discard, io.Discard})
	require.ErrorIs(t, err, context.Canceled)
}

func TestLogin_NobodyComes(t *testing.T) {
	o := anyPort
	o.patience = time.Millisecond
	_, err := browserLogin(t.Context(), &fakeLogin{}, o, "s", console{io.Discard, io.Discard})
	assert.ErrorContains(t, err, "nobody logged in within 1ms")
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	_, err = pasteLogin(t.Context(), &fakeLogin{}, o, "s", r, console{io.Discard, io.Discard})
	assert.ErrorContains(t, err, "nothing was pasted within 1ms")
}

func TestLogin_Pasted(t *testing.T) {
	for name, c := range map[string]struct{ typed, finished, err string }{
		"the address":        {typed: "http://127.0.0.1:7431/callback?code=a%2Bb&state=s1\r\n", finished: "a+b"},
		"the code":           {typed: "\n\nplain\n", finished: "plain"},
		"without a newline":  {typed: "plain", finished: "plain"},
		"of another login":   {typed: "http://127.0.0.1:7431/callback?code=a&state=s2\n", err: "belongs to another login"},
		"nothing":            {typed: "\n\n", err: "nothing was pasted"},
		"something else":     {typed: "what shall I do\n", err: "want the address"},
		"more than anything": {typed: strings.Repeat("x", maxLine+1), err: "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			l := &fakeLogin{page: "http://page.example/"}
			var printed bytes.Buffer
			o := loginOptions{callback: defaultCallback, paste: true, patience: loginPatience}
			_, err := pasteLogin(t.Context(), l, o, "s1", strings.NewReader(c.typed), console{io.Discard, &printed})
			assert.Contains(t, printed.String(), "http://page.example/?redirect_uri=http%3A%2F%2F127.0.0.1%3A7431%2Fcallback&state=s1")
			if c.err != "" {
				assert.ErrorContains(t, err, c.err)
				assert.Empty(t, l.finished)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, []string{c.finished + " http://127.0.0.1:7431/callback"}, l.finished)
		})
	}
}

func TestLogin_PastedThroughAPipe(t *testing.T) {
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	l := &fakeLogin{page: "http://page.example/"}
	p := &person{does: func(*url.URL) {
		for _, part := range []string{"co", "de-1", "\nmore"} {
			_, _ = w.WriteString(part)
		}
		_ = w.Close()
	}}
	o := loginOptions{callback: defaultCallback, redirect: "https://example.com/back", patience: loginPatience}
	_, err = pasteLogin(t.Context(), l, o, "s1", r, console{io.Discard, p})
	p.busy.Wait()
	require.NoError(t, err)
	assert.Equal(t, []string{"code-1 https://example.com/back"}, l.finished, "as it is registered")
	rest, err := io.ReadAll(r)
	require.NoError(t, err)
	assert.Equal(t, "more", string(rest), "no more than the line was taken")
}

func TestLogin_FailsAtTheService(t *testing.T) {
	l := &fakeLogin{page: "http://page.example/", err: errors.New("code 20001")}
	_, err := pasteLogin(t.Context(), l, anyPort, "s", strings.NewReader("code\n"), console{io.Discard, io.Discard})
	assert.EqualError(t, err, "code 20001")
}

func TestLogin_OpensABrowser(t *testing.T) {
	dir := t.TempDir()
	told := filepath.Join(dir, "told")
	require.NoError(t, os.Mkdir(filepath.Join(dir, "bin"), 0o700))
	script := "#!/bin/sh\nprintf %s \"$1\" > " + told + ".part && mv " + told + ".part " + told + "\n"
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bin", "xdg-open"), []byte(script), 0o700))
	t.Setenv("PATH", filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	t.Setenv("WAYLAND_DISPLAY", "")

	t.Setenv("DISPLAY", "")
	openBrowser("http://page.example/none")
	t.Setenv("DISPLAY", ":7")
	openBrowser("http://page.example/?a=1&b=2")
	var text []byte
	require.Eventually(t, func() (ok bool) {
		var err error
		text, err = os.ReadFile(told)
		return err == nil
	}, 30*time.Second, 10*time.Millisecond)
	assert.Equal(t, "http://page.example/?a=1&b=2", string(text))
}

func TestLogin_Usage(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config.toml")
	list := filepath.Join(filepath.Dir(config), "list.json")
	require.NoError(t, os.WriteFile(list, []byte(`{"files":[]}`), 0o600))
	require.NoError(t, os.WriteFile(config, []byte("[[provider]]\nname = \"web\"\ntype = \"manifest\"\nfile = \"list.json\"\n"), 0o600))
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"no name":          {[]string{"login", "--config", config}, "it is called as: attachfs login"},
		"another name":     {[]string{"login", "--config", config, "mail"}, `has no provider "mail"; it has web`},
		"no login":         {[]string{"login", "--config", config, "web"}, "provider web: is of type manifest, to which no person logs in"},
		"another machine":  {[]string{"login", "--config", config, "--callback", "0.0.0.0:80", "web"}, "no address of this machine alone"},
		"no configuration": {[]string{"login", "--config", config + ".none", "web"}, "no such file"},
	} {
		t.Run(name, func(t *testing.T) {
			var said bytes.Buffer
			code := Run(t.Context(), append([]string{"attachfs"}, c.args...), io.Discard, &said)
			assert.Equal(t, exitUsage, code)
			assert.Contains(t, said.String(), c.want)
		})
	}
}
