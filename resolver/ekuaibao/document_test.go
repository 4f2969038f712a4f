package ekuaibao

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// everywhere is a document with attachments in all the places that the vendor's
// pages name.
const everywhere = `{
	"id": "ID_flow", "formType": "expense", "state": "paid", "active": true, "createTime": 1700000000000,
	"form": {
		"code": "B20000001", "title": " Taxi ", "specificationId": "ID_t:1",
		"city": "{\"key\":\"no\",\"fileId\":\"attachment\"}",
		"attachments": [{"key": "k1", "fileId": "f1", "fileName": "a.pdf"}, {"key": "", "fileId": "f0"}, {"key": "k0"}],
		"u_合同": [{"key": "x-1611919507409-253.jpg", "fileId": "f2"}, {"key": "k1", "fileId": "f1", "fileName": "again.pdf"}],
		"u_other": {"deep": [{"nested": {"key": "k3", "fileName": "no id.txt"}}]},
		"details": [
			{"feeTypeId": "t", "feeTypeForm": {"detailId": "l1", "attachments": [{"key": "k4", "fileId": "f4", "fileName": "line.pdf"}]}},
			{"feeTypeForm": {"detailId": "l2", "invoiceForm": {
				"type": "exist", "attachments": [{"key": "k5", "fileId": "f5", "fileName": "photo.jpg"}],
				"invoices": [{"invoiceId": "inv1", "itemIds": ["i"]}, {"invoiceId": "inv1"}]
			}}}
		]
	},
	"logs": [{"action": "agree", "time": 1700000001000, "attributes": {"comment": "ok"},
		"attachments": [{"key": "k6", "fileId": "f6", "fileName": "note.txt"}, {"key": "DP:{}", "fileId": "f7"}]}]
}`

func parse(t *testing.T, text string) document {
	t.Helper()
	var d document
	require.NoError(t, json.Unmarshal([]byte(text), &d))
	return d
}

func TestDocument_Files(t *testing.T) {
	d := parse(t, everywhere)
	created := time.UnixMilli(1700000000000).UTC()
	approved := created.Add(time.Second)
	assert.Equal(t, []file{
		{id: "file/ID_flow/f1/k1", fileID: "f1", key: "k1", name: "a.pdf", time: created},
		{id: "part/ID_flow/key:k3", key: "k3", name: "no id.txt", time: created},
		{id: "file/ID_flow/f2/x-1611919507409-253.jpg", fileID: "f2", key: "x-1611919507409-253.jpg", name: "x.jpg", time: time.UnixMilli(1611919507409).UTC()},
		{id: "file/ID_flow/f4/k4", folder: "detail-1", fileID: "f4", key: "k4", name: "line.pdf", time: created},
		{id: "file/ID_flow/f5/k5", folder: "invoices", fileID: "f5", key: "k5", name: "photo.jpg", time: created},
		{id: "file/ID_flow/f6/k6", folder: "approvals", fileID: "f6", key: "k6", name: "note.txt", time: approved},
		{id: "file/ID_flow/f7/DP:%7B%7D", folder: "approvals", fileID: "f7", key: "DP:{}", name: "DingTalk file", time: approved},
	}, d.files())
	assert.Equal(t, d.files(), d.files(), "the order is fixed")
	assert.Equal(t, []string{"inv1"}, d.invoiceIDs())
	assert.Equal(t, "B20000001 Taxi", d.name())
	assert.True(t, d.settled())
}

func TestDocument_Odd(t *testing.T) {
	for _, text := range []string{
		`{}`, `{"id": 1, "form": [], "logs": {}}`, `{"form": {"details": [1, null, "x", {"feeTypeForm": 3}], "code": 7}, "logs": [null]}`,
		`{"form": {"attachments": {"key": ["x"], "fileId": "f"}}, "createTime": "soon"}`,
	} {
		d := parse(t, text)
		assert.Empty(t, d.files(), text)
		assert.Empty(t, d.invoiceIDs(), text)
		assert.False(t, d.settled(), text)
		assert.True(t, d.active(), text)
		assert.Zero(t, d.created(), text)
	}
}

func FuzzDocument(f *testing.F) {
	f.Add([]byte(everywhere))
	f.Fuzz(func(t *testing.T, text []byte) {
		var d document
		if json.Unmarshal(text, &d) != nil {
			return
		}
		ids := make(map[resolver.ID]bool)
		for _, n := range d.files() {
			assert.NotEmpty(t, n.name)
			assert.False(t, ids[n.id], "one ID, one file: %s", n.id)
			ids[n.id] = true
		}
	})
}

