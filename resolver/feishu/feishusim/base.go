package feishusim

import (
	"cmp"
	"slices"
	"time"
)

// The types of fields that the simulator knows something about. Those of any
// other number hold what they are given.
const (
	FieldText       = 1
	FieldNumber     = 2
	FieldDate       = 5
	FieldAttachment = 17
	FieldLookup     = 19
	FieldFormula    = 20
)

// Base is a base, which the API calls bitable.
type Base struct {
	// Token is made up if empty.
	Token, Name string
	// Modified is a fixed time in 2026 if zero.
	Modified time.Time
	// Advanced is whether advanced permission is on: media need an extra.
	Advanced bool
	Tables   []Table
}

// Table is one of a base.
type Table struct {
	// ID is made up if empty.
	ID, Name string
	Fields   []Field
	Records  []Record
}

// Field is a column of a table.
type Field struct {
	// ID is made up if empty.
	ID, Name string
	Type     int
	Primary  bool
	Hidden   bool
}

// Record is a row of a table.
type Record struct {
	// ID is made up if empty.
	ID string
	// Values are by the names of fields. A string for a text field is put into
	// the array that those answer with; everything else is as it is told.
	Values map[string]any
	// Files are the media of fields of attachments, or of lookups and formulas
	// that bring some, by their names.
	Files map[string][]Media
	// Created and Modified are a fixed time in 2026 if zero.
	Created, Modified time.Time
}

// BaseIDs are the tokens of a base that was added, the IDs of its tables and the
// tokens of its media: by tables, records and fields.
type BaseIDs struct {
	Base          string
	Tables, Media []string
}

type base struct {
	advanced bool
	revision int
	tables   []*table
	hidden   bool // its records
}

type table struct {
	id, name string
	revision int
	fields   []Field
	records  []*record
	searched time.Time // by the true clock, the last time
}

type record struct {
	id                string
	serial            int
	values            map[string]any // by the IDs of fields, as they are told
	created, modified time.Time
}

// AddBase adds a base to the folder of a token, or to none if that is empty.
func (s *Server) AddBase(parent string, b Base) BaseIDs {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.addItem(parent, KindBase, b.Token, b.Name, b.Modified)
	i.base = &base{advanced: b.Advanced, revision: 1}
	ids := BaseIDs{Base: i.token}
	for _, t := range b.Tables {
		added := &table{id: cmp.Or(t.ID, shortID("tbl", s.next())), name: t.Name, revision: 1}
		for _, f := range t.Fields {
			f.ID = cmp.Or(f.ID, shortID("fld", s.next())[:10])
			added.fields = append(added.fields, f)
		}
		i.base.tables = append(i.base.tables, added)
		ids.Tables = append(ids.Tables, added.id)
		for _, r := range t.Records {
			_, media := s.insert(i, added, r)
			ids.Media = append(ids.Media, media...)
		}
	}
	return ids
}

// AddRecord adds a record to a table, whose revision goes up, and returns its ID
// and the tokens of its media by fields.
func (s *Server) AddRecord(baseToken, tableID string, r Record) (id string, media []string) {
	s.changeTable(baseToken, tableID, func(i *item, t *table) { id, media = s.insert(i, t, r) })
	return id, media
}

// RemoveRecord removes a record. Links to its media live on.
func (s *Server) RemoveRecord(baseToken, tableID, id string) {
	s.changeTable(baseToken, tableID, func(_ *item, t *table) {
		t.records = slices.DeleteFunc(t.records, func(r *record) bool { return r.id == id })
	})
}

// RenameField gives a field another name.
func (s *Server) RenameField(baseToken, tableID, id, name string) {
	s.changeTable(baseToken, tableID, func(_ *item, t *table) {
		for n := range t.fields {
			if t.fields[n].ID == id {
				t.fields[n].Name = name
			}
		}
	})
}

// RenameTable gives a table another name.
func (s *Server) RenameTable(baseToken, tableID, name string) {
	s.changeTable(baseToken, tableID, func(_ *item, t *table) { t.name = name })
}

// HideRecords says whether searches in a base succeed without any record, as
// they do for who has too few rights in one with advanced permission.
func (s *Server) HideRecords(baseToken string, hidden bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.docs.items[baseToken].base.hidden = hidden
}

// changeTable changes a table of a base, both of which have to be there.
func (s *Server) changeTable(baseToken, id string, change func(*item, *table)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.docs.items[baseToken]
	t := i.base.table(id)
	t.revision++
	i.base.revision++
	i.modified = s.now()
	change(i, t)
}

func (b *base) table(id string) *table {
	n := slices.IndexFunc(b.tables, func(t *table) bool { return t.id == id })
	if n < 0 {
		return nil
	}
	return b.tables[n]
}

// insert adds a record to a table. s.mu is held.
func (s *Server) insert(i *item, t *table, r Record) (id string, media []string) {
	n := s.next()
	added := &record{
		id: cmp.Or(r.ID, shortID("rec", n)), serial: n, values: make(map[string]any),
		created: cmp.Or(r.Created, usualTime), modified: cmp.Or(r.Modified, usualTime),
	}
	for _, f := range t.fields {
		if v, ok := r.Values[f.Name]; ok {
			added.values[f.ID] = f.told(v)
		}
		files := r.Files[f.Name]
		if len(files) == 0 {
			continue
		}
		list := make([]map[string]any, len(files))
		for n, m := range files {
			m.Token = s.keep(m, i)
			kept := s.docs.media[m.Token]
			kept.cells = append(kept.cells, cell{t.id, f.ID, added.id})
			media = append(media, m.Token)
			list[n] = s.attached(kept, m.Name, t)
		}
		added.values[f.ID] = list
		if f.Type != FieldAttachment {
			added.values[f.ID] = map[string]any{"type": FieldAttachment, "value": list}
		}
	}
	t.records = append(t.records, added)
	return added.id, media
}

// told is a value as a field of this type tells it.
func (f Field) told(v any) any {
	text, ok := v.(string)
	if !ok || f.Type != FieldText {
		return v
	}
	return []map[string]any{{"type": "text", "text": text}}
}
