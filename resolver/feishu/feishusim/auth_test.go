package feishusim_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

func TestTenantToken_StaysTheSameUntilItsLastHalfHour(t *testing.T) {
	s := start(t)
	first := askToken(t, s, appID, secret)
	require.Equal(t, [2]int{200, 0}, first.refusedWith())
	assert.EqualValues(t, 7200, first.body["expire"])
	assert.NotContains(t, first.body, "data", "the answer is flat")
	token := first.body["tenant_access_token"].(string)
	assert.Regexp(t, "^t-"+feishusim.Marker, token)

	s.SetClock(89 * time.Minute)
	again := askToken(t, s, appID, secret)
	assert.Equal(t, token, again.body["tenant_access_token"])
	assert.EqualValues(t, 31*60, again.body["expire"], "what is left")

	s.SetClock(91 * time.Minute)
	second := askToken(t, s, appID, secret)
	assert.NotEqual(t, token, second.body["tenant_access_token"])
	assert.EqualValues(t, 7200, second.body["expire"])
	assert.Equal(t, 0, get(t, s, token, "/folders").code(), "the old one lives to its end")

	s.SetClock(2*time.Hour + time.Minute)
	assert.Equal(t, [2]int{400, 99991663}, get(t, s, token, "/folders").refusedWith())
	assert.Equal(t, 0, get(t, s, second.body["tenant_access_token"].(string), "/folders").code())
}

func TestTokenLife(t *testing.T) {
	s := start(t)
	s.SetTokenLife(20 * time.Minute)
	r := askToken(t, s, appID, secret)
	assert.EqualValues(t, 1200, r.body["expire"])
	assert.NotEqual(t, r.body["tenant_access_token"], tenantToken(t, s))
}

func TestTimeScale_ShortensTokens(t *testing.T) {
	s := start(t)
	s.SetTimeScale(3600)
	assert.EqualValues(t, 2, askToken(t, s, appID, secret).body["expire"])
}

func TestTenantToken_Refused(t *testing.T) {
	s := start(t)
	assert.Equal(t, [2]int{400, 10015}, askToken(t, s, appID, "wrong").refusedWith())
	assert.Equal(t, [2]int{400, 10014}, askToken(t, s, "cli_other", secret).refusedWith())
	assert.Equal(t, [2]int{400, 10003}, askToken(t, s, appID, "").refusedWith())
	s.SetWrongSecretCode(10014)
	s.SetGatewayStatus(http.StatusOK)
	assert.Equal(t, [2]int{200, 10014}, askToken(t, s, appID, "wrong").refusedWith())
}

func TestTokens_Refused(t *testing.T) {
	s := start(t)
	user, _ := s.IssueUserToken(appID, box, scopes...)
	for _, status := range []int{400, 401, 200} {
		s.SetGatewayStatus(status)
		assert.Equal(t, [2]int{status, 99991661}, get(t, s, "", "/folders").refusedWith())
		assert.Equal(t, [2]int{status, 99991671}, get(t, s, "x-1", "/folders").refusedWith())
		assert.Equal(t, [2]int{status, 99991663}, get(t, s, "t-unknown", "/folders").refusedWith())
		assert.Equal(t, [2]int{status, 99991668}, get(t, s, "u-unknown", "/folders").refusedWith())
	}
	s.SetClock(3 * time.Hour)
	assert.Equal(t, 99991677, get(t, s, user, "/folders").code())
}

func TestRevokeTokens(t *testing.T) {
	s := start(t)
	tenant := tenantToken(t, s)
	user, _ := s.IssueUserToken(appID, box, scopes...)
	require.Equal(t, 0, get(t, s, tenant, "/folders").code())
	require.Equal(t, 0, get(t, s, user, "/folders").code())
	s.RevokeTokens()
	assert.Equal(t, 99991663, get(t, s, tenant, "/folders").code())
	assert.Equal(t, 99991668, get(t, s, user, "/folders").code())
	assert.Equal(t, 0, get(t, s, tenantToken(t, s), "/folders").code())
}

