package feishusim_test

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

const (
	appID  = "cli_test"
	secret = "the app's secret"
	box    = "finance@example.com"
)

var scopes = []string{
	"mail:user_mailbox:readonly", "mail:user_mailbox.folder:read", "mail:user_mailbox.message:readonly",
	"mail:user_mailbox.message.subject:read", "mail:user_mailbox.message.address:read",
	"mail:user_mailbox.message.body:read",
}

var allCalls = []feishusim.Call{
	feishusim.TenantToken, feishusim.UserToken, feishusim.AccessibleMailboxes, feishusim.Folders,
	feishusim.Messages, feishusim.GetMessage, feishusim.BatchGet, feishusim.DownloadURL,
}

// start starts a server with one app and one mailbox, and without rates.
func start(t testing.TB) *feishusim.Server {
	t.Helper()
	s, err := feishusim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	s.AddApp(feishusim.App{ID: appID, Secret: secret, Scopes: scopes, DataRange: []string{box}})
	s.AddMailbox(box)
	for _, call := range allCalls {
		s.SetRate(call)
	}
	return s
}

// reply is an answer as a client decodes it.
type reply struct {
	status int
	header http.Header
	body   map[string]any
}

func (r reply) code() int { return int(r.body["code"].(float64)) }

func (r reply) data() map[string]any { return r.body["data"].(map[string]any) }

func (r reply) list(name string) []any { return r.data()[name].([]any) }

// refusedWith is the status and the code.
func (r reply) refusedWith() [2]int { return [2]int{r.status, r.code()} }

// send sends a request that takes the answer as it is.
func send(t testing.TB, method, address, body string, header http.Header) (*http.Response, []byte, error) {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	require.NoError(t, err)
	for name := range header {
		req.Header.Set(name, header.Get(name))
	}
	transport := &http.Transport{DisableCompression: true}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, Timeout: 20 * time.Second}
	res, err := client.Do(req)
	require.NoError(t, err)
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	return res, text, err
}

func call(t testing.TB, s *feishusim.Server, token, method, path, body string) reply {
	t.Helper()
	header := http.Header{"Content-Type": {"application/json; charset=utf-8"}}
	if token != "" {
		header.Set("Authorization", "Bearer "+token)
	}
	res, text, err := send(t, method, s.URL()+path, body, header)
	require.NoError(t, err)
	r := reply{status: res.StatusCode, header: res.Header}
	require.NoError(t, json.Unmarshal(text, &r.body), "%s", text)
	return r
}

func askToken(t testing.TB, s *feishusim.Server, id, secret string) reply {
	t.Helper()
	return call(t, s, "", "POST", "/open-apis/auth/v3/tenant_access_token/internal",
		`{"app_id":"`+id+`","app_secret":"`+secret+`"}`)
}

func tenantToken(t testing.TB, s *feishusim.Server) string {
	t.Helper()
	r := askToken(t, s, appID, secret)
	require.Equal(t, 0, r.code())
	return r.body["tenant_access_token"].(string)
}

func mailPath(address, rest string) string {
	return "/open-apis/mail/v1/user_mailboxes/" + url.PathEscape(address) + rest
}

func get(t testing.TB, s *feishusim.Server, token, rest string) reply {
	t.Helper()
	return call(t, s, token, "GET", mailPath(box, rest), "")
}

func linksPath(message string, attachments ...string) string {
	return "/messages/" + url.PathEscape(message) + "/attachments/download_url?" +
		url.Values{"attachment_ids": attachments}.Encode()
}

// link adds a message with one attachment and asks for a link to it.
func link(t testing.TB, s *feishusim.Server, content linksim.Content) (id, address string) {
	t.Helper()
	m := s.AddMessage(box, feishusim.Message{Attachments: []feishusim.Attachment{{Name: "a.pdf", Content: content}}})
	return m.Attachments[0], linkTo(t, s, m)
}

func linkTo(t testing.TB, s *feishusim.Server, m feishusim.MessageIDs) string {
	t.Helper()
	r := get(t, s, tenantToken(t, s), linksPath(m.Message, m.Attachments[0]))
	require.Equal(t, 0, r.code())
	return r.list("download_urls")[0].(map[string]any)["download_url"].(string)
}

func fetch(t testing.TB, address string) (*http.Response, string) {
	t.Helper()
	res, body, err := send(t, "GET", address, "", nil)
	require.NoError(t, err)
	return res, string(body)
}
