package feishusim

import (
	"net/http"
	"slices"
)

const (
	wikiPath      = "/open-apis/wiki/v2/spaces"
	myLibrary     = "my_library"
	mostWiki      = 50 // of a page
	usualSpaces   = 20
	usualNodes    = 10 // is not printed; a few, so that who wants more asks for them
	scopeWikiRead = "wiki:wiki:readonly"
	scopeWiki     = "wiki:wiki"
)

var wikiRefusals = refusals{
	bad:       refusal{http.StatusBadRequest, 131002, "param err"},
	denied:    refusal{http.StatusBadRequest, 131006, "permission denied"},
	internal:  refusal{http.StatusBadRequest, 131001, "rpc fail"},
	missing:   refusal{http.StatusBadRequest, 131005, "not found"},
	deleted:   refusal{http.StatusBadRequest, 131005, "not found"},
	pageToken: refusal{http.StatusBadRequest, 131002, "param err: page token"},
}

var wikiEndpoints = []*endpoint{{
	call: WikiSpaces, pattern: "GET " + wikiPath, rates: perMinute100,
	scopes:  []string{"wiki:space:retrieve", scopeWikiRead, scopeWiki},
	refuses: wikiRefusals, handle: (*Server).listSpaces,
}, {
	call: WikiSpace, pattern: "GET " + wikiPath + "/{space}", rates: perMinute100,
	scopes:  []string{"wiki:space:read", scopeWikiRead, scopeWiki},
	refuses: wikiRefusals, handle: (*Server).oneSpace,
}, {
	call: WikiNodes, pattern: "GET " + wikiPath + "/{space}/nodes", rates: perMinute100,
	scopes:  []string{"wiki:node:retrieve", scopeWikiRead, scopeWiki},
	refuses: wikiRefusals, handle: (*Server).listNodes,
}, {
	call: WikiNodeInfo, pattern: "GET " + wikiPath + "/get_node", rates: perMinute100,
	scopes:  []string{"wiki:node:read", scopeWikiRead, scopeWiki},
	refuses: wikiRefusals, handle: (*Server).oneNode,
}}

// listSpaces leaves out forbidden spaces after it made the page.
func (s *Server) listSpaces(q *request) *answer {
	size, ok := pageSize(q, usualSpaces, mostWiki)
	if !ok {
		return q.endpoint.refuses.bad.answer()
	}
	var listed []*space
	for _, sp := range s.docs.spaces {
		if sp.Library == "" {
			listed = append(listed, sp)
		}
	}
	p, ok := turn(s, q, listed, func(sp *space) string { return sp.id }, size)
	if !ok {
		return q.endpoint.refuses.pageToken.answer()
	}
	items := []map[string]any{}
	for _, sp := range p.items {
		if !sp.forbidden {
			items = append(items, sp.listed())
		}
	}
	return success(map[string]any{"items": items, "page_token": p.next, "has_more": p.more})
}

func (s *space) listed() map[string]any {
	kind := "team"
	if s.Library != "" {
		kind = myLibrary
	}
	return map[string]any{
		"space_id": s.id, "name": s.Name, "description": "", "space_type": kind, "visibility": "private", "open_sharing": "closed",
	}
}

// openSpace is the one that q names. s.mu is held.
func (s *Server) openSpace(q *request) (*space, *answer) {
	id := q.PathValue("space")
	n := slices.IndexFunc(s.docs.spaces, func(sp *space) bool {
		if id == myLibrary {
			return sp.Library != "" && sp.Library == q.token.user
		}
		return sp.id == id
	})
	switch {
	case n < 0:
		return nil, q.endpoint.refuses.missing.answer()
	case s.docs.spaces[n].forbidden:
		return nil, q.endpoint.refuses.denied.answer()
	}
	return s.docs.spaces[n], nil
}

func (s *Server) oneSpace(q *request) *answer {
	sp, refused := s.openSpace(q)
	if refused != nil {
		return refused
	}
	return success(map[string]any{"space": sp.listed()})
}

// listNodes leaves out forbidden nodes after it made the page, which may be
// empty then.
func (s *Server) listNodes(q *request) *answer {
	sp, refused := s.openSpace(q)
	if refused != nil {
		return refused
	}
	size, ok := pageSize(q, usualNodes, mostWiki)
	if !ok {
		return q.endpoint.refuses.bad.answer()
	}
	nodes := sp.top
	if parent := q.URL.Query().Get("parent_node_token"); parent != "" {
		n, ok := s.docs.nodes[parent]
		switch {
		case !ok || n.space != sp:
			return q.endpoint.refuses.missing.answer()
		case n.forbidden:
			return q.endpoint.refuses.denied.answer()
		}
		nodes = n.children
	}
	p, ok := turn(s, q, nodes, func(n *node) string { return sortKey(int64(n.serial)) }, size)
	if !ok {
		return q.endpoint.refuses.pageToken.answer()
	}
	items := []map[string]any{}
	for _, n := range p.items {
		if !n.forbidden {
			items = append(items, n.listed())
		}
	}
	return success(map[string]any{"items": items, "page_token": p.next, "has_more": p.more})
}

func (n *node) listed() map[string]any {
	origin, kind := n, "origin"
	if n.origin != nil {
		origin, kind = n.origin, "shortcut"
	}
	listed := map[string]any{
		"space_id": n.space.id, "node_token": n.token, "obj_token": n.object.token, "obj_type": n.object.kind,
		"parent_node_token": "", "node_type": kind, "origin_node_token": origin.token, "origin_space_id": origin.space.id,
		"has_child": len(n.children) > 0, "title": n.title, "obj_create_time": seconds(n.object.created()),
		"obj_edit_time": seconds(n.object.modified), "node_create_time": seconds(n.created),
		"creator": "ou_b13d41c02edc52ce66aaae67bf1abcef", "owner": "ou_b13d41c02edc52ce66aaae67bf1abcef",
	}
	if n.parent != nil {
		listed["parent_node_token"] = n.parent.token
	}
	return listed
}

// oneNode finds a node by its own token, or by that of its object if the type of
// that is given.
func (s *Server) oneNode(q *request) *answer {
	token, kind := q.URL.Query().Get("token"), q.URL.Query().Get("obj_type")
	if token == "" {
		return q.endpoint.refuses.bad.answer()
	}
	n := s.docs.nodes[token]
	if kind != "" && kind != "wiki" {
		n = s.docs.nodeOf(token, Kind(kind))
	}
	switch {
	case n == nil:
		return q.endpoint.refuses.missing.answer()
	case n.forbidden || n.space.forbidden:
		return q.endpoint.refuses.denied.answer()
	}
	return success(map[string]any{"node": n.listed()})
}

// nodeOf is the original node of an object.
func (d *docs) nodeOf(object string, kind Kind) *node {
	for _, n := range d.nodes {
		if n.object.token == object && n.object.kind == kind && n.origin == nil {
			return n
		}
	}
	return nil
}
