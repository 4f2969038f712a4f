package kdocs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// schemaLife is how long the columns of a document are not asked for again: who
// lists it lists its sheets next.
const schemaLife = time.Minute

// sheets are those of a document.
type sheets struct {
	all   []schema
	asked time.Time
}

// listDocument returns the sheets. Which of them have attachments only their
// records tell, so all are shown.
func (p *Provider) listDocument(ctx context.Context, at place) (resolver.Page, error) {
	known, _, err := p.stateOf(ctx, at)
	if err != nil {
		return resolver.Page{}, err
	}
	all, err := p.sheetsOf(ctx, at, time.Time{})
	if err != nil {
		return resolver.Page{}, err
	}
	page := resolver.Page{}
	for _, s := range all {
		at.sheet = string(s.ID)
		page.Entries = append(page.Entries, resolver.Entry{
			ID: at.sheetID(), Name: cmp.Or(s.Name, "sheet "+at.sheet), Dir: true, ModTime: known.time(),
		})
	}
	return page, nil
}

// sheetsOf asks for the sheets of a document, unless they were told after since.
func (p *Provider) sheetsOf(ctx context.Context, at place, since time.Time) ([]schema, error) {
	key := place{kind: at.kind, token: at.token}
	p.mu.Lock()
	known, ok := p.schemas[key]
	p.mu.Unlock()
	if ok && !since.IsZero() && known.asked.After(since) {
		return known.all, nil
	}
	asked := time.Now()
	var answer schemasAnswer
	call := api.Call{Endpoint: p.session.calls.schemas, Params: []string{at.kind, at.token}}
	if _, err := p.session.do(ctx, call, &answer); err != nil {
		return nil, err
	}
	if answer.Detail.Sheets == nil {
		return nil, undocumented(call.Endpoint)
	}
	all := slices.DeleteFunc(*answer.Detail.Sheets, func(s schema) bool { return s.ID == "" })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.schemas[key] = sheets{all, asked}
	return all, nil
}

// walk is one way through a sheet's pages, and goes into their cursors.
type walk struct {
	// Offset is the server's cursor of the next page.
	Offset string `json:"offset"`
	// Primary is the field that names records, and Typed are those of attachments
	// by their type.
	Primary string   `json:"primary"`
	Typed   []string `json:"typed"`
	// State is the document's, when the walk began.
	State state `json:"state"`
	// Settled says that the document had not changed for a while then.
	Settled bool `json:"settled"`
	// Seen are the offsets so far, shortened.
	Seen []string `json:"seen"`
}

// begin starts a walk: at the columns of the sheet.
func (p *Provider) begin(ctx context.Context, at place) (*walk, error) {
	known, listed, err := p.stateOf(ctx, at)
	if err != nil {
		return nil, err
	}
	all, err := p.sheetsOf(ctx, at, time.Now().Add(-schemaLife))
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(s schema) bool { return string(s.ID) == at.sheet })
	if i < 0 {
		return nil, fmt.Errorf("the document has no such sheet: %w", resolver.ErrNotExist)
	}
	w := &walk{State: known, Settled: listed.settled(known), Primary: string(all[i].Primary)}
	for n, f := range all[i].Fields {
		if n == 0 && w.Primary == "" {
			w.Primary = string(f.ID)
		}
		if f.isAttachments() {
			w.Typed = append(w.Typed, string(f.ID))
		}
	}
	return w, nil
}

// walkAt takes up the walk at a cursor, the empty one for a new walk.
func (p *Provider) walkAt(ctx context.Context, at place, cursor string) (*walk, error) {
	if cursor == "" {
		return p.begin(ctx, at)
	}
	w := new(walk)
	if err := json.Unmarshal([]byte(cursor), w); err != nil || w.Offset == "" {
		return nil, fmt.Errorf("not a cursor of this package: %w", resolver.ErrRejected)
	}
	return w, nil
}

// advance goes on to the server's next offset, and is false at the end: where
// there is none, or one that was there before. Some servers repeat the last.
func (w *walk) advance(offset string) bool {
	if offset == "" {
		return false
	}
	sum := sha256.Sum256([]byte(offset))
	short := base64.RawURLEncoding.EncodeToString(sum[:9])
	if slices.Contains(w.Seen, short) {
		return false
	}
	w.Seen = append(w.Seen, short)
	w.Offset = offset
	return true
}

// listSheet returns one page of records that have attachments.
func (p *Provider) listSheet(ctx context.Context, at place, cursor string) (resolver.Page, error) {
	w, err := p.walkAt(ctx, at, cursor)
	if err != nil {
		return resolver.Page{}, err
	}
	answer, err := p.records(ctx, at, w.Offset)
	if err != nil {
		return resolver.Page{}, err
	}
	page := resolver.Page{}
	for _, r := range *answer.Detail.Records {
		at.record = string(r.ID)
		if dir, shown := w.directory(at, r); shown {
			page.Entries = append(page.Entries, dir)
		}
	}
	if w.advance(string(answer.Detail.Offset)) {
		page.Next = encode(w)
	} else if w.Settled {
		page.Mark = encode(w.State)
	}
	return page, nil
}

func encode(v any) string {
	text, _ := json.Marshal(v) // texts, numbers and flags
	return string(text)
}

// records asks for one page: a large one, unless the server does not take it.
func (p *Provider) records(ctx context.Context, at place, offset string) (recordsAnswer, error) {
	p.mu.Lock()
	size := p.pageSize
	p.mu.Unlock()
	answer, err := p.page(ctx, at, offset, size)
	if err == nil || size == leastRecords || !errors.Is(err, resolver.ErrUnavailable) && !errors.Is(err, resolver.ErrRejected) {
		return answer, err
	}
	p.mu.Lock()
	p.pageSize = leastRecords
	p.mu.Unlock()
	var told *api.Error
	if !errors.As(err, &told) || told.Code == "" || told.Status >= http.StatusInternalServerError {
		return answer, err // for other reasons, or because it took too long
	}
	return p.page(ctx, at, offset, leastRecords)
}

func (p *Provider) page(ctx context.Context, at place, offset string, size int) (recordsAnswer, error) {
	// By their ids, because the names of fields change, and two can have the same.
	query := url.Values{"preferId": {"true"}, "pageSize": {strconv.Itoa(size)}}
	if offset != "" {
		query.Set("offset", offset)
	}
	var answer recordsAnswer
	call := api.Call{Endpoint: p.session.calls.records, Params: []string{at.kind, at.token, at.sheet}, Query: query}
	if _, err := p.session.do(ctx, call, &answer); err != nil {
		return answer, err
	}
	if answer.Detail.Records == nil {
		return answer, undocumented(call.Endpoint)
	}
	return answer, nil
}

// directory is the record with its attachments; false if it has none.
func (w *walk) directory(at place, r record) (resolver.Entry, bool) {
	found := r.attachments(w.Typed)
	if len(found) == 0 || r.ID == "" {
		return resolver.Entry{}, false
	}
	dir := resolver.Entry{
		ID: at.recordID(), Name: cmp.Or(label(r.Fields[w.Primary]), at.record), Dir: true, ModTime: w.State.time(),
	}
	for _, a := range found {
		at.attachment = a.reference()
		dir.Children = append(dir.Children, resolver.Entry{
			ID: at.fileID(), Name: a.name(), Size: a.length(), ModTime: dir.ModTime, Version: contentVersion(a),
		})
	}
	return dir, true
}

// contentVersion is the size alone: what is uploaded never changes, and the time
// of the document is that of its last change anywhere.
func contentVersion(a attachment) string { return "size " + cmp.Or(string(a.Size), "unknown") }
