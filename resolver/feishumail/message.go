package feishumail

import (
	"cmp"
	"strconv"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// message is what is of use of one. What the token has no scope for is missing.
type message struct {
	ID          string       `json:"message_id"`
	Subject     *string      `json:"subject"`
	Date        milliseconds `json:"internal_date"`
	HTML        present      `json:"body_html"`
	PlainText   present      `json:"body_plain_text"`
	Preview     present      `json:"body_preview"`
	Attachments []attachment `json:"attachments"`
}

type attachment struct {
	ID     string `json:"id"`
	Name   string `json:"filename"`
	Inline bool   `json:"is_inline"`
}

// milliseconds is a moment in milliseconds since 1970, 0 if it is not known. The
// API writes it as a text.
type milliseconds int64

// UnmarshalJSON reads a number, with or without quotes.
func (m *milliseconds) UnmarshalJSON(text []byte) error {
	n, err := strconv.ParseInt(strings.Trim(string(text), `"`), 10, 64)
	if err == nil && n > 0 {
		*m = milliseconds(n)
	}
	return nil
}

func (m milliseconds) time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// present tells that a field is there, and keeps nothing of it.
type present bool

// UnmarshalJSON notes that there is something.
func (p *present) UnmarshalJSON(text []byte) error {
	*p = string(text) != "null"
	return nil
}

// readable reports whether the message shows something that the scope for
// bodies and attachments is needed for.
func (m message) readable() bool {
	return m.Attachments != nil || bool(m.HTML || m.PlainText || m.Preview)
}

// nameFormat begins the names of messages, so that they sort by time.
const nameFormat = "2006-01-02 1504 "

// directory is the message with its attachments; false if it has none to show.
func (p *Provider) directory(m message) (resolver.Entry, bool) {
	dir := resolver.Entry{ID: messageID(m.ID), Name: p.name(m), Dir: true, ModTime: m.Date.time()}
	for _, a := range m.Attachments {
		if a.ID == "" || a.Inline && !p.cfg.Inline {
			continue
		}
		dir.Children = append(dir.Children, resolver.Entry{
			ID: fileID(m.ID, a.ID), Name: cmp.Or(a.Name, "attachment "+a.ID),
			Size: resolver.SizeUnknown, ModTime: dir.ModTime,
		})
	}
	return dir, len(dir.Children) > 0
}

func (p *Provider) name(m message) string {
	subject := "(no subject)"
	if m.Subject != nil && strings.TrimSpace(*m.Subject) != "" {
		subject = strings.TrimSpace(*m.Subject)
	}
	if m.Date == 0 {
		return subject
	}
	return m.Date.time().In(p.zone).Format(nameFormat) + subject
}
