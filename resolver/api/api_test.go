package api_test

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// marker stands in everything that may be printed nowhere.
const marker = "s3cr3t"

const clock = "Mon, 16 Nov 2026 09:00:00 GMT"

var (
	getCall  = &api.Endpoint{Name: "things.get", Method: http.MethodGet, Path: "/things"}
	postCall = &api.Endpoint{Name: "things.search", Method: http.MethodPost, Path: "/things/search"}
)

// serve makes a client of a server; cfg's BaseURL may be a path below it.
func serve(t *testing.T, cfg api.Config, h http.HandlerFunc) *api.Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	cfg.BaseURL = server.URL + cfg.BaseURL
	return open(t, cfg)
}

func open(t *testing.T, cfg api.Config) *api.Client {
	t.Helper()
	c := api.New(cfg)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

func tokens(t *testing.T, fetch api.Fetch, opts api.TokenOptions) *api.TokenSource {
	t.Helper()
	source := api.NewTokenSource(fetch, opts)
	t.Cleanup(func() { assert.NoError(t, source.Close()) })
	return source
}

func static(t *testing.T, token string) *api.TokenSource {
	t.Helper()
	return tokens(t, api.Static(resolver.NewSecret(token)), api.TokenOptions{})
}

// transport is a server without a network, for tests of time.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func respond(status int, body string, header ...string) *http.Response {
	resp := &http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1,
		Header: make(http.Header), Body: io.NopCloser(strings.NewReader(body)),
	}
	for i := 0; i < len(header); i += 2 {
		resp.Header.Set(header[i], header[i+1])
	}
	return resp
}

func TestDo_Wire(t *testing.T) {
	const id = "a/b+c==" // a message id, base64 of base64
	for _, c := range []struct {
		name  string
		call  api.Call
		query string // parameter of the token
		uri   string
		body  string
	}{
		{
			name: "segment",
			call: api.Call{Endpoint: &api.Endpoint{Method: "GET", Path: "/v1/{box}/messages/{id}/links"}, Params: []string{"me@h", id}},
			uri:  "/base/v1/me@h/messages/a%2Fb+c==/links",
		},
		{
			name: "literal characters",
			call: api.Call{Endpoint: &api.Endpoint{Method: "GET", Path: "/getReceipt/${flow}/[{ids}]"}, Params: []string{"ID_x:y", "a 1"}},
			uri:  "/base/getReceipt/$ID_x:y/[a%201]",
		},
		{
			name: "hostile parameter",
			call: api.Call{Endpoint: &api.Endpoint{Method: "GET", Path: "/x/{id}/y"}, Params: []string{"../../admin?a=b#c%2F"}},
			uri:  "/base/x/..%2F..%2Fadmin%3Fa=b%23c%252F/y",
		},
		{
			name: "repeated query",
			call: api.Call{Endpoint: getCall, Query: url.Values{"ids": {"a", "b"}}},
			uri:  "/base/things?ids=a&ids=b",
		},
		{
			name:  "token in the query",
			call:  api.Call{Endpoint: postCall, Query: url.Values{"z": {"1"}}, Body: []int{1}},
			query: "accessToken",
			uri:   "/base/things/search?z=1&accessToken=ID_a%3Ab",
			body:  "[1]",
		},
		{name: "token alone in the query", call: api.Call{Endpoint: getCall}, query: "t", uri: "/base/things?t=ID_a%3Ab"},
	} {
		t.Run(c.name, func(t *testing.T) {
			client := serve(t, api.Config{BaseURL: "/base/", Tokens: static(t, "ID_a:b"), TokenQuery: c.query, UserAgent: "test/1"},
				func(w http.ResponseWriter, r *http.Request) {
					assert.Equal(t, c.uri, r.RequestURI)
					assert.Equal(t, c.call.Endpoint.Method, r.Method)
					assert.Equal(t, "test/1", r.UserAgent())
					body, err := io.ReadAll(r.Body)
					assert.NoError(t, err)
					assert.Equal(t, c.body, string(body))
					assert.Equal(t, c.body != "", r.Header.Get("Content-Type") != "")
					if c.query == "" {
						assert.Equal(t, "Bearer ID_a:b", r.Header.Get("Authorization"))
					} else {
						assert.Empty(t, r.Header.Get("Authorization"))
					}
					w.Header().Set("Date", clock)
					_, _ = io.WriteString(w, `[{"id": "x"}]`)
				})
			var out []struct{ ID string }
			before := time.Now()
			reply, err := client.Do(t.Context(), c.call, &out)
			require.NoError(t, err)
			require.Len(t, out, 1)
			assert.Equal(t, "x", out[0].ID)
			assert.Equal(t, time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC), reply.Date)
			assert.Equal(t, time.Hour, reply.Left(reply.Date.Add(time.Hour)))
			assert.WithinRange(t, reply.Asked, before, time.Now())
		})
	}
}

