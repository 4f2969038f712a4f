package feishusim

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/internal/linksim"
)

// Attachment is one of a message.
type Attachment struct {
	Name string
	// Content is the bytes; nil is none.
	Content linksim.Content
	// ContentType is what links say; application/octet-stream if empty.
	ContentType string
	Inline      bool
	// Type is 1 for a normal attachment, as is 0, and 2 for a very large one.
	Type int
	// Fails puts the id among failed_ids; see [Server.SetFails].
	Fails bool
}

// Message is what a mailbox holds.
type Message struct {
	// Folder is the id of a folder; INBOX if empty.
	Folder  string
	Labels  []string
	Subject string
	// From is an address.
	From string
	// Date is a fixed time in 2026 if zero.
	Date        time.Time
	Attachments []Attachment
}

// MessageIDs are the ids of a message that was added and of its attachments, in
// order.
type MessageIDs struct {
	Message     string
	Attachments []string
}

// Order is how messages are listed.
type Order string

// The orders.
const (
	NewestFirst Order = "newest-first"
	// Shuffled is an order that has nothing to do with dates, the same each time.
	Shuffled Order = "shuffled"
)

// BatchGetConduct is what batch_get does with messages that it does not return.
// The zero value leaves those out that are not there, unless none is.
type BatchGetConduct struct {
	// Most is how many messages of those asked for come back; 0 is all.
	Most int
	// Strict fails the whole call if one message is not there.
	Strict bool
}

// UnknownIDs is what download_url does with ids that the message does not have.
type UnknownIDs string

// What can be done with unknown ids.
const (
	FailUnknown   UnknownIDs = "failed_ids"
	OmitUnknown   UnknownIDs = "omit"
	RefuseUnknown UnknownIDs = "refuse" // the whole call
)

// systemFolders are those of every mailbox, which are listed; messages may be in
// STRANGER, too.
var systemFolders = []string{"INBOX", "SENT", "DRAFT", "TRASH", "SPAM", "ARCHIVED", "SCHEDULED"}

// mail is the state of mailboxes. It is guarded by Server.mu.
type mail struct {
	mailboxes           map[string]*mailbox
	systemListed        bool
	order               Order
	metadataAttachments bool
	batchGet            BatchGetConduct
	unknown             UnknownIDs
	asPrinted           bool
}

type mailbox struct {
	address  string
	public   bool
	members  []string // of a public one
	folders  []folder
	messages map[string]*message
}

type folder struct{ id, parent, name string }

type message struct {
	Message
	id          string
	attachments []*attachment
}

type attachment struct {
	Attachment
	id  string
	cut int64 // bytes after which the next body is cut, or uncut
}

const uncut = -1

func newMail() mail {
	return mail{
		mailboxes: make(map[string]*mailbox), systemListed: true, order: NewestFirst,
		unknown: FailUnknown, asPrinted: true,
	}
}

// AddMailbox adds the mailbox of a user, who has the same address.
func (s *Server) AddMailbox(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mailbox(address)
}

// AddPublicMailbox adds a mailbox that its members read.
func (s *Server) AddPublicMailbox(address string, members ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mailbox(address)
	m.public, m.members = true, slices.Clone(members)
}

// AddFolder adds a folder to a mailbox and returns its id. The parent is the id
// of a folder, or empty for the root.
func (s *Server) AddFolder(address, parent, name string) (id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := s.mailbox(address)
	if parent == "" {
		parent = "0"
	}
	f := folder{id: s.digits(), parent: parent, name: name}
	m.folders = append(m.folders, f)
	return f.id
}

// AddMessage adds a message to a mailbox, which is added if it is not there. Its
// folder need not be a listed one.
func (s *Server) AddMessage(address string, m Message) MessageIDs {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.Folder == "" {
		m.Folder = "INBOX"
	}
	if m.Date.IsZero() {
		m.Date = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)
	}
	added := &message{Message: m, id: messageID(s.next())}
	ids := MessageIDs{Message: added.id}
	for _, a := range m.Attachments {
		if a.Content == nil {
			a.Content = linksim.Bytes(nil)
		}
		id := attachmentID(s.next())
		added.attachments = append(added.attachments, &attachment{Attachment: a, id: id, cut: uncut})
		ids.Attachments = append(ids.Attachments, id)
	}
	s.mailbox(address).messages[added.id] = added
	return ids
}

