package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// assertNoSecret fails if text shows a link's signature, a token, or where one
// would be.
func assertNoSecret(tb testing.TB, what, text string) {
	tb.Helper()
	for _, secret := range []string{linksim.Marker, "Signature=", "Signature%3D", token} {
		assert.NotContains(tb, text, secret, what)
	}
}

const signed = "?Signature=" + linksim.Marker + "-in-a-link"

// parrot is a server that answers every request with answer, and then hangs up.
func parrot(tb testing.TB, answer string) string {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(tb, err)
	var serving sync.WaitGroup
	tb.Cleanup(func() {
		assert.NoError(tb, l.Close())
		serving.Wait()
	})
	serving.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = c.Read(make([]byte, 8<<10))
			_, _ = io.WriteString(c, answer)
			_ = c.Close()
		}
	})
	return "http://" + l.Addr().String()
}

// secretive puts files into origin that cannot be read, each for its own
// reason, and that mention secrets wherever an origin can.
func secretive(tb testing.TB, origin *linksim.Origin) []string {
	tb.Helper()
	page := []byte(`{"code": 403, "msg": "` + linksim.Marker + `", "url": "http://h/` + signed + `"}`)
	header := http.Header{"X-Reason": {linksim.Marker}, "Retry-After": {linksim.Marker}}
	var paths []string
	put := func(name string, terms linksim.Terms, faults ...linksim.Fault) {
		for _, hidden := range []bool{false, true} {
			path := fmt.Sprintf("d/%s hidden %v.bin", name, hidden)
			origin.Put(linksim.Object{Path: path, Content: linksim.Pattern(71, 9*mib), HideSize: hidden, Terms: terms})
			for _, f := range faults {
				origin.Inject(path, f)
			}
			paths = append(paths, path)
		}
	}
	put("dead link", linksim.Terms{Lifetime: time.Hour, Early: time.Hour})
	for _, status := range []int{400, 401, 403, 404, 410, 416, 429, 500, 503, 206, 204, 302, 304} {
		put(fmt.Sprintf("status %d", status), linksim.Terms{}, linksim.Fault{Kind: linksim.Status, Status: status, Body: page, Header: header})
	}
	put("page", linksim.Terms{}, linksim.Fault{Kind: linksim.Page200, Body: page})
	put("odd type", linksim.Terms{}, linksim.Fault{Kind: linksim.Page200, Body: page, Header: http.Header{"Content-Type": {"text/html; x=" + linksim.Marker}}})
	put("odd encoding", linksim.Terms{}, linksim.Fault{Kind: linksim.Status, Status: 206, Body: page, Header: http.Header{"Content-Encoding": {linksim.Marker}}})
	put("odd range", linksim.Terms{}, linksim.Fault{Kind: linksim.Status, Status: 206, Body: page, Header: http.Header{"Content-Range": {"bytes " + linksim.Marker}}})
	put("loop", linksim.Terms{}, linksim.Fault{Kind: linksim.RedirectLoop})
	for name, location := range map[string]string{
		"malformed": "http://127.0.0.1/%zz" + signed, "other scheme": "ftp://127.0.0.1/" + signed, "no host": "http:///" + signed,
		"control": "http://127.0.0.1/\x7f" + signed, "intranet": "http://10.1.2.3/" + signed, "refused": "http://127.0.0.1:1/" + signed,
		"user": "http://" + linksim.Marker + ":" + linksim.Marker + "@127.0.0.1:1/", "port": "http://127.0.0.1:" + linksim.Marker + "/",
	} {
		put("redirect "+name, linksim.Terms{}, linksim.Fault{Kind: linksim.Redirect, Location: location})
		put("link "+name, linksim.Terms{URL: location})
	}
	secure := startOrigin(tb, linksim.WithTLS())
	put("certificate", linksim.Terms{URL: secure.URL() + "/f/x" + signed})
	put("tls to plain", linksim.Terms{URL: "https" + origin.URL()[len("http"):] + "/" + signed})
	put("plain to tls", linksim.Terms{URL: "http" + secure.URL()[len("https"):] + "/" + signed})
	put("bad header", linksim.Terms{Header: http.Header{"X-Token": {linksim.Marker + "\n"}}})
	put("bad header name", linksim.Terms{Header: http.Header{"X Token": {linksim.Marker}}})
	put("cut", linksim.Terms{Header: http.Header{"X-Token": {linksim.Marker}}}, linksim.Fault{Kind: linksim.CutBody})
	put("stalled", linksim.Terms{}, linksim.Fault{Kind: linksim.Stall, After: 1000})
	put("gzip", linksim.Terms{}, linksim.Fault{Kind: linksim.Gzip})
	put("reason", linksim.Terms{URL: parrot(tb, "HTTP/1.1 403 no "+linksim.Marker+" "+signed+"\r\nContent-Length: 0\r\n\r\n") + "/" + signed})
	put("no http", linksim.Terms{URL: parrot(tb, linksim.Marker+" "+signed+"\r\n\r\n") + "/" + signed})
	put("bad status", linksim.Terms{URL: parrot(tb, "HTTP/1.1 "+linksim.Marker+" OK\r\n\r\n") + "/" + signed})
	put("bad field", linksim.Terms{URL: parrot(tb, "HTTP/1.1 200 OK\r\n"+linksim.Marker+"\r\n\r\n") + "/" + signed})
	put("bad length", linksim.Terms{URL: parrot(tb, "HTTP/1.1 200 OK\r\nContent-Length: "+linksim.Marker+"\r\n\r\n") + "/" + signed})
	for _, refusal := range []linksim.Refusal{linksim.Forbidden, linksim.Unsupported, linksim.Missing, linksim.NoURL} {
		put("refusal "+string(refusal), linksim.Terms{Refusal: refusal})
	}
	return paths
}

