package kdocssim_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
)

func TestErrors_Shapes(t *testing.T) {
	s := start(t)
	s.SetErrors(kdocssim.Errors{Status: 0, Field: "hint"})
	for code, r := range map[int]reply{
		20007: user(t, s, ""),
		40004: get(t, s, s.Login(appID).Access, schemasPath, nil),
		40002: exchange(t, s, "", "", ""),
		20001: exchange(t, s, "", appID, appKey),
	} {
		assert.Equal(t, map[int]int{20007: 401, 40004: 404, 40002: 403, 20001: 400}[code], r.status)
		assert.Equal(t, code, r.code())
		assert.NotEmpty(t, r.body["hint"])
		assert.Equal(t, "error", r.body["result"])
	}
	s.SetErrors(kdocssim.Errors{Status: 418})
	assert.Equal(t, [2]int{418, 20007}, user(t, s, "").refusedWith())
}

func TestDocuments_Refused(t *testing.T) {
	s := start(t)
	d := table()
	d.Denied = true
	s.AddDocument(d)
	token := s.Login(appID).Access
	assert.Equal(t, 40001, get(t, s, token, schemasPath, nil).code())
	s.AddDocument(table())
	assert.Equal(t, 0, get(t, s, token, schemasPath, nil).code())
	s.RemoveDocument(doc)
	assert.Equal(t, 40004, get(t, s, token, schemasPath, nil).code())
	assert.Equal(t, 40004, ask(t, s, token, seedRequest).code())
	assert.Equal(t, 404, get(t, s, token, "/api/v1/openapi//111/schemas", nil).status)
	assert.Equal(t, 404, get(t, s, token, "/api/v1/openapi/dbt/111/other", nil).status)
}

func TestFail(t *testing.T) {
	s := start(t)
	token := s.Login(appID).Access
	s.Fail(kdocssim.UserBasic, kdocssim.Failure{Skip: 1, Times: 2, Status: 503, Header: http.Header{"Retry-After": {"7"}}})
	var statuses []int
	for range 4 {
		r := user(t, s, token)
		statuses = append(statuses, r.status)
		assert.Equal(t, r.status == 503, r.header.Get("Retry-After") == "7")
	}
	assert.Equal(t, []int{200, 503, 503, 200}, statuses)
	assert.Equal(t, kdocssim.CallCounts{Calls: 4, Failed: 2}, s.Counts(kdocssim.UserBasic))

	s.Fail(kdocssim.UserBasic, kdocssim.Failure{})
	assert.Equal(t, [2]int{500, 50001}, user(t, s, token).refusedWith())
	s.Fail(kdocssim.UserBasic, kdocssim.Failure{Status: 200, Body: "<html>"})
	assert.Equal(t, "<html>", user(t, s, token).text)
}

func TestFail_AnswersAreLost(t *testing.T) {
	s := start(t)
	token := s.Login(appID).Refresh
	s.Fail(kdocssim.RefreshToken, kdocssim.Failure{Drop: true})
	lost := func() error {
		_, _, err := send("POST", s.URL()+"/api/v1/oauth2/refresh_token?app_id="+appID,
			`{"app_key":"`+appKey+`","refresh_token":"`+token+`"}`, nil)
		return err
	}
	require.Error(t, lost())
	s.Fail(kdocssim.RefreshToken, kdocssim.Failure{Drop: true, After: true})
	require.Error(t, lost(), "the first was without effect")
	assert.Equal(t, 20002, refresh(t, s, appKey, token).code(), "the second had it")
	assert.Equal(t, 0, s.Requests()[0].Status)
}

func TestQuota(t *testing.T) {
	s := start(t)
	s.AddDocument(table(seedAttachments()...))
	// 22:00 by the clock of China, or 14:00 by UTC, of some day to come.
	evening := time.Now().UTC().Truncate(24 * time.Hour).Add(48*time.Hour + 14*time.Hour)
	s.SetClock(time.Until(evening))
	token := s.Login(appID).Access
	s.Spend(appID, kdocssim.AttachmentURLs, 9_998)
	for _, want := range []int{0, 0, 40000429} {
		assert.Equal(t, want, ask(t, s, token, seedRequest).code())
	}
	assert.Equal(t, 1, s.Counts(kdocssim.AttachmentURLs).OverQuota)
	assert.Equal(t, 0, get(t, s, token, schemasPath, nil).code(), "other calls have their own")

	s.SetClock(time.Until(evening.Add(3 * time.Hour)))
	assert.Equal(t, 0, ask(t, s, token, seedRequest).code(), "a new day in China, but not by UTC")
	s.AddApp(kdocssim.App{ID: appID, Key: appKey, Scopes: scopes, Released: true})
	s.Spend(appID, kdocssim.AttachmentURLs, 10_000)
	assert.Equal(t, 0, ask(t, s, token, seedRequest).code(), "a released app has more")
}

func TestQuota_Levers(t *testing.T) {
	s := start(t)
	token := s.Login(appID).Access
	s.SetQuota(kdocssim.UserBasic, 2)
	for _, want := range []int{0, 0, 40000429} {
		assert.Equal(t, want, user(t, s, token).code())
	}
	s.SetQuota(kdocssim.UserBasic, -1)
	assert.Equal(t, 0, user(t, s, token).code())
	s.SetSharedQuota(4)
	assert.Equal(t, 0, get(t, s, token, "/api/v1/openapi/personal/files", nil).code())
	assert.Equal(t, 40000429, user(t, s, token).code())
	assert.Equal(t, 40000429, get(t, s, token, "/api/v1/openapi/personal/files", nil).code())
	s.SetSharedQuota(0)
	s.SetQuota(kdocssim.UserBasic, 0)
	assert.Equal(t, 40000429, user(t, s, token).code())
}

func TestQuota_Shapes(t *testing.T) {
	s := start(t)
	token := s.Login(appID).Access
	s.SetQuota(kdocssim.UserBasic, 0)
	for shape, want := range map[kdocssim.Over][2]int{
		kdocssim.Over429: {429, 40000429}, kdocssim.OverBare: {429, -1},
		kdocssim.OverCode: {200, 40000429}, kdocssim.Over403: {403, 40000429},
	} {
		s.SetOverQuota(shape)
		assert.Equal(t, want, user(t, s, token).refusedWith(), shape)
	}
}
