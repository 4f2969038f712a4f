package linksim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
)

const appSecret = "secret-" + linksim.Marker

type token struct {
	Token   string
	Expires int `json:"expires_in"`
	Error   string
}

// login asks for a token.
func login(t testing.TB, o *linksim.Origin, body string) (token, *http.Response) {
	t.Helper()
	var answer token
	res := call(t, o, http.MethodPost, "/api/token", body, &answer)
	return answer, res
}

// listWith lists the root with a token and returns the status.
func listWith(t testing.TB, o *linksim.Origin, token string) int {
	t.Helper()
	res, _ := served(t, o.URL()+"/api/list", "", http.Header{"Authorization": {"Bearer " + token}})
	return res.StatusCode
}

func TestApp_HandsOutTokens(t *testing.T) {
	o := start(t, 10, linksim.WithApp("app", appSecret, 90*time.Second))
	assert.Equal(t, http.StatusUnauthorized, listWith(t, o, ""))
	first, res := login(t, o, `{"app_id":"app","app_secret":"`+appSecret+`"}`)
	require.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, 90, first.Expires)
	assert.Contains(t, first.Token, linksim.Marker)
	second, _ := login(t, o, `{"app_id":"app","app_secret":"`+appSecret+`"}`)
	assert.NotEqual(t, first.Token, second.Token)
	assert.Equal(t, http.StatusOK, listWith(t, o, first.Token), "the earlier one lives on")
	assert.Equal(t, http.StatusOK, listWith(t, o, second.Token))
	assert.Equal(t, 2, o.Counts().TokenCalls)

	o.SetToken("")
	assert.Equal(t, http.StatusUnauthorized, listWith(t, o, second.Token), "revoked")
	third, _ := login(t, o, `{"app_id":"app","app_secret":"`+appSecret+`"}`)
	assert.Equal(t, http.StatusOK, listWith(t, o, third.Token))
}

func TestApp_Refuses(t *testing.T) {
	o := start(t, 10, linksim.WithApp("app", appSecret, time.Hour))
	for body, status := range map[string]int{
		`{"app_id":"app","app_secret":"wrong"}`:               http.StatusUnauthorized,
		`{"app_id":"other","app_secret":"` + appSecret + `"}`: http.StatusUnauthorized,
		`{`: http.StatusBadRequest,
	} {
		t.Run(body, func(t *testing.T) {
			answer, res := login(t, o, body)
			assert.Equal(t, status, res.StatusCode)
			assert.Empty(t, answer.Token)
			assert.NotEmpty(t, answer.Error)
		})
	}
}

func TestApp_TokensEnd(t *testing.T) {
	o := start(t, 10, linksim.WithApp("app", appSecret, time.Nanosecond))
	short, _ := login(t, o, `{"app_id":"app","app_secret":"`+appSecret+`"}`)
	assert.Equal(t, 1, short.Expires)
	assert.Equal(t, http.StatusUnauthorized, listWith(t, o, short.Token))
}

func TestApp_BesideAToken(t *testing.T) {
	o := start(t, 10, linksim.WithApp("app", appSecret, time.Hour), linksim.WithToken("static"))
	issued, _ := login(t, o, `{"app_id":"app","app_secret":"`+appSecret+`"}`)
	assert.Equal(t, http.StatusOK, listWith(t, o, "static"))
	assert.Equal(t, http.StatusOK, listWith(t, o, issued.Token))
	o.SetToken("rotated")
	assert.Equal(t, http.StatusUnauthorized, listWith(t, o, "static"))
	assert.Equal(t, http.StatusUnauthorized, listWith(t, o, issued.Token))
	assert.Equal(t, http.StatusOK, listWith(t, o, "rotated"))
}

func TestApp_Faults(t *testing.T) {
	o := start(t, 10, linksim.WithApp("app", appSecret, time.Hour))
	o.InjectAPI(linksim.TokenCall, linksim.Fault{Kind: linksim.Status, Status: 500, Body: []byte("{}"), Times: 1})
	_, res := login(t, o, `{"app_id":"app","app_secret":"`+appSecret+`"}`)
	assert.Equal(t, http.StatusInternalServerError, res.StatusCode)
	_, res = login(t, o, `{"app_id":"app","app_secret":"`+appSecret+`"}`)
	assert.Equal(t, http.StatusOK, res.StatusCode)
}

func TestApp_None(t *testing.T) {
	o := start(t, 10)
	_, res := login(t, o, `{"app_id":"","app_secret":""}`)
	assert.Equal(t, http.StatusNotFound, res.StatusCode)
}
