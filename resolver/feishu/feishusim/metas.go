package feishusim

import "encoding/json"

// mostMetas bounds the documents of batch_query.
const mostMetas = 200

// The codes of documents that batch_query has nothing about.
const (
	metaUnsupported = 970002
	metaDenied      = 970003
	metaMissing     = 970005
)

type metaRequest struct {
	Token string `json:"doc_token"`
	Type  string `json:"doc_type"`
}

func (s *Server) queryMetas(q *request) *answer {
	var asked struct {
		Docs    []metaRequest `json:"request_docs"`
		WithURL bool          `json:"with_url"`
	}
	if json.Unmarshal(q.body, &asked) != nil || len(asked.Docs) < 1 || len(asked.Docs) > mostMetas {
		return q.endpoint.refuses.bad.answer()
	}
	metas, failed := []map[string]any{}, []map[string]any{}
	for _, d := range asked.Docs {
		meta, code := s.meta(d)
		if code != 0 {
			failed = append(failed, map[string]any{"token": d.Token, "code": code})
			continue
		}
		if !asked.WithURL {
			delete(meta, "url")
		}
		metas = append(metas, meta)
	}
	return success(map[string]any{"metas": metas, "failed_list": failed})
}

// meta is what is told of a document, or the code of why not. s.mu is held.
func (s *Server) meta(d metaRequest) (meta map[string]any, code int) {
	token, kind := d.Token, Kind(d.Type)
	if kind == "wiki" {
		n, ok := s.docs.nodes[token]
		if !ok {
			return nil, metaMissing
		}
		token, kind = n.object.token, n.object.kind
	}
	i, ok := s.docs.items[token]
	switch {
	case kind == KindShortcut:
		return nil, metaUnsupported
	case !ok || i.removed || i.kind != kind:
		return nil, metaMissing
	case i.forbidden:
		return nil, metaDenied
	}
	listed := i.listed()
	return map[string]any{
		"doc_token": d.Token, "doc_type": d.Type, "title": i.name, "owner_id": listed["owner_id"],
		"create_time": listed["created_time"], "latest_modify_time": listed["modified_time"],
		"latest_modify_user": listed["owner_id"], "url": listed["url"], "sec_label_name": "",
		"request_doc_info": map[string]any{"doc_token": d.Token, "doc_type": d.Type},
	}, 0
}
