package kdocssim_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
)

const redirect = "http://127.0.0.1:7/callback?keep=1"

func consentPath(scope string) string {
	return "/h5/auth?" + url.Values{
		"app_id": {appID}, "scope": {scope}, "redirect_uri": {redirect}, "state": {"a state"},
	}.Encode()
}

// consent walks through the page, and returns what the browser is sent back with.
func consent(t testing.TB, s *kdocssim.Server) url.Values {
	t.Helper()
	r := call(t, s, "GET", consentPath("user_basic,access_personal_files"), "")
	require.Equal(t, http.StatusFound, r.status)
	back, err := url.Parse(r.header.Get("Location"))
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:7", back.Host)
	return back.Query()
}

func exchange(t testing.TB, s *kdocssim.Server, code, id, key string) reply {
	t.Helper()
	return call(t, s, "GET", "/api/v1/oauth2/access_token?"+url.Values{
		"code": {code}, "app_id": {id}, "app_key": {key},
	}.Encode(), "")
}

func refresh(t testing.TB, s *kdocssim.Server, key, token string) reply {
	t.Helper()
	return call(t, s, "POST", "/api/v1/oauth2/refresh_token?app_id="+appID,
		`{"app_key":"`+key+`","refresh_token":"`+token+`"}`)
}

func user(t testing.TB, s *kdocssim.Server, token string) reply {
	t.Helper()
	return get(t, s, token, "/api/v1/openapi/user/basic", nil)
}

func TestLogin_Walk(t *testing.T) {
	s := start(t)
	back := consent(t, s)
	assert.Equal(t, []string{"a state", "1"}, []string{back.Get("state"), back.Get("keep")})
	code := back.Get("code")
	assert.Contains(t, code, kdocssim.Marker)

	assert.Equal(t, [2]int{200, 40002}, exchange(t, s, code, appID, "wrong").refusedWith())
	assert.Equal(t, 40002, exchange(t, s, code, "AK-none", appKey).code())
	r := exchange(t, s, code, appID, appKey)
	require.Equal(t, [2]int{200, 0}, r.refusedWith())
	assert.EqualValues(t, 86400, r.data()["expires_in"])
	assert.Equal(t, appID, r.data()["app_id"])
	assert.Contains(t, r.data()["refresh_token"], kdocssim.Marker)
	assert.Equal(t, 20001, exchange(t, s, code, appID, appKey).code(), "a code works once")

	told := user(t, s, r.data()["access_token"].(string))
	assert.Equal(t, "小明", told.data()["nickname"])
	assert.NotEmpty(t, told.data()["id"].(map[string]any)["open_id"])
}

func TestLogin_CodesLiveFiveMinutes(t *testing.T) {
	s := start(t)
	code, other := consent(t, s).Get("code"), consent(t, s).Get("code")
	s.SetClock(4 * time.Minute)
	assert.Equal(t, 0, exchange(t, s, code, appID, appKey).code())
	s.SetClock(5*time.Minute + time.Second)
	assert.Equal(t, 20001, exchange(t, s, other, appID, appKey).code())
}

func TestLogin_OfAnotherApp(t *testing.T) {
	s := start(t)
	s.AddApp(kdocssim.App{ID: "AK-other", Key: "other", Scopes: scopes})
	assert.Equal(t, 20001, exchange(t, s, consent(t, s).Get("code"), "AK-other", "other").code())
}

func TestConsent(t *testing.T) {
	s := start(t)
	s.SetConsent(kdocssim.Refuses)
	back := consent(t, s)
	assert.Equal(t, url.Values{"error": {"access_denied"}, "keep": {"1"}, "state": {"a state"}}, back)
	s.SetConsent(kdocssim.Hesitate)
	assert.Equal(t, http.StatusOK, call(t, s, "GET", consentPath("user_basic"), "").status)

	s.SetConsent(kdocssim.Agrees)
	assert.Equal(t, http.StatusFound, call(t, s, "GET", consentPath("user_basic"), "").status)
	for name, path := range map[string]string{
		"a scope that the app has not": consentPath("user_basic,edit_personal_files"),
		"scopes with a space":          consentPath("user_basic access_personal_files"),
		"no app":                       "/h5/auth?redirect_uri=" + url.QueryEscape(redirect),
		"no redirect":                  "/h5/auth?scope=user_basic&app_id=" + appID,
	} {
		t.Run(name, func(t *testing.T) {
			assert.Equal(t, http.StatusBadRequest, call(t, s, "GET", path, "").status)
		})
	}
	s.AddApp(kdocssim.App{ID: appID, Key: appKey, Scopes: scopes, Redirects: []string{"http://127.0.0.1:8/"}})
	assert.Equal(t, http.StatusBadRequest, call(t, s, "GET", consentPath("user_basic"), "").status)
}

