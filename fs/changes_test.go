package fs

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/resolver"
)

// board is a tree of one directory whose names can be changed.
type board struct {
	mu    sync.Mutex // guards the following
	nodes map[string]resolver.Node
	tick  uint64
	why   error // nothing can be listed
}

func (b *board) set(nodes ...resolver.Node) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.nodes = make(map[string]resolver.Node)
	for _, n := range nodes {
		b.nodes[n.Name] = n
	}
	b.tick++
}

func (b *board) Readdir(_ context.Context, dir resolver.ID) (resolver.Listing, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why != nil {
		return resolver.Listing{}, b.why
	}
	l := resolver.Listing{Serial: b.tick}
	if dir == resolver.Root {
		for _, n := range b.nodes {
			l.Nodes = append(l.Nodes, n)
		}
		slices.SortFunc(l.Nodes, func(x, y resolver.Node) int { return len(x.Name) - len(y.Name) })
	}
	return l, nil
}

func (b *board) Lookup(_ context.Context, dir resolver.ID, name string) (resolver.Node, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.why != nil {
		return resolver.Node{}, b.why
	}
	n, ok := b.nodes[name]
	if !ok || dir != resolver.Root {
		return n, fmt.Errorf("look up %q: %w", name, resolver.ErrNotExist)
	}
	return n, nil
}

func (b *board) Peek(dir resolver.ID, name string) (resolver.Node, bool) {
	n, err := b.Lookup(context.Background(), dir, name)
	return n, err == nil
}

func (b *board) Why() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.why
}

// mountTest mounts p, with a kernel that remembers for an hour, and returns its
// directory.
func mountTest(t *testing.T, p *Provider) string {
	t.Helper()
	if _, err := os.Stat("/dev/fuse"); err != nil {
		if os.Getenv("ATTACHFS_CI") != "" {
			require.NoError(t, err)
		}
		t.Skip("no /dev/fuse")
	}
	cfg := DefaultConfig()
	cfg.AttrTimeout, cfg.EntryTimeout, cfg.NegativeTimeout = time.Hour, time.Hour, time.Hour
	cfg.XAttrs = true
	dir := t.TempDir()
	m, err := New(dir, cfg, []*Provider{p}, slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	t.Cleanup(func() {
		if err := m.Unmount(); err != nil {
			assert.NoError(t, unix.Unmount(dir, unix.MNT_DETACH))
		}
		m.Wait()
	})
	return filepath.Join(dir, p.Name)
}

func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func inodeOf(t *testing.T, path string) uint64 {
	t.Helper()
	var st unix.Stat_t
	require.NoError(t, unix.Stat(path, &st))
	return st.Ino
}

func TestChanged_IsTakenBackFromTheKernel(t *testing.T) {
	sub := resolver.Node{Dir: true}
	sub.ID, sub.Name, sub.ModTime = "sub", "subdir", time.Unix(1000, 0)
	tree := &board{}
	tree.set(fileOf("1", "a", 10), fileOf("2", "bb", 20), sub)
	p := &Provider{Name: "mail", Tree: tree}
	dir := mountTest(t, p)
	require.Equal(t, []string{"a", "bb", "subdir"}, names(t, dir))
	old := inodeOf(t, filepath.Join(dir, "a"))
	require.True(t, missing(filepath.Join(dir, "ccc")))
	held, err := os.Open(filepath.Join(dir, "subdir"))
	require.NoError(t, err)
	defer func() { _ = held.Close() }()

	changed := fileOf("1", "a", 11)
	changed.Version = "2"
	sub.ModTime = time.Unix(2000, 0)
	tree.set(changed, fileOf("3", "ccc", 30), sub)
	require.Equal(t, old, inodeOf(t, filepath.Join(dir, "a")), "the kernel remembers")
	p.Changed(resolver.Root, []string{"a", "bb", "ccc", "subdir"})

	until(t, "the listing is the new one", func() bool {
		return slices.Equal([]string{"a", "ccc", "subdir"}, names(t, dir))
	})
	until(t, "other content is another inode", func() bool { return old != inodeOf(t, filepath.Join(dir, "a")) })
	until(t, "what is gone is missing", func() bool { return missing(filepath.Join(dir, "bb")) })
	until(t, "what was missing is there", func() bool { return !missing(filepath.Join(dir, "ccc")) })
	until(t, "the directory shows its new time", func() bool {
		info, err := os.Stat(filepath.Join(dir, "subdir"))
		return err == nil && info.ModTime().Unix() == 2000
	})
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", held.Fd()))
	require.NoError(t, err)
	assert.Equal(t, filepath.Join(dir, "subdir"), path, "who is in a directory stays there")

	tree.set(fileOf("4", "dddd", 40))
	p.Changed(resolver.Root, nil)
	until(t, "no names are all names", func() bool { return missing(filepath.Join(dir, "a")) })
}

// nest is a tree of one directory, named as one likes, with one file.
type nest struct {
	board
	name atomic.Value
}

func (n *nest) Readdir(context.Context, resolver.ID) (resolver.Listing, error) {
	return resolver.Listing{}, nil
}

func (n *nest) Lookup(_ context.Context, dir resolver.ID, name string) (resolver.Node, error) {
	if dir == "sub" {
		return n.board.Lookup(context.Background(), resolver.Root, name)
	}
	sub := resolver.Node{Dir: true}
	sub.ID, sub.Name = "sub", name
	if name != n.name.Load() {
		return sub, resolver.ErrNotExist
	}
	return sub, nil
}

func (n *nest) Peek(dir resolver.ID, name string) (resolver.Node, bool) {
	node, err := n.Lookup(context.Background(), dir, name)
	return node, err == nil
}

// A directory that was renamed, while a program is in it, is still told of.
func TestChanged_ReachesARenamedDirectory(t *testing.T) {
	tree := &nest{}
	tree.name.Store("old")
	p := &Provider{Name: "mail", Tree: tree}
	dir := mountTest(t, p)
	held, err := os.Open(filepath.Join(dir, "old"))
	require.NoError(t, err)
	defer func() { _ = held.Close() }()
	tree.name.Store("new")
	p.Changed(resolver.Root, []string{"old", "new"})
	until(t, "the directory has its new name", func() bool { return !missing(filepath.Join(dir, "new")) })
	require.True(t, missing(filepath.Join(dir, "new", "child")))
	tree.set(fileOf("1", "child", 10))
	p.Changed("sub", []string{"child"})
	until(t, "the new file is seen", func() bool { return !missing(filepath.Join(dir, "new", "child")) })
}

// A directory of which nothing is known just now is not dead, or a program in it
// could list it no more.
func TestChanged_LeavesADirectoryAlive(t *testing.T) {
	sub := resolver.Node{Dir: true}
	sub.ID, sub.Name = "sub", "subdir"
	tree := &board{}
	tree.set(sub)
	p := &Provider{Name: "mail", Tree: tree}
	dir := filepath.Join(mountTest(t, p), "subdir")
	held, err := os.Open(dir)
	require.NoError(t, err)
	defer func() { _ = held.Close() }()
	setWhy := func(why error) {
		tree.mu.Lock()
		defer tree.mu.Unlock()
		tree.why = why
	}
	setWhy(resolver.ErrUnavailable) // Peek is false
	p.Changed(resolver.Root, []string{"subdir"})
	told := make(chan struct{})
	p.mount.Load().tell(func() { close(told) })
	<-told
	setWhy(nil)
	for _, path := range []string{dir, fmt.Sprintf("/proc/self/fd/%d", held.Fd())} {
		_, err := os.ReadDir(path)
		assert.NoError(t, err)
		_, err = os.Stat(filepath.Join(path, "."))
		assert.NoError(t, err)
	}
}

func missing(path string) bool { return unix.Access(path, unix.F_OK) == unix.ENOENT }

// until waits for something that comes by itself.
func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		require.True(t, time.Now().Before(end), what)
	}
}

