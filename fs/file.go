package fs

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/attachfs/attachfs/fs/stream"
	"github.com/attachfs/attachfs/resolver"
)

// fileNode is one version of a file.
type fileNode struct {
	fusefs.Inode
	readOnly
	mount    *Mount
	provider *Provider
	node     atomic.Pointer[resolver.Node] // as it was listed last
	opens    opens
}

func newFileNode(m *Mount, p *Provider, node *resolver.Node) *fileNode {
	n := &fileNode{mount: m, provider: p}
	n.node.Store(node)
	return n
}

func (n *fileNode) refresh(node *resolver.Node) { n.node.Store(node) }

func (n *fileNode) file() *resolver.File { return &n.node.Load().File }

var _ = (fusefs.NodeGetattrer)((*fileNode)(nil))

func (n *fileNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.mount.fileAttr(&out.Attr, n.file())
	return 0
}

var _ = (fusefs.NodeStatfser)((*fileNode)(nil))

func (n *fileNode) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	statfs(out)
	return 0
}

var _ = (fusefs.NodeOpener)((*fileNode)(nil))

// Open hands out a handle. The kernel keeps the file's pages: other content
// would be another inode, which the kernel looks up by itself on ESTALE.
func (n *fileNode) Open(ctx context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	h, err := n.provider.Source.Open(*n.file())
	if err != nil {
		return nil, 0, n.fail("open", err)
	}
	if !h.Settled() {
		ctx, done := n.mount.request(ctx, resolver.Stat)
		defer done()
		if err := h.Settle(ctx); err != nil {
			h.Close()
			return nil, 0, n.fail("open", err)
		}
	}
	whole := func() *os.File {
		if flags&syscall.O_DIRECT != 0 || !n.mount.passthrough.Load() { // a local file wants direct reads to be aligned
			return nil
		}
		return h.Whole()
	}
	handle := n.opens.open(&fileHandle{node: n, stream: h}, whole)
	return handle, fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH, 0
}

// fail maps and logs an error of an open or opened file. Changed content is
// taken back from the kernel, so that the next open finds the new.
func (n *fileNode) fail(op string, err error) syscall.Errno {
	if errors.Is(err, resolver.ErrChanged) {
		n.mount.expire(n)
	}
	return n.mount.fail(op, n.provider.Name, n.file().Name, err, openErrno(err))
}

// fileHandle is one open of a file.
type fileHandle struct {
	node   *fileNode
	stream *stream.Handle
}

var _ = (fusefs.FileReader)((*fileHandle)(nil))

// Read answers with views of the cache's pages. The answer is whole or an
// error: the kernel takes a short one for the end of the file.
func (h *fileHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	ctx, done := h.node.mount.request(ctx, resolver.Read)
	defer done()
	view, err := h.stream.ReadAt(ctx, off, len(dest))
	if err != nil {
		return nil, h.node.fail("read", err)
	}
	return readResult{view}, 0
}

var _ = (fusefs.FileReleaser)((*fileHandle)(nil))

func (h *fileHandle) Release(ctx context.Context) syscall.Errno {
	h.node.mount.releases.then(ctx, h.node.opens.close)
	h.stream.Close()
	return 0
}

// readResult sends a view with writev, without a copy.
type readResult struct{ *stream.View }

var _ = (fuse.ReadResult)((*readResult)(nil))

// Slices is found by go-fuse by its shape.
func (r readResult) Slices() ([][]byte, fuse.Status) { return r.View.Slices(), fuse.OK }

// Bytes is for transports that cannot gather.
func (r readResult) Bytes(buf []byte) ([]byte, fuse.Status) {
	buf = buf[:0]
	for _, s := range r.View.Slices() {
		buf = append(buf, s...)
	}
	return buf, fuse.OK
}
