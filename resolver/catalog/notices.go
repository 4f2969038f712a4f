package catalog

import (
	"context"
	"sync"

	"github.com/attachfs/attachfs/resolver"
)

// maxNames is how many names of one directory are told one by one.
const maxNames = 1000

// notices tells of changes, one directory at a time. What is not told yet of a
// directory is one notice.
type notices struct {
	tell func(dir resolver.ID, names []string)
	wake chan struct{} // holds one token when there is something to tell

	mu      sync.Mutex               // guards the following
	waiting map[resolver.ID][]string // nil names are all
}

func newNotices(tell func(resolver.ID, []string)) *notices {
	return &notices{tell: tell, wake: make(chan struct{}, 1), waiting: make(map[resolver.ID][]string)}
}

// add leaves a notice for run. It does not wait. Nil notices take none.
func (n *notices) add(dir resolver.ID, names []string) {
	if n == nil {
		return
	}
	n.mu.Lock()
	before, more := n.waiting[dir]
	switch {
	case !more:
	case before == nil || names == nil:
		names = nil
	default:
		names = append(before, names...)
	}
	if len(names) > maxNames {
		names = nil
	}
	n.waiting[dir] = names
	n.mu.Unlock()
	select {
	case n.wake <- struct{}{}:
	default:
	}
}

// run tells until ctx ends.
func (n *notices) run(ctx context.Context) {
	for {
		select {
		case <-n.wake:
		case <-ctx.Done():
			return
		}
		n.mu.Lock()
		waiting := n.waiting
		n.waiting = make(map[resolver.ID][]string)
		n.mu.Unlock()
		for dir, names := range waiting {
			if ctx.Err() != nil {
				return
			}
			n.tell(dir, names)
		}
	}
}
