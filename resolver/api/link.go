package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// Link makes a link of a GET whose answer is a file and no JSON. Each request
// with it is a call of the endpoint, for whose turn it asks its Meter. The token
// goes along in a header, which is bound to the host of the API, or in the
// query; the link lives as long as the token, if that ends. No call is made but
// for a token that is not there. The error is that of the token.
func (c *Client) Link(ctx context.Context, call Call) (resolver.Link, error) {
	link, err := c.link(ctx, call)
	if err != nil {
		return resolver.Link{}, fmt.Errorf("%s: %w", call.Endpoint.Name, err)
	}
	return link, nil
}

func (c *Client) link(ctx context.Context, call Call) (resolver.Link, error) {
	if call.Endpoint.Method != http.MethodGet || call.Body != nil {
		return resolver.Link{}, errors.New("only a GET without a body can be a link")
	}
	token, err := c.token(ctx, call.Endpoint)
	if err != nil {
		return resolver.Link{}, err
	}
	link := resolver.Link{Obtained: time.Now(), Meter: meter{c, call.Endpoint}}
	var text string
	if token != nil {
		text = token.secret.Reveal()
		if !token.end.IsZero() {
			link.Lifetime = max(time.Second, token.end.Sub(link.Obtained))
		}
	}
	address, err := c.address(call, text)
	if err != nil {
		return resolver.Link{}, err
	}
	link.URLs = []resolver.Secret{resolver.NewSecret(address)}
	if text != "" && c.cfg.TokenQuery == "" {
		link.Header = map[string]resolver.Secret{"Authorization": resolver.NewSecret("Bearer " + text)}
	}
	return link, nil
}

// meter is that of links to an endpoint.
type meter struct {
	client   *Client
	endpoint *Endpoint
}

// Turn waits in the endpoint's bucket. The token is in the link already.
func (m meter) Turn(ctx context.Context) error {
	if err := m.client.bucket(m.endpoint).Wait(ctx); err != nil {
		return fmt.Errorf("%s: %w", m.endpoint.Name, err)
	}
	return nil
}

// Throttled has all calls of the endpoint wait.
func (m meter) Throttled(after time.Duration) {
	if after <= 0 {
		after = breath
	}
	m.client.bucket(m.endpoint).Pause(after)
	m.client.waits.tell(m.endpoint.Name, after)
}

// Denied means nothing here: it is about one file, not about the endpoint.
func (m meter) Denied() {}

// Format hides what the meter holds from every verb of package fmt.
func (m meter) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(m.String())) }

// String tells the endpoint.
func (m meter) String() string { return "turns of " + m.endpoint.Name }
