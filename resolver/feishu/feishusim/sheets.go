package feishusim

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// Spreadsheet is a document of sheets.
type Spreadsheet struct {
	// Token is made up if empty.
	Token, Title string
	// Modified is a fixed time in 2026 if zero.
	Modified time.Time
	Tabs     []Tab
}

// Tab is one sheet of a spreadsheet.
type Tab struct {
	// ID is made up if empty.
	ID, Title string
	Hidden    bool
	// Type is "sheet" if empty; "bitable" and "#UNSUPPORTED_TYPE" have no cells.
	Type string
	// Rows and Columns are 200 and 20 if 0, and more if the cells need it.
	Rows, Columns int
	Cells         []Cell
	Floats        []Float
}

// CellShape is how a cell tells of its media.
type CellShape string

// The shapes. Only that of a picture is documented.
const (
	// Picture is one object, of the first medium.
	Picture CellShape = "picture"
	// Attachments are objects with name, type and size, in an array.
	Attachments CellShape = "attachments"
	// Bare are objects that have a token and nothing else, in an array.
	Bare CellShape = "bare"
	// Nested are arrays between texts and a mention whose textType is the word
	// fileToken, in an array.
	Nested CellShape = "nested"
)

// Cell is one that is not empty.
type Cell struct {
	// At is a place such as B3.
	At string
	// Value is what the cell holds if it has no media: anything of JSON.
	Value any
	Media []Media
	// Shape is Picture if empty.
	Shape CellShape
}

// Float is a picture that floats over a place such as A1.
type Float struct {
	Media
	At string
}

// SheetIDs are the tokens of a spreadsheet that was added, the IDs of its sheets
// and the tokens of its media: sheet by sheet, cells before floating pictures.
type SheetIDs struct {
	Spreadsheet string
	Tabs, Media []string
}

type spreadsheet struct {
	revision int
	tabs     []*tab
}

type tab struct {
	Tab
	cells  map[place]any // as they are listed
	floats []map[string]any
}

// place is that of a cell, counted from 0.
type place struct{ row, column int }

// AddSheet adds a spreadsheet to the folder of a token, or to none if that is
// empty.
func (s *Server) AddSheet(parent string, d Spreadsheet) SheetIDs {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.fill(s.addItem(parent, KindSheet, d.Token, d.Title, d.Modified), d)
}

// SetSheet gives a spreadsheet other sheets and another title, as of now or of
// the time that d says.
func (s *Server) SetSheet(token string, d Spreadsheet) SheetIDs {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.docs.items[token]
	i.name, i.modified = d.Title, cmp.Or(d.Modified, s.now())
	return s.fill(i, d)
}

// fill gives i the sheets of d. s.mu is held.
func (s *Server) fill(i *item, d Spreadsheet) SheetIDs {
	revision := 0
	if i.sheet != nil {
		revision = i.sheet.revision + 1
	}
	i.sheet = &spreadsheet{revision: revision}
	ids := SheetIDs{Spreadsheet: i.token}
	for _, t := range d.Tabs {
		t.ID, t.Type = cmp.Or(t.ID, newToken(s.next())[:6]), cmp.Or(t.Type, "sheet")
		t.Rows, t.Columns = cmp.Or(t.Rows, 200), cmp.Or(t.Columns, 20)
		added := &tab{Tab: t, cells: make(map[place]any)}
		keep := func(m Media) Media {
			m.Token = s.keep(m, i)
			ids.Media = append(ids.Media, m.Token)
			return m
		}
		for _, c := range t.Cells {
			added.put(c, keep)
		}
		for _, f := range t.Floats {
			added.float(keep(f.Media).Token, newToken(s.next())[:10], f.At)
		}
		i.sheet.tabs = append(i.sheet.tabs, added)
		ids.Tabs = append(ids.Tabs, t.ID)
	}
	return ids
}

// put lists c; keep gives its media tokens.
func (t *tab) put(c Cell, keep func(Media) Media) {
	at, err := parsePlace(c.At)
	if err != nil {
		panic(err) // a mistake of who wrote the cell
	}
	t.Rows, t.Columns = max(t.Rows, at.row+1), max(t.Columns, at.column+1)
	if len(c.Media) == 0 {
		t.cells[at] = c.Value
		return
	}
	list := make([]any, len(c.Media))
	for n, m := range c.Media {
		list[n] = told(keep(m), cmp.Or(c.Shape, Picture))
	}
	switch cmp.Or(c.Shape, Picture) {
	case Picture:
		t.cells[at] = list[0]
	case Nested:
		t.cells[at] = []any{
			map[string]any{"type": "text", "text": "see "}, list,
			map[string]any{"type": "mention", "textType": "fileToken", "text": "a document", "token": "shtcnNotAMedium", "fileToken": "shtcnNotAMedium"},
		}
	default:
		t.cells[at] = list
	}
}

// told is what a cell tells of m.
func told(m Media, shape CellShape) any {
	switch shape {
	case Picture:
		link := "https://internal-api-drive-stream.feishu.cn/space/api/box/stream/download/v2/cover/" + m.Token + "/?mount_point=sheet_image"
		return map[string]any{"type": "embed-image", "fileToken": m.Token, "width": 3278, "height": 1994, "text": "", "link": link}
	case Bare:
		return map[string]any{"fileToken": m.Token}
	default:
		size := int64(0)
		if m.Content != nil {
			size = m.Content.Size()
		}
		return map[string]any{"type": "attachment", "fileToken": m.Token, "text": m.Name, "mimeType": m.ContentType, "size": size}
	}
}

func (t *tab) float(token, id, at string) {
	t.floats = append(t.floats, map[string]any{
		"float_image_id": id, "float_image_token": token, "range": fmt.Sprintf("%s!%s:%s", t.ID, at, at),
		"width": 400, "height": 300, "offset_x": 0, "offset_y": 0,
	})
}

// parsePlace reads a place such as B3.
func parsePlace(text string) (place, error) {
	letters := strings.TrimRight(text, "0123456789")
	column, ok := parseColumn(letters)
	var row int
	if _, err := fmt.Sscanf(text[len(letters):], "%d", &row); err != nil || !ok || row < 1 {
		return place{}, fmt.Errorf("%q is not a place of a cell", text)
	}
	return place{row - 1, column}, nil
}

// parseColumn reads a column such as AB, counted from 0.
func parseColumn(letters string) (column int, ok bool) {
	for _, c := range letters {
		if c < 'A' || c > 'Z' || column > 13_000 {
			return 0, false
		}
		column = column*26 + int(c-'A') + 1
	}
	return column - 1, letters != ""
}

func columnName(column int) string {
	name := ""
	for column++; column > 0; column = (column - 1) / 26 {
		name = string(rune('A'+(column-1)%26)) + name
	}
	return name
}
