package fs

import (
	"context"
	"sync"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// raw is go-fuse's file system with one thing more: it says when a RELEASE is
// over. go-fuse itself counts the handles of an inode that the kernel reads from
// a local file, and takes any handle that is released for one of them. So no such
// handle may be given out before it is through with the release of the last other
// one; our own Release is called too early for that.
type raw struct {
	fuse.RawFileSystem
	ends *releases
}

func newRaw(root fusefs.InodeEmbedder, options *fusefs.Options, ends *releases) raw {
	return raw{fusefs.NewNodeFS(root, options), ends}
}

func (r raw) Release(cancel <-chan struct{}, in *fuse.ReleaseIn) {
	defer r.ends.over(cancel)
	r.RawFileSystem.Release(cancel, in)
}

// releases are the requests to release a handle that are being served, by what
// cancels them, which is another channel for each.
type releases struct {
	mu    sync.Mutex // guards the following
	after map[<-chan struct{}]func()
}

// then has f called when the request that ctx belongs to is over.
func (r *releases) then(ctx context.Context, f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.after == nil {
		r.after = make(map[<-chan struct{}]func())
	}
	r.after[ctx.Done()] = f
}

func (r *releases) over(cancel <-chan struct{}) {
	r.mu.Lock()
	f := r.after[cancel]
	delete(r.after, cancel)
	r.mu.Unlock()
	if f != nil {
		f()
	}
}
