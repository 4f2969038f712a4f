package fs

import (
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/attachfs/attachfs/resolver"
)

// blockSize is the preferred size of reads that stat shows; cp and others size
// their buffers by it.
const blockSize = 1 << 20

func (m *Mount) dirAttr(out *fuse.Attr, modified time.Time) {
	out.Mode = syscall.S_IFDIR | m.cfg.DirMode
	out.Nlink = 2
	m.commonAttr(out, modified)
}

func (m *Mount) fileAttr(out *fuse.Attr, f *resolver.File) {
	out.Mode = syscall.S_IFREG | m.cfg.FileMode
	if f.Refused != nil {
		out.Mode = syscall.S_IFREG
	}
	out.Nlink = 1
	out.Size = uint64(max(0, f.Size))
	out.Blocks = (out.Size + 511) / 512
	m.commonAttr(out, f.ModTime)
}

func (m *Mount) commonAttr(out *fuse.Attr, modified time.Time) {
	out.Blksize = blockSize
	out.Owner = fuse.Owner{Uid: m.cfg.UID, Gid: m.cfg.GID}
	if modified.IsZero() {
		modified = time.Unix(0, 0) // nobody knows, and it must not change
	}
	out.SetTimes(&modified, &modified, &modified)
}