func TestDo_NoToken(t *testing.T) {
	login := &api.Endpoint{Name: "login", Method: http.MethodPost, Path: "/login", NoToken: true}
	client := serve(t, api.Config{Tokens: static(t, marker)}, func(w http.ResponseWriter, r *http.Request) {
		assert.Empty(t, r.Header.Get("Authorization"))
		_, _ = io.WriteString(w, "{}")
	})
	_, err := client.Do(t.Context(), api.Call{Endpoint: login}, nil)
	require.NoError(t, err)
}

func TestDo_BadParams(t *testing.T) {
	client := serve(t, api.Config{}, func(http.ResponseWriter, *http.Request) { t.Error("nothing is to be sent") })
	for _, params := range [][]string{nil, {""}, {"."}, {".."}, {"a", "b"}} {
		e := &api.Endpoint{Name: "e", Method: "GET", Path: "/x/{id}/y"}
		_, err := client.Do(t.Context(), api.Call{Endpoint: e, Params: params}, nil)
		assert.ErrorContains(t, err, "parameters do not fit", params)
	}
}

func TestDo_Redirect(t *testing.T) {
	client := serve(t, api.Config{Tokens: static(t, marker)}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/things" {
			t.Error("the redirect was followed")
		}
		http.Redirect(w, r, "/elsewhere?"+marker, http.StatusFound)
	})
	_, err := client.Do(t.Context(), api.Call{Endpoint: getCall}, nil)
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	assert.NotContains(t, err.Error(), marker)
}

// zeros is a body without end that counts what was taken of it.
type zeros struct{ read int }

func (z *zeros) Read(p []byte) (int, error) {
	z.read += len(p)
	if z.read > 1<<30 {
		return 0, io.EOF
	}
	return len(p), nil
}

func (*zeros) Close() error { return nil }

func TestDo_LongAnswer(t *testing.T) {
	for _, status := range []int{200, 500} {
		body := &zeros{}
		client := open(t, api.Config{BaseURL: "http://h", MaxAnswer: 1 << 20, Transport: transport(func(*http.Request) (*http.Response, error) {
			resp := respond(status, "")
			resp.Body = body
			return resp, nil
		})})
		_, err := client.Do(t.Context(), api.Call{Endpoint: getCall}, new(any))
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		assert.LessOrEqual(t, body.read, 4<<20)
	}
}

// drip is a body that comes byte by byte and ends with its request.
type drip struct{ ctx context.Context }

func (d drip) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = ' '
		return 1, nil
	case <-d.ctx.Done():
		return 0, d.ctx.Err()
	}
}

func (drip) Close() error { return nil }

func TestDo_Ends(t *testing.T) {
	dripping := func(r *http.Request) (*http.Response, error) {
		resp := respond(200, "")
		resp.Body = drip{r.Context()}
		return resp, nil
	}
	silent := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	for _, c := range []struct {
		name    string
		server  transport
		patient time.Duration
		after   time.Duration
		want    error
	}{
		{"a silent server", silent, time.Hour, 10 * time.Second, resolver.ErrUnavailable},
		{"a byte a second", dripping, time.Hour, 10 * time.Second, resolver.ErrUnavailable},
		{"an impatient caller", silent, time.Second, time.Second, context.DeadlineExceeded},
		{"an impatient reader", dripping, 1500 * time.Millisecond, 1500 * time.Millisecond, context.DeadlineExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				client := open(t, api.Config{BaseURL: "http://h", Transport: c.server})
				ctx, cancel := context.WithTimeout(t.Context(), c.patient)
				defer cancel()
				start := time.Now()
				_, err := client.Do(ctx, api.Call{Endpoint: getCall}, new(any))
				require.ErrorIs(t, err, c.want)
				assert.Equal(t, c.after, time.Since(start))
			})
		})
	}
}

func TestDo_Cancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	client := serve(t, api.Config{Tokens: static(t, marker)}, func(http.ResponseWriter, *http.Request) {})
	for _, waited := range []bool{true, false} {
		_, err := client.Do(ctx, api.Call{Endpoint: getCall, Waited: waited}, nil)
		require.ErrorIs(t, err, context.Canceled)
	}
}

func TestDo_Unreachable(t *testing.T) {
	for _, base := range []string{"http://127.0.0.1:1", "http://127.0.0.1:1/%zz", "http://no such host"} {
		client := open(t, api.Config{BaseURL: base, Tokens: static(t, marker), TokenQuery: "t"})
		_, err := client.Do(t.Context(), api.Call{Endpoint: getCall}, nil)
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		assert.NotContains(t, err.Error(), marker)
	}
}

func TestValidateBaseURL(t *testing.T) {
	assert.NoError(t, api.ValidateBaseURL("https://open.feishu.cn"))
	for _, address := range []string{"", "open.feishu.cn", "ftp://h", "http://", "http://u:s3cr3t@h", "http://h/?t=s3cr3t", "http://h/%zz", "http://h/#f"} {
		err := api.ValidateBaseURL(address)
		require.Error(t, err, address)
		assert.NotContains(t, err.Error(), marker)
	}
}
