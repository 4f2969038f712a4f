package feishudocs

import (
	"context"
	"errors"
	"fmt"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// listTop returns the roots, or what is in the drive if none are configured.
func (p *Provider) listTop(ctx context.Context, cursor string) (resolver.Page, error) {
	if len(p.roots) == 0 {
		token, err := p.driveToken(ctx)
		if err != nil {
			return resolver.Page{}, err
		}
		return p.listFolder(ctx, place{kind: folderKind, tokens: []string{token}}, cursor)
	}
	names, err := p.rootNames(ctx)
	if err != nil {
		return resolver.Page{}, err
	}
	var page resolver.Page
	for i, r := range p.roots {
		at, err := p.rootPlace(ctx, r)
		if err != nil {
			return resolver.Page{}, err
		}
		page.Entries = append(page.Entries, resolver.Entry{ID: at.id(), Name: names[i], Dir: true})
	}
	return page, nil
}

// rootPlace is where a root is. The root is a way of its own, because roots may
// be within each other.
func (p *Provider) rootPlace(ctx context.Context, r root) (place, error) {
	at := place{kind: r.kind, tokens: []string{r.token}}
	switch r.kind {
	case wikiRoot:
		at.kind = spaceKind
	case driveRoot:
		token, err := p.driveToken(ctx)
		if err != nil {
			return place{}, err
		}
		at.kind, at.tokens = folderKind, []string{token}
		at.via = []string{driveRoot + ":" + token}
		return at, nil
	}
	at.via = []string{r.text}
	return at, nil
}

// driveToken is that of the drive's own folder. Listing it by its token is by
// pages and has shortcuts; without one it is neither.
func (p *Provider) driveToken(ctx context.Context) (string, error) {
	if token := p.drive.Load(); token != nil {
		return *token, nil
	}
	var answer struct {
		Token string `json:"token"`
	}
	if _, err := p.do(ctx, api.Call{Endpoint: rootCall}, &answer); err != nil {
		return "", err
	}
	if answer.Token == "" {
		return "", fmt.Errorf("%s: answer has no token: %w", rootCall.Name, resolver.ErrUnavailable)
	}
	p.drive.Store(&answer.Token)
	return answer.Token, nil
}

// rootNames returns what the roots are called, in order. One whose name is not
// told to us is called what it is: it is shown all the same, and says why when it
// is looked into.
func (p *Provider) rootNames(ctx context.Context) ([]string, error) {
	var asked []metaRequest
	for _, r := range p.roots {
		if r.kind != driveRoot && r.kind != wikiRoot {
			asked = append(asked, metaRequest{r.token, r.kind})
		}
	}
	metas, err := p.metas(ctx, api.Call{Endpoint: metasCall}, asked)
	if err != nil {
		return nil, err
	}
	names := make([]string, len(p.roots))
	for i, r := range p.roots {
		switch r.kind {
		case driveRoot:
			names[i] = "My Space"
		case wikiRoot:
			if names[i], err = p.spaceName(ctx, r.token); err != nil {
				return nil, err
			}
		default:
			names[i] = metas[r.token].Title
		}
		if names[i] == "" {
			names[i] = r.kind + " " + r.token
		}
	}
	return names, nil
}

// spaceName is what a space of the wiki is called, nothing if it is not told to
// us.
func (p *Provider) spaceName(ctx context.Context, space string) (string, error) {
	var answer struct {
		Space struct {
			Name string `json:"name"`
		} `json:"space"`
	}
	_, err := p.do(ctx, api.Call{Endpoint: spaceCall, Params: []string{space}}, &answer)
	if resolver.Refused(err) || errors.Is(err, resolver.ErrNotExist) {
		return "", nil
	}
	return answer.Space.Name, err
}

type metaRequest struct {
	Token string `json:"doc_token"`
	Type  string `json:"doc_type"`
}

// meta is what is told of a document; Err if nothing is.
type meta struct {
	Title string
	Err   error
}

// The codes of documents of which nothing is told.
const (
	metaUnsupported = 970002
	metaDenied      = 970003
	metaMissing     = 970005
)

// metas asks for documents by one call and returns what is told of each.
func (p *Provider) metas(ctx context.Context, call api.Call, asked []metaRequest) (map[string]meta, error) {
	found := make(map[string]meta, len(asked))
	if len(asked) == 0 {
		return found, nil
	}
	call.Body = map[string]any{"request_docs": asked, "with_url": false}
	var answer struct {
		Metas []struct {
			Token string `json:"doc_token"`
			Title string `json:"title"`
		} `json:"metas"`
		Failed []struct {
			Token string `json:"token"`
			Code  int    `json:"code"`
		} `json:"failed_list"`
	}
	if _, err := p.do(ctx, call, &answer); err != nil {
		return nil, err
	}
	for _, m := range answer.Metas {
		found[m.Token] = meta{Title: m.Title}
	}
	for _, f := range answer.Failed {
		found[f.Token] = meta{Err: metaError(f.Code)}
	}
	for _, a := range asked {
		if _, told := found[a.Token]; !told {
			found[a.Token] = meta{Err: fmt.Errorf("%s: nothing was said of it: %w", call.Endpoint.Name, resolver.ErrNotExist)}
		}
	}
	return found, nil
}

func metaError(code int) error {
	kind := resolver.ErrUnavailable
	switch code {
	case metaMissing:
		kind = resolver.ErrNotExist
	case metaDenied:
		kind = resolver.ErrPermission
	case metaUnsupported:
		kind = resolver.ErrUnsupported
	}
	return fmt.Errorf("%s: code %d in failed_list: %w", metasCall.Name, code, kind)
}
