package feishudocs

import (
	"net/url"
	"slices"
	"strings"

	"github.com/attachfs/attachfs/resolver"
)

// The kinds of places. In IDs they stand before their tokens.
const (
	folderKind = "folder"  // folder
	spaceKind  = "space"   // space of a wiki
	nodeKind   = "node"    // space, node, type of the object, object
	docxKind   = "docx"    // document
	sheetKind  = "sheet"   // spreadsheet, and one sheet of it if it is embedded
	baseKind   = "bitable" // base
	tableKind  = "table"   // base, table
	recordKind = "record"  // base, table, record
	fileKind   = "file"    // file of a drive
	mediaKind  = "media"   // document or spreadsheet, medium
	cellKind   = "cell"    // base, table, field, record, medium
)

// tokensOf is how many tokens each kind has, at least and at most.
var tokensOf = map[string][2]int{
	folderKind: {1, 1}, spaceKind: {1, 1}, nodeKind: {4, 4}, docxKind: {1, 1}, sheetKind: {1, 2}, baseKind: {1, 1},
	tableKind: {2, 2}, recordKind: {3, 3}, fileKind: {1, 1}, mediaKind: {2, 2}, cellKind: {5, 5},
}

const (
	// viaMark begins the ways of an ID: "via/S:T/..." where S leads to T.
	viaMark = "via"
	// maxVia is beyond any tree that people made: what follows is a loop.
	maxVia = 16
)

// place is what an ID tells: the ways that led there which are not those of the
// tree itself, from the first to the last, and where it is.
type place struct {
	via    []string
	kind   string
	tokens []string
}

// id writes a place.
func (p place) id() resolver.ID {
	var b strings.Builder
	for _, way := range p.via {
		b.WriteString(viaMark + "/" + url.PathEscape(way) + "/")
	}
	b.WriteString(p.kind)
	for _, token := range p.tokens {
		b.WriteString("/" + url.PathEscape(token))
	}
	return resolver.ID(b.String())
}

// placeOf reads an ID. What is none of this package's gives a place of no kind.
func placeOf(id resolver.ID) place {
	parts := strings.Split(string(id), "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil || text == "" {
			return place{}
		}
		parts[i] = text
	}
	var p place
	for len(parts) > 2 && parts[0] == viaMark {
		p.via = append(p.via, parts[1])
		parts = parts[2:]
	}
	p.kind, p.tokens = parts[0], parts[1:]
	if n, ok := tokensOf[p.kind]; !ok || len(p.tokens) < n[0] || len(p.tokens) > n[1] {
		return place{}
	}
	return p
}

// at is another place that the same ways lead to.
func (p place) at(kind string, tokens ...string) place {
	return place{via: p.via, kind: kind, tokens: tokens}
}

// through is p with one more way, which leads to target. It is false if that
// would go in circles.
func (p place) through(way, target string) (place, bool) {
	if slices.Contains(p.tokens, target) || len(p.via) == maxVia {
		return place{}, false
	}
	for _, step := range p.via {
		if _, to, _ := strings.Cut(step, ":"); to == target {
			return place{}, false
		}
	}
	p.via = append(slices.Clip(p.via), way+":"+target)
	return p, true
}
