package feishusim_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

// times are the start and the end that a link tells.
func times(t testing.TB, address string) (start, end int64) {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	text, err := base64.RawStdEncoding.DecodeString(u.Query().Get("code"))
	require.NoError(t, err)
	require.Regexp(t, `^[0-9a-f]{32}_[0-9a-f]{32}_ID:\d+_\d+:\d+_V3$`, string(text))
	from, to, _ := strings.Cut(strings.Split(string(text), "_")[3], ":")
	start, err = strconv.ParseInt(from, 10, 64)
	require.NoError(t, err)
	end, err = strconv.ParseInt(to, 10, 64)
	require.NoError(t, err)
	return start, end
}

func TestLinks_LookLikeFeishus(t *testing.T) {
	s := start(t)
	_, address := link(t, s, linksim.Bytes([]byte("x")))
	assert.True(t, strings.HasPrefix(address, s.StreamURL()+"/space/api/box/stream/download/authcode/?code="))
	assert.NotEqual(t, s.URL(), s.StreamURL())
	assert.Contains(t, address, feishusim.Marker)
	from, to := times(t, address)
	assert.InDelta(t, 7200, to-from, 1)

	s.SetLinkTerms(feishusim.LinkTerms{Told: time.Minute})
	_, address = link(t, s, linksim.Bytes([]byte("x")))
	from, to = times(t, address)
	assert.InDelta(t, 60, to-from, 1)
	s.SetClock(90 * time.Minute)
	res, _ := fetch(t, address)
	assert.Equal(t, http.StatusOK, res.StatusCode, "it lives longer than it tells")
}

func TestLinks_HaveTwoUsesOfAnyKind(t *testing.T) {
	content := linksim.Pattern(1, 10_000)
	whole, err := io.ReadAll(io.NewSectionReader(content, 0, content.Size()))
	require.NoError(t, err)
	for _, kind := range []string{"GET", "HEAD", "ranged"} {
		t.Run(kind, func(t *testing.T) {
			s := start(t)
			id, address := link(t, s, content)
			switch kind {
			case "HEAD":
				_, _, err = send(t, "HEAD", address, "", nil)
			case "ranged":
				_, _, err = send(t, "GET", address, "", http.Header{"Range": {"bytes=0-0"}})
			default:
				fetch(t, address)
			}
			require.NoError(t, err)
			res, body := fetch(t, address)
			require.Equal(t, http.StatusOK, res.StatusCode)
			assert.Equal(t, string(whole), body)
			assert.EqualValues(t, 10_000, res.ContentLength)
			res, _ = fetch(t, address)
			assert.Equal(t, http.StatusForbidden, res.StatusCode)
			want := map[string]feishusim.LinkCounts{
				"GET":    {Gets: 3, OverUses: 1, Bytes: 20_000},
				"HEAD":   {Gets: 2, Heads: 1, OverUses: 1, Bytes: 10_000},
				"ranged": {Gets: 3, OverUses: 1, Bytes: 10_001},
			}[kind]
			assert.Equal(t, []feishusim.LinkCounts{want}, s.Links(id))
			assert.Equal(t, want, s.LinkTotals())
		})
	}
}

func TestLinks_Uses(t *testing.T) {
	s := start(t)
	s.SetLinkTerms(feishusim.LinkTerms{Uses: 1})
	_, address := link(t, s, linksim.Bytes(nil))
	first, _ := fetch(t, address)
	second, _ := fetch(t, address)
	assert.Equal(t, []int{200, 403}, []int{first.StatusCode, second.StatusCode})
}

func TestLinks_Die(t *testing.T) {
	s := start(t)
	id, address := link(t, s, linksim.Bytes([]byte("x")))
	s.SetClock(2*time.Hour - time.Minute)
	res, _ := fetch(t, address)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	s.SetClock(2*time.Hour + time.Minute)
	res, _ = fetch(t, address)
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
	assert.Equal(t, 1, s.Links(id)[0].DeadUses)

	id, address = link(t, s, linksim.Bytes([]byte("x")))
	s.ExpireLinks()
	fetch(t, address)
	assert.Equal(t, 1, s.Links(id)[0].DeadUses)
}

func TestTimeScale_ShortensLinks(t *testing.T) {
	s := start(t)
	s.SetTimeScale(3600)
	_, address := link(t, s, linksim.Bytes([]byte("x")))
	from, to := times(t, address)
	assert.InDelta(t, 2, to-from, 1)
	s.SetClock(3 * time.Second)
	res, _ := fetch(t, address)
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
}

func TestLinks_StatusesOfRefusals(t *testing.T) {
	s := start(t)
	s.SetLinkTerms(feishusim.LinkTerms{Uses: 1})
	for _, status := range []int{403, 404, 410, 400, 401, 200} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			s.SetLinkConduct(feishusim.LinkConduct{DeadStatus: status})
			_, address := link(t, s, linksim.Bytes([]byte("x")))
			fetch(t, address)
			res, _ := fetch(t, address)
			assert.Equal(t, http.StatusForbidden, res.StatusCode, "used up is not dead")
			s.ExpireLinks()
			res, body := fetch(t, address)
			assert.Equal(t, status, res.StatusCode)
			assert.Equal(t, "application/json; charset=utf-8", res.Header.Get("Content-Type"))
			assert.True(t, json.Valid([]byte(body)))

			s.SetLinkConduct(feishusim.LinkConduct{UsedUpStatus: status})
			_, address = link(t, s, linksim.Bytes([]byte("x")))
			fetch(t, address)
			res, _ = fetch(t, address)
			assert.Equal(t, status, res.StatusCode)
		})
	}
}

