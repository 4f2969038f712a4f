package feishudocs

import (
	"context"
	"fmt"
	"net/url"
	"strings"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

type wikiNode struct {
	Token       string  `json:"node_token"`
	Object      string  `json:"obj_token"`
	ObjectType  string  `json:"obj_type"`
	Type        string  `json:"node_type"`
	Origin      string  `json:"origin_node_token"`
	Title       string  `json:"title"`
	HasChild    bool    `json:"has_child"`
	ModifiedObj seconds `json:"obj_edit_time"`
}

type nodesAnswer struct {
	Items   []wikiNode `json:"items"`
	Token   string     `json:"page_token"`
	HasMore bool       `json:"has_more"`
}

// listNodes returns one page of the nodes at the top of a space or below a node.
// A page may be empty before others that are not: nodes that may not be seen are
// left out of it.
func (p *Provider) listNodes(ctx context.Context, at place, cursor string) (resolver.Page, error) {
	query := url.Values{"page_size": {fmt.Sprint(wikiPage)}}
	if at.kind == nodeKind {
		query.Set("parent_node_token", at.tokens[1])
	}
	if cursor != "" {
		query.Set("page_token", cursor)
	}
	var answer nodesAnswer
	call := api.Call{Endpoint: nodesCall, Params: at.tokens[:1], Query: query}
	if _, err := p.do(ctx, call, &answer); err != nil {
		return resolver.Page{}, err
	}
	var page resolver.Page
	for _, n := range answer.Items {
		page.Entries = append(page.Entries, n.entries(at)...)
	}
	var err error
	page.Next, err = following(answer.HasMore, answer.Token)
	return page, err
}

// entries are what is shown of a node: the object that it stands for, with the
// nodes below it if there are any. A file with nodes below it is two things.
func (n wikiNode) entries(at place) []resolver.Entry {
	if n.Token == "" || n.Object == "" {
		return nil
	}
	if n.Type == shortcutType {
		beyond, ok := at.through(n.Token, n.Origin)
		if !ok {
			return nil
		}
		at = beyond
	}
	var entries []resolver.Entry
	o := object{kind: n.ObjectType, token: n.Object, name: n.Title, modified: n.ModifiedObj}
	if e, ok := o.entry(at); ok && (!n.HasChild || o.kind == fileKind) {
		entries = append(entries, e)
	}
	if n.HasChild {
		dir := at.at(nodeKind, at.tokens[0], n.Token, n.ObjectType, n.Object)
		entries = append(entries, resolver.Entry{ID: dir.id(), Name: n.Title, Dir: true, ModTime: n.ModifiedObj.time()})
	}
	return entries
}

// objectMark begins the cursors of a node's own document.
const objectMark = "object "

// listNode returns one page of what is below a node and then of its document.
func (p *Provider) listNode(ctx context.Context, at place, cursor string) (resolver.Page, error) {
	object := at.at(at.tokens[2], at.tokens[3])
	if own, ok := strings.CutPrefix(cursor, objectMark); ok {
		page, err := p.listDocument(ctx, object, own)
		if aboutFile(err) { // the nodes below it are there all the same
			p.log.Debug("the document of a node cannot be read", "node", at.tokens[1], "error", err)
			return resolver.Page{}, nil
		}
		if page.Next != "" {
			page.Next = objectMark + page.Next
		}
		page.Mark = "" // it is not about the nodes
		return page, err
	}
	page, err := p.listNodes(ctx, at, cursor)
	if err == nil && page.Next == "" && hasMedia(object.kind) {
		page.Next = objectMark
	}
	return page, err
}

// hasMedia reports whether there is something to be listed in a document.
func hasMedia(kind string) bool { return kind == docxKind || kind == sheetKind || kind == baseKind }
