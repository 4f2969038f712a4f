package feishusim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

const (
	sheetPath  = "/open-apis/sheets/v3/spreadsheets/{spreadsheet}"
	valuesPath = "/open-apis/sheets/v2/spreadsheets/{spreadsheet}"

	// documentedValues bounds an answer of values, in bytes.
	documentedValues = 10 << 20
	// mostColumns bounds ranges that end in a column.
	mostColumns = 100
)

var sheetRefusals = refusals{
	bad:      refusal{http.StatusBadRequest, 1310251, "invalid parameter"},
	denied:   refusal{http.StatusBadRequest, 1310213, "Permission Fail"},
	internal: refusal{http.StatusInternalServerError, 1315201, "Server Error"},
	missing:  refusal{http.StatusBadRequest, 1310214, "SpreadSheet Not Found"},
	deleted:  refusal{http.StatusBadRequest, 1310249, "spreadsheet is deleted"},
}

// valuesRefusals are of the general table of codes: the pages of the second
// version have none, and no statuses.
var valuesRefusals = refusals{
	bad:      refusal{http.StatusBadRequest, 90202, "validate RangeVal fail"},
	denied:   refusal{http.StatusForbidden, 91403, "Forbidden"},
	internal: refusal{http.StatusInternalServerError, 90203, "Fail"},
	missing:  refusal{http.StatusNotFound, 91402, "NOTEXIST"},
	deleted:  refusal{http.StatusNotFound, 91402, "NOTEXIST"},
}

var (
	sheetMissing   = refusal{http.StatusBadRequest, 90215, "sheetId not found"}
	valuesTooLarge = refusal{http.StatusBadRequest, 90221, "TooLargeResponse"}

	sheetScopes    = []string{scopeSheetsRead, scopeSheets, scopeDriveReadonly, scopeDrive}
	perSecond100   = []Rate{{100, time.Second}}
	sheetEndpoints = []*endpoint{{
		call: Spreadsheets, pattern: "GET " + sheetPath, rates: perMinute100,
		scopes: sheetScopes, refuses: sheetRefusals, handle: (*Server).spreadsheet,
	}, {
		call: SheetsQuery, pattern: "GET " + sheetPath + "/sheets/query", rates: perMinute100,
		scopes: sheetScopes, refuses: sheetRefusals, handle: (*Server).querySheets,
	}, {
		call: FloatImages, pattern: "GET " + sheetPath + "/sheets/{sheet}/float_images/query", rates: perMinute100,
		scopes: sheetScopes, refuses: sheetRefusals, handle: (*Server).queryFloats,
	}, {
		call: Values, pattern: "GET " + valuesPath + "/values/{range}", rates: perSecond100,
		scopes: sheetScopes, refuses: valuesRefusals, handle: (*Server).values,
	}, {
		call: ValuesBatch, pattern: "GET " + valuesPath + "/values_batch_get", rates: perSecond100,
		scopes: sheetScopes, refuses: valuesRefusals, handle: (*Server).valuesBatch,
	}}
)

// SetLargestValues says how many bytes of values one answer may have, more than
// which are refused: 10 MiB until told otherwise.
func (s *Server) SetLargestValues(bytes int64) {
	s.changeDocs(func(d *docs) { d.mostValues = bytes })
}

func (s *Server) spreadsheet(q *request) *answer {
	i, refused := s.found(q, q.PathValue("spreadsheet"), KindSheet)
	if refused != nil {
		return refused
	}
	listed := i.listed()
	return success(map[string]any{"spreadsheet": map[string]any{
		"title": i.name, "token": i.token, "owner_id": listed["owner_id"], "url": listed["url"],
	}})
}

func (s *Server) querySheets(q *request) *answer {
	i, refused := s.found(q, q.PathValue("spreadsheet"), KindSheet)
	if refused != nil {
		return refused
	}
	sheets := []map[string]any{}
	for n, t := range i.sheet.tabs {
		sheet := map[string]any{
			"sheet_id": t.ID, "title": t.Title, "index": n, "hidden": t.Hidden, "resource_type": t.Type, "merges": []any{},
		}
		if t.Type == "sheet" {
			sheet["grid_properties"] = map[string]any{
				"frozen_row_count": 0, "frozen_column_count": 0, "row_count": t.Rows, "column_count": t.Columns,
			}
		}
		sheets = append(sheets, sheet)
	}
	return success(map[string]any{"sheets": sheets})
}

