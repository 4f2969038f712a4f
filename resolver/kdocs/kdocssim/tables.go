package kdocssim

import (
	"cmp"
	"encoding/base64"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// Pages is how many records a page may have.
type Pages struct {
	// Most is 1000 if 0.
	Most int
	// Clamps gives who asks for more as many as there may be, instead of an
	// error.
	Clamps bool
}

// CursorEnd is how the last page says that it is the last.
type CursorEnd string

// The ends.
const (
	EndAbsent   CursorEnd = "absent"
	EndEmpty    CursorEnd = "empty"
	EndNull     CursorEnd = "null"
	EndRepeated CursorEnd = "repeated" // the cursor that led to this page again
)

// tables is how tables are answered. It is guarded by Server.mu.
type tables struct {
	pages Pages
	end   CursorEnd
}

func newTables() tables { return tables{end: EndAbsent} }

const tablePath = "/api/v1/openapi/{kind}/{file}"

var tableEndpoints = []*endpoint{{
	call: Schemas, pattern: "GET " + tablePath + "/schemas", scope: ScopeFiles,
	test: 10_000, released: 10_000_000, handle: (*Server).tellSchemas,
}, {
	call: Records, pattern: "GET " + tablePath + "/sheets/{sheet}/records", scope: ScopeFiles,
	test: 10_000, released: 10_000_000, handle: (*Server).listRecords,
}, {
	call: AttachmentURLs, pattern: "POST " + tablePath + "/attachment/urls", scope: ScopeFiles,
	test: 10_000, released: 10_000_000, handle: (*Server).issueURLs,
}}

// SetPages says how many records a page may have.
func (s *Server) SetPages(p Pages) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables.pages = p
}

// SetCursorEnd says how the last page of records shows that it is: [EndAbsent]
// until told otherwise.
func (s *Server) SetCursorEnd(end CursorEnd) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tables.end = end
}

// opened is the document that a call names. Strict, the kind in the path must be
// its own. s.mu is held.
func (s *Server) opened(q *request, strict bool) (*document, *answer) {
	d, kind := s.files.byToken[q.PathValue("file")], q.PathValue("kind")
	switch {
	case kind != "dbt" && kind != "ksheet":
		return nil, &answer{status: http.StatusNotFound, text: "404 page not found\n"}
	case d == nil:
		return nil, s.refuse(noSuchThing, "file not exists")
	case d.Denied:
		return nil, s.refuse(noPermission, "no permission")
	case strict && extension(d.Name) != kind:
		return nil, s.refuse(badParameter, "file type does not match")
	}
	return d, nil
}

func (s *Server) tellSchemas(q *request) *answer {
	d, refused := s.opened(q, true)
	if refused != nil {
		return refused
	}
	sheets := []map[string]any{}
	for _, from := range d.Sheets {
		sh := d.sheets[from.ID]
		fields := []map[string]any{}
		for _, f := range sh.Fields {
			fields = append(fields, map[string]any{"id": f.ID, "name": f.Name, "type": f.Type})
		}
		told := map[string]any{
			"id": sh.ID, "name": sh.Name, "fields": fields, "recordsCount": len(sh.Records),
			"views": []map[string]any{{"id": viewID, "name": "表格视图", "type": "Grid", "recordsCount": len(sh.Records)}},
		}
		if len(sh.Fields) > 0 {
			told["primaryFieldId"] = sh.Fields[0].ID
		}
		sheets = append(sheets, told)
	}
	return success(map[string]any{"detail": map[string]any{"sheets": sheets}})
}

// viewID is the one view that every sheet has.
const viewID = "B"

// defaultPage is how many records a page has that was not asked for a number.
const defaultPage = 100

