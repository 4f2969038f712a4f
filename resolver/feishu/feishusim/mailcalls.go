package feishusim

import (
	"cmp"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// refusals is the table of errors of e as it is now. s.mu is held.
func (s *Server) refusals(e *endpoint) refusals {
	r := e.refuses
	if e.call == DownloadURL && s.mail.asPrinted {
		r.denied, r.internal = r.internal, r.denied
		r.denied.msg, r.internal.msg = r.internal.msg, r.denied.msg
	}
	return r
}

// opened is the mailbox that q names, if its token may read it. s.mu is held.
func (s *Server) opened(q *request) (*mailbox, *answer) {
	refuses, address := s.refusals(q.endpoint), q.PathValue("mailbox")
	if address == "me" {
		if q.token.user == "" {
			return nil, refuses.bad.answer()
		}
		address = q.token.user
	}
	m, ok := s.mail.mailboxes[address]
	if !ok {
		return nil, refuses.noMailbox.answer()
	}
	if !m.readable(q.token) {
		return nil, refuses.denied.answer()
	}
	return m, nil
}

func (m *mailbox) readable(t *token) bool {
	if t.user == "" {
		return slices.Contains(t.app.DataRange, m.address) || slices.Contains(t.app.DataRange, AllMailboxes)
	}
	return t.user == m.address || slices.Contains(m.members, t.user)
}

func (s *Server) accessibleMailboxes(q *request) *answer {
	if q.PathValue("mailbox") == "me" && q.token.user == "" {
		return refuse(http.StatusBadRequest, 1230005, "me is for user tokens")
	}
	own, refused := s.opened(q)
	if refused != nil {
		return refused
	}
	if own.public {
		return q.endpoint.refuses.bad.answer()
	}
	list := []map[string]any{{"email_address": own.address, "email_type": "USER_PRIMARY"}}
	for _, address := range slices.Sorted(maps.Keys(s.mail.mailboxes)) {
		if slices.Contains(s.mail.mailboxes[address].members, own.address) {
			list = append(list, map[string]any{"email_address": address, "email_type": "PUBLIC_MAILBOX"})
		}
	}
	return success(map[string]any{"accessible_mailboxes": list})
}

func (s *Server) listFolders(q *request) *answer {
	m, refused := s.opened(q)
	if refused != nil {
		return refused
	}
	const system, user = "1", "2"
	kind := q.URL.Query().Get("folder_type")
	if kind != "" && kind != system && kind != user {
		return q.endpoint.refuses.bad.answer()
	}
	items := []map[string]any{}
	if kind == system || kind == "" && s.mail.systemListed {
		for _, id := range systemFolders {
			items = append(items, folder{id, "0", id}.listed(1, m.count(id)))
		}
	}
	if kind != system {
		for _, f := range m.folders {
			items = append(items, f.listed(2, m.count(f.id)))
		}
	}
	return success(map[string]any{"items": items})
}

func (f folder) listed(kind, unread int) map[string]any {
	return map[string]any{
		"id": f.id, "name": f.name, "parent_folder_id": f.parent, "folder_type": kind,
		"unread_message_count": unread, "unread_thread_count": unread,
	}
}

func (m *mailbox) count(folder string) (n int) {
	for _, msg := range m.messages {
		if msg.Folder == folder {
			n++
		}
	}
	return n
}

func (s *Server) listMessages(q *request) *answer {
	m, refused := s.opened(q)
	if refused != nil {
		return refused
	}
	query := q.URL.Query()
	folder, label := query.Get("folder_id"), query.Get("label_id")
	size, err := strconv.Atoi(query.Get("page_size"))
	after, ok := parsePageToken(query.Get("page_token"), folder, label)
	if err != nil || size < 1 || size > mostListed || (folder == "") == (label == "") || !ok || !m.hasFolder(folder) {
		return q.endpoint.refuses.bad.answer()
	}
	var keys []string
	ids := make(map[string]string)
	for _, msg := range m.messages {
		key := s.mail.order.key(msg)
		if (msg.Folder == folder || slices.Contains(msg.Labels, label)) && key > after {
			keys = append(keys, key)
			ids[key] = msg.id
		}
	}
	slices.Sort(keys)
	page := keys[:min(size, len(keys))]
	items := make([]string, len(page))
	for i, key := range page {
		items[i] = ids[key]
	}
	body := map[string]any{"items": items, "has_more": len(page) < len(keys)}
	if len(page) < len(keys) {
		body["page_token"] = pageToken(page[len(page)-1], folder, label)
	}
	return success(body)
}

func (m *mailbox) hasFolder(id string) bool {
	return id == "" || id == "STRANGER" || slices.Contains(systemFolders, id) || m.count(id) > 0 ||
		slices.ContainsFunc(m.folders, func(f folder) bool { return f.id == id })
}

// key sorts messages as o says. Page tokens hold keys, so that changes between
// pages neither repeat nor lose another message.
func (o Order) key(m *message) string {
	if o == Shuffled {
		return fmt.Sprintf("%x", sha1.Sum([]byte(m.id)))
	}
	return fmt.Sprintf("%019d%s", math.MaxInt64-m.Date.UnixMilli(), m.id)
}

func pageToken(after, folder, label string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(folder + "\n" + label + "\n" + after))
}