// RemoveMessage removes a message. Links to its attachments live on.
func (s *Server) RemoveMessage(address, id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.mailbox(address).messages, id)
}

// MoveMessage puts a message into another folder of its mailbox.
func (s *Server) MoveMessage(address, id, folder string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m, ok := s.mailbox(address).messages[id]; ok {
		m.Folder = folder
	}
}

// SetFails says whether no link is made for an attachment, from now on.
func (s *Server) SetFails(attachmentID string, fails bool) {
	s.changeAttachment(attachmentID, func(a *attachment) { a.Fails = fails })
}

// CutOnce makes the next body of an attachment, of a file or of a medium end
// after so many bytes, if it is longer.
func (s *Server) CutOnce(attachmentID string, after int64) {
	s.changeAttachment(attachmentID, func(a *attachment) { a.cut = after })
}

func (s *Server) changeAttachment(id string, change func(*attachment)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for box := range maps.Values(s.mail.mailboxes) {
		for m := range maps.Values(box.messages) {
			if a := m.attachment(id); a != nil {
				change(a)
			}
		}
	}
	if a := s.docs.attachment(id); a != nil {
		change(a)
	}
}

// SetSystemFoldersListed says whether folders are listed with the system's when
// no folder_type is asked for: they are until told otherwise.
func (s *Server) SetSystemFoldersListed(listed bool) {
	s.changeMail(func(m *mail) { m.systemListed = listed })
}

// SetOrder says how messages are listed: newest first until told otherwise.
func (s *Server) SetOrder(o Order) { s.changeMail(func(m *mail) { m.order = o }) }

// SetMetadataAttachments says whether the format metadata has attachments: it
// has none until told otherwise.
func (s *Server) SetMetadataAttachments(has bool) {
	s.changeMail(func(m *mail) { m.metadataAttachments = has })
}

// SetBatchGet says what batch_get does with messages that it does not return.
func (s *Server) SetBatchGet(c BatchGetConduct) { s.changeMail(func(m *mail) { m.batchGet = c }) }

// SetUnknownIDs says what download_url does with ids that the message does not
// have: they are among failed_ids until told otherwise.
func (s *Server) SetUnknownIDs(u UnknownIDs) { s.changeMail(func(m *mail) { m.unknown = u }) }

// SetLinkErrorsAsPrinted says whether download_url refuses as its page prints it
// (500 with 1230003 for no permission, 403 with 1230002 for an internal error),
// which it does until told otherwise, or as the other calls do: the other way
// round.
func (s *Server) SetLinkErrorsAsPrinted(printed bool) {
	s.changeMail(func(m *mail) { m.asPrinted = printed })
}

func (s *Server) changeMail(change func(*mail)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.mail)
}

// mailbox returns the one of that address, added if it was not there. s.mu is
// held.
func (s *Server) mailbox(address string) *mailbox {
	m, ok := s.mail.mailboxes[address]
	if !ok {
		m = &mailbox{address: address, messages: make(map[string]*message)}
		s.mail.mailboxes[address] = m
	}
	return m
}

func (m *message) attachment(id string) *attachment {
	for _, a := range m.attachments {
		if a.id == id {
			return a
		}
	}
	return nil
}

// messageID is base64 of base64, as in the documents, for one message, and plain
// base64 with the characters that have to be escaped for the next.
func messageID(n int) string {
	for salt := 0; ; salt++ {
		sum := sha1.Sum(fmt.Appendf(nil, "message %d %d", n, salt))
		id := base64.StdEncoding.EncodeToString(sum[:])
		switch {
		case n%2 == 0:
			return base64.StdEncoding.EncodeToString([]byte(id))
		case strings.Contains(id, "/") && strings.Contains(id, "+"):
			return id
		}
	}
}

// attachmentID looks like YQqYbQHoQoDqXjxWKhJbo8Gicjf.
func attachmentID(n int) string {
	sum := sha1.Sum(fmt.Appendf(nil, "attachment %d", n))
	return strings.NewReplacer("-", "a", "_", "b").Replace(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// digits is an id of 19 digits. s.mu is held.
func (s *Server) digits() string { return fmt.Sprintf("7281187859%09d", s.next()) }
