package stream

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// guard decides which origins may be asked at all: https on public addresses,
// unless a host was allowed by the user. Otherwise a document could make the
// mount read the intranet.
type guard struct {
	allowed []string // "host" for any port, or "host:port"
	dialer  *dialer
	link    *http.Transport
}

// newGuard returns a guard with the transport that enforces it.
func newGuard(allowed []string) *guard {
	g := &guard{allowed: allowed}
	g.dialer = &dialer{dial: g.dial, tls: &tls.Config{ClientSessionCache: tls.NewLRUClientSessionCache(rememberedHosts)}}
	g.link = &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           g.dialer.plain,
		DialTLSContext:        g.dialer.secure,
		TLSHandshakeTimeout:   handshake, // behind a proxy
		IdleConnTimeout:       90 * time.Second,
		MaxIdleConnsPerHost:   32,
		DisableCompression:    true,
		ExpectContinueTimeout: time.Second,
		// HTTP/2 moves a third of the bytes per processor second here
		// (FUSE.md 2): bulk data goes by HTTP/1.1.
		TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{},
	}
	return g
}

// allows reports whether the user allowed host (or host:port) explicitly.
func (g *guard) allows(hostport string) bool {
	host, _, err := net.SplitHostPort(hostport)
	if err != nil {
		host = hostport
	}
	return slices.ContainsFunc(g.allowed, func(a string) bool {
		return strings.EqualFold(a, hostport) || strings.EqualFold(a, strings.Trim(host, "[]"))
	})
}

// checkURL refuses links that must not be followed, before anything is sent.
func (g *guard) checkURL(u *url.URL) error {
	switch {
	case u.Host == "" || (u.Scheme != "https" && u.Scheme != "http"):
		return fmt.Errorf("link is not an http address: %w", resolver.ErrPermission)
	case g.allows(hostPort(u)):
		return nil
	case u.Scheme == "http":
		return fmt.Errorf("link to %s is plain http; insecure_hosts can allow it: %w", u.Host, resolver.ErrPermission)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && !public(ip) {
		return privateAddress(u.Host)
	}
	return nil
}

func privateAddress(host string) error {
	return fmt.Errorf("link leads to the private address %s; insecure_hosts can allow it: %w", host, resolver.ErrPermission)
}

// dial connects to address, which is checked as it was resolved just now: a
// name that points elsewhere by the time of the connection does not slip by.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	d := net.Dialer{Timeout: handshake, KeepAlive: 30 * time.Second}
	if !g.allows(address) && !isProxy(address) {
		d.ControlContext = func(_ context.Context, _, resolved string, _ syscall.RawConn) error {
			ip, err := netip.ParseAddrPort(resolved)
			if err != nil || !public(ip.Addr()) {
				return privateAddress(address)
			}
			return nil
		}
	}
	return d.DialContext(ctx, network, address)
}

// isProxy reports whether address is the proxy that the environment names.
func isProxy(address string) bool {
	for _, scheme := range []string{"https", "http"} {
		probe := &http.Request{URL: &url.URL{Scheme: scheme, Host: "attachfs.invalid"}}
		if p, err := http.ProxyFromEnvironment(probe); err == nil && p != nil && hostPort(p) == address {
			return true
		}
	}
	return false
}

// reserved are the ranges beyond those that net/netip knows by name.
var reserved = []netip.Prefix{
	netip.MustParsePrefix("0.0.0.0/8"),     // this network, RFC 791
	netip.MustParsePrefix("100.64.0.0/10"), // carrier NAT, RFC 6598; also cloud metadata
	netip.MustParsePrefix("192.0.0.0/24"),  // protocol assignments, RFC 6890
	netip.MustParsePrefix("198.18.0.0/15"), // benchmarks, RFC 2544
	netip.MustParsePrefix("240.0.0.0/4"),   // reserved, RFC 1112
	// These lead to IPv4 addresses, which may be any of the above.
	netip.MustParsePrefix("::/96"),          // IPv4-compatible, RFC 4291
	netip.MustParsePrefix("64:ff9b::/96"),   // NAT64, RFC 6052
	netip.MustParsePrefix("64:ff9b:1::/48"), // NAT64, RFC 8215
	netip.MustParsePrefix("2001::/32"),      // Teredo, RFC 4380
	netip.MustParsePrefix("2002::/16"),      // 6to4, RFC 3056
	netip.MustParsePrefix("fec0::/10"),      // site-local, RFC 3879
}

func public(ip netip.Addr) bool {
	ip = ip.Unmap()
	return ip.IsGlobalUnicast() && !ip.IsPrivate() &&
		!slices.ContainsFunc(reserved, func(p netip.Prefix) bool { return p.Contains(ip) })
}

const maxRedirects = 5

var errRedirects = errors.New("too many redirects")

// redirect lets the client follow req or not. Headers that belong to the link
// stay with the hosts of the link, and the Referer, which would tell the next
// host the signed address, is never sent.
func (g *guard) redirect(req *http.Request, via []*http.Request) error {
	if len(via) > maxRedirects {
		return errRedirects
	}
	req.Header.Del("Referer")
	if bound, ok := req.Context().Value(boundKey{}).(boundHeaders); ok && !slices.Contains(bound.hosts, req.URL.Host) {
		for name := range bound.names {
			req.Header.Del(name)
		}
	}
	return g.checkURL(req.URL)
}

// boundHeaders are the headers of a request that belong to certain hosts.
type boundHeaders struct {
	hosts []string
	names map[string]resolver.Secret
}

type boundKey struct{}

// hostPort is the host of u with the port that it means.
func hostPort(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}