func (s *Server) queryFloats(q *request) *answer {
	i, refused := s.found(q, q.PathValue("spreadsheet"), KindSheet)
	if refused != nil {
		return refused
	}
	t := i.sheet.tab(q.PathValue("sheet"))
	if t == nil {
		return q.endpoint.refuses.bad.answer()
	}
	return success(map[string]any{"items": append([]map[string]any{}, t.floats...)})
}

func (s *spreadsheet) tab(id string) *tab {
	n := slices.IndexFunc(s.tabs, func(t *tab) bool { return t.ID == id })
	if n < 0 {
		return nil
	}
	return s.tabs[n]
}

func (s *Server) values(q *request) *answer {
	i, refused := s.found(q, q.PathValue("spreadsheet"), KindSheet)
	if refused != nil {
		return refused
	}
	read, refused := i.sheet.read(q, q.PathValue("range"))
	if refused != nil {
		return refused
	}
	return s.bounded(map[string]any{"revision": i.sheet.revision, "spreadsheetToken": i.token, "valueRange": read})
}

// valuesBatch reads ranges that are joined by commas in one parameter, unlike
// what other calls want.
func (s *Server) valuesBatch(q *request) *answer {
	i, refused := s.found(q, q.PathValue("spreadsheet"), KindSheet)
	if refused != nil {
		return refused
	}
	total := 0
	ranges := []map[string]any{}
	for text := range strings.SplitSeq(q.URL.Query().Get("ranges"), ",") {
		read, refused := i.sheet.read(q, text)
		if refused != nil {
			return refused
		}
		for _, row := range read["values"].([][]any) {
			total += len(row)
		}
		ranges = append(ranges, read)
	}
	return s.bounded(map[string]any{
		"revision": i.sheet.revision, "spreadsheetToken": i.token, "totalCells": total, "valueRanges": ranges,
	})
}

// bounded answers with data if it is not too large. s.mu is held.
func (s *Server) bounded(data map[string]any) *answer {
	if text, err := json.Marshal(data); err != nil || int64(len(text)) > s.docs.mostValues {
		return valuesTooLarge.answer()
	}
	return success(data)
}

// read reads one range.
func (s *spreadsheet) read(q *request, text string) (map[string]any, *answer) {
	id, _, _ := strings.Cut(text, "!")
	t := s.tab(id)
	if t == nil {
		return nil, sheetMissing.answer()
	}
	from, to, ok := t.bounds(text)
	if !ok {
		return nil, q.endpoint.refuses.bad.answer()
	}
	plain := q.URL.Query().Get("valueRenderOption") == "ToString"
	rows := [][]any{}
	filled := false
	for row := from.row; row <= to.row; row++ {
		values := make([]any, 0, to.column-from.column+1)
		for column := from.column; column <= to.column; column++ {
			value, ok := t.cells[place{row, column}]
			filled = filled || ok
			if _, text := value.(string); ok && plain && !text {
				value = "" // nothing is left of media
			}
			values = append(values, value)
		}
		rows = append(rows, values)
	}
	read := map[string]any{"majorDimension": "ROWS", "range": "", "revision": s.revision, "values": rows}
	if filled {
		read["range"] = fmt.Sprintf("%s!%s%d:%s%d", id, columnName(from.column), from.row+1, columnName(to.column), to.row+1)
	}
	return read, nil
}

// bounds are the first and the last cell of a range, within the sheet.
func (t *tab) bounds(text string) (from, to place, ok bool) {
	last := place{t.Rows - 1, t.Columns - 1}
	_, span, part := strings.Cut(text, "!")
	if !part {
		return place{}, last, true
	}
	begin, end, ok := strings.Cut(span, ":")
	if !ok {
		return from, to, false
	}
	if column, open := parseColumn(begin); open {
		from = place{0, column}
	} else if at, err := parsePlace(begin); err == nil {
		from = at
	} else {
		return from, to, false
	}
	if column, open := parseColumn(end); open {
		to = place{last.row, min(column, from.column+mostColumns-1)}
	} else if at, err := parsePlace(end); err == nil {
		to = at
	} else {
		return from, to, false
	}
	ok = from.row <= to.row && from.column <= to.column
	return from, place{min(to.row, last.row), min(to.column, last.column)}, ok
}
