package kdocs

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// listedLife is how long what the list of files told is not asked for again: the
// sheets of all documents are updated by it.
const listedLife = time.Minute

// document is one of the user's.
type document struct {
	place
	name  string
	state state
}

// state is what the list of files tells of a document's last change; zero if the
// document is not in it.
type state struct {
	Modified int64 `json:"modified"` // in seconds, by the server's clock
	Size     int64 `json:"size"`
}

func (s state) time() time.Time {
	if s.Modified <= 0 {
		return time.Time{}
	}
	return time.Unix(s.Modified, 0).UTC()
}

// catalogue is what the list of files told.
type catalogue struct {
	documents []document
	asked     time.Time // by our clock; zero for never
	shown     time.Time // by the server's
}

func (c catalogue) find(token string) (document, bool) {
	at := slices.IndexFunc(c.documents, func(d document) bool { return d.token == token })
	if at < 0 {
		return document{}, false
	}
	return c.documents[at], true
}

// listRoot returns the documents that are to be shown.
func (p *Provider) listRoot(ctx context.Context) (resolver.Page, error) {
	all, err := p.files(ctx)
	if err != nil {
		return resolver.Page{}, err
	}
	page := resolver.Page{}
	for _, d := range p.shown(all) {
		page.Entries = append(page.Entries, resolver.Entry{
			ID: d.documentID(), Name: d.name, Dir: true, ModTime: d.state.time(),
		})
	}
	return page, nil
}

// shown are the documents of the configuration, or all.
func (p *Provider) shown(all catalogue) []document {
	if len(p.cfg.Documents) == 0 {
		return all.documents
	}
	var shown []document
	for _, word := range p.cfg.Documents {
		kind, token := kindAndToken(word)
		d, ok := all.find(token)
		if !ok { // somebody else's, which may be readable all the same
			d = document{place: place{kind: kind, token: token}, name: token}
		}
		if !slices.ContainsFunc(shown, func(o document) bool { return o.token == d.token }) {
			shown = append(shown, d)
		}
	}
	return shown
}

// recent is what the list of files told not long ago; it is asked for if need be.
func (p *Provider) recent(ctx context.Context) (catalogue, error) {
	p.mu.Lock()
	listed := p.listed
	p.mu.Unlock()
	if !listed.asked.IsZero() && time.Since(listed.asked) < listedLife {
		return listed, nil
	}
	return p.files(ctx)
}

// files reads the list of files to its end, or until all that are configured were
// found.
func (p *Provider) files(ctx context.Context) (catalogue, error) {
	all := catalogue{asked: time.Now()}
	query := url.Values{
		"count": {fmt.Sprint(mostFiles)}, "exts": kinds, "order_by": {"fname"}, "order": {"asc"},
	}
	seen := make(map[string]bool)
	for {
		var answer filesAnswer
		call := api.Call{Endpoint: p.session.calls.files, Query: query}
		reply, err := p.session.do(ctx, call, &answer)
		if err != nil {
			return catalogue{}, err
		}
		list := answer.fileList
		if list.Files == nil {
			list = answer.Detail
		}
		if list.Files == nil {
			return catalogue{}, undocumented(call.Endpoint)
		}
		if all.shown.IsZero() {
			all.shown = reply.Date
		}
		all.add(*list.Files)
		next := string(list.Next)
		if next == "" || next == "-1" || p.complete(all) {
			break
		}
		if seen[next] {
			return catalogue{}, fmt.Errorf("%s: an offset is repeated: %w", call.Endpoint.Name, resolver.ErrUnavailable)
		}
		seen[next] = true
		query.Set("offset", next)
		if query.Del("filter"); list.Filter != "" {
			query.Set("filter", string(list.Filter))
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listed = all
	return all, nil
}

// add takes the tables among some files.
func (c *catalogue) add(files []listedFile) {
	for _, f := range files {
		ext := path.Ext(f.Name)
		kind := strings.ToLower(strings.TrimPrefix(ext, "."))
		if _, twice := c.find(f.ID.Open); twice || f.ID.Open == "" || !slices.Contains(kinds, kind) {
			continue
		}
		c.documents = append(c.documents, document{
			place: place{kind: kind, token: f.ID.Open}, name: cmp.Or(strings.TrimSuffix(f.Name, ext), f.Name),
			state: state{f.Modified, f.Size},
		})
	}
}

// complete reports whether all documents that are configured were found.
func (p *Provider) complete(found catalogue) bool {
	return len(p.cfg.Documents) > 0 && !slices.ContainsFunc(p.cfg.Documents, func(word string) bool {
		_, token := kindAndToken(word)
		_, ok := found.find(token)
		return !ok
	})
}

// stateOf is what the list of files tells of a document.
func (p *Provider) stateOf(ctx context.Context, at place) (state, catalogue, error) {
	listed, err := p.recent(ctx)
	if err != nil {
		return state{}, listed, err
	}
	d, _ := listed.find(at.token)
	return d.state, listed, nil
}
