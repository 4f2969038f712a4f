package ekuaibao

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// found is the answer to a query.
type found struct {
	count     int // of all that match
	documents []document
	began     time.Time // when it was made, by the API's clock
}

// The orders in which documents are listed. By creation new ones come last, and
// do not move others to another page.
const (
	byCreation = "createTime"
	byUpdate   = "updateTime"
)

// query asks for count documents of a type from start on, in an order, whose
// time of that order is in [from, to].
func (p *Provider) query(ctx context.Context, kind, order, direction string, from, to time.Time, start, count int) (found, error) {
	query := url.Values{
		"type": {kind}, "start": {strconv.Itoa(start)}, "count": {strconv.Itoa(count)},
		"orderBy": {order}, "orderByType": {direction},
		"startDate": {from.In(zone).Format(timeFormat)}, "endDate": {to.In(zone).Format(timeFormat)},
		"active": {"true"}, // what is deleted is listed without it
	}
	if order == byCreation { // an update is also that a document is to be shown no more
		query.Set("state", askedStates(p.cfg.states()))
	}
	if len(p.cfg.Templates) > 0 {
		query.Set("specificationId", strings.Join(p.cfg.Templates, ","))
	}
	if p.cfg.Staff != "" {
		query.Set("uid", p.cfg.Staff)
	}
	var answer listAnswer
	reply, err := p.client().do(ctx, api.Call{Endpoint: listCall, Query: query}, &answer)
	if err != nil {
		return found{}, err
	}
	if answer.Items == nil {
		return found{}, fmt.Errorf("%s: answer has no items: %w", listCall.Name, resolver.ErrUnavailable)
	}
	f := found{count: answer.Count, began: reply.Date}
	if f.began.IsZero() {
		f.began = reply.Asked
	}
	for _, item := range *answer.Items {
		f.documents = append(f.documents, item)
	}
	return f, nil
}

// askedStates is what to ask for: one state is listed as another only.
func askedStates(states []string) string {
	var asked []string
	for _, s := range states {
		if s == "PROCESSING" {
			s = "paying"
		}
		if !slices.Contains(asked, s) {
			asked = append(asked, s)
		}
	}
	return strings.Join(asked, ",")
}

// shows reports whether a document is to be shown.
func (p *Provider) shows(d document) bool {
	if d.id() == "" || !d.active() || !slices.Contains(p.cfg.states(), text(d, "state")) {
		return false
	}
	return p.cfg.Since == 0 || !d.created().Before(p.since())
}

// beginning is before all documents; a query without a date may look back for a
// year only.
var beginning = time.Date(2010, 1, 1, 0, 0, 0, 0, zone)

// since is when the oldest documents were made that are shown.
func (p *Provider) since() time.Time {
	if p.cfg.Since == 0 {
		return beginning
	}
	return time.Now().Add(-p.cfg.Since)
}

// ahead is an end for queries that is not reached, whatever the clocks show.
func ahead() time.Time { return time.Now().Add(48 * time.Hour) }

// edge returns the first, or with "desc" the last, document of a type; nil if
// there is none. With errType the company has no such type.
func (p *Provider) edge(ctx context.Context, kind, direction string) (document, int, error) {
	f, err := p.query(ctx, kind, byCreation, direction, p.since(), ahead(), 0, 1)
	switch {
	case errors.Is(err, resolver.ErrRejected):
		return nil, 0, fmt.Errorf("%s: %w", kind, errType)
	case err != nil || len(f.documents) == 0:
		return nil, 0, err
	}
	return f.documents[0], f.count, nil
}

// listRoot returns the types that have documents.
func (p *Provider) listRoot(ctx context.Context) (resolver.Page, error) {
	var page resolver.Page
	missing := 0
	for _, kind := range p.cfg.types() {
		first, _, err := p.edge(ctx, kind, "asc")
		switch {
		case errors.Is(err, errType):
			if missing++; missing == len(p.cfg.types()) {
				return resolver.Page{}, err
			}
		case err != nil:
			return resolver.Page{}, err
		case first != nil:
			page.Entries = append(page.Entries, resolver.Entry{ID: join(typeKind, kind), Name: kind, Dir: true})
		}
	}
	return page, nil
}

