package catalog

import (
	"encoding/binary"
	"errors"
	"iter"
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
	mark     *mark  // nil when there is none, and on what came along with another
}

// mark is what a provider needs to tell what is new since then. It is kept apart
// from the listing, which mostly does not change when it does.
type mark struct {
	text  string
	whole time.Time // when everything was listed last
}

// holds reports whether what is new since the mark is enough now.
func (m *mark) holds(now time.Time, ttl time.Duration) bool {
	return m != nil && !m.whole.After(now) && now.Sub(m.whole) < ttl
}

// Keys are not empty for the root directory.
func listingKey(dir resolver.ID) string { return "/" + string(dir) }
func markKey(dir resolver.ID) string    { return "@" + string(dir) }

// load returns the edition of dir that is kept, or nil.
func (l *Listings) load(dir resolver.ID) *edition {
	if l == nil {
		return nil
	}
	var e *edition
	var m *mark
	l.table.read(slices.Values([]string{listingKey(dir), markKey(dir)}), func(key string, text []byte) {
		if key == markKey(dir) {
			m, _ = decodeMark(text)
		} else {
			e, _ = decodeEdition(dir, text)
		}
	})
	if e != nil {
		e.mark = m
	}
	return e
}

// loadAll calls use with the editions that are kept, without their marks.
func (l *Listings) loadAll(dirs iter.Seq[resolver.ID], use func(resolver.ID, *edition)) {
	if l == nil {
		return
	}
	keys := func(yield func(string) bool) {
		for dir := range dirs {
			if !yield(listingKey(dir)) {
				return
			}
		}
	}
	l.table.read(keys, func(key string, text []byte) {
		dir := resolver.ID(key[1:])
		if e, err := decodeEdition(dir, text); err == nil {
			use(dir, e)
		}
	})
}

func (l *Listings) save(dir resolver.ID, e *edition) {
	if l != nil {
		l.table.put(listingKey(dir), e)
	}
}

// saveMark keeps a mark, nil for none, some time: an older one does as well, only
// one without its listing would not.
func (l *Listings) saveMark(dir resolver.ID, m *mark) {
	switch {
	case l == nil:
	case m == nil:
		l.table.putLazily(markKey(dir), nil)
	default:
		l.table.putLazily(markKey(dir), m)
	}
}

func (l *Listings) remove(dir resolver.ID) {
	if l != nil {
		l.table.put(listingKey(dir), nil)
		l.table.put(markKey(dir), nil)
	}
}

// The kinds of facts that a node on disk has.
const (
	isDir = 1 << iota
	hasModTime
	hasSHA256
	cameAlong
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
		text = appendNode(text, &nodes[i], e.listing.sizes[i], e.listing.comesAlong(i))
	}
	return text, nil
}

func appendNode(text []byte, n *resolver.Node, size int64, along bool) []byte {
	var kind byte
	if along {
		kind |= cameAlong
	}
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
	var along []bool
	for i := range nodes {
		kind := r.node(&nodes[i])
		nodes[i].File.Dir = dir
		if kind&(isDir|cameAlong) == isDir|cameAlong {
			if along == nil {
				along = make([]bool, count)
			}
			along[i] = true
		}
	}
	sorted := slices.IsSortedFunc(nodes, byName)
	if r.bad || r.pos != len(text) || !sorted {
		return nil, errFormat
	}
	e.listing = listingOf(nodes)
	e.listing.along = along
	return e, nil
}

// markFormat is the first byte of a mark on disk.
const markFormat = 1

func (m *mark) encode() ([]byte, error) {
	return appendText(appendTime([]byte{markFormat}, m.whole), m.text), nil
}

func decodeMark(text []byte) (*mark, error) {
	if len(text) == 0 || text[0] != markFormat {
		return nil, errFormat
	}
	r := &reader{text: text, shared: string(text), pos: 1}
	m := &mark{whole: r.time(), text: r.string()}
	if r.bad || r.pos != len(text) || m.text == "" {
		return nil, errFormat
	}
	return m, nil
}

// reader takes a text apart from pos on. Once something is bad all that follows
// is zero.
type reader struct {
	text   []byte
	shared string // the same; what strings are cut from
	pos    int
	bad    bool
}

func (r *reader) node(n *resolver.Node) (kind byte) {
	kind = r.byte()
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
	return kind
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
