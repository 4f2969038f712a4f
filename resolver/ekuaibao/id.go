package ekuaibao

import (
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// IDs are a kind and what belongs to it, escaped, between slashes.
const (
	typeKind     = "type"     // a type of document
	monthKind    = "month"    // type and month
	documentKind = "document" // flow id, and a folder in it if it is not the document itself
	fileKind     = "file"     // flow id, file id, key
	thumbKind    = "thumb"    // the same
	partKind     = "part"     // flow id, and what tells the file among those of the document
	invoiceKind  = "invoice"  // flow id, invoice id
)

// lengths are how many texts belong to each kind.
var lengths = map[string][]int{
	typeKind: {1}, monthKind: {2}, documentKind: {1, 2}, fileKind: {3}, thumbKind: {3}, partKind: {2}, invoiceKind: {2},
}

func join(kind string, texts ...string) resolver.ID {
	for _, text := range texts {
		kind += "/" + url.PathEscape(text)
	}
	return resolver.ID(kind)
}

// split reads an ID. What is none of this package's has no kind.
func split(id resolver.ID) (kind string, texts []string) {
	kind, rest, _ := strings.Cut(string(id), "/")
	for text := range strings.SplitSeq(rest, "/") {
		text, err := url.PathUnescape(text)
		if err != nil || text == "" {
			return "", nil
		}
		texts = append(texts, text)
	}
	if !slices.Contains(lengths[kind], len(texts)) {
		return "", nil
	}
	return kind, texts
}

// zone is that of China, by which the API reads times and months are told.
var zone = time.FixedZone("UTC+8", 8*60*60)

const (
	monthFormat = "2006-01"
	timeFormat  = time.DateTime // of the API
)

// monthOf reads a month; the zero time for what is none.
func monthOf(text string) time.Time {
	t, err := time.ParseInLocation(monthFormat, text, zone)
	if err != nil {
		return time.Time{}
	}
	return t
}