// maxMonths is beyond the age of any company's documents.
const maxMonths = 100 * 12

// listType returns the months from the first document to the last. One in
// between may have none.
func (p *Provider) listType(ctx context.Context, kind string) (resolver.Page, error) {
	if !slices.Contains(p.cfg.types(), kind) {
		return resolver.Page{}, resolver.ErrNotExist
	}
	first, _, err := p.edge(ctx, kind, "asc")
	if err != nil || first == nil {
		return resolver.Page{}, err
	}
	last, _, err := p.edge(ctx, kind, "desc")
	if err != nil || last == nil {
		return resolver.Page{}, err
	}
	var page resolver.Page
	month := startOf(first.created())
	for range maxMonths {
		name := month.Format(monthFormat)
		page.Entries = append(page.Entries, resolver.Entry{
			ID: join(monthKind, kind, name), Name: name, Dir: true, ModTime: month.UTC(),
		})
		if month = month.AddDate(0, 1, 0); month.After(last.created()) {
			break
		}
	}
	return page, nil
}

// startOf is the beginning of the month that t is in.
func startOf(t time.Time) time.Time {
	year, month, _ := t.In(zone).Date()
	return time.Date(year, month, 1, 0, 0, 0, 0, zone)
}

// walk is one way through the pages of a month, and goes into their cursors.
type walk struct {
	Start int   `json:"start"`
	Count int   `json:"count"` // of all, as the last page told
	Began int64 `json:"began"` // milliseconds since 1970
	Shown int   `json:"shown"`
}

// listMonth returns one page of a month.
func (p *Provider) listMonth(ctx context.Context, kind, name, cursor string) (resolver.Page, error) {
	month := monthOf(name)
	if month.IsZero() || !slices.Contains(p.cfg.types(), kind) {
		return resolver.Page{}, resolver.ErrNotExist
	}
	var w walk
	if err := read(cursor, &w); err != nil {
		return resolver.Page{}, err
	}
	f, err := p.query(ctx, kind, byCreation, "asc", month, month.AddDate(0, 1, 0), w.Start, pageSize)
	if err != nil {
		return resolver.Page{}, err
	}
	if w.Count > f.count { // some were deleted, and the others have moved up
		w.Start -= min(w.Start, w.Count-f.count)
		w.Count = f.count
		return resolver.Page{Next: encode(w)}, nil
	}
	if w.Began == 0 {
		w.Began = f.began.UnixMilli()
	}
	page, err := p.page(ctx, f.documents, month)
	if err != nil {
		return resolver.Page{}, err
	}
	w.Start, w.Count, w.Shown = w.Start+len(f.documents), f.count, w.Shown+len(page.Entries)
	if len(f.documents) == 0 || w.Start >= f.count {
		page.Mark = encode(mark{Since: w.Began, Shown: w.Shown})
	} else {
		page.Next = encode(w)
	}
	return page, nil
}

// page makes entries of the documents of a month. The others, and those without
// anything to show, are gone.
func (p *Provider) page(ctx context.Context, documents []document, month time.Time) (resolver.Page, error) {
	var page resolver.Page
	var shown []document
	for _, d := range documents {
		switch {
		case !startOf(d.created()).Equal(month):
		case p.shows(d):
			shown = append(shown, d)
		case d.id() != "":
			page.Gone = append(page.Gone, join(documentKind, d.id()))
		}
	}
	files, err := p.describe(ctx, shown)
	if err != nil {
		return resolver.Page{}, err
	}
	for _, d := range shown {
		dir := p.directory(d, files[d.id()].found)
		if len(dir.Children) == 0 {
			page.Gone = append(page.Gone, dir.ID)
			continue
		}
		page.Entries = append(page.Entries, dir)
	}
	return page, nil
}

