package resolvertest

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// Terms are what the links of a [Fake] are worth. The zero value is a link
// that serves for ever.
type Terms struct {
	Lifetime time.Duration
	Uses     int
	Ranged   resolver.Ranged
	Header   map[string]resolver.Secret
	// TellSize puts the file's size into the link.
	TellSize bool
}

// Fake is a provider in memory: files are added to it, its levers (see
// [Fake.Fail] and the others) decide what goes wrong, and it counts what it is
// asked. Every Resolve hands out URLs that were never there before. All methods
// may be called in parallel, levers included; time is package time's, so that a
// Fake lives inside testing/synctest, too.
type Fake struct {
	mu       sync.Mutex // guards the following
	dirs     map[resolver.ID][]resolver.Entry
	changes  changes
	updates  bool
	along    func(resolver.ID) bool
	alone    error
	pageSize int
	terms    Terms
	revision string
	refused  map[resolver.ID]error
	poison   map[resolver.ID]error
	faults   map[Method]*faults
	batch    func(resolver.ID) resolver.Batch
	turn     func(context.Context, string) error
	batches  [][]resolver.ID
	issued   int
}

var (
	_ resolver.Provider   = (*Fake)(nil)
	_ resolver.Updater    = (*Fake)(nil)
	_ resolver.Batcher    = (*Fake)(nil)
	_ resolver.Pacer      = (*Fake)(nil)
	_ resolver.Accounter  = (*Fake)(nil)
	_ resolver.Revisioner = (*Fake)(nil)
)

// NewFake makes a provider with nothing but an empty root directory.
func NewFake() *Fake {
	return &Fake{
		dirs:    map[resolver.ID][]resolver.Entry{resolver.Root: nil},
		changes: newChanges(),
		refused: make(map[resolver.ID]error),
		poison:  make(map[resolver.ID]error),
		faults:  map[Method]*faults{List: newFaults(), Update: newFaults(), Resolve: newFaults()},
		batch:   func(resolver.ID) resolver.Batch { return resolver.Batch{Size: 1} },
		turn:    func(context.Context, string) error { return nil },
	}
}

// Add puts a file at path and makes the directories above it. The file's ID is
// its path, a directory's ID its path with a slash at the end. Adding a path
// again replaces the file; its version comes from the size and modTime.
func (f *Fake) Add(path string, size int64, modTime time.Time) resolver.ID {
	id := resolver.ID(path)
	dir, start := resolver.Root, 0
	f.mu.Lock()
	defer f.mu.Unlock()
	for end, c := range path {
		if c == '/' {
			child := id[:end+1]
			f.put(dir, resolver.Entry{ID: child, Name: path[start:end], Dir: true})
			dir, start = child, end+1
		}
	}
	f.put(dir, resolver.Entry{
		ID: id, Name: path[start:], Size: size, ModTime: modTime,
		Version: fmt.Sprintf("%d, %s", size, modTime.UTC().Format(time.RFC3339Nano)),
	})
	return id
}

// put adds e to dir or replaces what has its ID there; f.mu is held.
func (f *Fake) put(dir resolver.ID, e resolver.Entry) {
	if e.Dir && !f.exists(e.ID) {
		f.dirs[e.ID] = nil
	}
	entries := f.dirs[dir]
	i := slices.IndexFunc(entries, func(o resolver.Entry) bool { return o.ID == e.ID })
	if i >= 0 && reflect.DeepEqual(entries[i], e) {
		return
	}
	f.changes.set(dir, e.ID)
	if i >= 0 {
		entries[i] = e
		return
	}
	f.dirs[dir] = append(entries, e)
}

// SetListing makes entries the listing of dir, as they are: that is how a
// directory gets equal names, empty ids or files without a size. Directories
// among them get an empty listing unless they have one.
func (f *Fake) SetListing(dir resolver.ID, entries ...resolver.Entry) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.dirs[dir]
	f.dirs[dir] = slices.Clone(entries)
	for _, e := range entries {
		if e.Dir && !f.exists(e.ID) {
			f.dirs[e.ID] = nil
		}
		if !slices.ContainsFunc(before, func(o resolver.Entry) bool { return reflect.DeepEqual(o, e) }) {
			f.changes.set(dir, e.ID)
		}
	}
	for _, o := range before {
		if !slices.ContainsFunc(entries, func(e resolver.Entry) bool { return o.ID == e.ID }) {
			f.changes.set(dir, o.ID)
		}
	}
}

