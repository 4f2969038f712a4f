package stream

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

func TestGuard_Allows(t *testing.T) {
	g := newGuard([]string{"Files.Intranet", "10.0.0.1:8080", "::1", "plain.test:80"})
	for hostport, want := range map[string]bool{
		"files.intranet": true, "files.intranet:1234": true, "FILES.INTRANET:80": true,
		"10.0.0.1:8080": true, "10.0.0.1:8081": false, "10.0.0.1": false,
		"[::1]:443": true, "[::1]": true, "[::2]:443": false,
		"plain.test:80": true, "plain.test:443": false,
		"evil-files.intranet": false, "files.intranet.evil.test": false, "": false,
	} {
		assert.Equal(t, want, g.allows(hostport), "%q", hostport)
	}
}

func TestGuard_CheckURL(t *testing.T) {
	g := newGuard([]string{"127.0.0.1:8080", "intranet"})
	for address, want := range map[string]bool{
		"https://cdn.example.com/x":         true,
		"https://8.8.8.8/x":                 true,
		"https://[2606:4700::1111]/x":       true,
		"http://127.0.0.1:8080/x":           true,
		"https://127.0.0.1:8080/x":          true,
		"http://intranet/x":                 true,
		"https://intranet:1/x":              true,
		"http://cdn.example.com/x":          false,
		"ftp://cdn.example.com/x":           false,
		"file:///etc/passwd":                false,
		"/etc/passwd":                       false,
		"https:///x":                        false,
		"https://127.0.0.1/x":               false,
		"https://127.0.0.1:8081/x":          false,
		"https://user:pass@127.0.0.1/x":     false,
		"https://10.1.2.3/x":                false,
		"https://172.16.0.1/x":              false,
		"https://192.168.1.1/x":             false,
		"https://169.254.169.254/latest":    false,
		"https://100.100.100.200/latest":    false,
		"https://0.0.0.0/x":                 false,
		"https://[::]/x":                    false,
		"https://[::1]/x":                   false,
		"https://[::ffff:127.0.0.1]/x":      false,
		"https://[::ffff:a00:1]/x":          false,
		"https://[fe80::1%25eth0]/x":        false,
		"https://[fd00::1]/x":               false,
		"https://[64:ff9b::7f00:1]/x":       false,
		"https://user@intranet.evil.test/x": true,
	} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		err = g.checkURL(u)
		if want {
			assert.NoError(t, err, address)
		} else {
			assert.ErrorIs(t, err, resolver.ErrPermission, address)
			assert.False(t, isFailure(err), "a refusal is final: %s", address)
		}
	}
}

// What a host and its default port are called in the configuration must not
// depend on whether the link spells the port.
func TestGuard_AllowedDefaultPort(t *testing.T) {
	g := newGuard([]string{"10.0.0.1:443", "10.0.0.2:80"})
	for _, address := range []string{"https://10.0.0.1/x", "https://10.0.0.1:443/x", "http://10.0.0.2/x", "http://10.0.0.2:80/x"} {
		u, err := url.Parse(address)
		require.NoError(t, err)
		assert.NoError(t, g.checkURL(u), address)
	}
	u, err := url.Parse("http://10.0.0.1/x")
	require.NoError(t, err)
	assert.Error(t, g.checkURL(u), "port 80 was not allowed")
}

func TestPublic(t *testing.T) {
	for ip, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "172.15.255.255": true, "172.32.0.1": true, "100.63.255.255": true,
		"100.128.0.1": true, "198.17.255.255": true, "198.20.0.1": true, "2606:4700::1111": true, "::ffff:8.8.8.8": true,
		"0.1.2.3": false, "10.255.255.255": false, "127.1.2.3": false, "169.254.1.1": false, "172.31.255.255": false,
		"192.168.255.255": false, "192.0.0.8": false, "100.64.0.1": false, "100.127.255.255": false, "198.19.255.255": false,
		"224.0.0.1": false, "240.0.0.1": false, "255.255.255.255": false, "::": false, "::1": false, "fe80::1": false,
		"fc00::1": false, "fdff::1": false, "ff02::1": false, "::ffff:10.0.0.1": false, "64:ff9b::a00:1": false,
	} {
		assert.Equal(t, want, public(netip.MustParseAddr(ip)), ip)
	}
}