func (s *Server) listRecords(q *request) *answer {
	d, refused := s.opened(q, true)
	if refused != nil {
		return refused
	}
	id, err := strconv.Atoi(q.PathValue("sheet"))
	sh := d.sheets[id]
	if err != nil || sh == nil {
		return s.refuse(noSuchThing, "sheet not exists")
	}
	size, ok := s.pageSize(q)
	start, found := sh.start(q, size)
	byID, idErr := strconv.ParseBool(cmp.Or(q.URL.Query().Get("preferId"), "false"))
	view := q.URL.Query().Get("viewId")
	if !ok || !found || idErr != nil || view != "" && view != viewID {
		return s.refuse(badParameter, "invalid parameter")
	}
	most := len(sh.Records)
	if n, err := strconv.Atoi(q.URL.Query().Get("maxRecords")); err == nil && n > 0 {
		most = min(most, n)
	}
	start = min(start, most)
	limit := min(start+size, most)
	records := []map[string]any{}
	for _, r := range sh.Records[start:limit] {
		records = append(records, map[string]any{"id": r.ID, "fields": sh.cells(r, byID, q.URL.Query()["fields"])})
	}
	s.counts(Records).Items += len(records)
	detail := map[string]any{"records": records}
	if limit < most {
		detail["offset"] = cursor(sh.ID, sh.Records[limit-1].ID)
	} else {
		s.tables.end.mark(detail, q.URL.Query().Get("offset"))
	}
	return success(map[string]any{"detail": detail})
}

// mark says in the last page that it is. A page that no cursor led to has none to
// repeat.
func (e CursorEnd) mark(detail map[string]any, led string) {
	switch {
	case e == EndEmpty:
		detail["offset"] = ""
	case e == EndNull:
		detail["offset"] = nil
	case e == EndRepeated && led != "":
		detail["offset"] = led
	}
}

// pageSize is how many records a page shall have. s.mu is held.
func (s *Server) pageSize(q *request) (size int, ok bool) {
	size, err := strconv.Atoi(cmp.Or(q.URL.Query().Get("pageSize"), strconv.Itoa(defaultPage)))
	most := orDefault(s.tables.pages.Most, 1000)
	if s.tables.pages.Clamps {
		size = min(size, most)
	}
	return size, err == nil && size >= 1 && size <= most
}

// start is where a page begins: at pageNum, counted from zero as in the example
// of the documents, or else behind the record of the cursor.
func (sh *sheet) start(q *request, size int) (start int, ok bool) {
	query := q.URL.Query()
	if num := query.Get("pageNum"); num != "" {
		n, err := strconv.Atoi(num)
		return n * size, err == nil && n >= 0
	}
	text := query.Get("offset")
	if text == "" {
		return 0, true
	}
	decoded, err := base64.RawURLEncoding.DecodeString(text)
	after, ours := strings.CutPrefix(string(decoded), cursorMark(sh.ID))
	place, there := sh.places[after]
	return place + 1, err == nil && ours && there
}

// A cursor holds the id of the last record before the page.
func cursor(sheetID int, after string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(cursorMark(sheetID) + after))
}

func cursorMark(sheetID int) string { return "after/" + strconv.Itoa(sheetID) + "/" }

// cells is what a record tells, by the ids or the names of fields. Empty cells
// are left out. Fields may be given in several parameters, or with commas.
func (sh *sheet) cells(r Record, byID bool, only []string) map[string]any {
	only = strings.FieldsFunc(strings.Join(only, ","), func(c rune) bool { return c == ',' })
	told := make(map[string]any)
	for _, f := range sh.Fields {
		value, ok := r.Cells[f.ID]
		if !ok || len(only) > 0 && !slices.Contains(only, f.ID) && !slices.Contains(only, f.Name) {
			continue
		}
		if list, ok := value.([]Attachment); ok {
			value = listAttachments(list)
		}
		if byID {
			told[f.ID] = value
		} else {
			told[f.Name] = value
		}
	}
	return told
}

func listAttachments(list []Attachment) []map[string]any {
	told := make([]map[string]any, len(list))
	for i, a := range list {
		told[i] = map[string]any{
			"fileName": a.Name, "size": a.Size, "type": a.Type, "source": a.Source, "uploadId": a.UploadID,
			"imgSize": a.ImageSize, "linkUrl": "",
		}
	}
	return told
}
