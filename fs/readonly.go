package fs

import (
	"context"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// readOnly answers EROFS to everything that would change a file or directory.
// The kernel does so by itself for a mount that is read-only; this is for one
// that was remounted writable.
type readOnly struct{}

var (
	_ = (fusefs.NodeCreater)((*readOnly)(nil))
	_ = (fusefs.NodeMkdirer)((*readOnly)(nil))
	_ = (fusefs.NodeMknoder)((*readOnly)(nil))
	_ = (fusefs.NodeLinker)((*readOnly)(nil))
	_ = (fusefs.NodeSymlinker)((*readOnly)(nil))
	_ = (fusefs.NodeUnlinker)((*readOnly)(nil))
	_ = (fusefs.NodeRmdirer)((*readOnly)(nil))
	_ = (fusefs.NodeRenamer)((*readOnly)(nil))
	_ = (fusefs.NodeSetattrer)((*readOnly)(nil))
	_ = (fusefs.NodeWriter)((*readOnly)(nil))
	_ = (fusefs.NodeAllocater)((*readOnly)(nil))
	_ = (fusefs.NodeSetxattrer)((*readOnly)(nil))
	_ = (fusefs.NodeRemovexattrer)((*readOnly)(nil))
	_ = (fusefs.NodeCopyFileRanger)((*readOnly)(nil))
)

const erofs = syscall.EROFS

func (*readOnly) Create(context.Context, string, uint32, uint32, *fuse.EntryOut) (*fusefs.Inode, fusefs.FileHandle, uint32, syscall.Errno) {
	return nil, nil, 0, erofs
}

func (*readOnly) Mkdir(context.Context, string, uint32, *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	return nil, erofs
}

func (*readOnly) Mknod(context.Context, string, uint32, uint32, *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	return nil, erofs
}

func (*readOnly) Link(context.Context, fusefs.InodeEmbedder, string, *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	return nil, erofs
}

func (*readOnly) Symlink(context.Context, string, string, *fuse.EntryOut) (*fusefs.Inode, syscall.Errno) {
	return nil, erofs
}

func (*readOnly) Unlink(context.Context, string) syscall.Errno { return erofs }

func (*readOnly) Rmdir(context.Context, string) syscall.Errno { return erofs }

func (*readOnly) Rename(context.Context, string, fusefs.InodeEmbedder, string, uint32) syscall.Errno {
	return erofs
}

func (*readOnly) Setattr(context.Context, fusefs.FileHandle, *fuse.SetAttrIn, *fuse.AttrOut) syscall.Errno {
	return erofs
}

func (*readOnly) Write(context.Context, fusefs.FileHandle, []byte, int64) (uint32, syscall.Errno) {
	return 0, erofs
}

func (*readOnly) Allocate(context.Context, fusefs.FileHandle, uint64, uint64, uint32) syscall.Errno {
	return erofs
}

func (*readOnly) Setxattr(context.Context, string, []byte, uint32) syscall.Errno { return erofs }

func (*readOnly) Removexattr(context.Context, string) syscall.Errno { return erofs }

func (*readOnly) CopyFileRange(context.Context, fusefs.FileHandle, uint64, *fusefs.Inode, fusefs.FileHandle, uint64, uint64, uint64) (uint32, syscall.Errno) {
	return 0, erofs
}
