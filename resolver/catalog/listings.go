package catalog

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// listingFormat is the first byte of a listing on disk.
const listingFormat = 1

var errFormat = errors.New("not a listing")

// Listings keeps the complete listings of one provider in a [State]: what was
// listed, under which names, and when. Links are never kept. A nil Listings
// keeps nothing.
type Listings struct {
	table *table
}

// edition is a listing as the provider gave it at a time. It does not change.
type edition struct {
	listing  *listing
	fetched  time.Time
	revision string // of the provider
}

// listingKey is not empty for the root directory.
func listingKey(dir resolver.ID) string { return "/" + string(dir) }

// load returns the edition of dir that is kept, or nil.
func (l *Listings) load(dir resolver.ID) *edition {
	if l == nil {
		return nil
	}
	var e *edition
	l.table.read(only(listingKey(dir)), func(_ string, text []byte) { e, _ = decodeEdition(dir, text) })
	return e
}

func (l *Listings) save(dir resolver.ID, e *edition) {
	if l != nil {
		l.table.put(listingKey(dir), e)
	}
}

func (l *Listings) remove(dir resolver.ID) {
	if l != nil {
		l.table.put(listingKey(dir), nil)
	}
}

// The kinds of facts that a node on disk has.
const (
	isDir = 1 << iota
	hasModTime
	hasSHA256
)

// encode returns the edition as it is on disk.
func (e *edition) encode() ([]byte, error) {
	nodes := e.listing.nodes()
	text := make([]byte, 0, 64+96*len(nodes))
	text = append(text, listingFormat)
	text = appendTime(text, e.fetched)
	text = appendText(text, e.revision)
	text = binary.AppendUvarint(text, uint64(len(nodes)))
	for i := range nodes {
		text = appendNode(text, &nodes[i], e.listing.sizes[i])
	}
	return text, nil
}

func appendNode(text []byte, n *resolver.Node, size int64) []byte {
	var kind byte
	if n.Dir {
		kind |= isDir
	}
	if !n.ModTime.IsZero() {
		kind |= hasModTime
	}
	if n.SHA256 != nil {
		kind |= hasSHA256
	}
	text = append(text, kind)
	text = appendText(text, string(n.ID))
	text = appendText(text, n.Name)
	if !n.Dir {
		text = appendText(text, n.Version)
		text = binary.AppendVarint(text, size)
	}
	if kind&hasModTime != 0 {
		text = appendTime(text, n.ModTime)
	}
	if kind&hasSHA256 != 0 {
		text = appendText(text, string(n.SHA256))
	}
	return text
}

func appendText(text []byte, s string) []byte {
	return append(binary.AppendUvarint(text, uint64(len(s))), s...)
}

func appendTime(text []byte, t time.Time) []byte {
	return binary.AppendUvarint(binary.AppendVarint(text, t.Unix()), uint64(t.Nanosecond()))
}

// decodeEdition is the reverse of encode. All strings of the listing share one
// copy of the text.
func decodeEdition(dir resolver.ID, text []byte) (*edition, error) {
	if len(text) == 0 || text[0] != listingFormat {
		return nil, errFormat
	}
	r := &reader{text: text, shared: string(text), pos: 1}
	e := &edition{fetched: r.time(), revision: r.string()}
	count := r.uvarint()
	if count > uint64(len(text)) {
		return nil, errFormat
	}
	nodes := make([]resolver.Node, count)
	for i := range nodes {
		r.node(&nodes[i])
		nodes[i].File.Dir = dir
	}
	sorted := slices.IsSortedFunc(nodes, byName)
	if r.bad || r.pos != len(text) || !sorted {
		return nil, errFormat
	}
	e.listing = listingOf(nodes)
	return e, nil
}

// reader takes a text apart from pos on. Once something is bad all that follows
// is zero.
type reader struct {
	text   []byte
	shared string // the same; what strings are cut from
	pos    int
	bad    bool
}

func (r *reader) node(n *resolver.Node) {
	kind := r.byte()
	n.ID, n.Name = resolver.ID(r.string()), r.string()
	if n.Dir = kind&isDir != 0; !n.Dir {
		n.Version, n.Size = r.string(), r.varint()
	}
	if kind&hasModTime != 0 {
		n.ModTime = r.time()
	}
	if kind&hasSHA256 != 0 {
		n.SHA256 = []byte(r.string())
	}
}

func (r *reader) byte() byte {
	if r.bad || r.pos == len(r.text) {
		r.bad = true
		return 0
	}
	r.pos++
	return r.text[r.pos-1]
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.text[r.pos:])
	if r.bad = r.bad || n <= 0; r.bad {
		return 0
	}
	r.pos += n
	return v
}

func (r *reader) varint() int64 {
	v, n := binary.Varint(r.text[r.pos:])
	if r.bad = r.bad || n <= 0; r.bad {
		return 0
	}
	r.pos += n
	return v
}

func (r *reader) string() string {
	n := r.uvarint()
	if r.bad = r.bad || n > uint64(len(r.text)-r.pos); r.bad {
		return ""
	}
	start := r.pos
	r.pos += int(n)
	return r.shared[start:r.pos]
}

func (r *reader) time() time.Time {
	return time.Unix(r.varint(), int64(r.uvarint())).UTC()
}
