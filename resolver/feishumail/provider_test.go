package feishumail_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
	"github.com/attachfs/attachfs/resolver/feishumail"
	"github.com/attachfs/attachfs/resolver/resolvertest"
)

const (
	mailbox = "finance@example.com"
	inbox   = resolver.ID("folder/INBOX")

	bodyScope    = "mail:user_mailbox.message.body:read"
	subjectScope = "mail:user_mailbox.message.subject:read"
)

var scopes = []string{
	"mail:user_mailbox:readonly", "mail:user_mailbox.folder:read", "mail:user_mailbox.message:readonly",
	"mail:user_mailbox.message.address:read", subjectScope, bodyScope,
}

// calls are those that the provider makes besides the one for tokens.
var calls = []feishusim.Call{feishusim.Folders, feishusim.Messages, feishusim.GetMessage, feishusim.BatchGet, feishusim.DownloadURL}

// noon is the date of most messages.
var noon = time.Date(2026, 10, 8, 4, 0, 0, 0, time.UTC)

// start runs a Feishu without limits that has one empty mailbox.
func start(t *testing.T) (*feishusim.Server, feishumail.Config) {
	t.Helper()
	s, err := feishusim.Start()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, s.Close()) })
	for _, call := range calls {
		s.SetRate(call)
	}
	app := feishusim.App{ID: "cli_test", Secret: "secret-" + feishusim.Marker, Scopes: scopes, DataRange: []string{mailbox}}
	s.AddApp(app)
	s.AddMailbox(mailbox)
	return s, feishumail.Config{
		BaseURL: s.URL(), AppID: app.ID, AppSecret: resolver.NewSecret(app.Secret), Mailbox: mailbox,
	}
}

// connect makes a provider that does not wait for its turns.
func connect(t *testing.T, cfg feishumail.Config) *feishumail.Provider {
	t.Helper()
	require.NoError(t, cfg.Validate())
	p := feishumail.New(cfg, feishumail.Unlimited(cfg))
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	return p
}

// put adds a message with attachments of these names.
func put(s *feishusim.Server, subject string, date time.Time, names ...string) feishusim.MessageIDs {
	m := feishusim.Message{Subject: subject, Date: date}
	for _, name := range names {
		m.Attachments = append(m.Attachments, feishusim.Attachment{Name: name, Content: linksim.Bytes([]byte(name))})
	}
	return s.AddMessage(mailbox, m)
}

// list follows the pages of a directory to the last.
func list(t *testing.T, p *feishumail.Provider, dir resolver.ID) (entries []resolver.Entry, mark string) {
	t.Helper()
	entries, mark, err := listed(t, p, dir)
	require.NoError(t, err)
	return entries, mark
}

func listed(t *testing.T, p *feishumail.Provider, dir resolver.ID) (entries []resolver.Entry, mark string, err error) {
	for cursor := ""; ; {
		page, err := p.List(t.Context(), dir, cursor)
		if err != nil {
			return nil, "", err
		}
		entries = append(entries, page.Entries...)
		if page.Next == "" {
			return entries, page.Mark, nil
		}
		assert.Empty(t, page.Mark)
		cursor = page.Next
	}
}

func names(entries []resolver.Entry) []string {
	all := []string{}
	for _, e := range entries {
		all = append(all, e.Name)
	}
	return all
}

func TestProvider(t *testing.T) {
	s, cfg := start(t)
	ids := put(s, "two", noon, "a.pdf", "a.pdf", "refused")
	put(s, "", noon, "b.pdf")
	put(s, "without", noon)
	s.AddMessage(mailbox, feishusim.Message{Folder: "TRASH", Subject: "not shown", Attachments: []feishusim.Attachment{{Name: "t"}}})
	s.AddMessage(mailbox, feishusim.Message{Folder: s.AddFolder(mailbox, "", "Bills"), Subject: "in a folder", Date: noon,
		Attachments: []feishusim.Attachment{{Name: "c.pdf"}, {Name: "logo.png", Inline: true}}})
	for range 30 {
		put(s, "older", noon.Add(-time.Hour))
	}
	s.SetFails(ids.Attachments[2], true)
	s.SetUnknownIDs(feishusim.OmitUnknown)
	limits := feishumail.Unlimited(cfg)
	unknown := resolvertest.Want{Size: resolver.SizeUnknown}
	resolvertest.Run(t, resolvertest.Fixture{
		New: func(*testing.T) resolver.Provider { return feishumail.New(cfg, limits) },
		Want: map[string]resolvertest.Want{
			"Inbox/2026-10-08 1200 two/a.pdf":          unknown,
			"Inbox/2026-10-08 1200 two/refused":        {Size: resolver.SizeUnknown, Err: resolver.ErrPermission},
			"Inbox/2026-10-08 1200 (no subject)/b.pdf": unknown,
			"Bills/2026-10-08 1200 in a folder/c.pdf":  unknown,
		},
		UnknownDir:  "message/bm93aGVyZQ==",
		UnknownFile: resolver.ID("message/" + escaped(ids.Message) + "/nothing"),
		Print:       []any{cfg, &cfg},
		Secrets:     []string{feishusim.Marker},
	})
}

func escaped(id string) string {
	return strings.NewReplacer("/", "%2F").Replace(id)
}

