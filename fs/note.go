package fs

import (
	"context"
	"errors"
	"fmt"
	"syscall"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/attachfs/attachfs/resolver"
)

// noteName is the file that a provider shows that cannot be listed at all.
const noteName = "README-attachfs.txt"

// noteTimeout is how long the kernel may remember the note: it is gone when the
// provider answers.
const noteTimeout = time.Second

// noteNode explains why there is nothing else in the directory.
type noteNode struct {
	fusefs.Inode
	readOnly
	mount *Mount
	node  *resolver.Node
	text  []byte
}

// note returns what the provider's directory shows if it cannot be listed, nil
// if it can, or could once.
func (n *dirNode) note() *noteNode {
	if n.node.Load().ID != resolver.Root {
		return nil
	}
	why := n.provider.Tree.Why()
	if why == nil {
		return nil
	}
	text := []byte(fmt.Sprintf(noteText, n.provider.Name, why, advice(why)))
	node := &resolver.Node{File: resolver.File{
		ID: noteName, Name: noteName, Version: string(text), Size: int64(len(text)), ModTime: n.mount.began,
	}}
	return &noteNode{mount: n.mount, node: node, text: text}
}

// The reason is in the words of the package that found it. No secret is in it:
// secrets cannot be printed.
const noteText = `This is what attachfs can show of %q now:

    %v

%s
The files appear here by themselves as soon as the provider answers. Until then
reading this directory ends with an error, so that no backup takes it for an
empty one.
`

// advice says what a person can do about it.
func advice(why error) string {
	switch {
	case errors.Is(why, resolver.ErrPermission):
		return "The provider does not let attachfs in. Check the credentials and permissions\n" +
			"of this provider in the configuration, and run: attachfs check\n"
	case errors.Is(why, resolver.ErrQuota):
		return "The calls that the provider grants are used up; it opens again when they are\nrenewed. See: attachfs check\n"
	case errors.Is(why, resolver.ErrThrottled):
		return "The provider asks to wait.\n"
	default:
		return "The provider could not be reached, or its answer could not be used. If this\nlasts, run: attachfs check\n"
	}
}

// child returns the note's inode and attributes.
func (n *noteNode) child(ctx context.Context, dir *dirNode, out *fuse.EntryOut) *fusefs.Inode {
	n.attr(&out.Attr)
	out.SetAttrTimeout(noteTimeout)
	out.SetEntryTimeout(noteTimeout)
	return dir.NewInode(ctx, n, dir.stable(n.node))
}

func (n *noteNode) attr(out *fuse.Attr) { n.mount.fileAttr(out, &n.node.File) }

var _ = (fusefs.NodeGetattrer)((*noteNode)(nil))

func (n *noteNode) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.attr(&out.Attr)
	return 0
}

var _ = (fusefs.NodeOpener)((*noteNode)(nil))

func (n *noteNode) Open(_ context.Context, flags uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	if flags&syscall.O_ACCMODE != syscall.O_RDONLY {
		return nil, 0, syscall.EROFS
	}
	return nil, fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH, 0
}

var _ = (fusefs.NodeReader)((*noteNode)(nil))

func (n *noteNode) Read(_ context.Context, _ fusefs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	from := min(off, int64(len(n.text)))
	return fuse.ReadResultData(n.text[from:min(from+int64(len(dest)), int64(len(n.text)))]), 0
}
