package feishusim

import (
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/attachfs/attachfs/internal/linksim"
)

// Kind is the type of something in a drive, or of what a node of a wiki stands
// for.
type Kind string

// The kinds.
const (
	KindFile     Kind = "file"
	KindFolder   Kind = "folder"
	KindShortcut Kind = "shortcut"
	KindDocx     Kind = "docx"
	KindSheet    Kind = "sheet"
	KindBase     Kind = "bitable"
	KindDoc      Kind = "doc"
	KindMindnote Kind = "mindnote"
	KindSlides   Kind = "slides"
)

// Media is a picture or a file inside a document.
type Media struct {
	// Token is made up if empty. The same token in two places is the same medium,
	// which has the content that it was first given.
	Token string
	// Name is told by file blocks and by bases; pictures have none.
	Name string
	// Content is the bytes; nil is none.
	Content linksim.Content
	// ContentType is application/octet-stream if empty.
	ContentType string
}

// docs is the state of drive, documents and wiki. It is guarded by Server.mu.
type docs struct {
	items  map[string]*item
	roots  map[string]*item // of users, and of the tenant's apps under ""
	media  map[string]*medium
	spaces []*space
	nodes  map[string]*node

	emptyPages map[Call]bool
	pageEra    int // of page tokens that are good
	batch      BatchConduct
	extra      ExtraConduct
	downloads  DownloadConduct
	mostRows   int   // of an answer of a search; 0 is any number
	mostValues int64 // bytes of an answer of values
	pause      time.Duration
}

func newDocs() docs {
	return docs{
		items: make(map[string]*item), roots: make(map[string]*item), media: make(map[string]*medium),
		nodes: make(map[string]*node), emptyPages: make(map[Call]bool), mostValues: documentedValues,
	}
}

// item is a file, a folder, a shortcut or a document.
type item struct {
	token, name string
	kind        Kind
	serial      int // of its creation
	parent      *item
	children    []*item
	target      *item // of a shortcut
	modified    time.Time
	forbidden   bool
	sealed      bool // its media, to everybody
	removed     bool

	file  *attachment // of a file
	etag  int         // of a file, counted up
	docx  *document
	sheet *spreadsheet
	base  *base
}

// medium is what media calls find by a token.
type medium struct {
	attachment
	owner     *item
	cells     []cell // of bases
	forbidden bool
	removed   bool
}

// cell is one of a base.
type cell struct{ table, field, record string }

// addItem adds an item to a folder, or to none if parent is empty. The parent
// must be a folder. s.mu is held.
func (s *Server) addItem(parent string, kind Kind, token, name string, modified time.Time) *item {
	n := s.next()
	if token == "" {
		token = newToken(n)
	}
	if modified.IsZero() {
		modified = usualTime
	}
	i := &item{token: token, name: name, kind: kind, serial: n, modified: modified}
	s.docs.items[token] = i
	if parent != "" {
		s.docs.items[parent].adopt(i)
	}
	return i
}

// usualTime is when things were changed that do not say.
var usualTime = time.Date(2026, 3, 1, 9, 30, 0, 0, time.UTC)

func (i *item) adopt(child *item) {
	child.leave()
	child.parent = i
	i.children = append(i.children, child)
}

func (i *item) leave() {
	if i.parent == nil {
		return
	}
	var rest []*item
	for _, c := range i.parent.children {
		if c != i {
			rest = append(rest, c)
		}
	}
	i.parent.children, i.parent = rest, nil
}

// keep makes m known to media calls, and returns its token. s.mu is held.
func (s *Server) keep(m Media, owner *item) string {
	if known, ok := s.docs.media[m.Token]; ok {
		known.owner, known.removed = owner, false
		return m.Token
	}
	if m.Token == "" {
		m.Token = newToken(s.next())
	}
	if m.Content == nil {
		m.Content = linksim.Bytes(nil)
	}
	s.docs.media[m.Token] = &medium{owner: owner, attachment: attachment{
		id: m.Token, cut: uncut, Attachment: Attachment{Name: m.Name, Content: m.Content, ContentType: m.ContentType},
	}}
	return m.Token
}

// attachment is the file or medium of a token; nil is neither.
func (d *docs) attachment(token string) *attachment {
	if m, ok := d.media[token]; ok {
		return &m.attachment
	}
	if i, ok := d.items[token]; ok {
		return i.file
	}
	return nil
}

// SetForbidden says whether a file, folder, document, medium, node or space is
// refused to everybody who asks for it. Who lists its folder sees it all the
// same, but for nodes of a wiki. The media of a document go with it.
func (s *Server) SetForbidden(token string, forbidden bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.docs.items[token]; ok {
		i.forbidden = forbidden
	}
	if m, ok := s.docs.media[token]; ok {
		m.forbidden = forbidden
	}
	if n, ok := s.docs.nodes[token]; ok {
		n.forbidden = forbidden
	}
	if sp := s.docs.space(token); sp != nil {
		sp.forbidden = forbidden
	}
}

// SetSealed says whether a document may be read and its media not be had, as
// where its owner forbids copies.
func (s *Server) SetSealed(document string, sealed bool) {
	s.changeDocs(func(d *docs) { d.items[document].sealed = sealed })
}

// Remove removes a file, folder, document, medium or node. Links live on.
func (s *Server) Remove(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.docs.items[token]; ok {
		i.leave()
		i.removed = true
	}
	if m, ok := s.docs.media[token]; ok {
		m.removed = true
	}
	if n, ok := s.docs.nodes[token]; ok {
		n.leave()
		delete(s.docs.nodes, token)
	}
}

// Rename gives a file, folder, document or node another name.
func (s *Server) Rename(token, name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i, ok := s.docs.items[token]; ok {
		i.name = name
	}
	if n, ok := s.docs.nodes[token]; ok {
		n.title = name
	}
}

// SetModified sets the time of the last change of a file, folder or document.
func (s *Server) SetModified(token string, at time.Time) {
	s.changeDocs(func(d *docs) { d.items[token].modified = at })
}

// found is the item of a token and of a kind, or why q does not get it. s.mu is
// held.
func (s *Server) found(q *request, token string, kind Kind) (*item, *answer) {
	i, ok := s.docs.items[token]
	refuses := q.endpoint.refuses
	switch {
	case !ok || i.kind != kind:
		return nil, refuses.missing.answer()
	case i.removed:
		return nil, refuses.deleted.answer()
	case i.forbidden:
		return nil, refuses.denied.answer()
	}
	return i, nil
}

// newToken looks like Vl3FbVkvnowlgpxpqsAbBrtFcrd.
func newToken(n int) string {
	sum := sha1.Sum(fmt.Appendf(nil, "token %d", n))
	return strings.NewReplacer("-", "c", "_", "d").Replace(base64.RawURLEncoding.EncodeToString(sum[:]))
}

// shortID looks like tbl0xe5g8PP3U3cS.
func shortID(prefix string, n int) string { return prefix + newToken(n)[:13] }

func seconds(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) }