func TestProvider_Link(t *testing.T) {
	s, cfg := start(t)
	ids := put(s, "x", noon, "a", "b")
	s.SetClock(time.Hour)
	p := connect(t, cfg)
	dirs, _ := list(t, p, inbox)
	a, b := dirs[0].Children[0], dirs[0].Children[1]
	batch := resolver.Batch{Lane: "links", Group: ids.Message, Size: 20}
	assert.Equal(t, batch, p.Batch(a.ID))
	assert.Equal(t, batch, p.Batch(b.ID))
	answers, err := p.Resolve(t.Context(), []resolver.ID{b.ID, a.ID, b.ID})
	require.NoError(t, err)
	assert.Equal(t, 1, s.Counts(feishusim.DownloadURL).Calls)
	asked := s.Requests()
	assert.Equal(t, 2, strings.Count(asked[len(asked)-1].Query, "attachment_ids="))
	for i, want := range []string{"b", "a", "b"} {
		require.NoError(t, answers[i].Err)
		link := answers[i].Link
		assert.Equal(t, 2, link.Uses)
		assert.Equal(t, 2*time.Hour, link.Lifetime)
		assert.Equal(t, resolver.RangedUnknown, link.Ranged)
		assert.Zero(t, link.Expires)
		assert.Empty(t, link.Header)
		assert.WithinDuration(t, time.Now(), link.Obtained, time.Minute)
		assert.WithinDuration(t, time.Now().Add(time.Hour), link.ServerTime, time.Minute)
		if i > 1 {
			continue
		}
		resp, err := http.Get(link.URLs[0].Reveal())
		require.NoError(t, err)
		body, err := io.ReadAll(resp.Body)
		require.NoError(t, err)
		require.NoError(t, resp.Body.Close())
		assert.Equal(t, want, string(body))
	}
	assert.Zero(t, s.LinkTotals().Leaks)
}

func TestProvider_EveryMessageID(t *testing.T) {
	s, cfg := start(t)
	odd := ""
	for i := range 60 { // whatever base64 comes up with
		odd += put(s, fmt.Sprint(i), noon, "a").Message
	}
	require.Contains(t, odd, "/")
	require.Contains(t, odd, "+")
	require.Contains(t, odd, "=")
	p := connect(t, cfg)
	dirs, _ := list(t, p, inbox)
	require.Len(t, dirs, 60)
	for _, dir := range dirs {
		page, err := p.List(t.Context(), dir.ID, "")
		require.NoError(t, err)
		assert.Equal(t, dir.Children, page.Entries)
		answers, err := p.Resolve(t.Context(), []resolver.ID{dir.Children[0].ID})
		require.NoError(t, err)
		assert.NoError(t, answers[0].Err)
	}
}

func TestProvider_GoneMessage(t *testing.T) {
	s, cfg := start(t)
	ids := put(s, "x", noon, "a")
	p := connect(t, cfg)
	dirs, _ := list(t, p, inbox)
	s.RemoveMessage(mailbox, ids.Message)
	_, err := p.List(t.Context(), dirs[0].ID, "")
	require.ErrorIs(t, err, resolver.ErrNotExist)
	left, _ := list(t, p, inbox)
	assert.Empty(t, left)
}

// TestProvider_KeepsTheRates uses the limits of the documents on both sides.
func TestProvider_KeepsTheRates(t *testing.T) {
	s, cfg := start(t)
	for i := range 60 {
		put(s, fmt.Sprint(i), noon.Add(time.Duration(i)*time.Minute), "a")
	}
	s.SetRate(feishusim.DownloadURL, feishusim.Rate{Calls: 1, Per: time.Second})
	p := feishumail.New(cfg, nil)
	t.Cleanup(func() { assert.NoError(t, p.Close()) })
	dirs, _ := list(t, p, inbox)
	for i := range 3 {
		require.NoError(t, p.Turn(t.Context(), "links"))
		_, err := p.Resolve(t.Context(), []resolver.ID{dirs[i].Children[0].ID})
		require.NoError(t, err)
	}
	assert.Zero(t, s.Counts(feishusim.DownloadURL).Refused)
}

func TestProvider_User(t *testing.T) {
	s, cfg := start(t)
	put(s, "x", noon, "a")
	access, _ := s.IssueUserToken(cfg.AppID, mailbox, scopes...)
	cfg = feishumail.Config{BaseURL: cfg.BaseURL, AccessToken: resolver.NewSecret(access), Mailbox: "me"}
	p := connect(t, cfg)
	entries, _ := list(t, p, inbox)
	assert.Len(t, entries, 1)
	assert.Zero(t, s.Counts(feishusim.TenantToken).Calls)

	s.RevokeTokens()
	_, err := p.List(t.Context(), inbox, "")
	require.ErrorIs(t, err, resolver.ErrCredentials)
	access, _ = s.IssueUserToken("cli_test", mailbox, scopes...)
	account := p.Account()
	p.Renew(&feishumail.Config{AccessToken: resolver.NewSecret(access), Mailbox: "other@example.com"})
	again, _ := list(t, p, inbox)
	assert.Equal(t, entries, again)
	assert.Equal(t, account, p.Account(), "the account stays")
	p.Renew("not the options of this provider")
	list(t, p, inbox)
}

func TestProvider_Check(t *testing.T) {
	s, cfg := start(t)
	s.AddMessage(mailbox, feishusim.Message{Folder: "SENT", Subject: "x", Attachments: []feishusim.Attachment{{Name: "a"}}})
	lines, err := connect(t, cfg).Check(t.Context())
	require.NoError(t, err)
	assert.Contains(t, lines[0], "cli_test")
	assert.Contains(t, lines[1], "Inbox, Sent")
	assert.Equal(t, "messages on the first page of Sent: 1, with attachments: 1", lines[2])
	cfg.Folders = []string{"Inbox", "No such"}
	lines, err = connect(t, cfg).Check(t.Context())
	require.ErrorContains(t, err, "there is no No such; there are Inbox")
	assert.Len(t, lines, 2)
}
