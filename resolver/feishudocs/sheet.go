package feishudocs

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

const (
	// bandCells is how many cells one call reads. An answer may have 10 MB, which
	// is 500 bytes for each.
	bandCells = 20_000
	// maxCells bounds what is read of one sheet: 50 calls.
	maxCells = 1_000_000
	// gridType is that of sheets that have cells.
	gridType = "sheet"
)

// tab is one sheet of a spreadsheet.
type tab struct {
	ID      string `json:"id"`
	Rows    int    `json:"rows"`
	Columns int    `json:"columns"`
}

// sheetWalk is one way through a spreadsheet, and goes into its cursors.
type sheetWalk struct {
	// Tabs are those still to be read, the first one from the row Row on, Band
	// rows at a time.
	Tabs []tab `json:"tabs"`
	Row  int   `json:"row"`
	Band int   `json:"band"`
	// Mark is as of the first answer that told a revision.
	Mark *sheetMark `json:"mark,omitempty"`
	// Began says that Tabs were asked for.
	Began bool `json:"began"`
}

type sheetsAnswer struct {
	Sheets []struct {
		ID     string `json:"sheet_id"`
		Hidden bool   `json:"hidden"`
		Type   string `json:"resource_type"`
		Grid   struct {
			Rows    int `json:"row_count"`
			Columns int `json:"column_count"`
		} `json:"grid_properties"`
	} `json:"sheets"`
}

// listSheet returns the media in a band of rows of a spreadsheet, sheet by sheet,
// with those that float over a sheet before its first band. Hidden sheets are
// left out.
func (p *Provider) listSheet(ctx context.Context, at place, cursor string) (resolver.Page, error) {
	var w sheetWalk
	if err := readCursor(cursor, &w); err != nil {
		return resolver.Page{}, err
	}
	var entries entrySet
	if !w.Began {
		if err := p.beginSheet(ctx, at, &w); err != nil {
			return resolver.Page{}, err
		}
	}
	if len(w.Tabs) > 0 {
		if err := p.band(ctx, at, &w, &entries); err != nil {
			return resolver.Page{}, err
		}
	}
	if err := p.nameTypes(ctx, &entries); err != nil {
		return resolver.Page{}, err
	}
	page := resolver.Page{Entries: entries.all}
	switch {
	case len(w.Tabs) > 0:
		page.Next = encode(w)
	case w.Mark != nil:
		page.Mark = encode(w.Mark)
	}
	return page, nil
}

// beginSheet asks which sheets there are to be read: one if the place names it.
func (p *Provider) beginSheet(ctx context.Context, at place, w *sheetWalk) error {
	var answer sheetsAnswer
	if _, err := p.do(ctx, api.Call{Endpoint: sheetsCall, Params: at.tokens[:1]}, &answer); err != nil {
		return err
	}
	w.Began = true
	for _, s := range answer.Sheets {
		one := len(at.tokens) > 1
		if s.ID == "" || s.Type != gridType && s.Type != "" || one && s.ID != at.tokens[1] || s.Hidden && !one {
			continue
		}
		w.Tabs = append(w.Tabs, tab{s.ID, s.Grid.Rows, s.Grid.Columns})
	}
	if len(at.tokens) > 1 && len(w.Tabs) == 0 {
		return fmt.Errorf("no such sheet: %w", resolver.ErrNotExist)
	}
	return nil
}

// band reads some rows of the walk's sheet.
func (p *Provider) band(ctx context.Context, at place, w *sheetWalk, entries *entrySet) error {
	t := w.Tabs[0]
	if w.Row == 0 && w.Band == 0 {
		if err := p.floats(ctx, at, t, entries); err != nil {
			return err
		}
	}
	if t.Rows < 1 || t.Columns < 1 {
		w.turn()
		return nil
	}
	if w.Band == 0 {
		w.Band = max(1, bandCells/t.Columns)
	}
	last := min(w.Row+w.Band, t.Rows)
	values, revision, err := p.values(ctx, at.tokens[0], fmt.Sprintf("%s!A%d:%s%d", t.ID, w.Row+1, columnName(t.Columns-1), last))
	if hasCode(err, tooLargeValues) && w.Band > 1 {
		w.Band = (w.Band + 1) / 2 // the next page asks for less
		return nil
	}
	if err != nil {
		return err
	}
	if w.Mark == nil && revision != nil {
		w.Mark = &sheetMark{*revision, t.ID}
	}
	for _, found := range filesIn(values) {
		found.add(at, entries)
	}
	w.Row = last
	switch {
	case last >= t.Rows:
		w.turn()
	case last*t.Columns >= maxCells:
		p.log.Warn("a sheet is too large to be read to its end", "spreadsheet", at.tokens[0], "sheet", t.ID, "rows", t.Rows, "read", last)
		w.turn()
	}
	return nil
}

// turn goes on to the next sheet.
func (w *sheetWalk) turn() { w.Tabs, w.Row, w.Band = w.Tabs[1:], 0, 0 }

// floats adds the pictures that float over a sheet.
func (p *Provider) floats(ctx context.Context, at place, t tab, entries *entrySet) error {
	var answer struct {
		Items []struct {
			Token string `json:"float_image_token"`
		} `json:"items"`
	}
	if _, err := p.do(ctx, api.Call{Endpoint: floatsCall, Params: []string{at.tokens[0], t.ID}}, &answer); err != nil {
		return err
	}
	for _, f := range answer.Items {
		if f.Token != "" {
			cellFile{Token: f.Token}.add(at, entries)
		}
	}
	return nil
}

// values reads a range, and the number of the spreadsheet's last change.
func (p *Provider) values(ctx context.Context, spreadsheet, cells string) (values json.RawMessage, revision *int, err error) {
	var answer struct {
		Revision *int `json:"revision"`
		Range    struct {
			Values json.RawMessage `json:"values"`
		} `json:"valueRange"`
	}
	call := api.Call{Endpoint: valuesCall, Params: []string{spreadsheet, cells}}
	if _, err := p.do(ctx, call, &answer); err != nil {
		return nil, nil, err
	}
	return answer.Range.Values, answer.Revision, nil
}

// columnName is A for 0 and AA for 26.
func columnName(column int) string {
	name := ""
	for column++; column > 0; column = (column - 1) / 26 {
		name = string(rune('A'+(column-1)%26)) + name
	}
	return name
}

// sheetMark is what a listing of a spreadsheet is as of.
type sheetMark struct {
	Revision int `json:"revision"`
	// Sheet is one of which a cell can be read.
	Sheet string `json:"sheet"`
}

// updateSheet tells by one cell whether a spreadsheet is as it was.
func (p *Provider) updateSheet(ctx context.Context, spreadsheet, mark string) error {
	var known sheetMark
	if json.Unmarshal([]byte(mark), &known) != nil || known.Sheet == "" {
		return resolver.ErrUnsupported
	}
	_, revision, err := p.values(ctx, spreadsheet, known.Sheet+"!A1:A1")
	switch {
	case hasCode(err, sheetGone) || resolver.Refused(err):
		return errOutdated
	case err != nil:
		return err
	case revision == nil || *revision != known.Revision:
		return errOutdated
	}
	return nil
}
