package feishusim_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

var day = time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)

// addMessages adds n messages, the newest last.
func addMessages(s *feishusim.Server, n int) (ids []string) {
	for i := range n {
		m := s.AddMessage(box, feishusim.Message{
			Subject: fmt.Sprint("message ", i), From: "anna@example.com", Date: day.Add(time.Duration(i) * time.Hour),
			Labels: []string{"FLAGGED"}, Attachments: []feishusim.Attachment{{Name: "a/b.pdf"}, {Name: "logo.png", Inline: true, Type: 2}},
		})
		ids = append(ids, m.Message)
	}
	return ids
}

// listAll pages through a listing, and tells how many pages there were.
func listAll(t testing.TB, s *feishusim.Server, token, query string, between func()) (ids []string, pages int) {
	t.Helper()
	next := ""
	for {
		r := get(t, s, token, "/messages?page_size=20&"+query+"&page_token="+url.QueryEscape(next))
		require.Equal(t, 0, r.code())
		for _, id := range r.list("items") {
			ids = append(ids, id.(string))
		}
		pages++
		if r.data()["has_more"] == false {
			return ids, pages
		}
		next = r.data()["page_token"].(string)
		between()
	}
}

func TestFolders(t *testing.T) {
	s := start(t)
	token := tenantToken(t, s)
	bills := s.AddFolder(box, "", "Bills")
	paid := s.AddFolder(box, bills, "Paid")
	s.AddMessage(box, feishusim.Message{Folder: paid})
	ids := func(rest string) (ids []string) {
		for _, item := range get(t, s, token, "/folders"+rest).list("items") {
			ids = append(ids, item.(map[string]any)["id"].(string))
		}
		return ids
	}
	system := []string{"INBOX", "SENT", "DRAFT", "TRASH", "SPAM", "ARCHIVED", "SCHEDULED"}
	assert.Equal(t, append(slices.Clone(system), bills, paid), ids(""))
	assert.Equal(t, system, ids("?folder_type=1"))
	assert.Equal(t, []string{bills, paid}, ids("?folder_type=2"))
	s.SetSystemFoldersListed(false)
	assert.Equal(t, []string{bills, paid}, ids(""))
	assert.Equal(t, system, ids("?folder_type=1"))
	assert.Equal(t, [2]int{400, 1230001}, get(t, s, token, "/folders?folder_type=3").refusedWith())

	last := get(t, s, token, "/folders").list("items")[1]
	assert.Equal(t, map[string]any{
		"id": paid, "name": "Paid", "parent_folder_id": bills, "folder_type": 2.0,
		"unread_message_count": 1.0, "unread_thread_count": 1.0,
	}, last)
	assert.Regexp(t, `^\d+$`, paid)
	assert.Equal(t, "0", get(t, s, token, "/folders").list("items")[0].(map[string]any)["parent_folder_id"])
}

func TestMessages_Parameters(t *testing.T) {
	s := start(t)
	token := tenantToken(t, s)
	for query, code := range map[string]int{
		"page_size=1&folder_id=INBOX":                   0,
		"page_size=20&label_id=FLAGGED":                 0,
		"folder_id=INBOX":                               1230001,
		"page_size=0&folder_id=INBOX":                   1230001,
		"page_size=21&folder_id=INBOX":                  1230001,
		"page_size=20":                                  1230001,
		"page_size=20&folder_id=INBOX&label_id=FLAGGED": 1230001,
		"page_size=20&folder_id=123":                    1230001,
		"page_size=20&folder_id=INBOX&page_token=x":     1230001,
	} {
		assert.Equal(t, code, get(t, s, token, "/messages?"+query).code(), query)
	}
}

func TestMessages_NewestFirst(t *testing.T) {
	s := start(t)
	token := tenantToken(t, s)
	added := addMessages(s, 45)
	slices.Reverse(added)
	listed, pages := listAll(t, s, token, "folder_id=INBOX", func() {})
	assert.Equal(t, added, listed)
	assert.Equal(t, 3, pages)
	listed, _ = listAll(t, s, token, "label_id=FLAGGED", func() {})
	assert.Equal(t, added, listed)
}

