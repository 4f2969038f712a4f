package feishusim

import (
	"cmp"
	"fmt"
	"time"
)

// The types of blocks that are more than text.
const (
	blockPage      = 1
	blockText      = 2
	blockBase      = 18
	blockFile      = 23
	blockImage     = 27
	blockSheet     = 30
	blockView      = 33
	blockBoard     = 43
	blockSource    = 49
	blockReference = 50
)

// Docx is a document.
type Docx struct {
	// Token is made up if empty.
	Token, Title string
	// Modified is a fixed time in 2026 if zero.
	Modified time.Time
	Blocks   []Block
}

// Block is one of a document; make it with the functions whose names end in
// Block.
type Block struct {
	// ID is made up if empty.
	ID       string
	Children []Block

	kind    int
	media   *Media
	caption string
	text    string
	token   string // of a board, or of something embedded
	inline  string // the ID of a file block
	source  [2]string
}

// TextBlock is a paragraph, which may have children.
func TextBlock(text string, children ...Block) Block {
	return Block{kind: blockText, text: text, Children: children}
}

// TypeBlock is a block of any type that only has children, such as a quote (34),
// a grid (24), a column (25), a table (31) or a cell of it (32).
func TypeBlock(kind int, children ...Block) Block { return Block{kind: kind, Children: children} }

// FileBlock is a file, within the view block that documents put around it.
func FileBlock(m Media) Block {
	return Block{kind: blockView, Children: []Block{{kind: blockFile, media: &m}}}
}

// InlineFileBlock is a paragraph that mentions the medium of a file block of the
// same document, whose ID and token are given.
func InlineFileBlock(block, token string) Block {
	return Block{kind: blockText, text: "see ", inline: block, token: token}
}

// ImageBlock is a picture; the caption may be empty.
func ImageBlock(m Media, caption string) Block {
	return Block{kind: blockImage, media: &m, caption: caption}
}

// SheetBlock embeds one sheet of a spreadsheet.
func SheetBlock(spreadsheet, sheet string) Block {
	return Block{kind: blockSheet, token: spreadsheet + "_" + sheet}
}

// BaseBlock embeds one table of a base.
func BaseBlock(base, table string) Block { return Block{kind: blockBase, token: base + "_" + table} }

// BoardBlock is a whiteboard.
func BoardBlock(token string) Block { return Block{kind: blockBoard, token: token} }

// SourceBlock is what other documents show where they have a reference to its
// ID.
func SourceBlock(id string, children ...Block) Block {
	return Block{ID: id, kind: blockSource, Children: children}
}

// ReferenceBlock shows the source block of another document, whose contents the
// answer does not have.
func ReferenceBlock(document, block string) Block {
	return Block{kind: blockReference, source: [2]string{document, block}}
}

// DocxIDs are the tokens of a document that was added and of its media, in
// order.
type DocxIDs struct {
	Document string
	Media    []string
}

// document is the content of one.
type document struct {
	revision int
	blocks   []map[string]any // as they are listed
}

// AddDocx adds a document to the folder of a token, or to none if that is empty.
func (s *Server) AddDocx(parent string, d Docx) DocxIDs {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.addItem(parent, KindDocx, d.Token, d.Title, d.Modified)
	return s.write(i, d)
}

// SetDocx gives a document other blocks and another title, as of now or of the
// time that d says. Its revision goes up.
func (s *Server) SetDocx(token string, d Docx) DocxIDs {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.docs.items[token]
	i.name, i.modified = d.Title, cmp.Or(d.Modified, s.now())
	return s.write(i, d)
}

// write gives i the content of d. s.mu is held.
func (s *Server) write(i *item, d Docx) DocxIDs {
	revision := 1
	if i.docx != nil {
		revision = i.docx.revision + 1
	}
	i.docx = &document{revision: revision}
	w := blockWriter{server: s, item: i, ids: DocxIDs{Document: i.token}}
	w.write(Block{ID: i.token, kind: blockPage, text: d.Title, Children: d.Blocks}, "")
	return w.ids
}

// blockWriter turns blocks into what is listed of them: in the order of the
// document, each before its children.
type blockWriter struct {
	server *Server
	item   *item
	ids    DocxIDs
}

// write returns the ID of b.
func (w *blockWriter) write(b Block, parent string) string {
	if b.ID == "" {
		b.ID = newToken(w.server.next())
	}
	listed := map[string]any{"block_id": b.ID, "block_type": b.kind, "parent_id": parent}
	name, payload := w.payload(b)
	listed[name] = payload
	w.item.docx.blocks = append(w.item.docx.blocks, listed)
	children := make([]string, 0, len(b.Children))
	for _, child := range b.Children {
		children = append(children, w.write(child, b.ID))
	}
	if len(children) > 0 {
		listed["children"] = children
	}
	return b.ID
}

// payload is what a block says besides its place.
func (w *blockWriter) payload(b Block) (name string, payload map[string]any) {
	switch b.kind {
	case blockPage:
		return "page", map[string]any{"elements": elements(b), "style": map[string]any{"align": 1}}
	case blockText:
		return "text", map[string]any{"elements": elements(b), "style": map[string]any{"align": 1, "folded": false}}
	case blockView:
		return "view", map[string]any{"view_type": 1}
	case blockFile:
		return "file", map[string]any{"token": w.keep(b), "name": b.media.Name, "view_type": 1}
	case blockImage:
		image := map[string]any{"token": w.keep(b), "width": 1280, "height": 720, "align": 2}
		if b.caption != "" {
			image["caption"] = map[string]any{"content": b.caption}
		}
		return "image", image
	case blockSheet:
		return "sheet", map[string]any{"token": b.token}
	case blockBase:
		return "bitable", map[string]any{"token": b.token, "view_type": 1}
	case blockBoard:
		return "board", map[string]any{"token": b.token, "align": 2}
	case blockReference:
		return "reference_synced", map[string]any{"source_document_id": b.source[0], "source_block_id": b.source[1]}
	case blockSource:
		return "source_synced", map[string]any{"elements": []any{}}
	default:
		return fmt.Sprintf("type_%d", b.kind), map[string]any{}
	}
}

func (w *blockWriter) keep(b Block) string {
	token := w.server.keep(*b.media, w.item)
	w.ids.Media = append(w.ids.Media, token)
	return token
}

func elements(b Block) []map[string]any {
	all := []map[string]any{{"text_run": map[string]any{"content": b.text, "text_element_style": map[string]any{}}}}
	if b.inline != "" {
		all = append(all, map[string]any{"file": map[string]any{"file_token": b.token, "source_block_id": b.inline}})
	}
	return all
}
