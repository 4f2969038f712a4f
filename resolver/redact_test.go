package resolver_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
)

func TestRedact(t *testing.T) {
	const secret = "https://host/f?Signature=abc"
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"address of the request":  {&url.Error{Op: "Get", URL: secret, Err: io.EOF}, "connection closed by the other side"},
		"address of a redirect":   {&url.Error{Op: "Get", URL: secret, Err: fmt.Errorf("failed to parse Location header %q", secret)}, "not a usable HTTP answer"},
		"what the other one sent": {errors.New("malformed HTTP response " + secret), "not a usable HTTP answer"},
		"connection":              {&url.Error{URL: secret, Err: &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("refused")}}, "dial tcp: refused"},
		"name":                    {&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host", Name: "h"}}, "lookup h: no such host"},
		"cancelled":               {&url.Error{URL: secret, Err: context.Canceled}, "context canceled"},
		"late":                    {&url.Error{URL: secret, Err: context.DeadlineExceeded}, "context deadline exceeded"},
	} {
		t.Run(name, func(t *testing.T) { assert.EqualError(t, resolver.Redact(c.err), c.want) })
	}
	assert.ErrorIs(t, resolver.Redact(&url.Error{Err: context.Canceled}), context.Canceled)
}
