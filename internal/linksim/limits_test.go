package linksim_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
)

// post makes a call for one link and returns the answer as it is.
func post(t testing.TB, o *linksim.Origin) (*http.Response, string) {
	t.Helper()
	res, err := http.Post(o.URL()+"/api/links", "application/json", strings.NewReader(`{"ids":["`+id+`"]}`))
	require.NoError(t, err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res, strings.TrimSpace(string(body))
}

func TestLinkRate(t *testing.T) {
	o := start(t, 10, linksim.WithLinkRate(2, 90*time.Minute))
	for range 2 {
		_, res := links(t, o, id)
		require.Equal(t, http.StatusOK, res.StatusCode)
	}
	_, res := links(t, o, id)
	assert.Equal(t, http.StatusTooManyRequests, res.StatusCode)
	assert.Equal(t, "5400", res.Header.Get("Retry-After"), "rounded up")
	_, res = list(t, o, "", "")
	assert.Equal(t, http.StatusOK, res.StatusCode, "list is another call")
	assert.Equal(t, linksim.Counts{Lists: 1, LinkCalls: 3, Throttled: 1, LinksIssued: 2}, o.Counts())

	o.SetLinkRate(0, 0)
	_, res = links(t, o, id)
	assert.Equal(t, http.StatusOK, res.StatusCode)
}

func TestLinkRate_LetsInWhoWaited(t *testing.T) {
	const per = 200 * time.Millisecond
	o := start(t, 10, linksim.WithLinkRate(1, per))
	began := time.Now()
	post(t, o)
	for {
		res, _ := post(t, o)
		if res.StatusCode == http.StatusOK {
			break
		}
		assert.Equal(t, "1", res.Header.Get("Retry-After"))
	}
	assert.GreaterOrEqual(t, time.Since(began), per)
}

func TestLinkRate_InParallel(t *testing.T) {
	o := start(t, 10, linksim.WithLinkRate(5, time.Hour))
	var calls sync.WaitGroup
	for range 40 {
		calls.Go(func() {
			res, err := http.Post(o.URL()+"/api/links", "application/json", strings.NewReader(`{"ids":["a"]}`))
			if assert.NoError(t, err) {
				assert.NoError(t, res.Body.Close())
			}
		})
	}
	calls.Wait()
	assert.Equal(t, 35, o.Counts().Throttled)
}

func TestListRate(t *testing.T) {
	o := start(t, 10, linksim.WithListRate(1, time.Hour))
	_, first := list(t, o, "", "")
	_, second := list(t, o, "", "")
	_, link := links(t, o, id)
	assert.Equal(t, []int{200, 429, 200}, []int{first.StatusCode, second.StatusCode, link.StatusCode})
	o.SetListRate(2, time.Hour)
	_, third := list(t, o, "", "")
	assert.Equal(t, http.StatusOK, third.StatusCode, "a new rate begins anew")
}

func TestRates_NeedSense(t *testing.T) {
	for _, option := range []linksim.Option{
		linksim.WithLinkRate(0, time.Second), linksim.WithListRate(1, 0),
		linksim.WithApp("", "secret", time.Hour), linksim.WithApp("id", "secret", 0),
	} {
		_, err := linksim.Start(option)
		assert.Error(t, err)
	}
}

func TestLimits_Shapes(t *testing.T) {
	for shape, want := range map[linksim.LimitShape]struct {
		status      int
		header      string // that says how long to wait
		throttled   string
		spent       string
		contentType string
	}{
		linksim.Limit429:  {429, "Retry-After", `{"error":"too many requests"}`, `{"error":"the quota of API calls is spent"}`, "application/json"},
		linksim.Limit400:  {400, "X-Ogw-Ratelimit-Reset", `{"code":99991400,"msg":"too many requests"}`, `{"code":99991403,"msg":"the quota of API calls is spent"}`, "application/json"},
		linksim.Limit403:  {403, "", `{"code":99991400,"msg":"too many requests"}`, `{"code":99991403,"msg":"the quota of API calls is spent"}`, "application/json"},
		linksim.Limit200:  {200, "", `{"code":1254290,"msg":"too many requests"}`, `{"code":99991403,"msg":"the quota of API calls is spent"}`, "application/json"},
		linksim.LimitText: {200, "", "too many requests, please try again later", "the quota of API calls is spent, please try again later", "text/plain; charset=utf-8"},
	} {
		t.Run(string(shape), func(t *testing.T) {
			o := start(t, 10, linksim.WithLinkRate(1, 7*time.Second))
			o.SetLimitShapes(shape, shape)
			post(t, o)
			res, body := post(t, o)
			assert.Equal(t, want.status, res.StatusCode)
			assert.Equal(t, want.throttled, body)
			assert.Equal(t, want.contentType, res.Header.Get("Content-Type"))
			for _, header := range []string{"Retry-After", "X-Ogw-Ratelimit-Reset"} {
				if header == want.header {
					assert.Equal(t, "7", res.Header.Get(header))
				} else {
					assert.Empty(t, res.Header.Get(header))
				}
			}
			o.SetLinkRate(0, 0)
			o.SetQuota(0)
			res, body = post(t, o)
			assert.Equal(t, want.status, res.StatusCode)
			assert.Equal(t, want.spent, body)
			assert.Empty(t, res.Header.Get(want.header), "nothing tells when there is more")
		})
	}
}

func TestQuota(t *testing.T) {
	o := start(t, 10)
	o.SetQuota(2)
	var statuses []int
	for range 4 {
		_, res := links(t, o, id)
		statuses = append(statuses, res.StatusCode)
	}
	assert.Equal(t, []int{200, 200, 403, 403}, statuses)
	_, res := list(t, o, "", "")
	assert.Equal(t, http.StatusOK, res.StatusCode, "listings cost nothing of it")
	assert.Equal(t, 2, o.Counts().OverQuota)
	assert.Equal(t, 2, o.Counts().LinksIssued)
	o.SetQuota(-1)
	_, res = links(t, o, id)
	assert.Equal(t, http.StatusOK, res.StatusCode)
}

func TestQuota_IsNotSpentByCallsThatComeTooSoon(t *testing.T) {
	o := start(t, 10, linksim.WithLinkRate(1, time.Hour))
	o.SetQuota(2)
	for range 3 {
		links(t, o, id)
	}
	o.SetLinkRate(0, 0)
	_, res := links(t, o, id)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	_, res = links(t, o, id)
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
}

func TestLimits_SparesFaults(t *testing.T) {
	o := start(t, 10, linksim.WithLinkRate(1, time.Hour))
	o.InjectAPI(linksim.LinkCall, linksim.Fault{Kind: linksim.Status, Skip: 1, Times: 1})
	links(t, o, id)
	_, refused := links(t, o, id)
	assert.Equal(t, http.StatusTooManyRequests, refused.StatusCode)
	o.SetLinkRate(0, 0)
	res, _ := post(t, o)
	assert.Equal(t, http.StatusServiceUnavailable, res.StatusCode, "the fault waited")
}
