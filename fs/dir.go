package fs

import (
	"context"
	"sort"
	"sync/atomic"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/attachfs/attachfs/resolver"
)

// rootNode is the mount point: a directory of the providers.
type rootNode struct {
	fusefs.Inode
	readOnly
	mount *Mount
}

var _ = (fusefs.NodeOnAdder)((*rootNode)(nil))

func (n *rootNode) OnAdd(ctx context.Context) {
	for _, p := range n.mount.providers {
		dir := &resolver.Node{Dir: true}
		attr := fusefs.StableAttr{Mode: syscall.S_IFDIR, Ino: inode(p.Name, "directory", dir)}
		n.AddChild(p.Name, n.NewPersistentInode(ctx, newDirNode(n.mount, p, dir), attr), false)
	}
}

var _ = (fusefs.NodeGetattrer)((*rootNode)(nil))

func (n *rootNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.mount.dirAttr(&out.Attr, n.mount.began)
	return 0
}

var _ = (fusefs.NodeStatfser)((*rootNode)(nil))

func (n *rootNode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	statfs(out)
	return 0
}

// statfs answers from memory: there is no free space, and nobody knows how much
// is used.
func statfs(out *fuse.StatfsOut) {
	out.Bsize, out.Frsize, out.NameLen = blockSize, blockSize, 255
}

// dirNode is a directory of a provider.
type dirNode struct {
	fusefs.Inode
	readOnly
	mount    *Mount
	provider *Provider
	node     atomic.Pointer[resolver.Node] // as it was listed last
	serial   atomic.Uint64                 // of the listing that the kernel keeps
}

func newDirNode(m *Mount, p *Provider, node *resolver.Node) *dirNode {
	n := &dirNode{mount: m, provider: p}
	n.node.Store(node)
	return n
}

var _ = (fusefs.NodeOnAdder)((*dirNode)(nil))

// OnAdd makes the directory one of which changes are told to the kernel.
func (n *dirNode) OnAdd(context.Context) { n.provider.dirs.add(n) }

func (n *dirNode) refresh(node *resolver.Node) { n.node.Store(node) }

var _ = (fusefs.NodeStatfser)((*dirNode)(nil))

func (n *dirNode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	statfs(out)
	return 0
}

var _ = (fusefs.NodeGetattrer)((*dirNode)(nil))

func (n *dirNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.mount.dirAttr(&out.Attr, n.node.Load().ModTime)
	return 0
}

var _ = (fusefs.NodeLookuper)((*dirNode)(nil))

func (n *dirNode) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	ctx, done := n.mount.request(ctx, resolver.Stat)
	defer done()
	node, err := n.provider.Tree.Lookup(ctx, n.node.Load().ID, name)
	if err != nil {
		if note := n.note(); note != nil && name == noteName {
			return note.child(ctx, n, out), 0
		}
		return nil, n.mount.fail("lookup", n.provider.Name, name, err, toErrno(err))
	}
	return n.child(ctx, &node, out), 0
}

// child returns the inode of a node whose size is known, with its attributes.
func (n *dirNode) child(ctx context.Context, node *resolver.Node, out *fuse.EntryOut) *fusefs.Inode {
	if node.Dir {
		n.mount.dirAttr(&out.Attr, node.ModTime)
	} else {
		n.mount.fileAttr(&out.Attr, &node.File)
	}
	switch {
	case node.Stale: // a change may be told before the kernel has taken this in
		n.mount.remember(out, staleTimeout)
	case node.Refused != nil: // that may pass, as may that a name is missing
		n.mount.remember(out, n.mount.cfg.NegativeTimeout)
	}
	stable := n.stable(node)
	if known := n.GetChild(node.Name); known != nil && known.StableAttr().Ino == stable.Ino {
		known.Operations().(refresher).refresh(node)
		return known
	}
	if node.Dir {
		// One that was moved or renamed is known under its id.
		if known := n.provider.dirs.find(node.ID); known != nil && known.StableAttr().Ino == stable.Ino {
			known.refresh(node)
			return known.EmbeddedInode()
		}
		return n.NewInode(ctx, newDirNode(n.mount, n.provider, node), stable)
	}
	return n.NewInode(ctx, newFileNode(n.mount, n.provider, node), stable)
}

// staleTimeout is how long the kernel may remember what an expired listing tells.
const staleTimeout = time.Second

