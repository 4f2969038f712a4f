package feishusim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"
)

const (
	basePath  = "/open-apis/bitable/v1/apps/{base}"
	tablePath = basePath + "/tables/{table}"

	mostTables  = 100
	mostFields  = 100
	mostRecords = 500
	usualRows   = 20
	mostNames   = 200
)

// baseRefusals are told with 200, most of them.
var baseRefusals = refusals{
	bad:       refusal{http.StatusOK, 1254001, "WrongRequestBody"},
	denied:    refusal{http.StatusOK, 1254302, "Permission denied."},
	internal:  refusal{http.StatusOK, 1255001, "InternalError"},
	missing:   refusal{http.StatusOK, 1254040, "BaseTokenNotFound"},
	deleted:   refusal{http.StatusOK, 1254040, "BaseTokenNotFound"},
	pageToken: refusal{http.StatusOK, 1254002, "Fail"},
}

var (
	baseOver        = &refusal{http.StatusOK, 1254290, "TooManyRequest"}
	basePageSize    = refusal{http.StatusBadRequest, 1254011, "Page size must greater than 0."}
	tableMissing    = refusal{http.StatusOK, 1254041, "TableIdNotFound"}
	invalidFilter   = refusal{http.StatusOK, 1254018, "InvalidFilter"}
	unknownField    = refusal{http.StatusOK, 1254045, "FieldNameNotFound"}
	invalidFields   = refusal{http.StatusOK, 1254024, "InvalidFieldNames"}
	tableBusy       = refusal{http.StatusOK, 1254291, "Write conflict"}
	recordsTooLarge = refusal{http.StatusOK, 1254030, "TooLargeResponse"}

	baseEndpoints = []*endpoint{{
		call: BaseApp, pattern: "GET " + basePath, rates: perSecond20, over: baseOver,
		scopes:  []string{scopeBaseReadonly, scopeBase, "base:app:read"},
		refuses: baseRefusals, handle: (*Server).baseApp,
	}, {
		call: BaseTables, pattern: "GET " + basePath + "/tables", rates: perSecond20, over: baseOver,
		scopes:  []string{"base:table:read", scopeBaseReadonly, scopeBase},
		refuses: baseRefusals, handle: (*Server).listTables,
	}, {
		call: BaseFields, pattern: "GET " + tablePath + "/fields", rates: perSecond20, over: baseOver,
		scopes:  []string{"base:field:read", scopeBaseReadonly, scopeBase},
		refuses: baseRefusals, handle: (*Server).listFields,
	}, {
		call: BaseSearch, pattern: "POST " + tablePath + "/records/search", rates: perSecond20, over: baseOver,
		scopes:  []string{"base:record:retrieve", scopeBaseReadonly, scopeBase},
		refuses: baseRefusals, handle: (*Server).searchRecords,
	}}
)

// SetLargestPage says how many records one answer of a search may have, more
// than which are refused as too large, as long records are; 0 is any number.
func (s *Server) SetLargestPage(records int) { s.changeDocs(func(d *docs) { d.mostRows = records }) }

// SetTablePause says how long a table is busy with a search: who searches it
// before is refused, as who reads one table in parallel may be. It is not until
// told otherwise. The time scale shortens it.
func (s *Server) SetTablePause(d time.Duration) { s.changeDocs(func(docs *docs) { docs.pause = d }) }

// takes says whether a table takes a search now. s.mu is held.
func (s *Server) takes(t *table) bool {
	if time.Since(t.searched) < s.scaled(s.docs.pause) {
		return false
	}
	t.searched = time.Now()
	return true
}

func (s *Server) baseApp(q *request) *answer {
	i, refused := s.found(q, q.PathValue("base"), KindBase)
	if refused != nil {
		return refused
	}
	return success(map[string]any{"app": map[string]any{
		"app_token": i.token, "name": i.name, "revision": i.base.revision, "is_advanced": i.base.advanced, "time_zone": "Asia/Shanghai",
	}})
}

