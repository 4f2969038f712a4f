package catalog

import (
	"bytes"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// listing is one complete listing of a directory. What was listed does not
// change; what is shown of it does, as more is learnt of its files.
type listing struct {
	sizes []int64              // as listed, in the order of the nodes
	view  atomic.Pointer[view] // the nodes, which are held once
	next  sync.Mutex           // held by who makes the next view
	last  atomic.Int32         // the place that was found last
}

// view is what callers get of a listing: its nodes with what is learnt laid over
// them. The nodes of all views are the same files in the same order.
type view struct {
	resolver.Listing
	asOf uint64 // Learnt's count of changes that it reflects
}

// newListing arranges the entries of dir, with unique ids, into a listing that
// takes the place of before, if there is one: files keep the names they had
// there.
func newListing(dir resolver.ID, entries []resolver.Entry, before *listing) *listing {
	nodes := make([]resolver.Node, len(entries))
	for i, name := range assign(entries, before.names()) {
		nodes[i] = newNode(dir, &entries[i], name)
	}
	slices.SortFunc(nodes, byName)
	return listingOf(nodes)
}

func byName(a, b resolver.Node) int { return strings.Compare(a.Name, b.Name) }

// listingOf makes a listing of listed nodes, sorted by name.
func listingOf(nodes []resolver.Node) *listing {
	l := &listing{sizes: make([]int64, len(nodes))}
	for i := range nodes {
		l.sizes[i] = nodes[i].Size
	}
	l.view.Store(&view{Listing: resolver.Listing{Nodes: nodes}})
	return l
}

func newNode(dir resolver.ID, e *resolver.Entry, name string) resolver.Node {
	n := resolver.Node{Dir: e.Dir}
	n.ID, n.File.Dir, n.Name, n.ModTime = e.ID, dir, name, e.ModTime
	if !e.Dir {
		n.Version, n.Size, n.SHA256 = version(e), max(e.Size, resolver.SizeUnknown), e.SHA256
	}
	return n
}

// version is the provider's, else made of the facts that change with content;
// empty when there are none.
func version(e *resolver.Entry) string {
	switch {
	case e.Version != "":
		return e.Version
	case e.Size < 0 && e.ModTime.IsZero():
		return ""
	}
	return fmt.Sprintf("%d bytes of %s", e.Size, e.ModTime.UTC().Format(time.RFC3339Nano))
}

// nodes returns the nodes as they are shown now.
func (l *listing) nodes() []resolver.Node { return l.view.Load().Nodes }

// find returns the place of a name. Names are mostly looked up one after
// another, and the one after the last is found at once.
func (l *listing) find(name string) (place int, ok bool) {
	nodes := l.nodes()
	place = int(l.last.Load()) + 1
	if place >= len(nodes) || nodes[place].Name != name {
		place = sort.Search(len(nodes), func(i int) bool { return nodes[i].Name >= name })
	}
	l.last.Store(int32(place))
	return place, place < len(nodes) && nodes[place].Name == name
}

// at returns the node of that place as it was listed.
func (l *listing) at(place int) resolver.Node {
	n := l.nodes()[place]
	overlay{size: l.sizes[place]}.lay(&n)
	return n
}

// show returns the listing with what is learnt by now laid over it. While that
// makes no difference it is the same slice under the same serial; otherwise it
// takes the next serial.
func (l *listing) show(learnt *Learnt, serial *atomic.Uint64) resolver.Listing {
	asOf := learnt.changes.Load()
	if v := l.view.Load(); v.Serial != 0 && v.asOf >= asOf {
		return v.Listing
	}
	l.next.Lock()
	defer l.next.Unlock()
	v := l.view.Load()
	if v.Serial != 0 && v.asOf >= asOf {
		return v.Listing
	}
	next := &view{Listing: v.Listing, asOf: asOf}
	if nodes, changed := learnt.merge(v.Nodes, l.sizes); changed || v.Serial == 0 {
		next.Listing = resolver.Listing{Nodes: nodes, Serial: serial.Add(1)}
	}
	l.view.Store(next)
	return next.Listing
}

// names returns the names by id; none for no listing.
func (l *listing) names() map[resolver.ID]string {
	if l == nil {
		return nil
	}
	nodes := l.nodes()
	names := make(map[resolver.ID]string, len(nodes))
	for i := range nodes {
		names[nodes[i].ID] = nodes[i].Name
	}
	return names
}

func (l *listing) ids() iter.Seq[resolver.ID] {
	return func(yield func(resolver.ID) bool) {
		nodes := l.nodes()
		for i := range nodes {
			if !yield(nodes[i].ID) {
				return
			}
		}
	}
}

func (l *listing) dirs() iter.Seq[resolver.ID] {
	return func(yield func(resolver.ID) bool) {
		nodes := l.nodes()
		for i := range nodes {
			if nodes[i].Dir && !yield(nodes[i].ID) {
				return
			}
		}
	}
}

// siblings yields the files that follow a place, then those before it, nearest
// first.
func (l *listing) siblings(place int) iter.Seq[resolver.ID] {
	return func(yield func(resolver.ID) bool) {
		nodes := l.nodes()
		for i := place + 1; i < len(nodes); i++ {
			if !nodes[i].Dir && !yield(nodes[i].ID) {
				return
			}
		}
		for i := place - 1; i >= 0; i-- {
			if !nodes[i].Dir && !yield(nodes[i].ID) {
				return
			}
		}
	}
}

// difference is one name in two listings; nil is a name that is not there.
type difference struct{ before, after *resolver.Node }

func (d difference) name() string {
	if d.before != nil {
		return d.before.Name
	}
	return d.after.Name
}

// differences yields what was listed differently, by name.
func differences(before, after *listing) iter.Seq[difference] {
	return func(yield func(difference) bool) {
		old, fresh := before.nodes(), after.nodes()
		i, j := 0, 0
		for i < len(old) || j < len(fresh) {
			var d difference
			switch {
			case j == len(fresh) || i < len(old) && old[i].Name < fresh[j].Name:
				d.before = &old[i]
				i++
			case i == len(old) || fresh[j].Name < old[i].Name:
				d.after = &fresh[j]
				j++
			default:
				if before.sizes[i] != after.sizes[j] || !same(&old[i], &fresh[j]) {
					d = difference{&old[i], &fresh[j]}
				}
				i, j = i+1, j+1
			}
			if d != (difference{}) && !yield(d) {
				return
			}
		}
	}
}

// same reports whether two nodes of one name were listed the same, but for the
// size.
func same(a, b *resolver.Node) bool {
	return a.ID == b.ID && a.Dir == b.Dir && a.Version == b.Version &&
		a.ModTime.Equal(b.ModTime) && bytes.Equal(a.SHA256, b.SHA256)
}

// changes are the differences between two listings of a directory.
type changes struct {
	count int
	names []string      // nil when they are too many
	lost  []resolver.ID // directories that are no longer listed
}

// compare returns what changed; nothing did where nothing was listed before.
func compare(before, after *listing) (news changes) {
	if before == nil {
		return news
	}
	listed := make(map[resolver.ID]bool) // the directories among the differences
	for d := range differences(before, after) {
		news.count++
		if news.count <= maxNames {
			news.names = append(news.names, d.name())
		}
		if d.after != nil && d.after.Dir {
			listed[d.after.ID] = true
		}
		if d.before != nil && d.before.Dir {
			news.lost = append(news.lost, d.before.ID)
		}
	}
	if news.count > maxNames {
		news.names = nil
	}
	news.lost = slices.DeleteFunc(news.lost, func(id resolver.ID) bool { return listed[id] })
	return news
}
