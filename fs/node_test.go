package fs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

func fileOf(id resolver.ID, name string, size int64) resolver.Node {
	n := resolver.Node{}
	n.ID, n.Name, n.Version, n.Size = id, name, "1", size
	return n
}

func TestInode(t *testing.T) {
	base := fileOf("id", "name", 1)
	first := inode("mail", "file", &base)
	change := func(f func(*resolver.Node)) *resolver.Node {
		n := base
		f(&n)
		return &n
	}
	same := map[string]*resolver.Node{
		"again":         &base,
		"renamed":       change(func(n *resolver.Node) { n.Name = "other" }),
		"size learnt":   change(func(n *resolver.Node) { n.Size, n.SizeLearnt = 9, true }),
		"another mtime": change(func(n *resolver.Node) { n.ModTime = time.Unix(1, 0) }),
	}
	for name, n := range same {
		assert.Equal(t, first, inode("mail", "file", n), name)
	}
	other := map[string]uint64{
		"another provider": inode("docs", "file", &base),
		"a directory":      inode("mail", "directory", &base),
		"another id":       inode("mail", "file", change(func(n *resolver.Node) { n.ID = "id2" })),
		"another version":  inode("mail", "file", change(func(n *resolver.Node) { n.Version = "2" })),
		"another revision": inode("mail", "file", change(func(n *resolver.Node) { n.Revision = 1 })),
		"refused":          inode("mail", "file", change(func(n *resolver.Node) { n.Refused = resolver.ErrPermission })),
		"shifted bounds":   inode("mail", "file", change(func(n *resolver.Node) { n.ID, n.Version = "id1", "" })),
		"root of provider": inode("mail", "directory", &resolver.Node{Dir: true}),
	}
	seen := map[uint64]string{first: "the first"}
	for name, ino := range other {
		assert.NotContains(t, seen, ino, name)
		seen[ino] = name
	}
}

// Backup programs and file managers know files by their numbers, so a release
// that changes them is noticed by people.
func TestInode_SameForEver(t *testing.T) {
	n := fileOf("id", "name", 1)
	assert.Equal(t, uint64(0x3d0221248e39b42f), inode("mail", "file", &n))
	assert.Equal(t, uint64(0x76e3a477f3406f86), inode("mail", "directory", &resolver.Node{Dir: true}))
}

func TestInode_Unique(t *testing.T) {
	const files = 100_000
	seen := make(map[uint64]resolver.ID, files)
	for i := range files {
		n := fileOf(resolver.ID(fmt.Sprintf("messages/%d/attachments/%d", i/10, i%10)), "x", 1)
		ino := inode("mail", "file", &n)
		if ino < 2 || ino >= 1<<63 {
			require.Failf(t, "number of others", "%q has %#x", n.ID, ino)
		}
		if other, taken := seen[ino]; taken { // assert's own search is linear
			require.Failf(t, "not unique", "%q has the number of %q", n.ID, other)
		}
		seen[ino] = n.ID
	}
	for ino, id := range seen {
		if n := fileOf(id, "renamed", 2); ino != inode("mail", "file", &n) {
			require.Failf(t, "not stable", "%q", id)
		}
	}
}

// testDir is a directory of a file system that is not mounted.
func testDir(t *testing.T, nodes ...resolver.Node) *dirHandle {
	t.Helper()
	m := &Mount{cfg: DefaultConfig(), log: slog.New(slog.DiscardHandler)}
	m.providers = []*Provider{{Name: "mail"}}
	root := &rootNode{mount: m}
	fusefs.NewNodeFS(root, m.options())
	child := root.GetChild("mail")
	require.NotNil(t, child)
	dir, ok := child.Operations().(*dirNode)
	require.True(t, ok)
	return &dirHandle{node: dir, listing: resolver.Listing{Nodes: nodes, Serial: 1}}
}

func testNodes() []resolver.Node {
	sub := resolver.Node{Dir: true}
	sub.ID, sub.Name = "sub", "c"
	return []resolver.Node{
		fileOf("1", "a", 10), fileOf("2", "b", resolver.SizeUnknown), sub, fileOf("3", "d", 0),
	}
}

// walk reads on to the end.
func walk(t *testing.T, h *dirHandle) []fuse.DirEntry {
	t.Helper()
	var entries []fuse.DirEntry
	for {
		e, errno := h.Readdirent(t.Context())
		require.Zero(t, errno)
		if e == nil {
			break
		}
		entries = append(entries, *e)
	}
	again, errno := h.Readdirent(t.Context())
	assert.Nil(t, again, "the end stays the end")
	assert.Zero(t, errno)
	return entries
}

