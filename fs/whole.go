package fs

import (
	"context"
	"os"
	"sync"
	"syscall"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// opens decides how the handles of one inode are served. A file that is complete
// on the local disk the kernel can read by itself (FUSE passthrough), at the speed
// of that disk. It wants all handles of an inode to be of one kind, and of one
// local file, or opening fails with EIO (FUSE.md trap 2), so who comes while
// others are there is served as they are.
type opens struct {
	mu    sync.Mutex // guards the following
	paged int        // handles that we answer
	whole int        // handles that the kernel answers
	file  *os.File   // from which it does; nil while there are none
}

// open makes a handle. Whole returns the file for the kernel, nil if there is
// none; it is asked only when no handle is there.
func (o *opens) open(h *fileHandle, whole func() *os.File) fusefs.FileHandle {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.paged == 0 && o.whole == 0 {
		o.file = whole()
	}
	if o.file == nil {
		o.paged++
		return h
	}
	o.whole++
	return &wholeHandle{h}
}

// close takes note of the end of a handle, once go-fuse is through with it.
func (o *opens) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.file == nil {
		o.paged--
		return
	}
	if o.whole--; o.whole == 0 {
		_ = o.file.Close() // it was only read
		o.file = nil
	}
}

// wholeHandle is an open that the kernel answers from a local file. Where it
// refuses to, it is served like any other.
type wholeHandle struct{ *fileHandle }

var _ = (fusefs.FilePassthroughFder)((*wholeHandle)(nil))

// PassthroughFd returns the local file, which stays open longer than the handle.
func (h *wholeHandle) PassthroughFd() (int, bool) {
	o := &h.node.opens
	o.mu.Lock()
	defer o.mu.Unlock()
	return int(o.file.Fd()), true
}

var _ = (fusefs.FileReader)((*wholeHandle)(nil))

// Read is only asked for where the kernel refused to do it itself, as it does when
// the cache is on a file system that lies over another. go-fuse does not try again.
func (h *wholeHandle) Read(ctx context.Context, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	if m := h.node.mount; m.passthrough.CompareAndSwap(true, false) {
		m.log.Info("the kernel does not read the cache by itself")
	}
	return h.fileHandle.Read(ctx, dest, off)
}