// listTables brings a page token with the last page, too, as an example of the
// documents does.
func (s *Server) listTables(q *request) *answer {
	i, refused := s.found(q, q.PathValue("base"), KindBase)
	if refused != nil {
		return refused
	}
	key := func(t *table) string { return sortKey(int64(slices.Index(i.base.tables, t))) }
	p, refused := basePage(s, q, i.base.tables, key, mostTables)
	if refused != nil {
		return refused
	}
	items := make([]map[string]any, len(p.items))
	for n, t := range p.items {
		items[n] = map[string]any{"table_id": t.id, "revision": t.revision, "name": t.name}
	}
	return success(map[string]any{"items": items, "page_token": p.next, "has_more": p.more, "total": len(i.base.tables)})
}

func basePage[T any](s *Server, q *request, all []T, key func(T) string, most int) (page[T], *answer) {
	size, ok := pageSize(q, usualRows, most)
	if !ok {
		return page[T]{}, basePageSize.answer()
	}
	p, ok := turn(s, q, all, key, size)
	if !ok {
		return p, q.endpoint.refuses.pageToken.answer()
	}
	return p, nil
}

// openTable is the table that q names. s.mu is held.
func (s *Server) openTable(q *request) (*item, *table, *answer) {
	i, refused := s.found(q, q.PathValue("base"), KindBase)
	if refused != nil {
		return nil, nil, refused
	}
	t := i.base.table(q.PathValue("table"))
	if t == nil {
		return nil, nil, tableMissing.answer()
	}
	return i, t, nil
}

func (s *Server) listFields(q *request) *answer {
	_, t, refused := s.openTable(q)
	if refused != nil {
		return refused
	}
	key := func(f Field) string {
		return sortKey(int64(slices.IndexFunc(t.fields, func(o Field) bool { return o.ID == f.ID })))
	}
	p, refused := basePage(s, q, t.fields, key, mostFields)
	if refused != nil {
		return refused
	}
	items := make([]map[string]any, len(p.items))
	for n, f := range p.items {
		items[n] = map[string]any{
			"field_id": f.ID, "field_name": f.Name, "type": f.Type, "ui_type": f.uiType(),
			"is_primary": f.Primary, "is_hidden": f.Hidden, "property": nil,
		}
	}
	data := map[string]any{"items": items, "has_more": p.more, "total": len(t.fields)}
	if p.more {
		data["page_token"] = p.next
	}
	return success(data)
}

func (f Field) uiType() string {
	switch f.Type {
	case FieldAttachment:
		return "Attachment"
	case FieldNumber:
		return "Number"
	case FieldDate:
		return "DateTime"
	case FieldLookup:
		return "Lookup"
	case FieldFormula:
		return "Formula"
	default:
		return "Text"
	}
}

// search is the body of a search.
type search struct {
	FieldNames []string `json:"field_names"`
	Filter     *struct {
		Conjunction string      `json:"conjunction"`
		Conditions  []condition `json:"conditions"`
	} `json:"filter"`
	Automatic bool `json:"automatic_fields"`
}

type condition struct {
	Field    string    `json:"field_name"`
	Operator string    `json:"operator"`
	Value    *[]string `json:"value"`
}

