package kdocs

import (
	"net/url"
	"slices"
	"strings"

	"github.com/attachfs/attachfs/resolver"
)

// The kinds of documents, as their calls and the ends of their names have them.
const (
	tableKind = "dbt"
	sheetKind = "ksheet"
)

var kinds = []string{tableKind, sheetKind}

// place is what an ID tells: a document, a sheet of it, a record of that, an
// attachment of that. What is below it is empty.
type place struct {
	kind, token   string
	sheet, record string
	attachment    reference
}

// The ids of what a place has begin with one of these and go on with the API's
// ids, escaped, from the document on.
const (
	documentLevel = "document"
	sheetLevel    = "sheet"
	recordLevel   = "record"
	fileLevel     = "file"
)

func (p place) documentID() resolver.ID { return join(documentLevel, p.kind, p.token) }

func (p place) sheetID() resolver.ID { return join(sheetLevel, p.kind, p.token, p.sheet) }

func (p place) recordID() resolver.ID { return join(recordLevel, p.kind, p.token, p.sheet, p.record) }

// fileID has all that a call for links asks for, so that it outlives a restart.
// The same attachment in two fields of a record is one file.
func (p place) fileID() resolver.ID {
	a := p.attachment
	return join(fileLevel, p.kind, p.token, p.sheet, p.record, a.Source, a.Type, a.Key)
}

func join(level string, parts ...string) resolver.ID {
	for _, part := range parts {
		level += "/" + url.PathEscape(part)
	}
	return resolver.ID(level)
}

// placeOf reads an ID. What none of this package's is gives no level.
func placeOf(id resolver.ID) (p place, level string) {
	parts := strings.Split(string(id), "/")
	for i, part := range parts {
		text, err := url.PathUnescape(part)
		if err != nil {
			return place{}, ""
		}
		parts[i] = text
	}
	level, parts = parts[0], parts[1:]
	want := map[string]int{documentLevel: 2, sheetLevel: 3, recordLevel: 4, fileLevel: 7}[level]
	if want == 0 || len(parts) != want || !slices.Contains(kinds, parts[0]) {
		return place{}, ""
	}
	parts = append(parts, make([]string, 7-want)...)
	p = place{parts[0], parts[1], parts[2], parts[3], reference{parts[4], parts[5], parts[6]}}
	named := map[string][]string{
		documentLevel: {p.token}, sheetLevel: {p.token, p.sheet}, recordLevel: {p.token, p.sheet, p.record},
		fileLevel: {p.token, p.sheet, p.record, p.attachment.Key},
	}[level]
	if slices.Contains(named, "") {
		return place{}, ""
	}
	return p, level
}