func TestFailingReadsShowNoSecret(t *testing.T) {
	needTool(t, "cat")
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			origin := startOrigin(t)
			paths := secretive(t, origin)
			origin.Put(linksim.Object{Path: "d/swapped", Content: linksim.Pattern(72, 20*mib), HideVersion: true, ETag: `"` + linksim.Marker + `"`})
			origin.Put(linksim.Object{Path: "d/fine", Content: linksim.Pattern(73, 9*mib), Terms: linksim.Terms{Uses: 2, Lifetime: time.Hour, Header: http.Header{"X-Token": {linksim.Marker}}}})
			p, dir := mountOrigin(t, origin, settings{
				mount: "xattrs = true", read: "deadline = \"2s\"\nstall = \"1s\"", log: "level = \"debug\"\nformat = \"" + format + `"`,
			})
			swapped, err := os.Open(filepath.Join(dir, "d/swapped"))
			require.NoError(t, err)
			t.Cleanup(func() { _ = swapped.Close() })
			_, err = swapped.ReadAt(make([]byte, 10), 0)
			require.NoError(t, err)
			assert.True(t, origin.Swap("d/swapped", linksim.Pattern(74, 20*mib)))
			_, err = swapped.ReadAt(make([]byte, 10), 15*mib)
			assert.ErrorIs(t, err, unix.ESTALE)
			require.NoError(t, swapped.Close())
			read(t, filepath.Join(dir, "d/fine"))

			var readers sync.WaitGroup
			for _, path := range paths {
				readers.Go(func() {
					// Not by ourselves: see TestGoReaderOfAThrottledFileEnds.
					out, err := exec.Command("cat", filepath.Join(dir, path)).CombinedOutput()
					assert.Error(t, err, path)
					assertNoSecret(t, path, string(out))
				})
			}
			readers.Wait()
			var shown atomic.Int64
			for _, path := range append(paths, "d/swapped", "d/fine") {
				readers.Go(func() {
					if _, err := os.Stat(filepath.Join(dir, path)); err != nil {
						return // whose size cannot be had has no attributes either
					}
					for _, name := range []string{"id", "provider", "version", "cached", "lease", "error"} {
						value, err := getxattr(filepath.Join(dir, path), name)
						assert.NoError(t, err, "%s %s", path, name)
						assertNoSecret(t, path+" "+name, value)
						shown.Add(1)
					}
				})
			}
			readers.Wait()
			assert.Greater(t, shown.Load(), int64(300))

			origin.InjectAPI(linksim.AnyCall, linksim.Fault{Kind: linksim.Status, Status: 500, Body: []byte(linksim.Marker)})
			origin.ExpireLinks()
			require.NoError(t, p.cmd.Process.Signal(unix.SIGHUP)) // listings are asked for again
			_, _ = os.ReadDir(filepath.Join(dir, "d"))
			origin.ClearFaults()
			origin.SetToken("another")
			_, err = os.Stat(filepath.Join(dir, "nowhere"))
			assert.Error(t, err)
			require.NoError(t, p.stop(t, unix.SIGTERM))
			assert.Contains(t, p.log.String(), "read failed")
			assertNoSecret(t, "log", p.log.String())
		})
	}
}

