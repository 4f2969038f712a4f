package api_test

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

var fileCall = &api.Endpoint{
	Name: "file", Method: http.MethodGet, Path: "/v1/files/{file}/download",
	Limit: limit.Spec{
		Rates:   []limit.Rate{{Calls: 1, Per: time.Second}},
		Budgets: []limit.Budget{{Calls: 2, Period: limit.Day}},
	},
}

func linkClient(t *testing.T, query string, fetch api.Fetch) *api.Client {
	t.Helper()
	tokens := api.NewTokenSource(fetch, api.TokenOptions{})
	t.Cleanup(func() { assert.NoError(t, tokens.Close()) })
	return api.New(api.Config{BaseURL: "https://api.example.com/", Account: "a", Tokens: tokens, TokenQuery: query})
}

func TestLink(t *testing.T) {
	const secret = "secret-5f2a9c"
	fetch := func(context.Context, resolver.Secret) (api.Token, error) {
		return api.Token{Secret: resolver.NewSecret(secret), Life: time.Hour}, nil
	}
	call := api.Call{Endpoint: fileCall, Params: []string{"a/b"}}
	link, err := linkClient(t, "", fetch).Link(t.Context(), call)
	require.NoError(t, err)
	assert.Equal(t, "https://api.example.com/v1/files/a%2Fb/download", link.URLs[0].Reveal())
	assert.Equal(t, "Bearer "+secret, link.Header["Authorization"].Reveal())
	assert.InDelta(t, time.Hour, link.Lifetime, float64(time.Minute))
	for _, verb := range []string{"%v", "%+v", "%#v", "%x"} {
		assert.NotContains(t, fmt.Sprintf(verb, link), secret)
	}

	link, err = linkClient(t, "accessToken", fetch).Link(t.Context(), call)
	require.NoError(t, err)
	assert.Equal(t, "https://api.example.com/v1/files/a%2Fb/download?accessToken="+secret, link.URLs[0].Reveal())
	assert.Empty(t, link.Header)

	link, err = linkClient(t, "", api.Static(resolver.NewSecret(secret))).Link(t.Context(), call)
	require.NoError(t, err)
	assert.Zero(t, link.Lifetime, "nobody knows how long")
}

func TestLink_Refuses(t *testing.T) {
	refused := linkClient(t, "", func(context.Context, resolver.Secret) (api.Token, error) {
		return api.Token{}, resolver.ErrPermission
	})
	_, err := refused.Link(t.Context(), api.Call{Endpoint: fileCall, Params: []string{"f"}})
	require.ErrorIs(t, err, resolver.ErrCredentials)

	c := linkClient(t, "", api.Static(resolver.NewSecret("s")))
	_, err = c.Link(t.Context(), api.Call{Endpoint: fileCall})
	require.Error(t, err, "a parameter is missing")
	post := *fileCall
	post.Method = http.MethodPost
	_, err = c.Link(t.Context(), api.Call{Endpoint: &post, Params: []string{"f"}})
	require.ErrorContains(t, err, "only a GET")
}

// The requests of all links to an endpoint are under its rate and its budget.
func TestLink_Meter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := linkClient(t, "", api.Static(resolver.NewSecret("s")))
		meter := func(file string) resolver.Meter {
			link, err := c.Link(t.Context(), api.Call{Endpoint: fileCall, Params: []string{file}})
			require.NoError(t, err)
			return link.Meter
		}
		began := time.Now()
		require.NoError(t, meter("a").Turn(t.Context()))
		meter("b").Throttled(10 * time.Second)
		require.NoError(t, meter("a").Turn(t.Context()))
		assert.Equal(t, 10*time.Second, time.Since(began))
		assert.Equal(t, 2, c.Usage()[0].Used)

		err := meter("c").Turn(t.Context())
		require.ErrorIs(t, err, resolver.ErrQuota)
		require.ErrorContains(t, err, "file")
		time.Sleep(24 * time.Hour)
		assert.NoError(t, meter("c").Turn(t.Context()))
	})
}