// Remove takes a file or directory out of every listing. Its id is unknown from
// then on, but what is below a directory stays.
func (f *Fake) Remove(id resolver.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.dirs, id)
	for dir, entries := range f.dirs {
		left := slices.DeleteFunc(entries, func(e resolver.Entry) bool { return e.ID == id })
		if len(left) < len(entries) {
			f.dirs[dir] = left
			f.changes.set(dir, id)
		}
	}
}

// List is part of [resolver.Provider].
func (f *Fake) List(ctx context.Context, dir resolver.ID, cursor string) (resolver.Page, error) {
	page, err := f.list(ctx, dir, cursor)
	if err != nil {
		return resolver.Page{}, fmt.Errorf("list %q: %w", dir, err)
	}
	return page, nil
}

func (f *Fake) list(ctx context.Context, dir resolver.ID, cursor string) (resolver.Page, error) {
	if err := f.enter(ctx, List); err != nil {
		return resolver.Page{}, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case !f.exists(dir):
		return resolver.Page{}, resolver.ErrNotExist
	case f.alone != nil && f.comesAlong(dir):
		return resolver.Page{}, f.alone
	}
	return f.page(f.dirs[dir], cursor)
}

// Resolve is part of [resolver.Provider]. It takes any ids; whether they were
// of one batch shows in Batches.
func (f *Fake) Resolve(ctx context.Context, ids []resolver.ID) ([]resolver.Answer, error) {
	f.mu.Lock()
	f.batches = append(f.batches, slices.Clone(ids))
	f.mu.Unlock()
	if err := f.enter(ctx, Resolve); err != nil {
		return nil, fmt.Errorf("resolve %d ids: %w", len(ids), err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	answers := make([]resolver.Answer, len(ids))
	for i, id := range ids {
		if err := f.poison[id]; err != nil {
			return nil, fmt.Errorf("resolve %d ids: %w", len(ids), err)
		}
		answers[i] = f.answer(id)
	}
	return answers, nil
}

// answer makes a new link for id; f.mu is held.
func (f *Fake) answer(id resolver.ID) resolver.Answer {
	e, ok := f.file(id)
	if !ok {
		return resolver.Answer{Err: fmt.Errorf("resolve %q: %w", id, resolver.ErrNotExist)}
	}
	if err := f.refused[id]; err != nil {
		return resolver.Answer{Err: fmt.Errorf("resolve %q: %w", id, err)}
	}
	f.issued++
	url := fmt.Sprintf("https://fake.invalid/%x?signature=FAKESECRET-%d", string(id), f.issued)
	link := resolver.Link{
		URLs:   []resolver.Secret{resolver.NewSecret(url)},
		Header: maps.Clone(f.terms.Header),
		Uses:   f.terms.Uses,
		Ranged: f.terms.Ranged,
	}
	if f.terms.Lifetime != 0 {
		link.Expires = time.Now().Add(f.terms.Lifetime)
	}
	if f.terms.TellSize {
		link.Size = max(0, e.Size)
	}
	return resolver.Answer{Link: link}
}

// file finds the entry of a file; f.mu is held.
func (f *Fake) file(id resolver.ID) (resolver.Entry, bool) {
	for _, entries := range f.dirs {
		for _, e := range entries {
			if e.ID == id && !e.Dir {
				return e, true
			}
		}
	}
	return resolver.Entry{}, false
}

// Batch is part of [resolver.Batcher]; see [Fake.SetBatch].
func (f *Fake) Batch(id resolver.ID) resolver.Batch {
	f.mu.Lock()
	batch := f.batch
	f.mu.Unlock()
	return batch(id)
}

// Turn is part of [resolver.Pacer]; see [Fake.SetTurn].
func (f *Fake) Turn(ctx context.Context, lane string) error {
	f.mu.Lock()
	turn := f.turn
	f.mu.Unlock()
	return turn(ctx, lane)
}

// Account is part of [resolver.Accounter].
func (f *Fake) Account() string { return "fake" }

// Revision is part of [resolver.Revisioner]; see [Fake.SetRevision].
func (f *Fake) Revision() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.revision
}