// listDocument is for those who do not have it from the month's listing. Dir is
// the document, or a folder in it.
func (p *Provider) listDocument(ctx context.Context, dir resolver.ID, flow string) (resolver.Page, error) {
	var answer documentAnswer
	call := api.Call{Endpoint: documentCall, Query: url.Values{"flowId": {flow}}}
	if _, err := p.client().do(ctx, call, &answer); err != nil {
		return resolver.Page{}, err
	}
	d := document(answer.Value)
	if d.id() != flow {
		return resolver.Page{}, fmt.Errorf("%s: answer has no document: %w", documentCall.Name, resolver.ErrUnavailable)
	}
	if !p.shows(d) {
		return resolver.Page{}, resolver.ErrNotExist
	}
	files, err := p.describe(ctx, []document{d})
	if err != nil {
		return resolver.Page{}, err
	}
	below, ok := within(p.directory(d, files[flow].found), dir)
	if !ok || len(below) == 0 {
		return resolver.Page{}, resolver.ErrNotExist
	}
	return resolver.Page{Entries: below}, nil
}

// within returns what a directory has, which is e or below it.
func within(e resolver.Entry, dir resolver.ID) ([]resolver.Entry, bool) {
	if e.ID == dir {
		return e.Children, true
	}
	for _, child := range e.Children {
		if below, ok := within(child, dir); ok {
			return below, true
		}
	}
	return nil, false
}

// directory is a document with all that is in it.
func (p *Provider) directory(d document, files []file) resolver.Entry {
	dir := resolver.Entry{ID: join(documentKind, d.id()), Name: d.name(), Dir: true, ModTime: d.created()}
	var folders []string
	for _, f := range files {
		if f.folder != "" && !slices.Contains(folders, f.folder) {
			folders = append(folders, f.folder)
		}
	}
	for _, folder := range folders {
		below := resolver.Entry{ID: join(documentKind, d.id(), folder), Name: folder, Dir: true, ModTime: d.created()}
		below.Children = p.entries(d, files, folder)
		dir.Children = append(dir.Children, below)
	}
	dir.Children = append(dir.Children, p.entries(d, files, "")...)
	return dir
}

// version is that of all files: what is uploaded anew has another key, and so is
// another file.
const version = "1"

// entries are the files of a folder, and its thumbnails.
func (p *Provider) entries(d document, files []file, folder string) []resolver.Entry {
	var entries, thumbs []resolver.Entry
	for _, f := range files {
		if f.folder != folder {
			continue
		}
		e := resolver.Entry{ID: f.id, Name: f.name, Version: version, Size: resolver.SizeUnknown, ModTime: f.time, Link: f.link}
		if onDrive(f.key) {
			if size := readDrive(f.key).Size; size.told {
				e.Size = size.bytes
			}
		}
		entries = append(entries, e)
		if kind, texts := split(f.id); kind == fileKind && isPicture(f.name) && !onDrive(f.key) {
			thumbs = append(thumbs, resolver.Entry{
				ID: join(thumbKind, texts...), Name: f.name, Version: version, Size: resolver.SizeUnknown, ModTime: f.time,
			})
		}
	}
	if p.cfg.Thumbnails && len(thumbs) > 0 {
		entries = append(entries, resolver.Entry{
			ID:   join(documentKind, d.id(), strings.TrimPrefix(folder+"/"+thumbsFolder, "/")),
			Name: thumbsFolder, Dir: true, ModTime: d.created(), Children: thumbs,
		})
	}
	return entries
}

// read takes up a cursor or a mark, empty for a new one.
func read(cursor string, into any) error {
	if cursor == "" {
		return nil
	}
	if json.Unmarshal([]byte(cursor), into) != nil {
		return fmt.Errorf("not a cursor of this package: %w", resolver.ErrRejected)
	}
	return nil
}

func encode(v any) string {
	text, _ := json.Marshal(v) // numbers
	return string(text)
}
