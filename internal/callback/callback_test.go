package callback_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/callback"
)

func listen(t *testing.T, state string) *callback.Server {
	t.Helper()
	c, err := callback.Listen("127.0.0.1:0", state)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, c.Close()) })
	return c
}

func visit(t *testing.T, address string) (status int, text string) {
	t.Helper()
	client := &http.Client{Timeout: 20 * time.Second}
	res, err := client.Get(address)
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

func wait(t *testing.T, c *callback.Server) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	code, err := c.Wait(ctx)
	return code.Reveal(), err
}

func TestCallback(t *testing.T) {
	c := listen(t, "s1")
	assert.Regexp(t, `^http://127\.0\.0\.1:[0-9]+/callback$`, c.URL())
	status, text := visit(t, c.URL()+"?code=a%2Bb&state=s1")
	assert.Equal(t, 200, status)
	assert.Contains(t, text, "close this window")
	assert.NotContains(t, text, "a+b")
	visit(t, c.URL()+"?code=other&state=s1")
	code, err := wait(t, c)
	require.NoError(t, err)
	assert.Equal(t, "a+b", code, "the first one counts")
}

func TestCallback_OthersChangeNothing(t *testing.T) {
	c := listen(t, "s1")
	for address, want := range map[string]int{
		c.URL() + "?code=evil&state=s2":   400,
		c.URL() + "?code=evil":            400,
		c.URL() + "?error=evil&state=":    400,
		c.URL() + "/x?code=evil&state=s1": 404,
	} {
		status, _ := visit(t, address)
		assert.Equal(t, want, status, address)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := c.Wait(ctx)
	require.ErrorIs(t, err, context.Canceled)
	visit(t, c.URL()+"?code=good&state=s1")
	code, err := wait(t, c)
	require.NoError(t, err)
	assert.Equal(t, "good", code)
}

func TestCallback_Refused(t *testing.T) {
	for query, want := range map[string]string{
		"error=access_denied":                      "the login was refused: access_denied",
		"error=" + url.QueryEscape("<b>\x1b[2J</"): "the login was refused: for a reason that cannot be printed",
		"": "the answer has no code",
	} {
		c := listen(t, "s1")
		status, text := visit(t, c.URL()+"?state=s1&"+query)
		assert.Equal(t, 200, status)
		assert.Contains(t, text, "Not logged in")
		_, err := wait(t, c)
		assert.EqualError(t, err, want)
	}
}

func TestListen_OnThisMachineAlone(t *testing.T) {
	for _, address := range []string{"", "0.0.0.0:80", ":7431", "192.0.2.1:80", "example.com:80", "localhost:80", "127.0.0.1"} {
		_, err := callback.Listen(address, "s")
		assert.ErrorContains(t, err, "want \"127.0.0.1:PORT\"", address)
	}
	assert.NoError(t, callback.Validate("[::1]:7431"))
}

func TestListen_Taken(t *testing.T) {
	c := listen(t, "s1")
	u, err := url.Parse(c.URL())
	require.NoError(t, err)
	_, err = callback.Listen(u.Host, "s2")
	assert.ErrorContains(t, err, "address already in use")
	require.NoError(t, c.Close())
	second, err := callback.Listen(u.Host, "s2")
	require.NoError(t, err)
	assert.NoError(t, second.Close())
}

func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		" http://127.0.0.1:1/callback?code=a%2Bb&state=s1\r\n": "a+b",
		"code=x&state=s1":                 "x",
		"https://h/?state=s1&code=x#frag": "x",
		" plain-code \n":                  "plain-code",
	} {
		code, err := callback.Parse(text, "s1")
		require.NoError(t, err, text)
		assert.Equal(t, want, code.Reveal())
		assert.NotContains(t, code.String(), want)
	}
}

func TestParse_Refused(t *testing.T) {
	for text, want := range map[string]string{
		"http://h/callback?code=a&state=s2":              "another login",
		"http://h/callback?code=a":                       "another login",
		"http://h/callback?error=access_denied&state=s1": "refused: access_denied",
		"http://h/callback?state=s1":                     "no code",
		"http://h/callback?code=%zz&state=s1":            "not whole",
		"":                                               "want the address",
		"two words":                                      "want the address",
		"http://h/callback":                              "want the address",
	} {
		_, err := callback.Parse(text, "s1")
		assert.ErrorContains(t, err, want, text)
	}
	_, err := callback.Parse("http://h/?code=a&state=", "")
	assert.ErrorIs(t, err, callback.ErrState, "without a state nothing belongs to a login")
}

func TestState(t *testing.T) {
	assert.NotEqual(t, callback.State(), callback.State())
	assert.Greater(t, len(callback.State()), 20)
}