// outputOf runs attachfs to its end; what it prints may hold no secret. It may
// be called off the test's goroutine.
func outputOf(tb testing.TB, args ...string) (code int, out string) {
	tb.Helper()
	var b bytes.Buffer
	cmd := attachfs(args...)
	cmd.Stdout, cmd.Stderr = &b, &b
	if err := cmd.Run(); cmd.ProcessState == nil {
		assert.NoError(tb, err)
		return -1, ""
	}
	assertNoSecret(tb, fmt.Sprint(args), b.String())
	return cmd.ProcessState.ExitCode(), b.String()
}

func TestCheckShowsNoSecret(t *testing.T) {
	needFUSE(t)
	var checks sync.WaitGroup // side by side: a provider is asked again for a while
	check := func(name string, origin *linksim.Origin, code int, says string) {
		config := writeConfig(t, settings{providers: []string{simProvider("sim", origin)}}, t.TempDir())
		checks.Go(func() {
			got, out := outputOf(t, "check", "--config", config)
			assert.Equal(t, code, got, "%s: %s", name, out)
			assert.Contains(t, out, says, name)
		})
	}
	start := func(terms linksim.Terms, opts ...linksim.Option) *linksim.Origin {
		origin := startOrigin(t, opts...)
		origin.Put(linksim.Object{Path: "f", Content: linksim.Pattern(75, 100), Terms: terms})
		return origin
	}
	check("fine", start(linksim.Terms{Lifetime: time.Hour}), 0, "ok    provider sim, link")
	for name, f := range map[string]linksim.Fault{
		"500":      {Kind: linksim.Status, Status: 500, Body: []byte(linksim.Marker), Header: http.Header{"X-Reason": {linksim.Marker}}},
		"403":      {Kind: linksim.Status, Status: 403, Body: []byte(linksim.Marker)},
		"page":     {Kind: linksim.Page200, Body: []byte("<html>" + linksim.Marker)},
		"json":     {Kind: linksim.Page200, Body: []byte(`{"entries": "` + linksim.Marker + `", "links": "` + linksim.Marker + `"}`)},
		"loop":     {Kind: linksim.RedirectLoop},
		"redirect": {Kind: linksim.Redirect, Location: "http://127.0.0.1:1/%zz" + signed},
		"cut":      {Kind: linksim.CutBody, After: 10},
	} {
		for _, call := range []linksim.Call{linksim.ListCall, linksim.LinkCall} {
			origin := start(linksim.Terms{})
			origin.InjectAPI(call, f)
			check(fmt.Sprintf("%s of %s", name, call), origin, 1, "FAIL  provider sim")
		}
	}
	for _, address := range []string{"http://127.0.0.1/%zz" + signed, "ftp://h/" + signed, "http://" + linksim.Marker + "@h/", "http:///" + signed} {
		check("link to "+address, start(linksim.Terms{URL: address}), 1, "FAIL  provider sim, link")
	}
	locked := start(linksim.Terms{})
	locked.SetToken("another")
	check("wrong token", locked, 1, "FAIL  provider sim")
	down := start(linksim.Terms{})
	require.NoError(t, down.Down())
	check("down", down, 1, "connection refused")
	check("unknown certificate", start(linksim.Terms{}, linksim.WithTLS()), 1, "certificate")
	checks.Wait()
}

