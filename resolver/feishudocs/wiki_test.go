package feishudocs_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/linksim"
	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

// docWith adds a document with one file.
func docWith(s *feishusim.Server, title, file string) string {
	return s.AddDocx("", feishusim.Docx{Title: title, Blocks: []feishusim.Block{feishusim.FileBlock(media(file))}}).Document
}

func TestWiki(t *testing.T) {
	s, cfg := start(t)
	space := s.AddWiki(feishusim.Wiki{Name: "handbook"})
	top := s.AddNode(space, feishusim.WikiNode{Title: "top", Object: docWith(s, "x", "top.pdf")})
	s.AddNode(space, feishusim.WikiNode{Title: "leaf", Object: docWith(s, "x", "leaf.pdf"), Parent: top})
	file := s.AddDriveFile("", feishusim.DriveFile{Name: "x", Content: linksim.Bytes([]byte("uploaded"))})
	at := s.AddNode(space, feishusim.WikiNode{Title: "upload.bin", Object: file, Parent: top})
	s.AddNode(space, feishusim.WikiNode{Title: "below", Object: docWith(s, "x", "below.pdf"), Parent: at})
	mind := s.AddNode(space, feishusim.WikiNode{Title: "mind", Object: s.AddDriveItem("", feishusim.KindMindnote, "m")})
	s.AddNode(space, feishusim.WikiNode{Title: "in mind", Object: docWith(s, "x", "mind.pdf"), Parent: mind})
	p := connect(t, cfg, "wiki:"+space)
	found := tree(t, p, list(t, p, resolver.Root)[0].ID)
	assert.ElementsMatch(t, []string{
		"top/top.pdf", "top/leaf/leaf.pdf", "top/upload.bin", "top/upload.bin/below/below.pdf", "mind/in mind/mind.pdf",
	}, paths(found))
	answers, err := p.Resolve(t.Context(), []resolver.ID{found["top/upload.bin"].ID})
	require.NoError(t, err)
	text, _ := body(t, answers[0].Link, "")
	assert.Equal(t, "uploaded", text, "by the object's token, not the node's")
}

// An empty page before others is not the end.
func TestWiki_EmptyPages(t *testing.T) {
	s, cfg := start(t)
	space := s.AddWiki(feishusim.Wiki{Name: "handbook"})
	for i := range 120 {
		node := s.AddNode(space, feishusim.WikiNode{Object: docWith(s, fmt.Sprint(i), "f")})
		s.SetForbidden(node, i < 60)
	}
	s.SetEmptyPages(feishusim.WikiNodes, true)
	p := connect(t, cfg, "wiki:"+space)
	assert.Len(t, list(t, p, list(t, p, resolver.Root)[0].ID), 60)
}

func TestWiki_Shortcuts(t *testing.T) {
	s, cfg := start(t)
	space, other := s.AddWiki(feishusim.Wiki{Name: "one"}), s.AddWiki(feishusim.Wiki{Name: "two"})
	top := s.AddNode(space, feishusim.WikiNode{Title: "top", Object: docWith(s, "x", "top.pdf")})
	s.AddNodeShortcut(space, top, top) // to an ancestor
	s.AddNodeShortcut(other, "", top)
	p := connect(t, cfg, "wiki:"+space, "wiki:"+other)
	roots := list(t, p, resolver.Root)
	assert.Equal(t, []string{"top/top.pdf"}, paths(tree(t, p, roots[0].ID)))
	assert.Equal(t, []string{"top/top.pdf"}, paths(tree(t, p, roots[1].ID)))
}

// A document that may not be read does not hide the nodes below it.
func TestWiki_RefusedDocument(t *testing.T) {
	s, cfg := start(t)
	space := s.AddWiki(feishusim.Wiki{Name: "handbook"})
	secret := docWith(s, "x", "secret.pdf")
	top := s.AddNode(space, feishusim.WikiNode{Title: "top", Object: secret})
	s.AddNode(space, feishusim.WikiNode{Title: "leaf", Object: docWith(s, "x", "leaf.pdf"), Parent: top})
	s.SetForbidden(secret, true)
	p := connect(t, cfg, "wiki:"+space)
	assert.Equal(t, []string{"top/leaf/leaf.pdf"}, paths(tree(t, p, list(t, p, resolver.Root)[0].ID)))

	// Not found and not permitted come with 400 here.
	dir := list(t, p, list(t, p, resolver.Root)[0].ID)[0].ID
	for code, kind := range map[int]error{131005: resolver.ErrNotExist, 131006: resolver.ErrPermission, 131001: resolver.ErrUnavailable, 131002: resolver.ErrRejected} {
		s.Refuse(feishusim.WikiNodes, 1, 400, code)
		_, err := p.List(t.Context(), dir, "")
		assert.ErrorIs(t, err, kind, code)
	}
}