// listener counts the connections that get through to it.
func listener(t *testing.T) (port string, accepted *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	accepted = new(atomic.Int64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			_ = c.Close()
		}
	}()
	t.Cleanup(func() {
		_ = l.Close()
		<-done
	})
	_, port, err = net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port, accepted
}

func TestGuard_DialRefusesPrivateAddresses(t *testing.T) {
	port, accepted := listener(t)
	g := newGuard(nil)
	for _, host := range []string{"127.0.0.1", "localhost", "0.0.0.0"} {
		c, err := g.dial(t.Context(), "tcp", net.JoinHostPort(host, port))
		if !assert.ErrorIs(t, err, resolver.ErrPermission, host) && c != nil {
			_ = c.Close()
		}
	}
	assert.Zero(t, accepted.Load(), "nothing may be sent, not even a SYN")
}

func TestGuard_DialTakesWhatWasAllowed(t *testing.T) {
	port, _ := listener(t)
	for _, allowed := range []string{"127.0.0.1", "127.0.0.1:" + port} {
		c, err := newGuard([]string{allowed}).dial(t.Context(), "tcp", "127.0.0.1:"+port)
		if assert.NoError(t, err, allowed) {
			assert.NoError(t, c.Close())
		}
	}
	_, err := newGuard([]string{"127.0.0.1:1"}).dial(t.Context(), "tcp", "127.0.0.1:"+port)
	assert.ErrorIs(t, err, resolver.ErrPermission)
}

func TestOrigin_NameThatLeadsToLoopbackIsRefusedForGood(t *testing.T) {
	port, accepted := listener(t)
	o := newOrigin(nil, "test")
	defer o.close()
	link := resolver.Link{URLs: []resolver.Secret{resolver.NewSecret("https://localhost:" + port + "/secret-path?signature=secret")}}
	_, err := o.get(t.Context(), link, whole, 1)
	assert.ErrorIs(t, err, resolver.ErrPermission)
	assert.False(t, isFailure(err), "trying again does not help: %v", err)
	assert.NotContains(t, err.Error(), "secret")
	assert.Zero(t, accepted.Load())
}

// answers is a transport that answers each host in its way.
type answers struct {
	t     *testing.T
	hosts map[string]func(*http.Request) *http.Response
	seen  []*http.Request
}

func (a *answers) RoundTrip(req *http.Request) (*http.Response, error) {
	a.seen = append(a.seen, req)
	resp := a.hosts[req.URL.Host](req)
	resp.Request, resp.Body = req, io.NopCloser(strings.NewReader(""))
	if resp.Header == nil {
		resp.Header = make(http.Header)
	}
	return resp, nil
}

func redirectTo(address string) func(*http.Request) *http.Response {
	return func(*http.Request) *http.Response {
		return &http.Response{StatusCode: 302, Status: "302 Found", Header: http.Header{"Location": {address}}}
	}
}

func serves(*http.Request) *http.Response {
	return &http.Response{StatusCode: 200, Status: "200 OK"}
}

func originWith(t *testing.T, hosts map[string]func(*http.Request) *http.Response) (*origin, *answers) {
	a := &answers{t: t, hosts: hosts}
	o := newOrigin([]string{"allowed.test"}, "test/1")
	o.client.Transport = a
	return o, a
}

var boundLink = resolver.Link{
	URLs: []resolver.Secret{
		resolver.NewSecret("https://mirror.test/f?signature=secret"), resolver.NewSecret("https://first.test/f?signature=secret"),
	},
	Header: map[string]resolver.Secret{"x-oss-date": resolver.NewSecret("secret"), "Authorization": resolver.NewSecret("secret")},
}

