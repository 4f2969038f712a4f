package feishumail_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishumail"
)

// answering is a provider over a service that always answers the same.
func answering(t *testing.T, status int, body string) *feishumail.Provider {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return connect(t, feishumail.Config{BaseURL: server.URL, AccessToken: resolver.NewSecret("t"), Mailbox: mailbox})
}

// What is said on the way must not make a folder vanish, nor pass for an empty
// one: a backup deletes what is gone.
func TestProvider_FolderDoesNotVanish(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		body   string
	}{
		"404 of a proxy":   {404, "404 page not found"},
		"404, no body":     {404, ""},
		"404, other code":  {404, `{"code":4711,"msg":"x"}`},
		"410":              {410, "gone"},
		"no data":          {200, `{"code":0,"msg":"success"}`},
		"null data":        {200, `{"code":0,"msg":"success","data":null}`},
		"data of no shape": {200, `{"code":0,"msg":"success","data":[1]}`},
	} {
		t.Run(name, func(t *testing.T) {
			p := answering(t, c.status, c.body)
			for _, dir := range []resolver.ID{resolver.Root, inbox} {
				_, err := p.List(t.Context(), dir, "")
				require.Error(t, err, "%q", dir)
				assert.NotErrorIs(t, err, resolver.ErrNotExist, "%q", dir)
			}
			_, err := p.List(t.Context(), inbox, "")
			assert.ErrorIs(t, err, resolver.ErrUnavailable)
		})
	}
	p := answering(t, 404, `{"code":1234035,"msg":"folder not found"}`)
	_, err := p.List(t.Context(), inbox, "")
	assert.ErrorIs(t, err, resolver.ErrNotExist, "the service itself says so")
}

// Other settings list other messages, which no update would bring.
func TestProvider_RevisionFollowsTheSettings(t *testing.T) {
	revision := func(change func(*feishumail.Config)) string {
		cfg := feishumail.Config{AppID: "cli_1", AppSecret: resolver.NewSecret("s"), Mailbox: mailbox}
		change(&cfg)
		return connect(t, cfg).Revision()
	}
	plain := revision(func(*feishumail.Config) {})
	assert.Equal(t, plain, revision(func(c *feishumail.Config) { c.AppSecret = resolver.NewSecret("renewed") }))
	assert.NotEqual(t, plain, revision(func(c *feishumail.Config) { c.Since = time.Hour }))
	assert.NotEqual(t, plain, revision(func(c *feishumail.Config) { c.Inline = true }))
	assert.NotEqual(t, plain, revision(func(c *feishumail.Config) { c.Folders = []string{"Inbox"} }))
}

// When the newest messages are all gone, that is found out at the first page and
// not at the last.
func TestProvider_UpdateAfterAClearing(t *testing.T) {
	s, cfg := start(t)
	ids := fill(s, 100)
	p := connect(t, cfg)
	_, mark := list(t, p, inbox)
	for _, id := range ids[70:] {
		s.RemoveMessage(mailbox, id.Message)
	}
	s.ResetCounts()
	_, _, _, err := update(t, p, mark)
	require.ErrorIs(t, err, resolver.ErrUnsupported)
	assert.Equal(t, 1, s.Counts(feishusim.Messages).Calls)
}

// Old mails that came in today may fill the first page, in order by chance.
func TestProvider_SinceLooksAtASecondPage(t *testing.T) {
	s, cfg := start(t)
	cfg.Since = 24 * time.Hour
	s.SetOrder(feishusim.NewestFirst)
	for i := range 40 {
		put(s, "old", time.Now().Add(-time.Duration(48+i)*time.Hour), "a")
	}
	page, err := connect(t, cfg).List(t.Context(), inbox, "")
	require.NoError(t, err)
	assert.Empty(t, page.Entries)
	assert.NotEmpty(t, page.Next)
}
