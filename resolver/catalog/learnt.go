package catalog

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"slices"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"go.etcd.io/bbolt"

	"github.com/attachfs/attachfs/resolver"
)

// Learnt is what the origins of one provider's files said of them. Ids are
// immutable, so it is kept for ever; a record is for one version of a file and
// gives way to a record of another. What is learnt is visible at once and, if
// the Learnt belongs to a [State], on disk soon after. The zero Learnt works,
// in memory only. Its methods may be called in parallel.
type Learnt struct {
	state  *State
	bucket []byte

	changes atomic.Uint64 // counts the changes of records

	mu sync.RWMutex // guards the following
	// records holds whatever was asked for or learnt in this run. A record is
	// never changed, only replaced; what is not here is on disk or nowhere.
	records map[resolver.ID]*record
	unsaved map[resolver.ID]struct{}
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
	l.load([]resolver.ID{id})
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
	l.load([]resolver.ID{id})
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
	l.load([]resolver.ID{id})
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
	if l.state == nil || !storable(id, r) {
		return
	}
	if l.unsaved == nil {
		l.unsaved = make(map[resolver.ID]struct{})
	}
	l.unsaved[id] = struct{}{}
	l.state.wakeWriter()
}

// apply completes a listed node with what is in memory of its file.
func (l *Learnt) apply(n *resolver.Node) {
	if n.Dir {
		return
	}
	l.mu.RLock()
	r := l.of(n.ID, n.Version)
	l.mu.RUnlock()
	if r != nil {
		r.apply(n)
	}
}

// merge completes listed nodes with what is in memory of their files. It
// returns listed itself when nothing is.
func (l *Learnt) merge(listed []resolver.Node) []resolver.Node {
	l.mu.RLock()
	defer l.mu.RUnlock()
	merged := listed
	for i := range listed {
		r := l.of(listed[i].ID, listed[i].Version)
		if r == nil || listed[i].Dir {
			continue
		}
		if &merged[0] == &listed[0] {
			merged = slices.Clone(listed)
		}
		r.apply(&merged[i])
	}
	return merged
}

// apply completes a listed node. The listing's size holds until the origin was
// seen to change: from then on the listing is about a content that is gone.
func (r *record) apply(n *resolver.Node) {
	n.Revision = r.Revision
	if r.pinned() {
		n.Learnt = &r.Identity
	}
	if n.Size == resolver.SizeUnknown || r.Revision > 0 {
		n.Size, n.SizeLearnt = r.Identity.Size, true
	}
}

// load brings records from disk into memory, where those that are there stay.
func (l *Learnt) load(ids []resolver.ID) {
	if l.state == nil {
		return
	}
	l.mu.RLock()
	missing := make([]resolver.ID, 0, len(ids))
	for _, id := range ids {
		if _, ok := l.records[id]; !ok {
			missing = append(missing, id)
		}
	}
	l.mu.RUnlock()
	if len(missing) == 0 {
		return
	}
	found := l.state.read(l.bucket, missing)
	if len(found) == 0 {
		return
	}
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

// takeUnsaved returns the records to be saved, and forgets that they are.
func (l *Learnt) takeUnsaved() map[resolver.ID]*record {
	l.mu.Lock()
	defer l.mu.Unlock()
	batch := make(map[resolver.ID]*record, len(l.unsaved))
	for id := range l.unsaved {
		batch[id] = l.records[id]
	}
	l.unsaved = nil
	return batch
}

// putBack marks records as unsaved again.
func (l *Learnt) putBack(batch map[resolver.ID]*record) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.unsaved == nil {
		l.unsaved = make(map[resolver.ID]struct{}, len(batch))
	}
	for id := range batch {
		l.unsaved[id] = struct{}{}
	}
}

// storable reports whether a record survives the way to disk and back: bbolt
// has limits for keys, and JSON would alter text that is not UTF-8.
func storable(id resolver.ID, r *record) bool {
	return id != "" && len(id) <= bbolt.MaxKeySize && utf8.ValidString(r.Version) &&
		utf8.ValidString(r.Identity.ETag) && utf8.ValidString(r.Identity.LastModified)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers the id, too, so that a record found under another id is not
// taken for its own.
func checksum(id resolver.ID, text []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(id), castagnoli), castagnoli, text)
}

// encode returns the record as it is on disk: a checksum, then JSON.
func (r *record) encode(id resolver.ID) ([]byte, error) {
	text, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode the record of %q: %w", id, err)
	}
	return append(binary.BigEndian.AppendUint32(nil, checksum(id, text)), text...), nil
}

// decode is the reverse of encode; false for anything that encode did not make.
func decode(id resolver.ID, value []byte) (*record, bool) {
	if len(value) < 4 || binary.BigEndian.Uint32(value) != checksum(id, value[4:]) {
		return nil, false
	}
	r := new(record)
	return r, json.Unmarshal(value[4:], r) == nil
}