func TestRedirect_BoundHeadersStayWithTheLinksHosts(t *testing.T) {
	o, a := originWith(t, map[string]func(*http.Request) *http.Response{
		"first.test": redirectTo("https://mirror.test/g"), "mirror.test": redirectTo("https://other.test/h"), "other.test": serves,
	})
	resp, err := o.get(t.Context(), boundLink, byteRange{5, 10}, 1)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Len(t, a.seen, 3)
	for i, secret := range []string{"secret", "secret", ""} {
		h := a.seen[i].Header
		assert.Equal(t, secret, h.Get("X-Oss-Date"), "request %d", i)
		assert.Empty(t, h.Get("Referer"), "request %d", i)
		assert.Equal(t, "bytes=5-9", h.Get("Range"), "request %d", i)
		assert.Equal(t, "identity", h.Get("Accept-Encoding"), "request %d", i)
		assert.Equal(t, "test/1", h.Get("User-Agent"), "request %d", i)
	}
	assert.Equal(t, "secret", a.seen[0].Header.Get("Authorization"))
	assert.Empty(t, a.seen[2].Header.Get("Authorization"))
}

func TestRedirect_ToWhereLinksMayNotLeadIsRefused(t *testing.T) {
	for _, target := range []string{"https://127.0.0.1/secret", "http://other.test/secret", "https://169.254.169.254/secret", "http://first.test/secret"} {
		o, a := originWith(t, map[string]func(*http.Request) *http.Response{"first.test": redirectTo(target)})
		_, err := o.get(t.Context(), boundLink, whole, 1)
		assert.ErrorIs(t, err, resolver.ErrPermission, target)
		assert.NotContains(t, err.Error(), "secret")
		assert.Len(t, a.seen, 1, target)
	}
}

func TestRedirect_LoopEnds(t *testing.T) {
	o, a := originWith(t, map[string]func(*http.Request) *http.Response{"first.test": redirectTo("https://first.test/f?signature=secret")})
	_, err := o.get(t.Context(), boundLink, whole, 1)
	var fail *failure
	require.ErrorAs(t, err, &fail)
	assert.Equal(t, resolver.Wrong, fail.class)
	assert.NotContains(t, err.Error(), "secret")
	assert.Len(t, a.seen, maxRedirects+1)
}

func TestOrigin_MirrorsTakeTurns(t *testing.T) {
	o, a := originWith(t, map[string]func(*http.Request) *http.Response{"first.test": serves, "mirror.test": serves})
	for attempt := 1; attempt <= 4; attempt++ {
		resp, err := o.get(t.Context(), boundLink, whole, attempt)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
	}
	var hosts []string
	for _, req := range a.seen {
		hosts = append(hosts, req.URL.Host)
		assert.Equal(t, http.MethodGet, req.Method)
		assert.Empty(t, req.Header.Get("Range"), "the whole is asked for without a range")
	}
	assert.Equal(t, []string{"first.test", "mirror.test", "first.test", "mirror.test"}, hosts)
}

func TestOrigin_ErrorsShowNoAddress(t *testing.T) {
	o := newOrigin([]string{"127.0.0.1"}, "test")
	defer o.close()
	port, _ := listener(t) // closes every connection at once
	link := resolver.Link{URLs: []resolver.Secret{resolver.NewSecret("http://127.0.0.1:" + port + "/f?signature=secret")}}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	_, err := o.get(ctx, link, whole, 1)
	assert.True(t, isFailure(err), "%v", err)
	assert.ErrorIs(t, err, resolver.ErrUnavailable)
	assert.NotContains(t, err.Error(), "secret")
	broken := resolver.Link{URLs: []resolver.Secret{resolver.NewSecret("https://host\x7f/secret")}}
	_, err = o.get(ctx, broken, whole, 1)
	require.Error(t, err)
	assert.NotContains(t, err.Error(), "secret")
}