// remember bounds how long the kernel may remember an entry.
func (m *Mount) remember(out *fuse.EntryOut, most time.Duration) {
	out.SetEntryTimeout(min(m.cfg.EntryTimeout, most))
	out.SetAttrTimeout(min(m.cfg.AttrTimeout, most))
}

// refresher is a node that takes over what a later listing says of it.
type refresher interface{ refresh(*resolver.Node) }

func (n *dirNode) stable(node *resolver.Node) fusefs.StableAttr {
	if node.Dir {
		return fusefs.StableAttr{Mode: syscall.S_IFDIR, Ino: inode(n.provider.Name, "directory", node)}
	}
	return fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: inode(n.provider.Name, "file", node)}
}

var _ = (fusefs.NodeOpendirHandler)((*dirNode)(nil))

// OpendirHandle lists the directory. The kernel keeps the listing that it has, if
// it is still the same; if not, it has to read this one without keeping it, which
// makes it drop the old (go-fuse sets both flags where one is given).
func (n *dirNode) OpendirHandle(ctx context.Context, _ uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	ctx, done := n.mount.request(ctx, resolver.Stat)
	defer done()
	dir := n.node.Load()
	listing, err := n.provider.Tree.Readdir(ctx, dir.ID)
	if err != nil {
		errno := n.mount.fail("readdir", n.provider.Name, dir.Name, err, toErrno(err))
		if note := n.note(); note != nil {
			if errno == syscall.ENOENT { // libraries take that for the end of the directory
				errno = syscall.EIO
			}
			shown := resolver.Listing{Nodes: []resolver.Node{*note.node}}
			return &dirHandle{node: n, listing: shown, note: note, end: errno}, 0, 0
		}
		return nil, 0, errno
	}
	var flags uint32
	if kept := n.serial.Swap(listing.Serial); !listing.Stale && (kept == 0 || kept == listing.Serial) {
		flags = fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE
	}
	return &dirHandle{node: n, listing: listing}, flags, 0
}

// dirHandle is one walk through a listing, which stays the same meanwhile.
// go-fuse calls its methods one at a time.
type dirHandle struct {
	node    *dirNode
	listing resolver.Listing
	note    *noteNode     // the only entry, where nothing can be listed
	end     syscall.Errno // after the last entry: 0 for a listing that is complete
	pos     int           // of the next entry, after "." and ".."
	entry   fuse.DirEntry
}

var _ = (fusefs.FileReaddirenter)((*dirHandle)(nil))

// Readdirent returns the next entry. An offset is one more than the number of
// entries before it, "." and ".." included, so that none is 0.
func (h *dirHandle) Readdirent(context.Context) (*fuse.DirEntry, syscall.Errno) {
	switch i := h.pos - 2; {
	case h.pos < 2:
		h.entry = fuse.DirEntry{Name: []string{".", ".."}[h.pos], Mode: syscall.S_IFDIR}
	case i < len(h.listing.Nodes):
		node := &h.listing.Nodes[i]
		attr := h.node.stable(node)
		h.entry = fuse.DirEntry{Name: node.Name, Mode: attr.Mode, Ino: attr.Ino}
	default:
		return nil, h.end
	}
	h.pos++
	h.entry.Off = uint64(h.pos)
	return &h.entry, 0
}

var _ = (fusefs.FileSeekdirer)((*dirHandle)(nil))

func (h *dirHandle) Seekdir(_ context.Context, off uint64) syscall.Errno {
	if off > uint64(len(h.listing.Nodes)+2) {
		return syscall.EINVAL
	}
	h.pos = int(off)
	return 0
}

var _ = (fusefs.FileLookuper)((*dirHandle)(nil))

// Lookup gives the kernel the attributes of an entry along with the listing, if
// they are known: a plain listing must not cost a link.
func (h *dirHandle) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	nodes := h.listing.Nodes
	i := sort.Search(len(nodes), func(i int) bool { return nodes[i].Name >= name })
	if i == len(nodes) || nodes[i].Name != name {
		return nil, syscall.ENOENT
	}
	if !nodes[i].Dir && nodes[i].Size == resolver.SizeUnknown {
		return nil, syscall.EAGAIN
	}
	if h.note != nil {
		return h.note.child(ctx, h.node, out), 0
	}
	node := nodes[i]
	node.Stale = h.listing.Stale
	return h.node.child(ctx, &node, out), 0
}
