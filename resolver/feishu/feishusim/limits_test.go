package feishusim_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

// strict starts a server with the documented rates.
func strict(t testing.TB) *feishusim.Server {
	t.Helper()
	s, err := feishusim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.AddApp(feishusim.App{ID: appID, Secret: secret, Scopes: scopes, DataRange: []string{feishusim.AllMailboxes}})
	s.AddMailbox(box)
	return s
}

func TestRates_AreThoseOfTheDocuments(t *testing.T) {
	for _, c := range []struct {
		call         feishusim.Call
		method, rest string
		calls        int
	}{
		{feishusim.AccessibleMailboxes, "GET", "/accessible_mailboxes", 10},
		{feishusim.Folders, "GET", "/folders", 5},
		{feishusim.Messages, "GET", "/messages", 10},
		{feishusim.GetMessage, "GET", "/messages/x", 100},
		{feishusim.BatchGet, "POST", "/messages/batch_get", 10},
		{feishusim.DownloadURL, "GET", "/messages/x/attachments/download_url", 1},
	} {
		t.Run(string(c.call), func(t *testing.T) {
			s := strict(t)
			s.SetTimeScale(1.0 / 3600) // no window ends within the test
			token := tenantToken(t, s)
			for range c.calls {
				require.NotEqual(t, 99991400, call(t, s, token, c.method, mailPath(box, c.rest), "{}").code())
			}
			r := call(t, s, token, c.method, mailPath(box, c.rest), "{}")
			assert.Equal(t, [2]int{429, 99991400}, r.refusedWith())
			assert.NotEmpty(t, r.header.Get("X-Ogw-Ratelimit-Limit"))
			assert.Equal(t, feishusim.CallCounts{Calls: c.calls + 1, Refused: 1}, s.Counts(c.call))
		})
	}
}

func TestRates_TellHowLongToWait(t *testing.T) {
	s := start(t)
	token := tenantToken(t, s)
	s.SetRate(feishusim.Folders, feishusim.Rate{Calls: 1, Per: 90 * time.Second}, feishusim.Rate{Calls: 9, Per: time.Second})
	s.SetThrottleStatus(http.StatusBadRequest)
	require.Equal(t, 0, get(t, s, token, "/folders").code())
	r := get(t, s, token, "/folders")
	assert.Equal(t, [2]int{400, 99991400}, r.refusedWith())
	assert.Equal(t, "90", r.header.Get("X-Ogw-Ratelimit-Reset"), "rounded up")
	assert.Equal(t, "1", r.header.Get("X-Ogw-Ratelimit-Limit"))
	s.SetTimeScale(30)
	assert.Equal(t, "3", get(t, s, token, "/folders").header.Get("X-Ogw-Ratelimit-Reset"), "in true seconds")
}

func TestRates_LetInWhoWaited(t *testing.T) {
	s := strict(t)
	s.SetTimeScale(5)
	token := tenantToken(t, s)
	began := time.Now()
	path := "/messages/x/attachments/download_url"
	require.NotEqual(t, 99991400, get(t, s, token, path).code())
	for get(t, s, token, path).code() == 99991400 {
	}
	assert.GreaterOrEqual(t, time.Since(began), 200*time.Millisecond)
	assert.Less(t, time.Since(began), 10*time.Second)
}

func TestRates_AreSharedByTheApp(t *testing.T) {
	s := strict(t)
	s.SetTimeScale(1.0 / 3600)
	s.AddApp(feishusim.App{ID: "cli_other", Secret: secret, Scopes: scopes, DataRange: []string{feishusim.AllMailboxes}})
	user, _ := s.IssueUserToken(appID, box, scopes...)
	other, _ := s.IssueUserToken("cli_other", box, scopes...)
	token := tenantToken(t, s)
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() { get(t, s, token, "/folders") })
		calls.Go(func() { get(t, s, user, "/folders") })
	}
	calls.Wait()
	assert.Equal(t, 35, s.Counts(feishusim.Folders).Refused)
	assert.Equal(t, 0, get(t, s, other, "/folders").code(), "another app has its own")
}

func TestQuota(t *testing.T) {
	s := start(t)
	s.SetQuota(2)
	token := tenantToken(t, s)
	assert.Equal(t, 0, get(t, s, token, "/folders").code())
	assert.Equal(t, 0, get(t, s, token, "/folders").code())
	assert.Equal(t, [2]int{400, 99991403}, get(t, s, token, "/folders").refusedWith())
	assert.Equal(t, 99991403, get(t, s, token, "/accessible_mailboxes").code(), "one quota for all calls")
	assert.Equal(t, feishusim.CallCounts{Calls: 3, OverQuota: 1}, s.Counts(feishusim.Folders))
	s.SetQuota(-1)
	assert.Equal(t, 0, get(t, s, token, "/folders").code())
}

func TestQuota_IsNotSpentByRefusedCalls(t *testing.T) {
	s := start(t)
	token := tenantToken(t, s)
	s.SetRate(feishusim.Folders, feishusim.Rate{Calls: 1, Per: time.Hour})
	s.SetQuota(2)
	for range 5 {
		get(t, s, token, "/folders")
	}
	assert.Equal(t, 0, get(t, s, token, "/accessible_mailboxes").code())
	assert.Equal(t, 99991403, get(t, s, token, "/accessible_mailboxes").code())
}
