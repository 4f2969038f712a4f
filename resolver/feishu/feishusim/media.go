package feishusim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// mostLinks bounds the tokens of one call for links to media.
const mostLinks = 5

// BatchConduct is what the call for links does with tokens that get none. The
// zero value refuses the whole call if one is forbidden, and leaves out those
// that are not there.
type BatchConduct struct {
	// OmitForbidden leaves forbidden ones out, too.
	OmitForbidden bool
	// RefuseMissing refuses the whole call if one is not there.
	RefuseMissing bool
}

// ExtraConduct is how media calls take the extra of bases. The zero value is
// that of the pages: a link without the extra that it needs is refused with 403,
// and extra is ignored where it is not needed.
type ExtraConduct struct {
	// Empty400 refuses links without the extra that they need with 400 and an
	// empty body, as was seen.
	Empty400 bool
	// RefuseNeedless makes extra for a base without advanced permission a bad
	// parameter.
	RefuseNeedless bool
}

// SetBatch says what the call for links does with tokens that get none.
func (s *Server) SetBatch(c BatchConduct) { s.changeDocs(func(d *docs) { d.batch = c }) }

// SetExtra says how media calls take the extra of bases.
func (s *Server) SetExtra(c ExtraConduct) { s.changeDocs(func(d *docs) { d.extra = c }) }

func (s *Server) changeDocs(change func(*docs)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(&s.docs)
}

// verdict is whether a medium may be had.
type verdict int

const (
	mediumFound verdict = iota
	mediumMissing
	mediumForbidden // or the extra is not about it
	extraMissing
	extraNeedless
)

func (v verdict) refusal() refusal {
	switch v {
	case mediumMissing:
		return driveRefusals.missing
	case extraNeedless:
		return driveRefusals.bad
	default:
		return driveRefusals.denied
	}
}

// judge finds a medium and says whether it may be had with this extra. s.mu is
// held.
func (s *Server) judge(token, extra string) (*medium, verdict) {
	m, ok := s.docs.media[token]
	switch {
	case !ok || m.removed || m.owner.removed:
		return nil, mediumMissing
	case m.forbidden || m.owner.forbidden || m.owner.sealed:
		return nil, mediumForbidden
	}
	needed := m.owner.base != nil && m.owner.base.advanced
	switch {
	case !needed && extra != "" && s.docs.extra.RefuseNeedless:
		return nil, extraNeedless
	case !needed:
		return m, mediumFound
	case extra == "":
		return nil, extraMissing
	}
	var told bitableExtra
	if json.Unmarshal([]byte(extra), &told) != nil || !m.within(told) {
		return nil, mediumForbidden
	}
	return m, mediumFound
}

// bitableExtra is the extra of bases, in the form that the pages explain and in
// the one that cells carry.
type bitableExtra struct {
	Perm struct {
		Table       string                         `json:"tableId"`
		Rev         *int                           `json:"rev"`
		Attachments map[string]map[string][]string `json:"attachments"`
	} `json:"bitablePerm"`
}

// within says whether extra names a cell that m is in.
func (m *medium) within(extra bitableExtra) bool {
	perm := extra.Perm
	return slices.ContainsFunc(m.cells, func(c cell) bool {
		if c.table != perm.Table {
			return false
		}
		if perm.Attachments == nil {
			return perm.Rev != nil
		}
		return slices.Contains(perm.Attachments[c.field][c.record], m.id)
	})
}

// mediaLinks answers in the reverse order of the tokens: nobody promised
// another.
func (s *Server) mediaLinks(q *request) *answer {
	tokens, extra := q.URL.Query()["file_tokens"], q.URL.Query().Get("extra")
	joined := func(token string) bool { return token == "" || strings.ContainsAny(token, `,["`) }
	if len(tokens) < 1 || len(tokens) > mostLinks || slices.ContainsFunc(tokens, joined) {
		return q.endpoint.refuses.bad.answer()
	}
	var found []*medium
	for _, token := range slices.Backward(tokens) {
		m, verdict := s.judge(token, extra)
		if refused := s.refuseBatch(verdict); refused != nil {
			return refused
		}
		if m != nil {
			found = append(found, m)
		}
	}
	links := []map[string]any{}
	for _, m := range found {
		links = append(links, map[string]any{"file_token": m.id, "tmp_download_url": s.mediaLink(&m.attachment)})
	}
	return success(map[string]any{"tmp_download_urls": links})
}

// refuseBatch is the refusal of a whole call with a token of this verdict; nil
// if it is only left out, or found. s.mu is held.
func (s *Server) refuseBatch(v verdict) *answer {
	switch {
	case v == mediumFound,
		v == mediumForbidden && s.docs.batch.OmitForbidden,
		v == mediumMissing && !s.docs.batch.RefuseMissing:
		return nil
	case v == extraMissing && s.docs.extra.Empty400:
		return refusal{status: http.StatusBadRequest}.answer()
	case v == mediumMissing:
		return driveRefusals.bad.answer() // the only code that the page prints
	default:
		return v.refusal().answer()
	}
}