func TestMessages_Shuffled(t *testing.T) {
	s := start(t)
	token := tenantToken(t, s)
	added := addMessages(s, 45)
	s.SetOrder(feishusim.Shuffled)
	listed, _ := listAll(t, s, token, "folder_id=INBOX", func() {})
	assert.ElementsMatch(t, added, listed)
	assert.NotEqual(t, added, listed)
	slices.Reverse(added)
	assert.NotEqual(t, added, listed)
}

func TestMessages_PagesSurviveChanges(t *testing.T) {
	s := start(t)
	token := tenantToken(t, s)
	added := addMessages(s, 45)
	slices.Reverse(added)
	listed, _ := listAll(t, s, token, "folder_id=INBOX", func() {
		s.RemoveMessage(box, added[0])
		s.AddMessage(box, feishusim.Message{Date: day.Add(1000 * time.Hour)})
	})
	assert.Equal(t, added, listed)
}

func TestMessages_MoveAndRemove(t *testing.T) {
	s := start(t)
	token := tenantToken(t, s)
	ids := addMessages(s, 2)
	bills := s.AddFolder(box, "", "Bills")
	s.MoveMessage(box, ids[0], bills)
	listed, _ := listAll(t, s, token, "folder_id="+bills, func() {})
	assert.Equal(t, ids[:1], listed)
	listed, _ = listAll(t, s, token, "folder_id=INBOX", func() {})
	assert.Equal(t, ids[1:], listed)
	s.RemoveMessage(box, ids[1])
	assert.Empty(t, get(t, s, token, "/messages?page_size=20&folder_id=INBOX").list("items"))
	assert.Equal(t, [2]int{404, 1234034}, get(t, s, token, "/messages/"+url.PathEscape(ids[1])).refusedWith())
}

func TestMessageIDs_HaveToBeEscaped(t *testing.T) {
	s := start(t)
	ids := addMessages(s, 2)
	doubly := slices.IndexFunc(ids, func(id string) bool { return !strings.Contains(id, "/") })
	require.GreaterOrEqual(t, doubly, 0)
	inner, err := base64.StdEncoding.DecodeString(ids[doubly])
	require.NoError(t, err)
	_, err = base64.StdEncoding.DecodeString(string(inner))
	assert.NoError(t, err)
	plain := ids[1-doubly]
	for _, sign := range []string{"/", "+", "="} {
		assert.Contains(t, plain, sign)
	}
	token := tenantToken(t, s)
	for _, id := range ids {
		assert.Equal(t, 0, get(t, s, token, "/messages/"+url.PathEscape(id)).code())
	}
	res, _, err := send(t, "GET", s.URL()+mailPath(box, "/messages/"+plain), "", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, res.StatusCode)
}

func TestGetMessage(t *testing.T) {
	s := start(t)
	id := addMessages(s, 1)[0]
	path := "/messages/" + url.PathEscape(id)
	message := func(token, query string) map[string]any {
		r := get(t, s, token, path+query)
		require.Equal(t, 0, r.code())
		return r.data()["message"].(map[string]any)
	}
	token := tenantToken(t, s)
	m := message(token, "?format=plain_text_full")
	assert.Equal(t, "message 0", m["subject"])
	assert.Equal(t, map[string]any{"mail_address": "anna@example.com", "name": "anna"}, m["head_from"])
	assert.Equal(t, "1777593600000", m["internal_date"])
	assert.Equal(t, "INBOX", m["folder_id"])
	assert.NotContains(t, m, "body_html")
	attachments := m["attachments"].([]any)
	require.Len(t, attachments, 2)
	first, second := attachments[0].(map[string]any), attachments[1].(map[string]any)
	assert.Equal(t, "a/b.pdf", first["filename"])
	assert.EqualValues(t, 1, first["attachment_type"])
	assert.Equal(t, false, first["is_inline"])
	assert.Len(t, first, 4, "no size, no type of content")
	assert.EqualValues(t, 2, second["attachment_type"])
	assert.Equal(t, true, second["is_inline"])
	assert.Contains(t, message(token, ""), "body_html")

	assert.NotContains(t, message(token, "?format=metadata"), "attachments")
	s.SetMetadataAttachments(true)
	assert.Contains(t, message(token, "?format=metadata"), "attachments")
	assert.Equal(t, [2]int{400, 1234008}, get(t, s, token, path+"?format=raw").refusedWith())

	user, _ := s.IssueUserToken(appID, box, "mail:user_mailbox.message:readonly")
	m = message(user, "")
	for _, field := range []string{"subject", "head_from", "attachments", "body_html"} {
		assert.NotContains(t, m, field, "its scope is missing")
	}
}

