package ekuaibaosim

import (
	"cmp"
	"fmt"
	"path"
	"time"

	"github.com/attachfs/attachfs/internal/linksim"
)

// CorpID is the id of the company.
const CorpID = "corp" + linksim.Marker

// Document is one that is added. Only what a test is about needs to be set.
type Document struct {
	// ID and Code are made up if empty.
	ID, Code string
	// Type is expense if empty, State approving.
	Type, State string
	Title       string
	// Template is the id of the specification, without a version; Owner is the id
	// of who made the document.
	Template, Owner string
	// Created is 2026-03-02 if zero. Updated and Submitted are as Created if zero,
	// Paid is left out.
	Created, Updated, Submitted, Paid time.Time
	// Attachments are those of the form. Custom are those in fields of the
	// template, by names that begin with "u_".
	Attachments []File
	Custom      map[string][]File
	Lines       []Line
	// Approvals are the files of approvals and comments.
	Approvals []File
	// Receipts are bank slips, which have a key and a link but no id and no name.
	Receipts []File
}

// Line is one of an expense.
type Line struct {
	ID          string // made up if empty
	Attachments []File
	// Photos are invoices that were photographed, which are attachments.
	Photos   []File
	Invoices []Invoice
}

// Invoice is one that the service recognised. Only its id is in the document.
type Invoice struct {
	ID           string // made up if empty
	Code, Number string
	File         File
	// Crop makes the link lead to a picture that is generated: it has no length
	// and no ranges.
	Crop bool
}

// File is an attachment.
type File struct {
	// ID and Key are made up if empty, the key as that of a DingTalk drive if Store
	// is [Drive].
	ID, Key string
	Name    string
	Content linksim.Content // nil is empty
	// Store is where the file lies; [OSS] if empty.
	Store Store
	// Thumb is the small picture; nil makes its link useless, as those of what is
	// no picture are.
	Thumb linksim.Content
	// Bare leaves id, key and name out of the answer that tells the files of
	// documents.
	Bare bool
	// StaleSize is what the key of a file on a drive tells as its size; the true
	// one if 0.
	StaleSize int64

	swaps int // of the content
}

// Added tells what a document got: its id and code, and the ids of its files by
// their names.
type Added struct {
	ID, Code string
	Files    map[string]string
}

// company is the state of documents. It is guarded by Server.mu.
type company struct {
	documents []*document // in the order in which they were added
	byID      map[string]*document
	files     map[string]*File // by id
	invoices  map[string]*Invoice
	types     map[string]bool
	arrivals  []Document
	refusals  map[string]Refusal // by file id
	outage    DriveOutage
}

type document struct {
	Document
	deleted bool
	files   []*File // all of them
}

func newCompany() company {
	types := make(map[string]bool)
	for _, t := range []string{"expense", "loan", "payment", "requisition", "custom", "receipt", "permit"} {
		types[t] = true
	}
	return company{
		byID: make(map[string]*document), files: make(map[string]*File),
		invoices: make(map[string]*Invoice), types: types, refusals: make(map[string]Refusal),
	}
}

// AddDocument adds a document. It keeps the contents, which must not change.
func (s *Server) AddDocument(d Document) Added {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.add(d)
}

// add is AddDocument. s.mu is held.
func (s *Server) add(d Document) Added {
	n := s.next()
	d.ID, d.Code = cmp.Or(d.ID, fmt.Sprintf("ID_F%06d", n)), cmp.Or(d.Code, fmt.Sprintf("B%08d", n))
	d.Type, d.State = cmp.Or(d.Type, "expense"), cmp.Or(d.State, "approving")
	d.Template, d.Owner = cmp.Or(d.Template, "ID_T1"), cmp.Or(d.Owner, CorpID+":staff1")
	if d.Created.IsZero() {
		d.Created = time.Date(2026, time.March, 2, 1, 0, 0, 0, time.UTC)
	}
	d.Updated, d.Submitted = laterOr(d.Updated, d.Created), laterOr(d.Submitted, d.Created)
	doc := &document{Document: d}
	s.complete(doc)
	s.company.documents = append(s.company.documents, doc)
	s.company.byID[d.ID] = doc
	added := Added{ID: d.ID, Code: d.Code, Files: make(map[string]string)}
	for _, f := range doc.files {
		added.Files[f.Name] = f.ID
	}
	return added
}

