package kdocssim

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"time"

	"github.com/attachfs/attachfs/internal/linksim"
)

// The sources of attachments. Other programs write them with other letters; they
// are sent back as they came.
const (
	Upload = "upload_ks3"
	Cloud  = "cloud"
)

// AttachmentType is what a column of attachments is called until told otherwise.
const AttachmentType = "Attachment"

// Document is one of the person's files. One whose name ends in .dbt or .ksheet
// has sheets.
type Document struct {
	// Token is made up if empty.
	Token string
	Name  string
	// Folder is one of [Server.AddFolder] or [Server.AddGroup]; "My documents" if
	// empty.
	Folder string
	// ModTime is a fixed time in 2026 if zero.
	ModTime time.Time
	Size    int64
	Sheets  []Sheet
	// Unlisted keeps it out of lists of files. Denied lists it, and refuses
	// everything else.
	Unlisted, Denied bool
}

// Sheet is a table of a document.
type Sheet struct {
	// ID is made up if 0.
	ID   int
	Name string
	// Fields are the columns, the first of which is the primary one.
	Fields  []Field
	Records []Record
}

// Field is a column.
type Field struct{ ID, Name, Type string }

// Record is a row.
type Record struct {
	// ID is made up if empty.
	ID string
	// Cells are by the ids of their fields. Those of attachments are
	// []Attachment; others are any JSON.
	Cells map[string]any
}

// Attachment is one of a cell.
type Attachment struct {
	// UploadID is made up if empty.
	UploadID string
	Name     string
	// Size is what the cell tells; that of Content if 0.
	Size int64
	// Type is what the cell tells, a MIME type or an extension; the extension of
	// Name if empty.
	Type string
	// Source is what the cell tells; [Upload] if empty.
	Source string
	// ImageSize is such as "640*640".
	ImageSize string
	// Content is the bytes; nil is none.
	Content linksim.Content
	// Unreadable cloud documents have no link.
	Unreadable bool
}

// document is one that was added. Its sheets are never changed, but replaced.
type document struct {
	Document
	sheets      map[int]*sheet
	attachments map[string]*Attachment // by upload id
}

type sheet struct {
	Sheet
	places map[string]int // of records, by their ids
}

// defaultModTime is the time of files without their own.
var defaultModTime = time.Date(2026, time.March, 14, 9, 26, 53, 0, time.UTC)

// ObjectID is what the origin calls an attachment of a document.
func ObjectID(token, uploadID string) string { return token + "/" + uploadID }

// AddDocument adds a document, or takes the place of the one of its token. It
// returns it with all that was made up.
func (s *Server) AddDocument(d Document) Document {
	s.mu.Lock()
	defer s.mu.Unlock()
	d.Token = cmp.Or(d.Token, s.id("file"))
	if d.ModTime.IsZero() {
		d.ModTime = defaultModTime
	}
	added := &document{Document: d, sheets: make(map[int]*sheet), attachments: make(map[string]*Attachment)}
	added.Sheets = make([]Sheet, len(d.Sheets))
	for i, from := range d.Sheets {
		added.Sheets[i] = s.complete(added, from)
		added.sheets[added.Sheets[i].ID] = newSheet(added.Sheets[i])
	}
	at := slices.IndexFunc(s.files.documents, func(o *document) bool { return o.Token == d.Token })
	if at < 0 {
		s.files.documents = append(s.files.documents, added)
	} else {
		s.files.documents[at] = added
	}
	s.files.byToken[d.Token] = added
	return added.Document
}

// RemoveDocument takes a document away. Links to its attachments live on.
func (s *Server) RemoveDocument(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.files.byToken, token)
	s.files.documents = slices.DeleteFunc(s.files.documents, func(d *document) bool { return d.Token == token })
}

// SetRecords gives a sheet other records, and returns them with all that was made
// up. Documents and sheets that are not there have none.
func (s *Server) SetRecords(token string, sheetID int, records []Record) []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.files.byToken[token]
	if d == nil || d.sheets[sheetID] == nil {
		return nil
	}
	changed := d.sheets[sheetID].Sheet
	changed.Records = records
	changed = s.complete(d, changed)
	d.sheets[sheetID] = newSheet(changed)
	d.forgetUnlisted()
	return changed.Records
}

// forgetUnlisted takes away the attachments that no cell has.
func (d *document) forgetUnlisted() {
	listed := make(map[string]bool)
	for _, sh := range d.sheets {
		for _, r := range sh.Records {
			for _, value := range r.Cells {
				list, _ := value.([]Attachment)
				for _, a := range list {
					listed[a.UploadID] = true
				}
			}
		}
	}
	maps.DeleteFunc(d.attachments, func(id string, _ *Attachment) bool { return !listed[id] })
}

// Recompress lets an attachment be other bytes than its cell tells of.
func (s *Server) Recompress(token, uploadID string, c linksim.Content) {
	s.origin.Swap(ObjectID(token, uploadID), c)
}

// SetUnreadable says whether a cloud document has no link.
func (s *Server) SetUnreadable(token, uploadID string, unreadable bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d := s.files.byToken[token]; d != nil && d.attachments[uploadID] != nil {
		d.attachments[uploadID].Unreadable = unreadable
	}
}

func newSheet(from Sheet) *sheet {
	places := make(map[string]int, len(from.Records))
	for i, r := range from.Records {
		places[r.ID] = i
	}
	return &sheet{from, places}
}

// complete makes up what a sheet of d does not tell. s.mu is held.
func (s *Server) complete(d *document, from Sheet) Sheet {
	from.ID = orDefault(from.ID, s.next())
	from.Fields = slices.Clone(from.Fields)
	for i := range from.Fields {
		f := &from.Fields[i]
		f.ID = cmp.Or(f.ID, s.id("field"))
		f.Name = cmp.Or(f.Name, f.ID)
	}
	records := make([]Record, len(from.Records))
	for i, r := range from.Records {
		cells := maps.Clone(r.Cells)
		for field, value := range cells {
			if list, ok := value.([]Attachment); ok {
				cells[field] = s.attach(d, list)
			}
		}
		records[i] = Record{ID: cmp.Or(r.ID, s.id("rec")), Cells: cells}
	}
	from.Records = records
	return from
}

// attach makes up what attachments do not tell, and has the origin serve them.
// s.mu is held.
func (s *Server) attach(d *document, list []Attachment) []Attachment {
	list = slices.Clone(list)
	for i := range list {
		a := &list[i]
		a.UploadID = cmp.Or(a.UploadID, s.id("up"))
		a.Type = cmp.Or(a.Type, extension(a.Name))
		a.Source = cmp.Or(a.Source, Upload)
		if a.Content == nil {
			a.Content = linksim.Bytes(nil)
		}
		a.Size = cmp.Or(a.Size, a.Content.Size())
		id := ObjectID(d.Token, a.UploadID)
		s.origin.Put(linksim.Object{ID: id, Path: id, Name: a.Name, Content: a.Content, ContentType: contentType(a.Type)})
		kept := *a
		d.attachments[a.UploadID] = &kept
	}
	return list
}

// id makes up an id. s.mu is held.
func (s *Server) id(kind string) string { return fmt.Sprintf("%s%06d", kind, s.next()) }

func extension(name string) string {
	if ext := path.Ext(name); ext != "" {
		return ext[1:]
	}
	return ""
}