func TestFinder_Merge(t *testing.T) {
	d := parse(t, everywhere)
	var item flowFiles
	require.NoError(t, json.Unmarshal([]byte(`{"flowId": "ID_flow", "attachmentList": [
		{"type": "flow.body", "attachmentUrls": [
			{"key": "k1", "fileId": "f1", "url": "https://h/k1?Expires=1"}, {"fileId": "f2", "url": "https://h/k2"}, {"url": "https://h/k3?Expires=1"},
			{"key": "k8", "fileId": "f8", "fileName": "new.pdf", "url": ""}]},
		{"type": "flow.free", "freeId": "l2", "attachmentUrls": [{"url": "https://h/path/lost%20name.pdf?e=1"}],
			"invoiceUrls": [{"key": "a/inv.ofd", "url": "https://h/i?x-oss-process=image/crop,x_1", "invoiceNumber": "3300", "invoiceCode": "0042"},
				{"key": "k5", "fileId": "f5", "fileName": "photo.jpg", "url": "https://h/k5"}]},
		{"type": "flow.approving", "attachmentUrls": [{"key": "DP:{}", "fileId": "f7", "url": "https://h/without-headers"}]},
		{"type": "flow.receipt", "receiptUrls": [{"key": "0306c2d1-7a5b-4e96-8172-60c5ee0f971e-5Zue5Y2V.pdf", "url": "https://h/r"}]}
	]}`), &item))
	asked := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	f := finder{flow: d.id(), found: d.files()}
	f.merge(item, d, api.Reply{Asked: asked, Date: asked.Add(time.Hour)})

	links := make(map[string]string)
	places := make(map[string]resolver.ID)
	for _, n := range f.found {
		places[n.folder+"/"+n.name] = n.id
		if n.link != nil {
			links[n.name] = n.link.URLs[0].Reveal()
			assert.Equal(t, flowLinkLife, n.link.Lifetime)
			assert.Equal(t, asked, n.link.Obtained)
			assert.Equal(t, asked.Add(time.Hour), n.link.ServerTime)
		}
		if n.name == "3300-0042.ofd" {
			assert.Equal(t, resolver.RangedNo, n.link.Ranged, "a crop is made while it is asked for")
		}
	}
	assert.Equal(t, map[string]string{
		"a.pdf": "https://h/k1?Expires=1", "x.jpg": "https://h/k2", "photo.jpg": "https://h/k5",
		"3300-0042.ofd": "https://h/i?x-oss-process=image/crop,x_1", "回单.pdf": "https://h/r",
		"lost name.pdf": "https://h/path/lost%20name.pdf?e=1", "no id.txt": "https://h/k3?Expires=1",
	}, links, "none without its headers")
	assert.Len(t, f.found, 7+4)
	assert.Equal(t, resolver.ID("file/ID_flow/f8/k8"), places["/new.pdf"])
	assert.Equal(t, resolver.ID("part/ID_flow/key:a%2Finv.ofd"), places["invoices/3300-0042.ofd"])
	assert.Equal(t, resolver.ID("part/ID_flow/key:0306c2d1-7a5b-4e96-8172-60c5ee0f971e-5Zue5Y2V.pdf"), places["receipts/回单.pdf"])
	lost := places["detail-2/lost name.pdf"]
	assert.Regexp(t, `^part/ID_flow/at:[0-9a-f]{32}$`, string(lost))
	assert.Equal(t, partOf("", "", "https://h/path/lost%20name.pdf?e=2"), string(lost)[len("part/ID_flow/"):], "a link's signature does not count")
}

func TestID(t *testing.T) {
	for _, texts := range [][]string{{fileKind, "a/b", "f%", seedKey}, {typeKind, "expense"}, {documentKind, "x", "detail-1/.thumbnails"}} {
		kind, got := split(join(texts[0], texts[1:]...))
		assert.Equal(t, texts[0], kind)
		assert.Equal(t, texts[1:], got)
	}
	for _, id := range []resolver.ID{"", "x", "file", "file/a/b", "file/a/b/", "type/a/b", "type/%", "/a"} {
		kind, _ := split(id)
		assert.Empty(t, kind, id)
	}
}