// parsePageToken returns the key of the last message before the page.
func parsePageToken(t, folder, label string) (after string, ok bool) {
	if t == "" {
		return "", true
	}
	text, err := base64.RawURLEncoding.DecodeString(t)
	after, ok = strings.CutPrefix(string(text), folder+"\n"+label+"\n")
	return after, ok && err == nil
}

func (s *Server) getMessage(q *request) *answer {
	m, refused := s.opened(q)
	if refused != nil {
		return refused
	}
	format, ok := parseFormat(q.URL.Query().Get("format"))
	if !ok {
		return q.endpoint.refuses.bad.answer()
	}
	msg, ok := m.messages[q.PathValue("message")]
	if !ok {
		return q.endpoint.refuses.noMessage.answer()
	}
	return success(map[string]any{"message": s.told(msg, q.token, format)})
}

func (s *Server) batchGet(q *request) *answer {
	m, refused := s.opened(q)
	if refused != nil {
		return refused
	}
	var asked struct {
		Format string   `json:"format"`
		IDs    []string `json:"message_ids"`
	}
	err := json.Unmarshal(q.body, &asked)
	format, ok := parseFormat(asked.Format)
	if err != nil || !ok || len(asked.IDs) > mostListed {
		return q.endpoint.refuses.bad.answer()
	}
	messages := []map[string]any{}
	for _, id := range asked.IDs {
		if msg, ok := m.messages[id]; ok {
			messages = append(messages, s.told(msg, q.token, format))
		}
	}
	conduct := s.mail.batchGet
	missing := len(asked.IDs) - len(messages)
	if missing > 0 && (conduct.Strict || len(messages) == 0) {
		return q.endpoint.refuses.noMessage.answer()
	}
	if conduct.Most > 0 {
		messages = messages[:min(conduct.Most, len(messages))]
	}
	return success(map[string]any{"messages": messages})
}

const (
	fullFormat     = "full"
	plainFormat    = "plain_text_full"
	metadataFormat = "metadata"
)

func parseFormat(text string) (format string, ok bool) {
	format = cmp.Or(text, fullFormat)
	return format, slices.Contains([]string{fullFormat, plainFormat, metadataFormat}, format)
}

// told is the message as a token of these scopes gets it. s.mu is held.
func (s *Server) told(m *message, t *token, format string) map[string]any {
	told := map[string]any{
		"message_id": m.id, "thread_id": m.id, "smtp_message_id": "<" + m.id + "@mail.example.com>",
		"internal_date": strconv.FormatInt(m.Date.UnixMilli(), 10), "message_state": 1,
		"folder_id": m.Folder, "label_ids": append([]string{}, m.Labels...),
	}
	if t.may(scopeSubject) {
		told["subject"] = m.Subject
	}
	if t.may(scopeAddress) {
		name, _, _ := strings.Cut(m.From, "@")
		told["head_from"] = map[string]any{"mail_address": m.From, "name": name}
	}
	if !t.may(scopeBody) {
		return told
	}
	if format != metadataFormat {
		told["body_plain_text"] = base64.URLEncoding.EncodeToString([]byte("See what is attached.\n"))
	}
	if format == fullFormat {
		told["body_html"] = base64.URLEncoding.EncodeToString([]byte("<p>See what is attached.</p>\n"))
	}
	if format != metadataFormat || s.mail.metadataAttachments {
		told["attachments"] = m.listed()
	}
	return told
}

func (t *token) may(scope string) bool {
	return slices.Contains(t.app.Scopes, scope) && (t.user == "" || slices.Contains(t.scopes, scope))
}

func (m *message) listed() []map[string]any {
	list := []map[string]any{}
	for _, a := range m.attachments {
		listed := map[string]any{
			"id": a.id, "filename": a.Name, "attachment_type": cmp.Or(a.Type, 1), "is_inline": a.Inline,
		}
		if a.Inline {
			listed["cid"] = "cid-" + a.id
		}
		list = append(list, listed)
	}
	return list
}

// downloadURLs answers in the reverse order of the ids: nobody promised another.
func (s *Server) downloadURLs(q *request) *answer {
	m, refused := s.opened(q)
	if refused != nil {
		return refused
	}
	ids := q.URL.Query()["attachment_ids"]
	if len(ids) < 1 || len(ids) > mostListed {
		return q.endpoint.refuses.bad.answer()
	}
	msg, ok := m.messages[q.PathValue("message")]
	if !ok {
		return q.endpoint.refuses.noMessage.answer()
	}
	unknown := func(id string) bool { return msg.attachment(id) == nil }
	if s.mail.unknown == RefuseUnknown && slices.ContainsFunc(ids, unknown) {
		return q.endpoint.refuses.bad.answer()
	}
	urls, failed := []map[string]any{}, []string{}
	for _, id := range slices.Backward(ids) {
		a := msg.attachment(id)
		switch {
		case a == nil && s.mail.unknown == OmitUnknown:
		case a == nil || a.Fails:
			failed = append(failed, id)
		default:
			urls = append(urls, map[string]any{"attachment_id": id, "download_url": s.mailLink(a)})
		}
	}
	return success(map[string]any{
		"download_urls": urls, "failed_ids": failed, "download_url_usage_hint": "use at once, do not store",
	})
}
