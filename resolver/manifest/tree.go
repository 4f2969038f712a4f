package manifest

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// tree is one revision of a manifest, ready to be asked. It is immutable.
type tree struct {
	revision string
	dirs     map[resolver.ID][]resolver.Entry // sorted by name
	origins  map[resolver.ID]origin
}

// origin is where a file's bytes are.
type origin struct {
	url    resolver.Secret
	header map[string]resolver.Secret
}

// readTree reads and indexes the document; its errors name the file.
func readTree(file, revision string) (*tree, error) {
	fi, err := os.Stat(file)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	if !fi.Mode().IsRegular() {
		return nil, fmt.Errorf("read manifest %s: must be a regular file", file)
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read manifest: %w", err)
	}
	records, err := parse(text)
	if err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", file, err)
	}
	t, err := newTree(records, revision)
	if err != nil {
		return nil, fmt.Errorf("read manifest %s: %w", file, err)
	}
	return t, nil
}

// builder grows a tree record by record.
type builder struct {
	tree
	// by is the index of the record that first made an ID appear.
	by     map[resolver.ID]int
	newest map[resolver.ID]time.Time
}

// newTree indexes records, of which no two may have one path and none may be
// a directory of another.
func newTree(records []record, revision string) (*tree, error) {
	b := builder{
		tree: tree{
			revision: revision,
			dirs:     map[resolver.ID][]resolver.Entry{resolver.Root: nil},
			origins:  make(map[resolver.ID]origin, len(records)),
		},
		by:     make(map[resolver.ID]int, len(records)),
		newest: make(map[resolver.ID]time.Time),
	}
	for i, r := range records {
		if err := b.add(i, r); err != nil {
			return nil, err
		}
	}
	for _, entries := range b.dirs {
		for i := range entries {
			if e := &entries[i]; e.Dir {
				e.ModTime = b.newest[e.ID]
			}
		}
		slices.SortFunc(entries, func(x, y resolver.Entry) int { return cmp.Compare(x.Name, y.Name) })
	}
	return &b.tree, nil
}

// add puts record i into its directory and makes the directories above it.
func (b *builder) add(i int, r record) error {
	id := resolver.ID(r.path)
	if j, ok := b.by[id]; ok {
		return fmt.Errorf("files[%d] and files[%d] have the same path %q", j, i, r.path)
	}
	if j, ok := b.by[id+"/"]; ok {
		return fmt.Errorf("files[%d]: %q is a file here and a directory in files[%d]", i, r.path, j)
	}
	dir, start := resolver.Root, 0
	for end, c := range r.path {
		if c != '/' {
			continue
		}
		if j, ok := b.by[id[:end]]; ok {
			return fmt.Errorf("files[%d]: %q is a directory here and a file in files[%d]", i, r.path[:end], j)
		}
		child := id[:end+1]
		if _, ok := b.by[child]; !ok {
			b.by[child] = i
			b.dirs[child] = nil
			b.dirs[dir] = append(b.dirs[dir], resolver.Entry{ID: child, Name: r.path[start:end], Dir: true})
		}
		if r.modTime.After(b.newest[child]) {
			b.newest[child] = r.modTime
		}
		dir, start = child, end+1
	}
	b.by[id] = i
	b.origins[id] = origin{url: r.url, header: r.header}
	b.dirs[dir] = append(b.dirs[dir], resolver.Entry{
		ID: id, Name: r.path[start:], Version: r.version(),
		Size: r.size, ModTime: r.modTime, SHA256: r.sha256,
	})
	return nil
}

// version is made from what tells contents apart, which the URL does not: a new
// signature is not a new content. It is empty when nothing does.
func (r record) version() string {
	if r.sha256 != nil {
		return hex.EncodeToString(r.sha256)
	}
	var facts []string
	if r.size != resolver.SizeUnknown {
		facts = append(facts, fmt.Sprintf("%d bytes", r.size))
	}
	if !r.modTime.IsZero() {
		facts = append(facts, r.modTime.Format(time.RFC3339Nano))
	}
	return strings.Join(facts, ", ")
}
