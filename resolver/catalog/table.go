package catalog

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"iter"
	"maps"
	"slices"
	"sync"

	"go.etcd.io/bbolt"
)

// value is what a [table] keeps under a key: a pointer to something that does
// not change any more.
type value interface {
	encode() ([]byte, error)
}

// table keeps the values of one kind of one provider in a [State]. They are on
// disk soon after they were put, and to be read at once. Each has a checksum; a
// defect is a value less. Its methods may be called in parallel.
type table struct {
	state  *State
	bucket []byte

	mu      sync.Mutex       // guards the following
	unsaved map[string]value // what is not on disk yet; nil is to be deleted there
}

// put sets the value of a key; nil deletes it. A key that the database cannot
// hold is left out.
func (t *table) put(key string, v value) {
	t.putLazily(key, v)
	t.state.wakeWriter()
}

// putLazily is put for what need not be on disk soon: it goes there with the
// next that does, or when the state is closed.
func (t *table) putLazily(key string, v value) {
	if key == "" || len(key) > bbolt.MaxKeySize {
		return
	}
	t.mu.Lock()
	if t.unsaved == nil {
		t.unsaved = make(map[string]value)
	}
	t.unsaved[key] = v
	t.mu.Unlock()
}

// read calls use with the values of those keys that have one, as they were
// encoded. The text is not to be kept or changed.
func (t *table) read(keys iter.Seq[string], use func(key string, text []byte)) {
	if !t.state.sound() {
		return
	}
	_ = t.state.run(func() error {
		return t.state.db.View(func(tx *bbolt.Tx) error {
			b := tx.Bucket(t.bucket)
			for key := range keys {
				if text, ok := t.find(b, key); ok {
					use(key, text)
				}
			}
			return nil
		})
	})
}

// find returns the value of a key, which may not be on disk yet. Bucket is nil
// as long as nothing is.
func (t *table) find(bucket *bbolt.Bucket, key string) ([]byte, bool) {
	t.mu.Lock()
	v, waiting := t.unsaved[key]
	t.mu.Unlock()
	switch {
	case waiting && v == nil:
		return nil, false
	case waiting:
		text, err := v.encode()
		return text, err == nil
	case bucket == nil:
		return nil, false
	}
	return unseal(key, bucket.Get([]byte(key)))
}

// batch returns what is to be saved.
func (t *table) batch() map[string]value {
	t.mu.Lock()
	defer t.mu.Unlock()
	return maps.Clone(t.unsaved)
}

// saved takes note that a batch is on disk. What was put since then is still to
// be saved.
func (t *table) saved(batch map[string]value) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for key, v := range batch {
		if now, ok := t.unsaved[key]; ok && now == v {
			delete(t.unsaved, key)
		}
	}
}

// write saves a batch within tx, in the order in which bbolt fills its pages
// best.
func (t *table) write(tx *bbolt.Tx, batch map[string]value) error {
	b, err := tx.CreateBucketIfNotExists(t.bucket)
	if err != nil {
		return err
	}
	for _, key := range slices.Sorted(maps.Keys(batch)) {
		v := batch[key]
		if v == nil {
			if err := b.Delete([]byte(key)); err != nil {
				return err
			}
			continue
		}
		text, err := v.encode()
		if err != nil {
			return fmt.Errorf("encode %q: %w", key, err)
		}
		if err := b.Put([]byte(key), seal(key, text)); err != nil {
			return err
		}
	}
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers the key, too, so that a value found under another key is not
// taken for its own.
func checksum(key string, text []byte) uint32 {
	return crc32.Update(crc32.Checksum([]byte(key), castagnoli), castagnoli, text)
}

// seal puts the checksum in front of a value.
func seal(key string, text []byte) []byte {
	sealed := make([]byte, 0, 4+len(text))
	return append(binary.BigEndian.AppendUint32(sealed, checksum(key, text)), text...)
}

// unseal is the reverse of seal; false for anything that seal did not make.
func unseal(key string, sealed []byte) ([]byte, bool) {
	if len(sealed) < 4 || binary.BigEndian.Uint32(sealed) != checksum(key, sealed[4:]) {
		return nil, false
	}
	return sealed[4:], true
}
