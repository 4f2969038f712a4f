package fs

import (
	"sync"

	fusefs "github.com/hanwen/go-fuse/v2/fs"

	"github.com/attachfs/attachfs/resolver"
)

// directories are the nodes of a provider's directories that the kernel knows.
// Its zero value is ready.
type directories struct {
	mu    sync.Mutex // guards the following
	nodes map[resolver.ID]*dirNode
}

func (d *directories) add(n *dirNode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.nodes == nil {
		d.nodes = make(map[resolver.ID]*dirNode)
	}
	d.nodes[n.node.Load().ID] = n
}

func (d *directories) remove(n *dirNode) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if id := n.node.Load().ID; d.nodes[id] == n {
		delete(d.nodes, id)
	}
}

func (d *directories) find(id resolver.ID) *dirNode {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.nodes[id]
}

// Changed says that these names of dir are gone, new, or something else now; no
// names mean that any may be. What the kernel remembers of them is taken back.
// It does not wait, and may be called before the provider is mounted.
func (p *Provider) Changed(dir resolver.ID, names []string) {
	m, n := p.mount.Load(), p.dirs.find(dir)
	if m == nil || n == nil {
		return
	}
	m.tell(func() {
		if names == nil {
			for name := range n.Children() {
				names = append(names, name)
			}
		}
		for _, name := range names {
			n.forget(name)
		}
		_ = n.NotifyContent(0, 0) // the listing that the kernel keeps
	})
}

// forget takes back what the kernel knows of a name. A file or directory that is
// still the same inode stays where it is, because a program may be in it: only
// its attributes are looked at again.
func (n *dirNode) forget(name string) {
	child := n.GetChild(name)
	if child == nil {
		_ = n.NotifyEntry(name)
		return
	}
	node, ok := n.provider.Tree.Peek(n.node.Load().ID, name)
	switch {
	case !ok && child.IsDir(): // it may only be unknown just now, and a program in it
		_ = n.NotifyEntry(name)
	case !ok:
		_ = n.NotifyDelete(name, child)
	case n.stable(&node).Ino == child.StableAttr().Ino:
		child.Operations().(refresher).refresh(&node)
		_ = child.NotifyContent(-1, 0)
	default:
		_ = n.NotifyEntry(name)
		_ = child.NotifyContent(0, 0)
	}
}

// expire takes a file of other content back from the kernel, name and pages.
func (m *Mount) expire(n *fileNode) {
	m.tell(func() {
		if name, parent := n.Parent(); parent != nil {
			_ = parent.NotifyEntry(name)
		}
		_ = n.NotifyContent(0, 0)
	})
}

// tell queues a notification of the kernel. When the queue is full it is
// dropped: the kernel's timeouts do the same, later.
func (m *Mount) tell(notification func()) {
	select {
	case m.notices <- notification:
	default:
	}
}

// notify sends what is queued until the mount is gone. It is the only caller of
// go-fuse's notifications, which deadlock inside handlers (FUSE.md trap 7).
func (m *Mount) notify() {
	for {
		select {
		case send := <-m.notices:
			send()
		case <-m.done:
			return
		}
	}
}

var _ = (fusefs.NodeOnForgetter)((*dirNode)(nil))

// OnForget takes a directory off the list of those that the kernel knows.
func (n *dirNode) OnForget() { n.provider.dirs.remove(n) }
