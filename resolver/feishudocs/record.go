package feishudocs

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// tableWalk is one way through the records of a table, and goes into its cursors.
type tableWalk struct {
	Token string `json:"token"` // of the next page
	Size  int    `json:"size"`  // of pages
	// Columns are as they were before the first page.
	Columns columns `json:"columns"`
	// Revision is that of the table before it was read.
	Revision *int `json:"revision,omitempty"`
}

type record struct {
	ID      string                     `json:"record_id"`
	Fields  map[string]json.RawMessage `json:"fields"`
	Created int64                      `json:"created_time"` // in milliseconds
}

// listTable returns one page of those records of a table that have files, each
// with all of them.
func (p *Provider) listTable(ctx context.Context, at place, cursor string) (resolver.Page, error) {
	w := tableWalk{Size: recordPage}
	if cursor == "" {
		if err := p.beginTable(ctx, at, &w); err != nil {
			return resolver.Page{}, err
		}
	} else if err := readCursor(cursor, &w); err != nil {
		return resolver.Page{}, err
	}
	if len(w.Columns.Files) == 0 {
		return w.last(nil), nil
	}
	records, next, err := p.search(ctx, at, w)
	if hasCode(err, tooLargeRecords) && w.Size > 1 {
		w.Size /= 2 // the next page asks for fewer
		return resolver.Page{Next: encode(w)}, nil
	}
	if err != nil {
		return resolver.Page{}, err
	}
	var entries []resolver.Entry
	for _, r := range records {
		if dir := r.directory(at, w.Columns); len(dir.Children) > 0 {
			entries = append(entries, dir)
		}
	}
	if next == "" {
		return w.last(entries), nil
	}
	w.Token = next
	return resolver.Page{Entries: entries, Next: encode(w)}, nil
}

func (w tableWalk) last(entries []resolver.Entry) resolver.Page {
	page := resolver.Page{Entries: entries}
	if w.Revision != nil {
		page.Mark = encode(*w.Revision)
	}
	return page
}

func (p *Provider) beginTable(ctx context.Context, at place, w *tableWalk) (err error) {
	if w.Revision, err = p.tableRevision(ctx, at.tokens[0], at.tokens[1]); err != nil {
		return err
	}
	w.Columns, err = p.columns(ctx, at.tokens[0], at.tokens[1])
	return err
}

const (
	// maxNames is how many fields one search can bring, maxConditions how many
	// its filter can be about. A table with more fields of files is read whole.
	maxNames      = 200
	maxConditions = 50
)

type condition struct {
	Field    string   `json:"field_name"`
	Operator string   `json:"operator"`
	Value    []string `json:"value"`
}

type searchRequest struct {
	Fields    []string `json:"field_names,omitempty"`
	Filter    *filter  `json:"filter,omitempty"`
	Automatic bool     `json:"automatic_fields"`
}

type filter struct {
	Conjunction string      `json:"conjunction"`
	Conditions  []condition `json:"conditions"`
}

// search returns a page of the records with files, and the token of the next one.
func (p *Provider) search(ctx context.Context, at place, w tableWalk) (records []record, next string, err error) {
	query := url.Values{"page_size": {fmt.Sprint(w.Size)}}
	if w.Token != "" {
		query.Set("page_token", w.Token)
	}
	var answer struct {
		Items   []record `json:"items"`
		Token   string   `json:"page_token"`
		HasMore bool     `json:"has_more"`
	}
	call := api.Call{Endpoint: searchCall, Params: at.tokens[:2], Query: query, Body: w.Columns.request()}
	if _, err := p.do(ctx, call, &answer); err != nil {
		return nil, "", err
	}
	next, err = following(answer.HasMore, answer.Token)
	return answer.Items, next, err
}

// request asks for the records that have a file in any field. Of fields of files
// can only be asked whether they are empty.
func (c columns) request() searchRequest {
	names := slices.Sorted(maps.Keys(c.Files))
	r := searchRequest{Automatic: true}
	if len(names) <= maxConditions {
		r.Filter = &filter{Conjunction: "or"}
		for _, name := range names {
			r.Filter.Conditions = append(r.Filter.Conditions, condition{name, "isNotEmpty", []string{}})
		}
	}
	if c.Primary != "" {
		names = append(names, c.Primary)
	}
	if len(names) <= maxNames {
		r.Fields = names
	}
	return r
}

// attached is one file of a record.
type attached struct {
	Token string `json:"file_token"`
	Name  string `json:"name"`
	Size  *int64 `json:"size"`
}

// directory is a record with its files. Its time is that of the record's
// creation: that of the last change changes with every field.
func (r record) directory(at place, c columns) resolver.Entry {
	base, table := at.tokens[0], at.tokens[1]
	dir := resolver.Entry{ID: at.at(recordKind, base, table, r.ID).id(), Name: cmp.Or(textOf(r.Fields[c.Primary]), r.ID), Dir: true}
	if r.Created > 0 {
		dir.ModTime = time.UnixMilli(r.Created).UTC()
	}
	var files entrySet
	for _, name := range slices.Sorted(maps.Keys(c.Files)) {
		var cell []attached
		if json.Unmarshal(r.Fields[name], &cell) != nil {
			continue
		}
		for _, a := range cell {
			if a.Token == "" || r.ID == "" {
				continue
			}
			e := medium(at.at(cellKind, base, table, c.Files[name], r.ID, a.Token), cmp.Or(a.Name, a.Token))
			if a.Size != nil && *a.Size >= 0 {
				e.Size = *a.Size
			}
			e.ModTime = dir.ModTime
			files.add(e)
		}
	}
	dir.Children = files.all
	return dir
}

// textOf is a value as a name: a text, a number, or what has a text in it. It is
// empty for what cannot be told so.
func textOf(value json.RawMessage) string {
	var any any
	if json.Unmarshal(value, &any) != nil {
		return ""
	}
	var parts []string
	gather(any, &parts, 0)
	text := strings.Join(strings.Fields(strings.Join(parts, "")), " ")
	if runes := []rune(text); len(runes) > maxCaption {
		text = strings.TrimSpace(string(runes[:maxCaption]))
	}
	return text
}

// gather collects the texts of a value, as fields of several types have them.
func gather(value any, parts *[]string, depth int) {
	switch v := value.(type) {
	case string:
		*parts = append(*parts, v)
	case float64:
		*parts = append(*parts, strconv.FormatFloat(v, 'f', -1, 64))
	case bool:
		*parts = append(*parts, fmt.Sprint(v))
	case []any:
		for i, item := range v {
			if _, text := item.(string); text && i > 0 { // several choices
				*parts = append(*parts, ", ")
			}
			if depth < maxNesting {
				gather(item, parts, depth+1)
			}
		}
	case map[string]any:
		for _, key := range []string{"text", "name", "value", "link", "full_address"} {
			if inner, ok := v[key]; ok && depth < maxNesting {
				gather(inner, parts, depth+1)
				return
			}
		}
	}
}
