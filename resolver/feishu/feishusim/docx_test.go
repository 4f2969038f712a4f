package feishusim_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

func docxPath(token string) string { return "/open-apis/docx/v1/documents/" + token }

// blocks are those of a document, of one page.
func (l *library) blocks(token string) []map[string]any {
	l.t.Helper()
	return l.get(docxPath(token) + "/blocks").items("items")
}

// payloads are what the blocks of one type say.
func payloads(blocks []map[string]any, kind float64, name string) []map[string]any {
	var all []map[string]any
	for _, b := range blocks {
		if b["block_type"] == kind {
			all = append(all, b[name].(map[string]any))
		}
	}
	return all
}

func TestDocx_FilesAreInViewsAtAnyDepth(t *testing.T) {
	l := open(t)
	ids := l.AddDocx("", feishusim.Docx{Title: "minutes", Blocks: []feishusim.Block{
		feishusim.TextBlock("intro"),
		feishusim.TypeBlock(24, feishusim.TypeBlock(25, feishusim.TypeBlock(34, feishusim.FileBlock(media("deep"))))),
		feishusim.ImageBlock(media("picture"), "a caption"),
		feishusim.ImageBlock(media("other"), ""),
	}})
	blocks := l.blocks(ids.Document)
	page := blocks[0]
	assert.Equal(t, ids.Document, page["block_id"], "the page block has the document's ID")
	assert.Equal(t, 1.0, page["block_type"])
	assert.Len(t, page["children"], 4)

	byID := make(map[string]map[string]any)
	for _, b := range blocks {
		byID[b["block_id"].(string)] = b
	}
	var types []float64
	for _, b := range blocks {
		if b["block_type"] != 23.0 {
			continue
		}
		for up := b; up != nil; up = byID[up["parent_id"].(string)] {
			types = append(types, up["block_type"].(float64))
		}
	}
	assert.Equal(t, []float64{23, 33, 34, 25, 24, 1}, types)

	files, images := payloads(blocks, 23, "file"), payloads(blocks, 27, "image")
	require.Len(t, files, 1)
	assert.Equal(t, map[string]any{"token": ids.Media[0], "name": "deep.txt", "view_type": 1.0}, files[0], "no size")
	require.Len(t, images, 2)
	assert.Equal(t, ids.Media[1:], []string{images[0]["token"].(string), images[1]["token"].(string)})
	assert.Equal(t, map[string]any{"content": "a caption"}, images[0]["caption"])
	assert.NotContains(t, images[0], "name")
	assert.NotContains(t, images[1], "caption")
}

func TestDocx_LeadsElsewhere(t *testing.T) {
	l := open(t)
	source := l.AddDocx("", feishusim.Docx{Blocks: []feishusim.Block{feishusim.SourceBlock("blk1", feishusim.FileBlock(media("shared")))}})
	doc := l.AddDocx("", feishusim.Docx{Blocks: []feishusim.Block{
		feishusim.ReferenceBlock(source.Document, "blk1"), feishusim.SheetBlock("sht", "Q7PlXT"), feishusim.BaseBlock("app", "tbl1"),
		feishusim.BoardBlock("board"), feishusim.InlineFileBlock("blk9", "token"),
	}})
	blocks := l.blocks(doc.Document)
	reference := payloads(blocks, 50, "reference_synced")
	assert.Equal(t, []map[string]any{{"source_document_id": source.Document, "source_block_id": "blk1"}}, reference)
	assert.Equal(t, "sht_Q7PlXT", payloads(blocks, 30, "sheet")[0]["token"])
	assert.Equal(t, "app_tbl1", payloads(blocks, 18, "bitable")[0]["token"])
	assert.Equal(t, "board", payloads(blocks, 43, "board")[0]["token"])
	inline := payloads(blocks, 2, "text")[0]["elements"].([]any)[1].(map[string]any)["file"]
	assert.Equal(t, map[string]any{"file_token": "token", "source_block_id": "blk9"}, inline)
	assert.Empty(t, doc.Media, "the content of others is not in the answer")
	found := l.blocks(source.Document)[1]
	assert.Equal(t, "blk1", found["block_id"])
	assert.Equal(t, 49.0, found["block_type"])
	assert.Len(t, found["children"], 1)
}

func TestDocx_PagesOf500(t *testing.T) {
	l := open(t)
	var blocks []feishusim.Block
	for n := range 1200 {
		blocks = append(blocks, feishusim.TextBlock(fmt.Sprint(n)))
	}
	token := l.AddDocx("", feishusim.Docx{Blocks: blocks}).Document
	ids := make(map[any]bool)
	var sizes []int
	next := ""
	for more := true; more; {
		r := l.get(docxPath(token)+"/blocks", "page_token", next, "document_revision_id", "-1")
		require.Equal(t, 0, r.code())
		sizes = append(sizes, len(r.list("items")))
		for _, b := range r.items("items") {
			ids[b["block_id"]] = true
		}
		more = r.data()["has_more"].(bool)
		next, _ = r.data()["page_token"].(string)
	}
	assert.Equal(t, []int{500, 500, 201}, sizes)
	assert.Len(t, ids, 1201)
}

func TestDocx_RevisionTellsOfChanges(t *testing.T) {
	l := open(t)
	ids := l.AddDocx("", feishusim.Docx{Title: "first", Blocks: []feishusim.Block{feishusim.FileBlock(media("a"))}})
	r := l.get(docxPath(ids.Document))
	assert.Equal(t, map[string]any{"document_id": ids.Document, "revision_id": 1.0, "title": "first"}, r.data()["document"])
	l.SetDocx(ids.Document, feishusim.Docx{Title: "second"})
	r = l.get(docxPath(ids.Document))
	assert.Equal(t, 2.0, r.data()["document"].(map[string]any)["revision_id"])
	assert.Len(t, l.blocks(ids.Document), 1)
	assert.Equal(t, [2]int{400, 1770001}, l.get(docxPath(ids.Document)+"/blocks", "document_revision_id", "1").refusedWith())
}

func TestDocx_Refuses(t *testing.T) {
	l := open(t)
	token := l.AddDocx("", feishusim.Docx{}).Document
	for _, rest := range []string{"", "/blocks"} {
		assert.Equal(t, [2]int{404, 1770002}, l.get(docxPath("x")+rest).refusedWith())
	}
	assert.Equal(t, [2]int{400, 1770001}, l.get(docxPath(token)+"/blocks", "page_size", "501").refusedWith())
	assert.Equal(t, [2]int{400, 1770022}, l.get(docxPath(token)+"/blocks", "page_token", "x").refusedWith())
	l.SetForbidden(token, true)
	assert.Equal(t, [2]int{403, 1770032}, l.get(docxPath(token)).refusedWith())
	l.Remove(token)
	assert.Equal(t, [2]int{400, 1770003}, l.get(docxPath(token)).refusedWith())
}