func TestNote_InPlaceOfAProviderThatCannotBeListed(t *testing.T) {
	tree := &board{why: fmt.Errorf("token for app cli_1: %w", resolver.ErrCredentials)}
	dir := mountTest(t, &Provider{
		Name: "mail", Tree: tree, Budgets: func() string { return "9 of 10 calls used" },
	})
	entries, err := os.ReadDir(dir)
	assert.ErrorIs(t, err, unix.EACCES, "no program takes it for complete")
	require.Len(t, entries, 1)
	require.Equal(t, "README-attachfs.txt", entries[0].Name())
	text, err := os.ReadFile(filepath.Join(dir, "README-attachfs.txt"))
	require.NoError(t, err)
	assert.Contains(t, string(text), `"mail"`)
	assert.Contains(t, string(text), "token for app cli_1: credentials refused")
	assert.Contains(t, string(text), "attachfs check")
	_, err = os.Stat(filepath.Join(dir, "other"))
	assert.ErrorIs(t, err, unix.EACCES)
	tree.mu.Lock()
	tree.why = fmt.Errorf("list: %w", resolver.ErrNotExist)
	tree.mu.Unlock()
	_, err = os.ReadDir(dir)
	assert.ErrorIs(t, err, unix.EIO, "libraries take ENOENT for the end of a directory")
	value := make([]byte, 64)
	n, err := unix.Getxattr(dir, "user.attachfs.budget", value)
	require.NoError(t, err)
	assert.Equal(t, "9 of 10 calls used", string(value[:n]))

	tree.mu.Lock()
	tree.why = nil
	tree.mu.Unlock()
	tree.set(fileOf("1", "a", 10))
	until(t, "the files are there", func() bool { return !missing(filepath.Join(dir, "a")) })
	assert.Equal(t, []string{"a"}, names(t, dir))
	until(t, "the note is gone", func() bool { return missing(filepath.Join(dir, "README-attachfs.txt")) })
}
