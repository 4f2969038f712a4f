package feishusim

import (
	"net/http"
	"strconv"
)

// mostBlocks bounds a page of blocks.
const mostBlocks = 500

const documentPath = "/open-apis/docx/v1/documents/{document}"

var docxRefusals = refusals{
	bad:       refusal{http.StatusBadRequest, 1770001, "invalid param"},
	denied:    refusal{http.StatusForbidden, 1770032, "forbidden"},
	internal:  refusal{http.StatusInternalServerError, 1771001, "server internal error"},
	missing:   refusal{http.StatusNotFound, 1770002, "not found"},
	deleted:   refusal{http.StatusBadRequest, 1770003, "resource deleted"},
	pageToken: refusal{http.StatusBadRequest, 1770022, "invalid page token"},
}

// docxOver is what documents answer with to who exceeds a rate.
var docxOver = &refusal{http.StatusBadRequest, throttled, "request trigger frequency limit"}

var docxScopes = []string{"docx:document:readonly", "docx:document"}

var docxEndpoints = []*endpoint{{
	call: Document, pattern: "GET " + documentPath, rates: perSecond5, over: docxOver,
	scopes: docxScopes, refuses: docxRefusals, handle: (*Server).document,
}, {
	call: Blocks, pattern: "GET " + documentPath + "/blocks", rates: perSecond5, over: docxOver,
	scopes: docxScopes, refuses: docxRefusals, handle: (*Server).listBlocks,
}}

func (s *Server) document(q *request) *answer {
	i, refused := s.found(q, q.PathValue("document"), KindDocx)
	if refused != nil {
		return refused
	}
	return success(map[string]any{"document": map[string]any{
		"document_id": i.token, "revision_id": i.docx.revision, "title": i.name,
	}})
}

func (s *Server) listBlocks(q *request) *answer {
	i, refused := s.found(q, q.PathValue("document"), KindDocx)
	if refused != nil {
		return refused
	}
	size, ok := pageSize(q, mostBlocks, mostBlocks)
	if revision := q.URL.Query().Get("document_revision_id"); !ok || revision != "" && !i.docx.has(revision) {
		return q.endpoint.refuses.bad.answer()
	}
	type placed struct {
		key   string
		block map[string]any
	}
	blocks := make([]placed, len(i.docx.blocks))
	for n, b := range i.docx.blocks {
		blocks[n] = placed{sortKey(int64(n)), b}
	}
	p, ok := turn(s, q, blocks, func(b placed) string { return b.key }, size)
	if !ok {
		return q.endpoint.refuses.pageToken.answer()
	}
	items := make([]map[string]any, len(p.items))
	for n, b := range p.items {
		items[n] = b.block
	}
	data := map[string]any{"items": items, "has_more": p.more}
	if p.more {
		data["page_token"] = p.next
	}
	return success(data)
}

// has says whether a revision is the newest, which is the only one kept.
func (d *document) has(revision string) bool {
	n, err := strconv.Atoi(revision)
	return err == nil && (n == -1 || n == d.revision)
}