func laterOr(t, other time.Time) time.Time {
	if t.IsZero() {
		return other
	}
	return t
}

// complete gives ids to all parts of a document, which it copies. s.mu is held.
func (s *Server) complete(d *document) {
	take := func(files []File) []File {
		files = append([]File(nil), files...)
		for i := range files {
			s.completeFile(&files[i])
			d.files = append(d.files, &files[i])
		}
		return files
	}
	d.Attachments = take(d.Attachments)
	custom := make(map[string][]File)
	for field, files := range d.Custom {
		custom[field] = take(files)
	}
	d.Custom = custom
	d.Lines = append([]Line(nil), d.Lines...)
	for i := range d.Lines {
		line := &d.Lines[i]
		line.ID = cmp.Or(line.ID, fmt.Sprintf("ID_D%06d", s.next()))
		line.Attachments, line.Photos = take(line.Attachments), take(line.Photos)
		line.Invoices = append([]Invoice(nil), line.Invoices...)
		for j := range line.Invoices {
			invoice := &line.Invoices[j]
			invoice.ID = cmp.Or(invoice.ID, fmt.Sprintf("ID_V%06d", s.next()))
			s.completeFile(&invoice.File)
			d.files = append(d.files, &invoice.File)
			s.company.invoices[invoice.ID] = invoice
		}
	}
	d.Approvals, d.Receipts = take(d.Approvals), take(d.Receipts)
}

// completeFile makes up what a file lacks. s.mu is held.
func (s *Server) completeFile(f *File) {
	n := s.next()
	f.Store = cmp.Or(f.Store, OSS)
	if f.Content == nil {
		f.Content = linksim.Bytes(nil)
	}
	f.ID = cmp.Or(f.ID, fmt.Sprintf("ID_A%06d", n))
	switch {
	case f.Key != "":
	case f.Store == Drive:
		// The inner id is the drive's own, and another than that of ekuaibao.
		f.Key = fmt.Sprintf(`DP:{"fileId":"%d","fileName":%q,"fileSize":%d,"fileType":%q,"spaceId":"7215288789"}`,
			136634000000+n, f.Name, cmp.Or(f.StaleSize, f.Content.Size()), extension(f.Name))
	default:
		f.Key = fmt.Sprintf("openapi%08d-7a5b-4e96-8172-60c5ee0f971e-%s", n, f.Name)
	}
	s.company.files[f.ID] = f
}

func extension(name string) string {
	if ext := path.Ext(name); ext != "" {
		return ext[1:]
	}
	return ""
}

// ChangeDocument lets change alter the fields of a document that are no files,
// and sets the time of the update to that of the servers' clocks unless change
// does. It does nothing without such a document.
func (s *Server) ChangeDocument(id string, change func(*Document)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.company.byID[id]; ok {
		d.Updated = s.now()
		change(&d.Document)
	}
}

// DeleteDocument deletes a document; that it was there is still known.
func (s *Server) DeleteDocument(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if d, ok := s.company.byID[id]; ok {
		d.deleted = true
		d.Updated = s.now()
	}
}

// RemoveFile lets the store lose a file: links to it are 404, and no more are
// issued.
func (s *Server) RemoveFile(id string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.company.files, id)
}

// SwapContent gives a file other bytes, which links that were issued lead to.
func (s *Server) SwapContent(id string, content linksim.Content) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f, ok := s.company.files[id]; ok {
		f.Content = content
		f.swaps++
	}
}
