package api

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"strings"

	"github.com/attachfs/attachfs/resolver/limit"
)

// Endpoint declares one call of an API. A provider has one value for each call
// that it makes, and so a list of all that it can do. Endpoints are not changed
// once they are in use.
type Endpoint struct {
	// Name is for errors and limits, such as "mail.links"; nothing secret.
	Name string
	// Method is that of HTTP. It does not tell reads from writes: many an API
	// wants a POST for what only reads.
	Method string
	// Path is below the base address and begins with a slash. Each {word} in it
	// takes one parameter of the call, in order; the rest goes out as it is,
	// characters such as $ [ ] included.
	Path string
	// Limit says how often the endpoint may be called by one account. Budgets
	// of the same Key are one for the account; the Bucket if empty.
	Limit limit.Spec
	// Bucket names the limit, for endpoints that share one; the Name if empty.
	Bucket string
	// Kinds come before those of the client.
	Kinds Kinds
	// NoToken keeps the token out of the call, as for the one that fetches it.
	NoToken bool
}

func (e *Endpoint) bucket() string { return cmp.Or(e.Bucket, e.Name) }

// Call is one use of an endpoint.
type Call struct {
	Endpoint *Endpoint
	// Params go into the path, each as one segment or a part of one whatever
	// characters it has.
	Params []string
	// Query is sent as it is; several values of a name repeat the parameter.
	Query url.Values
	// Body is sent as JSON; nil for no body.
	Body any
	// Waited says that the turn of the call has come already; see [Client.Turn].
	Waited bool
}

var errParams = errors.New("parameters do not fit the path")

// path fills in the pattern and returns it escaped, for use in an address.
func (c Call) path() (string, error) {
	var b strings.Builder
	pattern, params := c.Endpoint.Path, c.Params
	for {
		before, rest, found := strings.Cut(pattern, "{")
		b.WriteString(before)
		if !found {
			break
		}
		_, after, closed := strings.Cut(rest, "}")
		if !closed || len(params) == 0 || params[0] == "" {
			return "", errParams
		}
		b.WriteString(url.PathEscape(params[0]))
		pattern, params = after, params[1:]
	}
	for segment := range strings.SplitSeq(b.String(), "/") {
		if segment == "." || segment == ".." {
			return "", errParams
		}
	}
	if len(params) > 0 {
		return "", errParams
	}
	return b.String(), nil
}

// address is where the call goes, with token in the query if it belongs there.
func (c *Client) address(call Call, token string) (string, error) {
	path, err := call.path()
	if err != nil {
		return "", fmt.Errorf("%d for %s: %w", len(call.Params), call.Endpoint.Path, err)
	}
	query := call.Query.Encode()
	if token != "" && c.cfg.TokenQuery != "" {
		carried := url.Values{c.cfg.TokenQuery: {token}}.Encode()
		query = strings.TrimPrefix(query+"&"+carried, "&")
	}
	if query != "" {
		path += "?" + query
	}
	return strings.TrimRight(c.cfg.BaseURL, "/") + path, nil
}
