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
	along []bool               // which directories' listings came along; nil for none
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
	l := listingOf(nodes)
	l.setAlong(entries)
	return l
}

// setAlong takes note of the entries whose listings came along.
func (l *listing) setAlong(entries []resolver.Entry) {
	ids := make(map[resolver.ID]struct{})
	for i := range entries {
		if e := &entries[i]; comesAlong(e) {
			ids[e.ID] = struct{}{}
		}
	}
	if len(ids) == 0 {
		return
	}
	l.along = make([]bool, len(l.sizes))
	for i, n := range l.nodes() {
		l.along[i] = contains(ids, n.ID)
	}
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

// entry is the reverse of newNode, with the name that the node has here. Children
// only tell that the listing came along.
func (l *listing) entry(place int) resolver.Entry {
	n := &l.nodes()[place]
	e := resolver.Entry{
		ID: n.ID, Name: n.Name, Dir: n.Dir, Version: n.Version, Size: l.sizes[place], ModTime: n.ModTime, SHA256: n.SHA256,
	}
	if l.comesAlong(place) {
		e.Children = []resolver.Entry{}
	}
	return e
}

// comesAlong reports whether the node of that place is a directory whose listing
// came along.
func (l *listing) comesAlong(place int) bool { return l.along != nil && l.along[place] }

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

func (l *listing) files() iter.Seq[resolver.ID] {
	return func(yield func(resolver.ID) bool) {
		nodes := l.nodes()
		for i := range nodes {
			if !nodes[i].Dir && !yield(nodes[i].ID) {
				return
			}
		}
	}
}

// dirs yields the directories; none for no listing.
func (l *listing) dirs() iter.Seq[resolver.ID] {
	return func(yield func(resolver.ID) bool) {
		if l == nil {
			return
		}
		nodes := l.nodes()
		for i := range nodes {
			if nodes[i].Dir && !yield(nodes[i].ID) {
				return
			}
		}
	}
}

// brought yields the directories whose listings came along; none for no listing.
func (l *listing) brought() iter.Seq[resolver.ID] {
	return func(yield func(resolver.ID) bool) {
		if l == nil {
			return
		}
		for i, along := range l.along {
			if along && !yield(l.nodes()[i].ID) {
				return
			}
		}
	}
}

// broughtBeside yields the directories whose listings came along with that of one
// of them: those that follow it, then those before it, nearest first. There are
// none for no listing.
func (l *listing) broughtBeside(dir resolver.ID) iter.Seq[resolver.ID] {
	return func(yield func(resolver.ID) bool) {
		all := slices.Collect(l.brought())
		place := slices.Index(all, dir)
		if place < 0 {
			return
		}
		before := slices.Clone(all[:place])
		slices.Reverse(before)
		for _, id := range slices.Concat(all[place+1:], before) {
			if !yield(id) {
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
type difference struct {
	before, after *resolver.Node
	was, is       bool // whether its listing came along
}

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
			if j == len(fresh) || i < len(old) && old[i].Name <= fresh[j].Name {
				d.before, d.was = &old[i], before.comesAlong(i)
			}
			if i == len(old) || j < len(fresh) && fresh[j].Name <= old[i].Name {
				d.after, d.is = &fresh[j], after.comesAlong(j)
			}
			both := d.before != nil && d.after != nil
			equal := both && before.sizes[i] == after.sizes[j] && d.was == d.is && same(d.before, d.after)
			if d.before != nil {
				i++
			}
			if d.after != nil {
				j++
			}
			if !equal && !yield(d) {
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
	lost  []resolver.ID // directories that are listed no longer
	loose []resolver.ID // directories that are, but came along only before
}

// compare returns what changed; nothing did where nothing was listed before.
func compare(before, after *listing) (news changes) {
	if before == nil {
		return news
	}
	listed := make(map[resolver.ID]bool) // directories, and whether they came along
	var was []difference                 // of directories
	for d := range differences(before, after) {
		news.count++
		if news.count <= maxNames {
			news.names = append(news.names, d.name())
		}
		if d.after != nil && d.after.Dir {
			listed[d.after.ID] = d.is
		}
		if d.before != nil && d.before.Dir {
			was = append(was, d)
		}
	}
	if news.count > maxNames {
		news.names = nil
	}
	for _, d := range was {
		along, ok := listed[d.before.ID]
		switch {
		case !ok:
			news.lost = append(news.lost, d.before.ID)
		case d.was && !along:
			news.loose = append(news.loose, d.before.ID)
		}
	}
	return news
}