func TestDirHandle_Walk(t *testing.T) {
	h := testDir(t, testNodes()...)
	entries := walk(t, h)
	var names []string
	inodes := make(map[uint64]bool)
	for i, e := range entries {
		names = append(names, e.Name)
		assert.EqualValues(t, i+1, e.Off, "%s: an offset is one more than what is before it", e.Name)
		want := uint32(syscall.S_IFREG)
		if i < 2 || e.Name == "c" {
			want = syscall.S_IFDIR
		}
		assert.Equal(t, want, e.Mode, e.Name)
		if i >= 2 {
			assert.NotZero(t, e.Ino, e.Name)
			assert.False(t, inodes[e.Ino], e.Name)
			inodes[e.Ino] = true
		}
	}
	assert.Equal(t, []string{".", "..", "a", "b", "c", "d"}, names)
	assert.Equal(t, []string{".", ".."}, []string{walk(t, testDir(t))[0].Name, walk(t, testDir(t))[1].Name})
	assert.Len(t, walk(t, testDir(t)), 2, "an empty directory")
}

func TestDirHandle_Seek(t *testing.T) {
	h := testDir(t, testNodes()...)
	all := walk(t, h)
	for _, from := range []int{0, 1, 2, 3, 6, 5, 4, 0} {
		require.Zero(t, h.Seekdir(t.Context(), uint64(from)))
		assert.Equal(t, all[from:], append([]fuse.DirEntry{}, walk(t, h)...), "from %d", from)
	}
	for i, e := range all {
		require.Zero(t, h.Seekdir(t.Context(), e.Off))
		assert.Equal(t, all[i+1:], append([]fuse.DirEntry{}, walk(t, h)...), "after %s", e.Name)
	}
	require.Zero(t, h.Seekdir(t.Context(), 3))
	for _, beyond := range []uint64{7, 1 << 31, 1 << 63, ^uint64(0)} {
		assert.Equal(t, syscall.EINVAL, h.Seekdir(t.Context(), beyond))
	}
	assert.Equal(t, all[3:], walk(t, h), "a bad offset moves nothing")
}

func TestDirHandle_Lookup(t *testing.T) {
	h := testDir(t, testNodes()...)
	entries := walk(t, h)
	for _, e := range entries[2:] {
		var out fuse.EntryOut
		child, errno := h.Lookup(t.Context(), e.Name, &out)
		if e.Name == "b" {
			assert.Equal(t, syscall.EAGAIN, errno, "a listing must not cost a link")
			continue
		}
		require.Zero(t, errno, e.Name)
		assert.Equal(t, fusefs.StableAttr{Mode: e.Mode, Ino: e.Ino, Gen: child.StableAttr().Gen}, child.StableAttr(), e.Name)
	}
	var out fuse.EntryOut
	for _, name := range []string{"", ".", "aa", "e", "A"} {
		_, errno := h.Lookup(t.Context(), name, &out)
		assert.Equal(t, syscall.ENOENT, errno, name)
	}
	_, errno := h.Lookup(t.Context(), "a", &out)
	require.Zero(t, errno)
	assert.EqualValues(t, 10, out.Size)
	assert.EqualValues(t, syscall.S_IFREG|0o444, out.Mode)
}

func TestFileAttr(t *testing.T) {
	cfg := DefaultConfig()
	cfg.UID, cfg.GID, cfg.FileMode = 7, 8, 0o640
	m := &Mount{cfg: cfg}
	attr := func(f resolver.File) fuse.Attr {
		var out fuse.Attr
		m.fileAttr(&out, &f)
		return out
	}
	when := time.Unix(1_700_000_000, 123)
	got := attr(resolver.File{Size: 1025, ModTime: when})
	assert.EqualValues(t, syscall.S_IFREG|0o640, got.Mode)
	assert.EqualValues(t, 1025, got.Size)
	assert.EqualValues(t, 3, got.Blocks)
	assert.EqualValues(t, 1, got.Nlink)
	assert.Equal(t, fuse.Owner{Uid: 7, Gid: 8}, got.Owner)
	assert.Equal(t, when, got.ModTime())

	assert.Equal(t, time.Unix(0, 0), ptr(attr(resolver.File{})).ModTime(), "a time that nobody knows does not change")
	assert.Zero(t, attr(resolver.File{Size: resolver.SizeUnknown}).Size)
	got = attr(resolver.File{Refused: resolver.ErrPermission})
	assert.EqualValues(t, syscall.S_IFREG, got.Mode, "refused files can be listed, not opened")
}

func ptr[T any](v T) *T { return &v }