func TestBatchGet(t *testing.T) {
	s := start(t)
	token := tenantToken(t, s)
	ids := addMessages(s, 21)
	batch := func(format string, ids ...string) reply {
		body, err := json.Marshal(map[string]any{"format": format, "message_ids": ids})
		require.NoError(t, err)
		return call(t, s, token, "POST", mailPath(box, "/messages/batch_get"), string(body))
	}
	assert.Len(t, batch("full", ids[:20]...).list("messages"), 20)
	assert.Empty(t, batch("full").list("messages"))
	assert.Equal(t, [2]int{400, 1230001}, batch("full", ids...).refusedWith())
	assert.Equal(t, [2]int{400, 1230001}, batch("html", ids[0]).refusedWith())

	assert.Len(t, batch("full", ids[0], "gone", ids[1]).list("messages"), 2, "fewer, without a word")
	assert.Equal(t, [2]int{400, 1230006}, batch("full", "gone").refusedWith())
	s.SetBatchGet(feishusim.BatchGetConduct{Strict: true})
	assert.Equal(t, [2]int{400, 1230006}, batch("full", ids[0], "gone").refusedWith())
	s.SetBatchGet(feishusim.BatchGetConduct{Most: 3})
	assert.Len(t, batch("full", ids[:20]...).list("messages"), 3)
}

func TestDownloadURL(t *testing.T) {
	s := start(t)
	token := tenantToken(t, s)
	m := s.AddMessage(box, feishusim.Message{Attachments: []feishusim.Attachment{{Name: "a"}, {Name: "b", Fails: true}, {Name: "c"}}})
	other := s.AddMessage(box, feishusim.Message{Attachments: []feishusim.Attachment{{Name: "d"}}})
	r := get(t, s, token, linksPath(m.Message, append(m.Attachments, other.Attachments[0])...))
	assert.Equal(t, [2]int{200, 0}, r.refusedWith())
	assert.ElementsMatch(t, []any{m.Attachments[1], other.Attachments[0]}, r.list("failed_ids"))
	var served []string
	for _, u := range r.list("download_urls") {
		served = append(served, u.(map[string]any)["attachment_id"].(string))
	}
	assert.ElementsMatch(t, []string{m.Attachments[0], m.Attachments[2]}, served)

	s.SetFails(m.Attachments[1], false)
	s.SetUnknownIDs(feishusim.OmitUnknown)
	r = get(t, s, token, linksPath(m.Message, m.Attachments[1], "unknown"))
	assert.Len(t, r.list("download_urls"), 1)
	assert.Empty(t, r.list("failed_ids"))
	s.SetUnknownIDs(feishusim.RefuseUnknown)
	assert.Equal(t, [2]int{400, 1230001}, get(t, s, token, linksPath(m.Message, m.Attachments[0], "unknown")).refusedWith())
	s.SetUnknownIDs(feishusim.FailUnknown)
	joined := get(t, s, token, linksPath(m.Message, strings.Join(m.Attachments, ",")))
	assert.Empty(t, joined.list("download_urls"), "ids are repeated, not joined")
	assert.Equal(t, [2]int{400, 1230001}, get(t, s, token, linksPath(m.Message)).refusedWith())
	assert.Equal(t, [2]int{400, 1230001}, get(t, s, token, linksPath(m.Message, make([]string, 21)...)).refusedWith())
	assert.Equal(t, [2]int{400, 1230001}, get(t, s, token, linksPath("gone", m.Attachments[0])).refusedWith())
}