func TestLinks_Ranges(t *testing.T) {
	s := start(t)
	id, address := link(t, s, linksim.Bytes([]byte("0123456789")))
	header := http.Header{"Range": {"bytes=2-4"}}
	res, body, err := send(t, "GET", address, "", header)
	require.NoError(t, err)
	assert.Equal(t, http.StatusPartialContent, res.StatusCode)
	assert.Equal(t, "bytes 2-4/10", res.Header.Get("Content-Range"))
	assert.Equal(t, "234", string(body))
	assert.EqualValues(t, 3, s.Links(id)[0].Bytes)
	assert.Empty(t, res.Header.Get("ETag"))
	assert.Equal(t, "application/octet-stream", res.Header.Get("Content-Type"))

	s.SetLinkConduct(feishusim.LinkConduct{NoRanges: true})
	res, body, err = send(t, "GET", address, "", header)
	require.NoError(t, err)
	assert.Equal(t, http.StatusOK, res.StatusCode)
	assert.Equal(t, "0123456789", string(body))
}

func TestLinks_Chunked(t *testing.T) {
	s := start(t)
	s.SetLinkConduct(feishusim.LinkConduct{Chunked: true})
	_, address := link(t, s, linksim.Bytes([]byte("0123456789")))
	res, body := fetch(t, address)
	assert.EqualValues(t, -1, res.ContentLength)
	assert.Equal(t, []string{"chunked"}, res.TransferEncoding)
	assert.Equal(t, "0123456789", body)
}

func TestLinks_CutOnce(t *testing.T) {
	for _, chunked := range []bool{false, true} {
		t.Run(fmt.Sprint("chunked ", chunked), func(t *testing.T) {
			s := start(t)
			s.SetLinkConduct(feishusim.LinkConduct{Chunked: chunked})
			id, address := link(t, s, linksim.Pattern(1, 200_000))
			s.CutOnce(id, 70_000)
			_, body, err := send(t, "GET", address, "", nil)
			assert.ErrorIs(t, err, io.ErrUnexpectedEOF)
			assert.Len(t, body, 70_000)
			_, whole := fetch(t, address)
			assert.Len(t, whole, 200_000)
			assert.EqualValues(t, 270_000, s.Links(id)[0].Bytes)
		})
	}
}

func TestLinks_TakeNoToken(t *testing.T) {
	s := start(t)
	id, address := link(t, s, linksim.Bytes([]byte("x")))
	res, _, err := send(t, "GET", address, "", http.Header{"Authorization": {"Bearer t-x"}})
	require.NoError(t, err)
	assert.Equal(t, http.StatusBadRequest, res.StatusCode)
	assert.Equal(t, 1, s.Links(id)[0].Leaks)
	for range 2 {
		res, _ := fetch(t, address)
		assert.Equal(t, http.StatusOK, res.StatusCode, "a leak spends no use")
	}
}

func TestLinks_Unknown(t *testing.T) {
	s := start(t)
	res, _ := fetch(t, s.StreamURL()+"/space/api/box/stream/download/authcode/?code=x")
	assert.Equal(t, http.StatusForbidden, res.StatusCode)
	assert.Equal(t, feishusim.LinkCounts{Gets: 1, DeadUses: 1}, s.LinkTotals())
	res, _ = fetch(t, s.StreamURL()+"/other")
	assert.Equal(t, http.StatusNotFound, res.StatusCode)
	s.ResetCounts()
	assert.Zero(t, s.LinkTotals())
	assert.Empty(t, s.Requests())
}

func TestRequests_HoldNoSecrets(t *testing.T) {
	s := start(t)
	_, address := link(t, s, linksim.Bytes([]byte("x")))
	fetch(t, address)
	fetch(t, s.StreamURL()+"/elsewhere?x=1&code="+feishusim.Marker)
	requests := s.Requests()
	require.Len(t, requests, 4)
	assert.Equal(t, "POST", requests[0].Method)
	assert.Contains(t, requests[1].Query, "attachment_ids=")
	assert.Equal(t, "code=-", requests[2].Query)
	var statuses []int
	for _, r := range requests {
		statuses = append(statuses, r.Status)
		assert.False(t, r.Time.IsZero())
	}
	assert.Equal(t, []int{200, 200, 200, 404}, statuses)
	assert.NotContains(t, fmt.Sprint(requests), feishusim.Marker)
}

func TestDate_IsTheServersClock(t *testing.T) {
	s := start(t)
	s.SetClock(48 * time.Hour)
	_, address := link(t, s, linksim.Bytes([]byte("x")))
	res, _ := fetch(t, address)
	date, err := http.ParseTime(res.Header.Get("Date"))
	require.NoError(t, err)
	assert.InDelta(t, 48, time.Until(date).Hours(), 0.1)
}

func TestClose_IsFinal(t *testing.T) {
	s, err := feishusim.Start()
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err = http.Get(s.URL())
	assert.Error(t, err)
}