func TestScopes(t *testing.T) {
	s := start(t)
	granted, _ := s.IssueUserToken(appID, box, scopes...)
	ungranted, _ := s.IssueUserToken(appID, box, "mail:user_mailbox:readonly")
	assert.Equal(t, 0, get(t, s, granted, "/folders").code())

	r := get(t, s, ungranted, "/folders")
	assert.Equal(t, [2]int{400, 99991679}, r.refusedWith())
	s.AddApp(feishusim.App{ID: appID, Secret: secret, DataRange: []string{box}})
	r = get(t, s, tenantToken(t, s), "/folders")
	assert.Equal(t, [2]int{400, 99991672}, r.refusedWith())
	violations := r.body["error"].(map[string]any)["permission_violations"].([]any)
	require.Len(t, violations, 2)
	assert.Equal(t, "mail:user_mailbox.folder:read", violations[0].(map[string]any)["subject"])
	assert.Equal(t, 99991672, get(t, s, granted, "/folders").code(), "a user has no more than the app")
}

const oauthPath = "/open-apis/authen/v2/oauth/token"

func refresh(t testing.TB, s *feishusim.Server, id, secret, token string) reply {
	t.Helper()
	body, err := json.Marshal(map[string]string{
		"grant_type": "refresh_token", "client_id": id, "client_secret": secret, "refresh_token": token,
	})
	require.NoError(t, err)
	return call(t, s, "", "POST", oauthPath, string(body))
}

func TestRefresh_TokenWorksOnce(t *testing.T) {
	s := start(t)
	_, none := s.IssueUserToken(appID, box, scopes...)
	assert.Empty(t, none, "offline_access was not granted")
	old, token := s.IssueUserToken(appID, box, append(scopes, feishusim.OfflineAccess)...)
	r := refresh(t, s, appID, secret, token)
	require.Equal(t, [2]int{200, 0}, r.refusedWith())
	assert.EqualValues(t, 7200, r.body["expires_in"])
	assert.EqualValues(t, 604800, r.body["refresh_token_expires_in"])
	assert.Contains(t, r.body["scope"], "offline_access")
	access := r.body["access_token"].(string)
	assert.Contains(t, access, feishusim.Marker)
	assert.Greater(t, len(access), 1024)
	assert.Equal(t, 0, get(t, s, access, "/folders").code())
	assert.Equal(t, 0, get(t, s, old, "/folders").code(), "the old access token lives on")

	assert.Equal(t, [2]int{400, 20073}, refresh(t, s, appID, secret, token).refusedWith())
	assert.Equal(t, 0, refresh(t, s, appID, secret, r.body["refresh_token"].(string)).code())
}

func TestRefresh_Refused(t *testing.T) {
	s := start(t)
	s.AddApp(feishusim.App{ID: "cli_other", Secret: "other"})
	_, token := s.IssueUserToken(appID, box, feishusim.OfflineAccess)
	for code, r := range map[int]reply{
		20001: call(t, s, "", "POST", oauthPath, "{}"),
		20002: refresh(t, s, appID, "wrong", token),
		20024: refresh(t, s, "cli_other", "other", token),
		20026: refresh(t, s, appID, secret, "unknown"),
		20036: call(t, s, "", "POST", oauthPath, `{"grant_type":"password","client_id":"a","client_secret":"b"}`),
		20048: refresh(t, s, "cli_none", secret, token),
	} {
		assert.Equal(t, [2]int{400, code}, r.refusedWith())
	}
	s.Break(feishusim.UserToken, 1)
	assert.Equal(t, [2]int{500, 20050}, refresh(t, s, appID, secret, token).refusedWith())
	s.SetClock(8 * 24 * time.Hour)
	assert.Equal(t, 20037, refresh(t, s, appID, secret, token).code())
}

func TestRefresh_TakesForms(t *testing.T) {
	s := start(t)
	_, token := s.IssueUserToken(appID, box, feishusim.OfflineAccess)
	form := url.Values{
		"grant_type": {"refresh_token"}, "client_id": {appID}, "client_secret": {secret}, "refresh_token": {token},
	}
	res, _, err := send(t, "POST", s.URL()+oauthPath, form.Encode(),
		http.Header{"Content-Type": {"application/x-www-form-urlencoded"}})
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, res.StatusCode)
}
