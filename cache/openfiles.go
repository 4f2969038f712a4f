package cache

import (
	"math"
	"sync"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// openFiles remembers the files used last, one reference to each, and keeps
// their number within max. Files of objects that are being spooled do not
// count: without their sums in memory they would be lost.
type openFiles struct {
	max int

	mu     sync.Mutex // guards the following
	files  *simplelru.LRU[fileName, *objectFile]
	closed bool
}

func newOpenFiles(most int) *openFiles {
	files, err := simplelru.NewLRU[fileName, *objectFile](math.MaxInt, nil)
	if err != nil {
		panic(err) // only a size below one is refused
	}
	return &openFiles{max: most, files: files}
}

// acquire returns the file remembered under name, else remembers what made
// returns; nil after close. The file may not have been opened yet.
func (t *openFiles) acquire(name fileName, made func() *objectFile) *objectFile {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return nil
	}
	f, ok := t.files.Get(name)
	var surplus *objectFile
	if !ok {
		surplus = t.surplus()
		f = made()
		f.refs.Add(1)
		t.files.Add(name, f)
	}
	f.refs.Add(1)
	t.mu.Unlock()
	if surplus != nil {
		surplus.release()
	}
	return f
}

// replace remembers f under name, in place of what was there.
func (t *openFiles) replace(name fileName, f *objectFile) {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	gone, ok := t.files.Peek(name)
	if !ok {
		gone = t.surplus()
	}
	f.refs.Add(1)
	t.files.Add(name, f)
	t.mu.Unlock()
	if gone != nil {
		gone.release()
	}
}

// has reports whether f is what is remembered under name.
func (t *openFiles) has(name fileName, f *objectFile) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	known, ok := t.files.Peek(name)
	return ok && known == f
}

// forget removes the file remembered under name.
func (t *openFiles) forget(name fileName) {
	if f := t.take(name); f != nil {
		f.release()
	}
}

// take removes the file remembered under name and returns it with its
// reference, or nil.
func (t *openFiles) take(name fileName) *objectFile {
	t.mu.Lock()
	defer t.mu.Unlock()
	f, ok := t.files.Peek(name)
	if !ok {
		return nil
	}
	t.files.Remove(name)
	return f
}

// surplus makes room for one more and returns what had to go.
func (t *openFiles) surplus() *objectFile {
	if t.files.Len() < t.max {
		return nil
	}
	for range t.files.Len() {
		name, f, _ := t.files.GetOldest()
		if !name.spool {
			t.files.Remove(name)
			return f
		}
		t.files.Get(name)
	}
	return nil
}

func (t *openFiles) close() {
	t.mu.Lock()
	t.closed = true
	files := t.files.Values()
	t.files.Purge()
	t.mu.Unlock()
	for _, f := range files {
		f.release()
	}
}
