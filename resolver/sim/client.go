package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	callTimeout = 10 * time.Second
	maxAnswer   = 8 << 20
)

// newClient follows no redirect: the token is for the base URL alone.
func newClient() *http.Client {
	return &http.Client{
		Transport: http.DefaultTransport.(*http.Transport).Clone(),
		CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse
		},
	}
}

// call makes one request and decodes its answer into out. When ctx ends, its
// error is returned; everything else is of a kind of package resolver.
func (p *Provider) call(ctx context.Context, method, path string, in, out any) error {
	limited, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	text, err := p.roundTrip(limited, method, path, in)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("no answer within %v: %w", callTimeout, resolver.ErrUnavailable)
	case err != nil:
		return err
	}
	if err := json.Unmarshal(text, out); err != nil {
		// The decoder's words quote the answer, which holds links.
		return fmt.Errorf("answer is not the JSON of the API: %w", resolver.ErrUnavailable)
	}
	return nil
}

// roundTrip sends one request and returns the whole body of a 200.
func (p *Provider) roundTrip(ctx context.Context, method, path string, in any) ([]byte, error) {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, p.base+path, body)
	if err != nil {
		return nil, unavailable(err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token := *p.token.Load(); !token.IsZero() {
		req.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	resp, err := p.client.Do(req)
	if err != nil {
		return nil, unavailable(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	switch {
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("status %d: %w", resp.StatusCode, kindOf(resp.StatusCode))
	case err != nil:
		return nil, unavailable(err)
	case len(text) > maxAnswer:
		return nil, fmt.Errorf("answer is longer than %d bytes: %w", maxAnswer, resolver.ErrUnavailable)
	}
	return text, nil
}

// unavailable says no more of err than can be printed.
func unavailable(err error) error {
	return fmt.Errorf("%w: %w", resolver.ErrUnavailable, resolver.Redact(err))
}

func kindOf(status int) error {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return resolver.ErrPermission
	case http.StatusNotFound:
		return resolver.ErrNotExist
	case http.StatusTooManyRequests:
		return resolver.ErrThrottled
	default:
		return resolver.ErrUnavailable
	}
}
