package ekuaibao_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/ekuaibao"
)

const (
	tokenPath    = "/api/openapi/v1/auth/getAccessToken"
	locationPath = "/api/openapi/v2/location"
	listPath     = "/api/openapi/v1.1/docs/getApplyList"
	detailsPath  = "/api/openapi/v1.1/flowDetails"
	partsPath    = "/api/openapi/v1/flowDetails/attachment"
	linksPath    = "/api/openapi/v2/attachment/downloadurls"

	token = "ID_x" + linksim.Marker + ":corp" // with a colon, as real ones have
)

// answerer is an API of which a test says every word.
type answerer struct {
	*httptest.Server

	mu       sync.Mutex // guards the following
	answers  map[string]func(r *http.Request, body string) (status int, text string)
	requests []*http.Request
	bodies   []string
}

func answering(t *testing.T) *answerer {
	t.Helper()
	a := &answerer{answers: make(map[string]func(*http.Request, string) (int, string))}
	a.Server = httptest.NewServer(a)
	t.Cleanup(a.Close)
	a.on(tokenPath, func(*http.Request, string) (int, string) {
		return 200, `{"value": {"accessToken": "` + token + `", "refreshToken": "r` + linksim.Marker + `", "expireTime": 33000000000000, "corporationId": "corp"}}`
	})
	return a
}

func (a *answerer) on(path string, answer func(r *http.Request, body string) (int, string)) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.answers[path] = answer
}

// say makes all calls of a path have one answer.
func (a *answerer) say(path string, status int, text string) {
	a.on(path, func(*http.Request, string) (int, string) { return status, text })
}

// ServeHTTP is part of [http.Handler].
func (a *answerer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	a.mu.Lock()
	a.requests, a.bodies = append(a.requests, r), append(a.bodies, string(body))
	answer := a.answers[r.URL.Path]
	a.mu.Unlock()
	if answer == nil {
		http.NotFound(w, r)
		return
	}
	status, text := answer(r, string(body))
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text)
}

// of returns the requests for a path, and their bodies.
func (a *answerer) of(path string) (requests []*http.Request, bodies []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, r := range a.requests {
		if r.URL.Path == path {
			requests, bodies = append(requests, r), append(bodies, a.bodies[i])
		}
	}
	return requests, bodies
}

func (a *answerer) config() ekuaibao.Config {
	return ekuaibao.Config{
		BaseURL: a.URL, CorpID: "corp",
		AppKey: resolver.NewSecret("key-" + linksim.Marker), AppSecurity: resolver.NewSecret("security-" + linksim.Marker),
	}
}

