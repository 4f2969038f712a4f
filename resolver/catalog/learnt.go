package catalog

import (
	"encoding/json"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/attachfs/attachfs/resolver"
)

// Learnt is what the origins of one provider's files said of them. Ids are
// immutable, so it is kept for ever; a record is for one version of a file and
// gives way to a record of another. What is learnt is visible at once and, if
// the Learnt belongs to a [State], on disk soon after. The zero Learnt works,
// in memory only. Its methods may be called in parallel.
type Learnt struct {
	table *table // nil in memory only

	changes atomic.Uint64 // counts the changes of records

	mu sync.RWMutex // guards the following
	// records holds whatever was asked for or learnt in this run. A record is
	// never changed, only replaced; what is not here is on disk or nowhere.
	records map[resolver.ID]*record
}

// record is what is known of one version of a file.
type record struct {
	Version  string `json:"version"`
	Revision int    `json:"revision,omitempty"`
	// Identity has the size SizeUnknown after a change to what is not known.
	Identity resolver.Identity `json:"identity"`
}

func (r *record) pinned() bool { return r.Identity.Size >= 0 }

// Get returns the identity pinned for a version of a file, and how often the
// origin was seen to change under it. Without a pin ok is false, and revision
// counts all the same.
func (l *Learnt) Get(id resolver.ID, version string) (identity resolver.Identity, revision int, ok bool) {
	l.load(only(id))
	l.mu.RLock()
	defer l.mu.RUnlock()
	r := l.of(id, version)
	if r == nil {
		return resolver.Identity{}, 0, false
	}
	if !r.pinned() {
		return resolver.Identity{}, r.Revision, false
	}
	return r.Identity, r.Revision, true
}

// Learn pins what the origin says of a version of a file. The first pin stays
// until Change; an identity without a size pins nothing.
func (l *Learnt) Learn(id resolver.ID, version string, identity resolver.Identity) {
	if identity.Size < 0 {
		return
	}
	l.load(only(id))
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := &record{Version: version, Identity: identity}
	if r := l.of(id, version); r != nil {
		if r.pinned() {
			return
		}
		fresh.Revision = r.Revision
	}
	l.replace(id, fresh)
}

// Change says that the origin's content differs from what is pinned: identity
// takes its place under the next revision. An identity that is pinned already
// changes nothing, so that all who meet one change may tell it. With the size
// SizeUnknown the pin is only dropped, to be learnt anew.
func (l *Learnt) Change(id resolver.ID, version string, identity resolver.Identity) {
	if identity.Size < 0 {
		identity = resolver.Identity{Size: resolver.SizeUnknown}
	}
	l.load(only(id))
	l.mu.Lock()
	defer l.mu.Unlock()
	fresh := &record{Version: version, Revision: 1, Identity: identity}
	if r := l.of(id, version); r != nil {
		if r.Identity == identity {
			return
		}
		fresh.Revision = r.Revision + 1
	}
	l.replace(id, fresh)
}

func only[T any](v T) iter.Seq[T] { return func(yield func(T) bool) { yield(v) } }

// of returns the record in memory of a version of a file, or nil. The caller
// holds l.mu.
func (l *Learnt) of(id resolver.ID, version string) *record {
	if r := l.records[id]; r != nil && r.Version == version {
		return r
	}
	return nil
}

// replace sets a record and sees that it is saved. The caller holds l.mu.
func (l *Learnt) replace(id resolver.ID, r *record) {
	if l.records == nil {
		l.records = make(map[resolver.ID]*record)
	}
	l.records[id] = r
	l.changes.Add(1)
	if l.table != nil && r.storable() {
		l.table.put(string(id), r)
	}
}

// overlay is what is known of a file beyond its listing, and the size that
// holds then.
type overlay struct {
	size     int64
	learnt   bool
	revision int
	identity *resolver.Identity
}

// over returns what the record, which may be nil, makes of a file that was
// listed with a size. The listing's size holds until the origin was seen to
// change: from then on the listing is about a content that is gone.
func (r *record) over(listed int64) overlay {
	if r == nil {
		return overlay{size: listed}
	}
	o := overlay{size: listed, revision: r.Revision}
	if r.pinned() {
		o.identity = &r.Identity
	}
	if listed == resolver.SizeUnknown || r.Revision > 0 {
		o.size, o.learnt = r.Identity.Size, true
	}
	return o
}

func overlayOf(n *resolver.Node) overlay {
	return overlay{n.Size, n.SizeLearnt, n.Revision, n.Learnt}
}

func (o overlay) lay(n *resolver.Node) {
	n.Size, n.SizeLearnt, n.Revision, n.Learnt = o.size, o.learnt, o.revision, o.identity
}

// apply completes a listed node with what is in memory of its file.
func (l *Learnt) apply(n *resolver.Node) {
	if n.Dir {
		return
	}
	l.mu.RLock()
	r := l.of(n.ID, n.Version)
	l.mu.RUnlock()
	r.over(n.Size).lay(n)
}

// merge completes nodes that were listed with sizes, with what is in memory of
// their files by now. It returns nodes itself when they show that already.
func (l *Learnt) merge(nodes []resolver.Node, sizes []int64) (merged []resolver.Node, changed bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	merged = nodes
	for i := range nodes {
		n := &nodes[i]
		if n.Dir {
			continue
		}
		o := l.of(n.ID, n.Version).over(sizes[i])
		if o == overlayOf(n) {
			continue
		}
		if !changed {
			merged, changed = slices.Clone(nodes), true
		}
		o.lay(&merged[i])
	}
	return merged, changed
}

// load brings records from disk into memory, where those that are there stay.
func (l *Learnt) load(ids iter.Seq[resolver.ID]) {
	if l.table == nil {
		return
	}
	var missing []string
	l.mu.RLock()
	for id := range ids {
		if _, ok := l.records[id]; !ok {
			missing = append(missing, string(id))
		}
	}
	l.mu.RUnlock()
	if len(missing) == 0 {
		return
	}
	found := make(map[resolver.ID]*record)
	l.table.read(slices.Values(missing), func(id string, text []byte) {
		if r := new(record); json.Unmarshal(text, r) == nil {
			found[resolver.ID(id)] = r
		}
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.records == nil {
		l.records = make(map[resolver.ID]*record, len(found))
	}
	for id, r := range found {
		if _, ok := l.records[id]; !ok {
			l.records[id] = r
		}
	}
}

// storable reports whether a record survives the way to disk and back: JSON
// would alter text that is not UTF-8.
func (r *record) storable() bool {
	return utf8.ValidString(r.Version) && utf8.ValidString(r.Identity.ETag) && utf8.ValidString(r.Identity.LastModified)
}

func (r *record) encode() ([]byte, error) { return json.Marshal(r) }