func TestBadConfigurationShowsNoSecret(t *testing.T) {
	const sim = "name = \"sim\"\ntype = \"sim\"\ninsecure_hosts = [\"127.0.0.1\"]\n"
	base := "base_url = \"http://127.0.0.1:1\"\n"
	for name, provider := range map[string]string{
		"no quotes":     sim + base + "access_token = " + token,
		"half a quote":  sim + base + "access_token = \"" + token,
		"other quote":   sim + base + "access_token = '" + token + "\"",
		"wrong key":     sim + base + "acces_token = \"" + token + "\"",
		"wrong type":    sim + base + "access_token = [\"" + token + "\"]",
		"a table":       sim + base + "access_token = {x = \"" + token + "\"}",
		"twice":         sim + base + "access_token = \"" + token + "\"\naccess_token = \"" + token + "\"",
		"bad escape":    sim + base + "access_token = \"\\" + token + "\"",
		"user":          sim + "access_token = \"" + token + "\"\nbase_url = \"http://u:" + token + "@127.0.0.1/\"",
		"query":         sim + "access_token = \"" + token + "\"\nbase_url = \"http://127.0.0.1/" + signed + "\"",
		"malformed url": sim + "access_token = \"" + token + "\"\nbase_url = \"http://127.0.0.1/%zz" + signed + "\"",
		"scheme":        sim + "access_token = \"" + token + "\"\nbase_url = \"" + linksim.Marker + "://127.0.0.1\"",
		"host":          sim + "access_token = \"" + token + "\"\nbase_url = \"http://127.0.0.1\"\ninsecure_hosts = [\"http://127.0.0.1/" + signed + "\"]",
	} {
		t.Run(name, func(t *testing.T) {
			config := writeConfig(t, settings{providers: []string{provider}}, t.TempDir())
			for _, verb := range [][]string{{"check"}, {"mount", t.TempDir()}} {
				code, out := outputOf(t, append(verb, "--config", config)...)
				assert.Equal(t, 2, code, out)
				assert.NotEmpty(t, out)
			}
		})
	}
}

func TestBadManifestShowsNoSecret(t *testing.T) {
	needFUSE(t)
	for name, text := range map[string]string{
		"malformed url":  `{"files": [{"path": "a", "url": "https://h/%zz` + signed + `"}]}`,
		"other scheme":   `{"files": [{"path": "a", "url": "ftp://h/` + signed + `"}]}`,
		"user":           `{"files": [{"path": "a", "url": "https://u:` + token + `@h/"}]}`,
		"broken JSON":    `{"files": [{"path": "a", "url": "https://h/` + signed + `" ` + linksim.Marker + `}]}`,
		"wrong type":     `{"files": [{"path": "a", "url": "https://h/` + signed + `", "size": "` + linksim.Marker + `"}]}`,
		"unknown key":    `{"files": [{"path": "a", "url": "https://h/` + signed + `", "headers": {"Authorization": ["` + token + `"]}}]}`,
		"bad header":     `{"files": [{"path": "a", "url": "https://h/` + signed + `", "headers": {"X": "` + token + `\n"}}]}`,
		"url as path":    `{"files": [{"path": "../https://h/` + signed + `", "url": "https://h/` + signed + `"}]}`,
		"cut":            `{"files": [{"path": "a", "url": "https://h/` + signed,
		"refused":        `{"files": [{"path": "a", "url": "http://127.0.0.1:1/` + signed + `"}]}`,
		"bad time":       `{"files": [{"path": "a", "url": "https://h/` + signed + `", "mtime": "` + linksim.Marker + `"}]}`,
		"bad sum":        `{"files": [{"path": "a", "url": "https://h/` + signed + `", "sha256": "` + linksim.Marker + `"}]}`,
		"same path":      `{"files": [{"path": "a", "url": "https://h/` + signed + `"}, {"path": "a", "url": "https://h/` + signed + `2"}]}`,
		"private, plain": `{"files": [{"path": "a", "url": "http://10.0.0.1/` + signed + `", "size": 3}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "list.json")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			s := settings{providers: []string{manifestProvider("m", file)}}
			code, out := outputOf(t, "check", "--config", writeConfig(t, s, t.TempDir()))
			assert.LessOrEqual(t, code, 2, out)
		})
	}
}
