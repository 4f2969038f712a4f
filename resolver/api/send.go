package api

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

// Reply is what a caller may want to know of an answer besides its body.
type Reply struct {
	// Asked is when the request was sent, by our clock.
	Asked time.Time
	// Date is the provider's clock when it answered, zero if it did not tell.
	Date time.Time
}

// Left is how long it is, from Asked on, to an end that the provider told by
// its own clock; by ours, if its clock is not known.
func (r Reply) Left(end time.Time) time.Duration {
	if r.Date.IsZero() {
		return end.Sub(r.Asked)
	}
	return end.Sub(r.Date)
}

// answer is what came back for one request.
type answer struct {
	reply  Reply
	status int
	header http.Header
	body   []byte
	limit  int64
	err    error // why the body ended early, fit to be printed
}

func (a *answer) ok() bool { return a.status >= 200 && a.status < 300 }

// send makes one request and reads what comes back. An error is
// ErrUnavailable, or about the call itself.
func (c *Client) send(ctx context.Context, call Call, token *issue) (*answer, error) {
	req, err := c.request(ctx, call, token)
	if err != nil {
		return nil, err
	}
	asked := time.Now()
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, unavailable(err)
	}
	defer resp.Body.Close()
	a := &answer{reply: Reply{Asked: asked}, status: resp.StatusCode, header: resp.Header, limit: c.cfg.MaxAnswer}
	if date, err := http.ParseTime(resp.Header.Get("Date")); err == nil {
		a.reply.Date = date
	}
	a.body, err = io.ReadAll(io.LimitReader(resp.Body, a.limit+1))
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		a.err = unavailable(err)
	case int64(len(a.body)) > a.limit:
		a.err = fmt.Errorf("answer is longer than %d bytes: %w", a.limit, resolver.ErrUnavailable)
	}
	return a, nil
}

func (c *Client) request(ctx context.Context, call Call, token *issue) (*http.Request, error) {
	var text string
	if token != nil {
		text = token.secret.Reveal()
	}
	address, err := c.address(call, text)
	if err != nil {
		return nil, err
	}
	var body io.Reader
	if call.Body != nil {
		encoded, err := json.Marshal(call.Body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	req, err := http.NewRequestWithContext(ctx, call.Endpoint.Method, address, body)
	if err != nil {
		return nil, unavailable(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json; charset=utf-8")
	}
	if text != "" && c.cfg.TokenQuery == "" {
		req.Header.Set("Authorization", "Bearer "+text)
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", c.cfg.UserAgent)
	return req, nil
}

// decode reads the body of an answer that was judged to be good. The decoder's
// words quote the answer, which may hold links, and are left out.
func (a *answer) decode(out any) error {
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(a.body, out); err != nil {
		return fmt.Errorf("answer is not the JSON of the API: %w", resolver.ErrUnavailable)
	}
	return nil
}

// unavailable says no more of err than can be printed.
func unavailable(err error) error {
	return fmt.Errorf("%w: %w", resolver.ErrUnavailable, resolver.Redact(err))
}
