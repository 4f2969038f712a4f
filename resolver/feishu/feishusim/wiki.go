package feishusim

import (
	"cmp"
	"slices"
	"time"
)

// Wiki is a space of the wiki.
type Wiki struct {
	Name string
	// Library is the address of the user whose personal library it is, which is
	// not listed; empty for what is none.
	Library string
}

// WikiNode is a node of a space.
type WikiNode struct {
	// Title is that of the object if empty.
	Title string
	// Object is the token of a file or document.
	Object string
	// Parent is a node; empty for the top of the space.
	Parent string
	// Created is a fixed time in 2026 if zero.
	Created time.Time
}

type space struct {
	Wiki
	id        string
	top       []*node
	forbidden bool
}

type node struct {
	token, title string
	serial       int
	space        *space
	parent       *node
	children     []*node
	object       *item
	origin       *node // of a shortcut
	created      time.Time
	forbidden    bool
}

// AddWiki adds a space and returns its ID, which is a number.
func (s *Server) AddWiki(w Wiki) (spaceID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	sp := &space{Wiki: w, id: s.digits()}
	s.docs.spaces = append(s.docs.spaces, sp)
	return sp.id
}

// AddNode adds a node to a space and returns its token.
func (s *Server) AddNode(spaceID string, n WikiNode) (token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	object := s.docs.items[n.Object]
	return s.addNode(spaceID, n.Parent, &node{
		title: cmp.Or(n.Title, object.name), object: object, created: cmp.Or(n.Created, usualTime),
	})
}

// AddNodeShortcut adds a node that stands for another one, which may be in
// another space or an ancestor, and returns its own token. Parent is a node;
// empty for the top of the space.
func (s *Server) AddNodeShortcut(spaceID, parent, origin string) (token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.docs.nodes[origin]
	return s.addNode(spaceID, parent, &node{title: o.title, object: o.object, origin: o, created: usualTime})
}

// addNode adds n to a space. s.mu is held.
func (s *Server) addNode(spaceID, parent string, n *node) (token string) {
	n.serial = s.next()
	n.token, n.space = newToken(n.serial), s.docs.space(spaceID)
	if parent == "" {
		n.space.top = append(n.space.top, n)
	} else {
		n.parent = s.docs.nodes[parent]
		n.parent.children = append(n.parent.children, n)
	}
	s.docs.nodes[n.token] = n
	return n.token
}

func (d *docs) space(id string) *space {
	n := slices.IndexFunc(d.spaces, func(s *space) bool { return s.id == id })
	if n < 0 {
		return nil
	}
	return d.spaces[n]
}

// leave takes n out of what lists it.
func (n *node) leave() {
	siblings := &n.space.top
	if n.parent != nil {
		siblings = &n.parent.children
	}
	*siblings = slices.DeleteFunc(*siblings, func(o *node) bool { return o == n })
}