func TestRefresh_Rotates(t *testing.T) {
	s := start(t)
	first := s.Login(appID)
	r := refresh(t, s, appKey, first.Refresh)
	require.Equal(t, [2]int{200, 0}, r.refusedWith())
	second := kdocssim.Tokens{Access: r.data()["access_token"].(string), Refresh: r.data()["refresh_token"].(string)}
	assert.NotEqual(t, first.Refresh, second.Refresh)
	assert.Equal(t, 20002, refresh(t, s, appKey, first.Refresh).code())
	assert.Equal(t, 0, user(t, s, first.Access).code(), "the old access token lives on")
	assert.Equal(t, 0, user(t, s, second.Access).code())

	s.SetRotation(kdocssim.Rotation{Grace: time.Hour, KillsAccess: true})
	assert.Equal(t, 0, refresh(t, s, appKey, second.Refresh).code())
	assert.Equal(t, 20007, user(t, s, second.Access).code())
	assert.Equal(t, 0, refresh(t, s, appKey, second.Refresh).code(), "within its grace")
	s.SetClock(2 * time.Hour)
	assert.Equal(t, 20002, refresh(t, s, appKey, second.Refresh).code())
}

func TestRefresh_Stays(t *testing.T) {
	s := start(t)
	s.SetRotation(kdocssim.Rotation{Stays: true})
	first := s.Login(appID)
	s.SetClock(89 * 24 * time.Hour)
	r := refresh(t, s, appKey, first.Refresh)
	require.Equal(t, 0, r.code())
	assert.Equal(t, first.Refresh, r.data()["refresh_token"])
	s.SetClock(91 * 24 * time.Hour)
	assert.Equal(t, 20002, refresh(t, s, appKey, first.Refresh).code(), "its end stays, too")
}

func TestRefresh_Refused(t *testing.T) {
	s := start(t)
	token := s.Login(appID).Refresh
	assert.Equal(t, 40002, refresh(t, s, "wrong", token).code())
	assert.Equal(t, 20002, refresh(t, s, appKey, "unknown").code())
	assert.Equal(t, 40003, refresh(t, s, appKey, "").code())
	s.Logout()
	assert.Equal(t, 20002, refresh(t, s, appKey, token).code())
}

func TestTokens_End(t *testing.T) {
	s := start(t)
	token := s.Login(appID).Access
	s.SetClock(23 * time.Hour)
	assert.Equal(t, 0, user(t, s, token).code())
	s.SetClock(25 * time.Hour)
	assert.Equal(t, 20007, user(t, s, token).code())
	s.SetClock(0)
	s.RevokeAccess()
	assert.Equal(t, 20007, user(t, s, token).code())
	s.SetTokenLives(time.Minute, time.Hour)
	r := refresh(t, s, appKey, s.Login(appID).Refresh)
	assert.EqualValues(t, 60, r.data()["expires_in"])
	s.SetTimeScale(60)
	assert.EqualValues(t, 1, refresh(t, s, appKey, r.data()["refresh_token"].(string)).data()["expires_in"])
}

func TestTokens_InTheQueryAlone(t *testing.T) {
	s := start(t)
	token := s.Login(appID).Access
	res, text, err := send("GET", s.URL()+"/api/v1/openapi/user/basic", "", http.Header{"Authorization": {"Bearer " + token}})
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.JSONEq(t, `{"code":20007,"result":"access_token is required"}`, string(text))
	assert.Equal(t, kdocssim.CallCounts{Calls: 1, Refused: 1, Leaks: 1}, s.Counts(kdocssim.UserBasic))
}

func TestScopes(t *testing.T) {
	s := start(t)
	s.AddDocument(table())
	token := s.Login(appID, kdocssim.ScopeUser).Access
	assert.Equal(t, 0, user(t, s, token).code())
	assert.Equal(t, 40001, get(t, s, token, schemasPath, nil).code())
	token = s.Login(appID).Access
	assert.Equal(t, 0, get(t, s, token, schemasPath, nil).code())
	s.AddApp(kdocssim.App{ID: appID, Key: appKey, Scopes: []string{kdocssim.ScopeUser}})
	assert.Equal(t, 40001, get(t, s, token, schemasPath, nil).code(), "a person has no more than the app")
}