func TestRefusals(t *testing.T) {
	s := start(t)
	s.AddMailbox("ceo@example.com")
	token := tenantToken(t, s)
	denied := func(method, rest string) [2]int {
		return call(t, s, token, method, mailPath("ceo@example.com", rest), "{}").refusedWith()
	}
	assert.Equal(t, [2]int{403, 1230002}, denied("GET", "/folders"))
	assert.Equal(t, [2]int{403, 1230002}, denied("GET", "/messages?page_size=1&folder_id=INBOX"))
	assert.Equal(t, [2]int{403, 1234017}, denied("GET", "/messages/x"))
	assert.Equal(t, [2]int{403, 1230005}, denied("POST", "/messages/batch_get"))
	assert.Equal(t, [2]int{404, 1235013}, call(t, s, token, "GET", mailPath("nobody@example.com", "/messages/x"), "").refusedWith())

	broken := func() [2]int {
		s.Break(feishusim.DownloadURL, 1)
		return denied("GET", linksPath("x", "y"))
	}
	assert.Equal(t, [2]int{500, 1230003}, denied("GET", linksPath("x", "y")), "as its page prints it")
	assert.Equal(t, [2]int{403, 1230002}, broken(), "as its page prints it")
	s.SetLinkErrorsAsPrinted(false)
	assert.Equal(t, [2]int{403, 1230002}, denied("GET", linksPath("x", "y")))
	assert.Equal(t, [2]int{500, 1230003}, broken())
	s.Break(feishusim.Folders, 1)
	assert.Equal(t, [2]int{500, 1230003}, get(t, s, token, "/folders").refusedWith())
	assert.Equal(t, 0, get(t, s, token, "/folders").code())
}

func TestMe(t *testing.T) {
	s := start(t)
	s.AddPublicMailbox("invoices@example.com", box)
	user, _ := s.IssueUserToken(appID, box, scopes...)
	me := func(token, rest string) reply { return call(t, s, token, "GET", mailPath("me", rest), "") }
	assert.Equal(t, 0, me(user, "/folders").code())
	assert.Equal(t, []any{
		map[string]any{"email_address": box, "email_type": "USER_PRIMARY"},
		map[string]any{"email_address": "invoices@example.com", "email_type": "PUBLIC_MAILBOX"},
	}, me(user, "/accessible_mailboxes").list("accessible_mailboxes"))
	token := tenantToken(t, s)
	assert.Equal(t, [2]int{400, 1230005}, me(token, "/accessible_mailboxes").refusedWith())
	assert.Equal(t, [2]int{400, 1230001}, me(token, "/folders").refusedWith())

	public := func(token, rest string) int {
		return call(t, s, token, "GET", mailPath("invoices@example.com", rest), "").code()
	}
	assert.Equal(t, 0, public(user, "/folders"))
	assert.Equal(t, 1230001, public(user, "/accessible_mailboxes"))
	stranger, _ := s.IssueUserToken(appID, "stranger@example.com", scopes...)
	assert.Equal(t, 1230002, public(stranger, "/folders"))
	assert.Equal(t, 1230002, public(token, "/folders"), "not in the range of the app")
}

func TestUnknownPaths(t *testing.T) {
	s := start(t)
	for _, path := range []string{"/", "/open-apis/mail/v1/public_mailboxes", "/open-apis//mail", mailPath(box, "/search")} {
		res, _, err := send(t, "POST", s.URL()+path, "{}", nil)
		require.NoError(t, err)
		assert.Equal(t, http.StatusNotFound, res.StatusCode, path)
	}
	res, _, err := send(t, "POST", s.URL()+mailPath(box, "/folders"), "{}", nil)
	require.NoError(t, err)
	assert.Equal(t, http.StatusNotFound, res.StatusCode, "a GET")
	assert.Len(t, s.Requests(), 5)
}