func TestLeaseText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lease := func(life time.Duration, uses int) *resolver.Lease {
			var deadline time.Time
			if life != 0 {
				deadline = time.Now().Add(life)
			}
			link := resolver.Link{URLs: []resolver.Secret{resolver.NewSecret("https://h/?sign=hunter2")}, Uses: uses}
			return resolver.NewLease(link, 3, deadline, nil)
		}
		used := lease(90*time.Second, 2)
		used.Use()
		over := lease(0, 1)
		over.Use()
		over.Use()
		for want, l := range map[string]*resolver.Lease{
			"none":                           nil,
			"held":                           lease(0, 0),
			"held, 90 s left":                lease(90*time.Second+999*time.Millisecond, 0),
			"held, 2 uses left":              lease(0, 2),
			"held, 90 s left, 1 uses left":   used,
			"held, 0 uses left":              over,
			"held, 7200 s left, 2 uses left": lease(2*time.Hour, 2),
		} {
			assert.Equal(t, want, leaseText(l))
		}
	})
}

func TestAnswer(t *testing.T) {
	for _, c := range []struct {
		name  string
		room  int
		text  string
		errno syscall.Errno
	}{
		{"asked how long", 0, "text", syscall.ERANGE},
		{"too little room", 3, "text", syscall.ERANGE},
		{"just enough", 4, "text", 0},
		{"room to spare", 9, "text", 0},
		{"nothing to say", 0, "", 0},
		{"nothing to say, room", 4, "", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dest := []byte(strings.Repeat("-", c.room))
			n, errno := answer(dest, c.text)
			assert.Equal(t, c.errno, errno)
			assert.EqualValues(t, len(c.text), n, "the length is told in any case")
			if errno == 0 {
				assert.Equal(t, c.text+strings.Repeat("-", c.room-len(c.text)), string(dest))
			} else {
				assert.Equal(t, strings.Repeat("-", c.room), string(dest))
			}
		})
	}
}

func TestXattr_Names(t *testing.T) {
	node := &resolver.Node{File: resolver.File{ID: "id", Version: "v", Refused: errors.New("no scope")}}
	n := newFileNode(nil, &Provider{Name: "mail"}, node)
	size, errno := n.Listxattr(t.Context(), nil)
	require.Equal(t, syscall.ERANGE, errno)
	dest := make([]byte, size)
	_, errno = n.Listxattr(t.Context(), dest)
	require.Zero(t, errno)
	names := strings.Split(strings.TrimSuffix(string(dest), "\x00"), "\x00")
	assert.Equal(t, []string{
		"user.attachfs.id", "user.attachfs.provider", "user.attachfs.version",
		"user.attachfs.cached", "user.attachfs.lease", "user.attachfs.error",
	}, names)
	for name, want := range map[string]string{"id": "id", "provider": "mail", "version": "v", "error": "no scope"} {
		dest := make([]byte, 64)
		size, errno := n.Getxattr(t.Context(), "user.attachfs."+name, dest)
		require.Zero(t, errno, name)
		assert.Equal(t, want, string(dest[:size]))
	}
	for _, name := range []string{"security.capability", "user.attachfs.", "user.attachfs.url", "id"} {
		_, errno := n.Getxattr(t.Context(), name, nil)
		assert.Equal(t, syscall.ENODATA, errno, name)
	}
}

// oneNode is a tree in which every name is the same node.
type oneNode struct{ resolver.Node }

func (*oneNode) Readdir(context.Context, resolver.ID) (resolver.Listing, error) {
	return resolver.Listing{}, nil
}

func (o *oneNode) Lookup(context.Context, resolver.ID, string) (resolver.Node, error) {
	return o.Node, nil
}

func (o *oneNode) Peek(resolver.ID, string) (resolver.Node, bool) { return o.Node, true }

func (*oneNode) Why() error { return nil }

// A directory keeps its inode when something is added to it, and shows the new
// time in whichever way it is asked for.
func TestDirNode_TimeFollowsTheListing(t *testing.T) {
	tree := &oneNode{resolver.Node{Dir: true}}
	tree.ID, tree.Name, tree.ModTime = "sub", "sub", time.Unix(1000, 0)
	m := &Mount{cfg: DefaultConfig(), log: slog.New(slog.DiscardHandler)}
	m.providers = []*Provider{{Name: "mail", Tree: tree}}
	raw := fusefs.NewNodeFS(&rootNode{mount: m}, m.options())
	lookup := func(parent uint64, name string) (out fuse.EntryOut) {
		require.Equal(t, fuse.OK, raw.Lookup(nil, &fuse.InHeader{NodeId: parent}, name, &out))
		return out
	}
	mail := lookup(fuse.FUSE_ROOT_ID, "mail").NodeId
	before := lookup(mail, "sub")
	tree.ModTime = time.Unix(2000, 0)
	after := lookup(mail, "sub")
	require.Equal(t, before.NodeId, after.NodeId)
	var attr fuse.AttrOut
	require.Equal(t, fuse.OK, raw.GetAttr(nil, &fuse.GetAttrIn{InHeader: fuse.InHeader{NodeId: after.NodeId}}, &attr))
	assert.EqualValues(t, 2000, after.Mtime)
	assert.Equal(t, after.Mtime, attr.Mtime, "stat of the name and of the inode")
}
