package feishusim_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

const (
	verifier = "a verifier of at least forty-three characters"
	backTo   = "http://127.0.0.1:7/callback"
)

// askPerson asks for a login, and returns what the browser is sent back with.
func askPerson(t testing.TB, s *feishusim.Server, changed url.Values) (status int, back url.Values) {
	t.Helper()
	sum := sha256.Sum256([]byte(verifier))
	query := url.Values{
		"client_id": {appID}, "response_type": {"code"}, "redirect_uri": {backTo}, "state": {"s1"},
		"scope": {"mail:user_mailbox:readonly offline_access"}, "code_challenge_method": {"S256"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])},
	}
	for name, values := range changed {
		query[name] = values
	}
	client := &http.Client{
		Timeout:       20 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Get(s.URL() + "/open-apis/authen/v1/authorize?" + query.Encode())
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	if res.StatusCode != http.StatusFound {
		return res.StatusCode, nil
	}
	to, err := res.Location()
	require.NoError(t, err)
	return res.StatusCode, to.Query()
}

// trade asks for tokens with the fields of a grant.
func trade(t testing.TB, s *feishusim.Server, fields map[string]string) reply {
	t.Helper()
	body := map[string]string{"client_id": appID, "client_secret": secret}
	for name, value := range fields {
		body[name] = value
	}
	text, err := json.Marshal(body)
	require.NoError(t, err)
	return call(t, s, "", "POST", oauthPath, string(text))
}

func code(given string) map[string]string {
	return map[string]string{"grant_type": "authorization_code", "code": given, "code_verifier": verifier, "redirect_uri": backTo}
}

func TestAuthorize(t *testing.T) {
	s := start(t)
	s.SetPerson(box)
	_, back := askPerson(t, s, nil)
	assert.Equal(t, "s1", back.Get("state"))
	r := trade(t, s, code(back.Get("code")))
	require.Equal(t, [2]int{200, 0}, r.refusedWith())
	assert.Equal(t, "mail:user_mailbox:readonly offline_access", r.body["scope"])
	assert.NotEmpty(t, r.body["refresh_token"])
	assert.Equal(t, 20003, trade(t, s, code(back.Get("code"))).code(), "a code works once")

	_, back = askPerson(t, s, url.Values{"scope": {"mail:user_mailbox:readonly"}})
	assert.NotContains(t, trade(t, s, code(back.Get("code"))).body, "refresh_token")
}

func TestAuthorize_Refused(t *testing.T) {
	s := start(t)
	s.SetRedirects(backTo)
	for name, changed := range map[string]url.Values{
		"no app": {"client_id": {""}}, "no such scope": {"scope": {"drive:drive"}}, "no code": {"response_type": {"token"}},
		"another redirect": {"redirect_uri": {"http://127.0.0.1:8/"}}, "plain": {"code_challenge_method": {"plain"}},
	} {
		t.Run(name, func(t *testing.T) {
			status, _ := askPerson(t, s, changed)
			assert.Equal(t, http.StatusBadRequest, status)
		})
	}
	s.SetConsent(feishusim.Refuses)
	_, back := askPerson(t, s, nil)
	assert.Equal(t, url.Values{"error": {"access_denied"}, "state": {"s1"}}, back)
	s.SetConsent(feishusim.Hesitate)
	status, _ := askPerson(t, s, nil)
	assert.Equal(t, http.StatusOK, status)
}

func TestCode_Refused(t *testing.T) {
	s := start(t)
	for name, want := range map[string]int{"code_verifier": 20049, "redirect_uri": 20071, "code": 20003} {
		_, back := askPerson(t, s, nil)
		fields := code(back.Get("code"))
		fields[name] = "another"
		assert.Equal(t, [2]int{400, want}, trade(t, s, fields).refusedWith(), name)
	}
	_, back := askPerson(t, s, nil)
	s.SetClock(6 * time.Minute)
	assert.Equal(t, 20003, trade(t, s, code(back.Get("code"))).code())
}

func TestDevice(t *testing.T) {
	s := start(t)
	form := url.Values{"client_id": {appID}, "scope": {"mail:user_mailbox:readonly"}}
	begin := func(header http.Header) reply {
		header.Set("Content-Type", "application/x-www-form-urlencoded")
		res, text, err := send(t, "POST", s.URL()+"/oauth/v1/device_authorization", form.Encode(), header)
		require.NoError(t, err)
		r := reply{status: res.StatusCode, header: res.Header}
		require.NoError(t, json.Unmarshal(text, &r.body))
		return r
	}
	basic := "Basic " + base64.StdEncoding.EncodeToString([]byte(appID+":"+secret))
	assert.Equal(t, 400, begin(http.Header{}).status)
	assert.Equal(t, 400, begin(http.Header{"Authorization": {basic + "A"}}).status)
	r := begin(http.Header{"Authorization": {basic}})
	require.Equal(t, 200, r.status)
	assert.EqualValues(t, 240, r.body["expires_in"])
	assert.EqualValues(t, 5, r.body["interval"])

	poll := map[string]string{
		"grant_type": "urn:ietf:params:oauth:grant-type:device_code", "device_code": r.body["device_code"].(string),
	}
	s.SetConsent(feishusim.Hesitate)
	assert.Equal(t, "authorization_pending", trade(t, s, poll).body["error"])
	assert.Equal(t, "slow_down", trade(t, s, poll).body["error"])
	s.SetClock(6 * time.Second)
	s.SetConsent(feishusim.Refuses)
	assert.Equal(t, "access_denied", trade(t, s, poll).body["error"])
	s.SetClock(12 * time.Second)
	s.SetConsent(feishusim.Agrees)
	assert.Equal(t, 0, trade(t, s, poll).code())
	assert.Equal(t, 20026, trade(t, s, poll).code(), "once")

	poll["device_code"] = begin(http.Header{"Authorization": {basic}}).body["device_code"].(string)
	s.SetClock(5 * time.Minute)
	assert.Equal(t, "expired_token", trade(t, s, poll).body["error"])
}