// connect makes a provider that does not wait for its turns.
func connect(t *testing.T, cfg ekuaibao.Config) *ekuaibao.Provider {
	t.Helper()
	require.NoError(t, cfg.Validate())
	p := ekuaibao.New(cfg, ekuaibao.Unlimited(cfg))
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

const (
	storedID = resolver.ID("file/flow/61sbwX3DEAgk00/openapi0306c2d1-7a5b-4e96-8172-60c5ee0f971e-kotlin%E7%AE%80%E4%BB%8B.docx")
	thumbID  = resolver.ID("thumb/flow/61sbwX3DEAgk00/openapi0306c2d1-7a5b-4e96-8172-60c5ee0f971e-kotlin%E7%AE%80%E4%BB%8B.docx")
	driveID  = resolver.ID("file/flow/136634573449/DP:%7B%22fileId%22:%22136634437985%22%2C%22fileName%22:%22128163bbba83.jpg%22%2C%22fileSize%22:2985928%2C%22fileType%22:%22jpg%22%2C%22spaceId%22:%227215288789%22%7D")
)

// The request and the answer that the vendor's page prints, with the secrets made
// up.
func TestResolve_AsTheVendorPrints(t *testing.T) {
	a := answering(t)
	printed, err := os.ReadFile("testdata/downloadurls.json")
	require.NoError(t, err)
	a.say(linksPath, 200, string(printed))
	cfg := a.config()
	cfg.LinkTTL = 1000 * time.Second
	p := connect(t, cfg)
	assert.NotEqual(t, p.Batch(storedID).Group, p.Batch(driveID).Group, "calls of their own")
	assert.Equal(t, p.Batch(storedID), p.Batch(thumbID))
	assert.Equal(t, 100, p.Batch(storedID).Size)

	answers, err := p.Resolve(t.Context(), []resolver.ID{storedID, thumbID, storedID})
	require.NoError(t, err)
	drive, err := p.Resolve(t.Context(), []resolver.ID{driveID})
	require.NoError(t, err)
	requests, bodies := a.of(linksPath)
	require.Len(t, requests, 2)
	assert.Equal(t, http.MethodPost, requests[0].Method)
	assert.Equal(t, token, requests[0].URL.Query().Get("accessToken"))
	assert.Empty(t, requests[0].Header.Get("Authorization"))
	assert.JSONEq(t, `[{"id": "61sbwX3DEAgk00", "key": "openapi0306c2d1-7a5b-4e96-8172-60c5ee0f971e-kotlin简介.docx", "expiration": 1000}]`, bodies[0])
	assert.JSONEq(t, `[{"id": "136634573449", "expiration": 1000,
		"key": "DP:{\"fileId\":\"136634437985\",\"fileName\":\"128163bbba83.jpg\",\"fileSize\":2985928,\"fileType\":\"jpg\",\"spaceId\":\"7215288789\"}"}]`, bodies[1])

	var items []struct{ URL, ThumbURL string }
	require.NoError(t, json.Unmarshal(printed, &items))
	for i, want := range []string{items[0].URL, items[0].ThumbURL, items[0].URL} {
		require.NoError(t, answers[i].Err)
		link := answers[i].Link
		assert.Equal(t, want, link.URLs[0].Reveal(), "byte for byte")
		assert.Empty(t, link.Header)
		assert.Equal(t, 1000*time.Second, link.Lifetime)
		assert.Equal(t, i == 1, link.Ranged == resolver.RangedNo, "a generated picture is taken whole")
	}
	require.NoError(t, drive[0].Err)
	assert.Equal(t, items[1].URL, drive[0].Link.URLs[0].Reveal())
	assert.Equal(t, 15*time.Minute, drive[0].Link.Lifetime)
	assert.Len(t, drive[0].Link.Header, 2)
	assert.Equal(t, "OSS EXAMPLE:EXAMPLEoD0TJ8ljy0WBfRKtaowY=", drive[0].Link.Header["Authorization"].Reveal())
	assert.Equal(t, "Tue, 04 Jun 2024 02:36:44 GMT", drive[0].Link.Header["x-oss-date"].Reveal())
}

func TestResolve_WhatStandsForNothing(t *testing.T) {
	for _, text := range []string{`[]`, `{[]}`, ` {[]} `, `{}`, `null`, `{"items":[]}`} {
		a := answering(t)
		a.say(linksPath, 200, text)
		p := connect(t, a.config())
		answers, err := p.Resolve(t.Context(), []resolver.ID{storedID})
		require.NoError(t, err, text)
		assert.ErrorIs(t, answers[0].Err, resolver.ErrNotExist, text)
		answers, err = p.Resolve(t.Context(), []resolver.ID{driveID})
		require.NoError(t, err, text)
		assert.ErrorIs(t, answers[0].Err, resolver.ErrPermission, text)
		assert.ErrorContains(t, answers[0].Err, "企业存储文件下载信息读权限")
	}
}

// Kinds of answers to a call for links, for files of the store and of a DingTalk
// drive.
func TestResolve_Refusals(t *testing.T) {
	for _, row := range []struct {
		name, text    string
		status        int
		stored, drive error
	}{
		{"bad request", `{"errorCode":400,"errorMessage":"参数错误"}`, 400, resolver.ErrRejected, resolver.ErrPermission},
		{"business", `{"errorCode":412,"errorMessage":"附件不存在"}`, 412, resolver.ErrRejected, resolver.ErrPermission},
		{"not this call", `{"errorCode":403,"errorMessage":"不允许调用此接口"}`, 403, resolver.ErrPermission, resolver.ErrPermission},
		{"not the drive", `no api permission`, 403, resolver.ErrPermission, resolver.ErrPermission},
		{"not the drive either", `{"errorCode":500,"errorMessage":"no api permission"}`, 500, resolver.ErrPermission, resolver.ErrPermission},
		{"over its head", `参数超过最大限制`, 200, resolver.ErrUnavailable, resolver.ErrUnavailable},
		{"web page", `<!doctype html><html>x</html>`, 200, resolver.ErrUnavailable, resolver.ErrUnavailable},
		{"broken", `{"error":"x"}`, 500, resolver.ErrUnavailable, resolver.ErrUnavailable},
		{"too fast", `{"code":"429","msg":"请求过于频繁"}`, 429, resolver.ErrThrottled, resolver.ErrThrottled},
	} {
		t.Run(row.name, func(t *testing.T) {
			a := answering(t)
			a.say(linksPath, row.status, row.text)
			p := connect(t, a.config())
			_, err := p.Resolve(t.Context(), []resolver.ID{storedID})
			require.ErrorIs(t, err, row.stored)
			assert.NotErrorIs(t, err, resolver.ErrCredentials)
			_, err = p.Resolve(t.Context(), []resolver.ID{driveID})
			require.ErrorIs(t, err, row.drive)
			if resolver.Refused(err) {
				assert.ErrorContains(t, err, "钉钉云盘")
			}
			assert.NotContains(t, err.Error(), linksim.Marker)
		})
	}
}

// A company that may not have files of its drive may be told so in no words that
// are known.
func TestResolve_DriveForbidden(t *testing.T) {
	a := answering(t)
	a.on(linksPath, func(_ *http.Request, body string) (int, string) {
		if strings.Contains(body, "DP:") {
			return 403, `{}`
		}
		return 200, `[]`
	})
	p := connect(t, a.config())
	_, err := p.Resolve(t.Context(), []resolver.ID{driveID})
	require.ErrorIs(t, err, resolver.ErrPermission)
	require.NotErrorIs(t, err, resolver.ErrCredentials)
	_, err = p.Resolve(t.Context(), []resolver.ID{storedID})
	require.NoError(t, err)
}

func TestResolve_NoAddress(t *testing.T) {
	a := answering(t)
	a.on(linksPath, func(_ *http.Request, body string) (int, string) {
		return 200, strings.ReplaceAll(body, `"expiration"`, `"url":"","headers":null,"x"`)
	})
	p := connect(t, a.config())
	answers, err := p.Resolve(t.Context(), []resolver.ID{storedID})
	require.NoError(t, err)
	require.ErrorIs(t, answers[0].Err, resolver.ErrNotExist)
	answers, err = p.Resolve(t.Context(), []resolver.ID{driveID})
	require.NoError(t, err)
	require.ErrorIs(t, answers[0].Err, resolver.ErrPermission)
}

func TestToken_NotKnownAtOnce(t *testing.T) {
	a := answering(t)
	calls := 0
	a.on(linksPath, func(*http.Request, string) (int, string) {
		if calls++; calls == 1 {
			return 403, `{"errorCode":403,"errorMessage":"accessToken无效"}`
		}
		return 200, `[]`
	})
	_, err := connect(t, a.config()).Resolve(t.Context(), []resolver.ID{storedID})
	require.NoError(t, err)
	logins, bodies := a.of(tokenPath)
	require.Len(t, logins, 1, "the same token, a moment later")
	assert.JSONEq(t, `{"appKey": "key-SIMSECRET", "appSecurity": "security-SIMSECRET"}`, bodies[0])
	assert.Empty(t, logins[0].URL.RawQuery)
	assert.Equal(t, 2, calls)
}

func TestToken_WrongKeys(t *testing.T) {
	a := answering(t)
	a.say(tokenPath, 403, `{"errorCode":403,"errorMessage":"密钥无效"}`)
	_, err := connect(t, a.config()).Resolve(t.Context(), []resolver.ID{driveID})
	require.ErrorIs(t, err, resolver.ErrCredentials)
	assert.ErrorContains(t, err, "app_key")
	assert.NotContains(t, err.Error(), "钉钉", "it is not about the drive")
	assert.NotContains(t, err.Error(), linksim.Marker)
}

// The token is in every address, and errors of HTTP clients quote addresses.
func TestToken_IsNotTold(t *testing.T) {
	a := answering(t)
	a.on(linksPath, func(*http.Request, string) (int, string) { panic(http.ErrAbortHandler) })
	p := connect(t, a.config())
	_, err := p.Resolve(t.Context(), []resolver.ID{storedID})
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	assert.NotContains(t, err.Error(), linksim.Marker)
	assert.NotContains(t, err.Error(), "accessToken")
	assert.NotContains(t, err.Error(), "http")
}

func TestLocation(t *testing.T) {
	first, second, vendor := answering(t), answering(t), answering(t)
	for _, a := range []*answerer{first, second} {
		a.say(linksPath, 200, `[]`)
	}
	vendor.say(locationPath, 200, `{"value":"`+first.URL+`/"}`)
	cfg := vendor.config()
	cfg.BaseURL = ""
	p := connect(t, cfg.Locator(vendor.URL))
	for range 2 {
		_, err := p.Resolve(t.Context(), []resolver.ID{storedID})
		require.NoError(t, err)
	}
	asked, _ := vendor.of(locationPath)
	require.Len(t, asked, 1)
	assert.Equal(t, "corpId=corp", asked[0].URL.RawQuery)
	assert.Regexp(t, "^ekuaibao/corp-[0-9a-f]{16}$", p.Account())

	// The company moves: the old host does not know it any more.
	vendor.say(locationPath, 200, `{"value":"`+second.URL+`"}`)
	first.say(linksPath, 404, ``)
	for range 2 {
		_, err := p.Resolve(t.Context(), []resolver.ID{storedID})
		require.ErrorIs(t, err, resolver.ErrUnavailable)
	}
	p.LongAgo()
	_, err := p.Resolve(t.Context(), []resolver.ID{storedID})
	require.ErrorIs(t, err, resolver.ErrUnavailable, "the third call without an answer, after which it is doubted")
	_, err = p.Resolve(t.Context(), []resolver.ID{storedID})
	require.NoError(t, err)
	asked, _ = vendor.of(locationPath)
	assert.Len(t, asked, 2)
	served, _ := second.of(linksPath)
	assert.Len(t, served, 1)
}

func TestLocation_Refused(t *testing.T) {
	for _, row := range []struct {
		status int
		text   string
		want   error
	}{
		{200, `{"value":"ftp://x/"}`, resolver.ErrUnavailable},
		{200, `{"value":""}`, resolver.ErrUnavailable},
		{200, `{}`, resolver.ErrUnavailable},
		{400, `{"errorMessage":"企业不存在"}`, resolver.ErrCredentials},
		{503, ``, resolver.ErrUnavailable},
	} {
		vendor := answering(t)
		vendor.say(locationPath, row.status, row.text)
		cfg := vendor.config()
		cfg.BaseURL = ""
		p := connect(t, cfg.Locator(vendor.URL))
		_, err := p.Resolve(t.Context(), []resolver.ID{storedID})
		require.ErrorIs(t, err, row.want, row.text)
		assert.ErrorContains(t, err, "host of the company")
		assert.ErrorIs(t, p.Turn(t.Context(), ""), row.want)
		_, err = p.Check(t.Context())
		assert.ErrorIs(t, err, row.want)
	}
}
