package feishusim_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

const spacesPath = "/open-apis/wiki/v2/spaces"

func TestWiki_Spaces(t *testing.T) {
	l := open(t)
	own := l.AddWiki(feishusim.Wiki{Name: "mine", Library: box})
	var ids []string
	for n := range 25 {
		ids = append(ids, l.AddWiki(feishusim.Wiki{Name: fmt.Sprint(n)}))
	}
	l.SetForbidden(ids[3], true)
	first := l.get(spacesPath)
	assert.Len(t, first.items("items"), 19, "one of 20 is not for us")
	assert.Equal(t, true, first.data()["has_more"])
	second := l.get(spacesPath, "page_token", first.data()["page_token"].(string))
	assert.Equal(t, ids[20:], pluck(second.items("items"), "space_id"))
	assert.NotContains(t, append(pluck(first.items("items"), "space_id"), pluck(second.items("items"), "space_id")...), own)

	assert.Equal(t, "0", l.get(spacesPath + "/" + ids[0]).data()["space"].(map[string]any)["name"])
	assert.Equal(t, [2]int{400, 131006}, l.get(spacesPath+"/"+ids[3]).refusedWith())
	user, _ := l.IssueUserToken(appID, box, docScopes...)
	r := call(t, l.Server, user, "GET", spacesPath+"/my_library/nodes", "")
	assert.Equal(t, 0, r.code(), "a library has no other name in lists")
	assert.Equal(t, 131005, l.get(spacesPath+"/my_library/nodes").code(), "apps have none")
}

func TestWiki_Nodes(t *testing.T) {
	l := open(t)
	at := time.Date(2026, 4, 5, 6, 7, 8, 0, time.UTC)
	space, other := l.AddWiki(feishusim.Wiki{Name: "handbook"}), l.AddWiki(feishusim.Wiki{Name: "other"})
	doc := l.AddDocx("", feishusim.Docx{Title: "page", Modified: at}).Document
	file := l.AddDriveFile("", feishusim.DriveFile{Name: "a.pdf"})
	top := l.AddNode(space, feishusim.WikiNode{Object: doc})
	child := l.AddNode(space, feishusim.WikiNode{Object: file, Parent: top, Title: "a file"})
	shortcut := l.AddNodeShortcut(other, "", top)

	nodes := l.get(spacesPath + "/" + space + "/nodes").items("items")
	require.Len(t, nodes, 1)
	n := nodes[0]
	assert.Equal(t, []any{top, doc, "docx", "page", true, "origin", ""},
		[]any{n["node_token"], n["obj_token"], n["obj_type"], n["title"], n["has_child"], n["node_type"], n["parent_node_token"]})
	assert.NotEqual(t, n["node_token"], n["obj_token"])
	assert.Equal(t, strconv.FormatInt(at.Unix(), 10), n["obj_edit_time"])
	nodes = l.get(spacesPath+"/"+space+"/nodes", "parent_node_token", top).items("items")
	require.Len(t, nodes, 1)
	assert.Equal(t, []any{child, "file", "a file", false, top},
		[]any{nodes[0]["node_token"], nodes[0]["obj_type"], nodes[0]["title"], nodes[0]["has_child"], nodes[0]["parent_node_token"]})
	nodes = l.get(spacesPath + "/" + other + "/nodes").items("items")
	assert.Equal(t, []any{shortcut, "shortcut", top, space},
		[]any{nodes[0]["node_token"], nodes[0]["node_type"], nodes[0]["origin_node_token"], nodes[0]["origin_space_id"]})

	assert.Equal(t, doc, l.get(spacesPath+"/get_node", "token", top).data()["node"].(map[string]any)["obj_token"])
	assert.Equal(t, top, l.get(spacesPath+"/get_node", "token", doc, "obj_type", "docx").data()["node"].(map[string]any)["node_token"])
	assert.Equal(t, [2]int{400, 131005}, l.get(spacesPath+"/get_node", "token", doc).refusedWith(), "not a node's")
	assert.Equal(t, [2]int{404, 1770002}, l.get(docxPath(top)).refusedWith(), "nor is a node's a document's")
}

func TestWiki_PagesMayBeEmptyAndHaveMore(t *testing.T) {
	l := open(t)
	space := l.AddWiki(feishusim.Wiki{Name: "w"})
	var nodes []string
	for n := range 120 {
		node := l.AddNode(space, feishusim.WikiNode{Title: fmt.Sprint(n), Object: l.AddDocx("", feishusim.Docx{}).Document})
		l.SetForbidden(node, n < 50)
		nodes = append(nodes, node)
	}
	var sizes []int
	next := ""
	for more := true; more; {
		r := l.get(spacesPath+"/"+space+"/nodes", "page_size", "50", "page_token", next)
		require.Equal(t, 0, r.code())
		sizes = append(sizes, len(r.list("items")))
		more, next = r.data()["has_more"].(bool), r.data()["page_token"].(string)
	}
	assert.Equal(t, []int{0, 50, 20}, sizes)
	l.Remove(nodes[119])
	assert.Len(t, l.get(spacesPath+"/"+space+"/nodes", "page_token", next).items("items"), 0)
}

func TestWiki_RefusesWith400(t *testing.T) {
	l := open(t)
	space := l.AddWiki(feishusim.Wiki{Name: "w"})
	node := l.AddNode(space, feishusim.WikiNode{Object: l.AddDocx("", feishusim.Docx{}).Document})
	nodes := spacesPath + "/" + space + "/nodes"
	for name, c := range map[string]struct {
		code  int
		reply reply
	}{
		"space":      {131005, l.get(spacesPath + "/1/nodes")},
		"parent":     {131005, l.get(nodes, "parent_node_token", "x")},
		"page size":  {131002, l.get(nodes, "page_size", "51")},
		"page token": {131002, l.get(nodes, "page_token", "x")},
		"no token":   {131002, l.get(spacesPath + "/get_node")},
	} {
		assert.Equal(t, [2]int{400, c.code}, c.reply.refusedWith(), name)
	}
	l.Break(feishusim.WikiNodes, 1)
	assert.Equal(t, [2]int{400, 131001}, l.get(nodes).refusedWith())
	l.SetForbidden(node, true)
	assert.Equal(t, [2]int{400, 131006}, l.get(spacesPath+"/get_node", "token", node).refusedWith())
	assert.Equal(t, [2]int{400, 131006}, l.get(nodes, "parent_node_token", node).refusedWith())
}
