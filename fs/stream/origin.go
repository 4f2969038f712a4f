package stream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/attachfs/attachfs/resolver"
)

// origin sends GETs to the hosts behind links, and nothing but GETs: a HEAD
// fails on signed links and costs a use of counted ones.
type origin struct {
	guard     *guard
	client    *http.Client
	userAgent string
}

func newOrigin(allowed []string, userAgent string) *origin {
	g := newGuard(allowed)
	return &origin{
		guard:     g,
		client:    &http.Client{Transport: g.link, CheckRedirect: g.redirect},
		userAgent: userAgent,
	}
}

func (o *origin) close() {
	o.client.CloseIdleConnections()
	o.guard.dialer.close()
}

// get asks one of the link's addresses for want; attempt picks among mirrors.
// The caller closes the response's body. Errors show no address.
func (o *origin) get(ctx context.Context, link resolver.Link, want byteRange, attempt int) (*http.Response, error) {
	req, err := o.request(ctx, link, want, attempt)
	if err != nil {
		return nil, err
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return nil, asFailure(ctx, err)
	}
	o.guard.dialer.answered()
	return resp, nil
}

func (o *origin) request(ctx context.Context, link resolver.Link, want byteRange, attempt int) (*http.Request, error) {
	bound := boundHeaders{names: link.Header}
	for _, u := range link.URLs {
		if parsed, err := url.Parse(u.Reveal()); err == nil {
			bound.hosts = append(bound.hosts, parsed.Host)
		}
	}
	ctx = context.WithValue(ctx, boundKey{}, bound)
	address := link.URLs[attempt%len(link.URLs)]
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.Reveal(), nil)
	if err != nil {
		return nil, fmt.Errorf("link is not an http address: %w", resolver.ErrUnavailable)
	}
	if err := o.guard.checkURL(req.URL); err != nil {
		return nil, err
	}
	for name, value := range link.Header {
		req.Header.Set(name, value.Reveal())
	}
	req.Header.Set("Accept-Encoding", "identity")
	req.Header.Set("User-Agent", o.userAgent)
	if want != whole {
		req.Header.Set("Range", want.header())
	}
	return req, nil
}

// asFailure turns a client error into one without an address. What the guard
// refused stays refused; anything else may pass with time.
func asFailure(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return &failure{err: fmt.Errorf("reading from origin: %w", cause)}
	}
	var outer *url.Error
	if errors.As(err, &outer) {
		err = outer.Err // the outer one would print the link
	}
	switch {
	case errors.Is(err, errRedirects):
		return wrong("%w", err)
	case errors.Is(err, resolver.ErrPermission):
		return err
	}
	return &failure{err: fmt.Errorf("reading from origin: %v: %w", resolver.Redact(err), resolver.ErrUnavailable)}
}