func (s *Server) searchRecords(q *request) *answer {
	i, t, refused := s.openTable(q)
	if refused != nil {
		return refused
	}
	if !s.takes(t) {
		return tableBusy.answer()
	}
	var asked search
	if len(q.body) > 0 && json.Unmarshal(q.body, &asked) != nil || len(asked.FieldNames) > mostNames {
		return q.endpoint.refuses.bad.answer()
	}
	fields, refused := t.named(asked.FieldNames)
	if refused != nil {
		return refused
	}
	matching, refused := t.matching(asked)
	if refused != nil {
		return refused
	}
	if i.base.hidden {
		matching = nil
	}
	p, refused := basePage(s, q, matching, func(r *record) string { return sortKey(int64(r.serial)) }, mostRecords)
	if refused != nil {
		return refused
	}
	if most := s.docs.mostRows; most > 0 && len(p.items) > most {
		return recordsTooLarge.answer()
	}
	items := make([]map[string]any, len(p.items))
	for n, r := range p.items {
		items[n] = r.told(fields, asked.Automatic)
	}
	data := map[string]any{"items": items, "has_more": p.more, "total": len(matching)}
	if p.more {
		data["page_token"] = p.next
	}
	return success(data)
}

// named are the fields of these names, or all if there are none.
func (t *table) named(names []string) ([]Field, *answer) {
	if len(names) == 0 {
		return t.fields, nil
	}
	var fields []Field
	for _, name := range names {
		f, ok := t.field(name)
		if !ok {
			return nil, invalidFields.answer()
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func (t *table) field(name string) (f Field, ok bool) {
	n := slices.IndexFunc(t.fields, func(f Field) bool { return f.Name == name })
	if n < 0 {
		return f, false
	}
	return t.fields[n], true
}

// matching are the records that pass the filter, which knows whether a field is
// empty and nothing else: all that fields of attachments can be asked.
func (t *table) matching(asked search) ([]*record, *answer) {
	if asked.Filter == nil {
		return t.records, nil
	}
	filter := asked.Filter
	if filter.Conjunction != "and" && filter.Conjunction != "or" || len(filter.Conditions) > 50 {
		return nil, invalidFilter.answer()
	}
	passes := make([]func(*record) bool, len(filter.Conditions))
	for n, c := range filter.Conditions {
		f, ok := t.field(c.Field)
		if !ok {
			return nil, unknownField.answer()
		}
		if c.Operator != "isEmpty" && c.Operator != "isNotEmpty" || c.Value == nil || len(*c.Value) > 0 {
			return nil, invalidFilter.answer()
		}
		passes[n] = func(r *record) bool { return (r.values[f.ID] == nil) == (c.Operator == "isEmpty") }
	}
	var matching []*record
	for _, r := range t.records {
		passed := func(pass func(*record) bool) bool { return pass(r) }
		failed := func(pass func(*record) bool) bool { return !pass(r) }
		if filter.Conjunction == "or" && slices.ContainsFunc(passes, passed) ||
			filter.Conjunction == "and" && !slices.ContainsFunc(passes, failed) {
			matching = append(matching, r)
		}
	}
	return matching, nil
}

// told is a record with values by the names of fields, without empty ones.
func (r *record) told(fields []Field, automatic bool) map[string]any {
	values := make(map[string]any)
	for _, f := range fields {
		if v, ok := r.values[f.ID]; ok {
			values[f.Name] = v
		}
	}
	told := map[string]any{"record_id": r.id, "fields": values}
	if automatic {
		told["created_time"], told["last_modified_time"] = r.created.UnixMilli(), r.modified.UnixMilli()
	}
	return told
}

// attached is what a cell tells of a medium. s.mu is held.
func (s *Server) attached(m *medium, name string, t *table) map[string]any {
	extra := url.Values{}
	if m.owner.base.advanced {
		extra.Set("extra", fmt.Sprintf(`{"bitablePerm":{"tableId":%q,"rev":%d}}`, t.id, t.revision))
	}
	path := s.url + "/open-apis/drive/v1/medias/"
	links := url.Values{"file_tokens": {m.id}}
	if len(extra) > 0 {
		links["extra"] = extra["extra"]
	}
	return map[string]any{
		"file_token": m.id, "name": name, "size": m.Content.Size(), "type": cmp.Or(m.ContentType, "application/octet-stream"),
		"url": path + m.id + "/download?" + extra.Encode(), "tmp_url": path + "batch_get_tmp_download_url?" + links.Encode(),
	}
}
