package feishusim_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

const appsPath = "/open-apis/bitable/v1/apps/"

// search searches the records of the table tbl1.
func (l *library) search(base, body string, query ...string) reply {
	l.t.Helper()
	return l.post(appsPath+base+"/tables/tbl1/records/search", body, query...)
}

var orders = []feishusim.Field{
	{ID: "fldName", Name: "订单", Type: feishusim.FieldText, Primary: true},
	{ID: "fldFiles", Name: "附件", Type: feishusim.FieldAttachment},
	{ID: "fldMore", Name: "More", Type: feishusim.FieldLookup},
	{ID: "fldCount", Name: "Count", Type: feishusim.FieldNumber, Hidden: true},
}

// withOrders adds a base with so many records, every third of which has a file.
func (l *library) withOrders(n int) feishusim.BaseIDs {
	t := feishusim.Table{ID: "tbl1", Name: "Orders", Fields: orders}
	for i := range n {
		r := feishusim.Record{Values: map[string]any{"订单": fmt.Sprint("order ", i), "Count": i}}
		if i%3 == 0 {
			r.Files = map[string][]feishusim.Media{"附件": {media(fmt.Sprint(i))}}
		}
		t.Records = append(t.Records, r)
	}
	return l.AddBase("", feishusim.Base{Name: "shop", Tables: []feishusim.Table{t}})
}

func TestBase_App(t *testing.T) {
	l := open(t)
	plain, advanced := l.withOrders(0).Base, l.AddBase("", feishusim.Base{Name: "b", Advanced: true}).Base
	app := l.get(appsPath + plain).data()["app"].(map[string]any)
	assert.Equal(t, []any{plain, "shop", false}, []any{app["app_token"], app["name"], app["is_advanced"]})
	assert.Equal(t, true, l.get(appsPath + advanced).data()["app"].(map[string]any)["is_advanced"])
}

func TestBase_TablesHaveATokenAtTheEnd(t *testing.T) {
	l := open(t)
	var tables []feishusim.Table
	for n := range 25 {
		tables = append(tables, feishusim.Table{Name: fmt.Sprint(n)})
	}
	ids := l.AddBase("", feishusim.Base{Tables: tables})
	r := l.get(appsPath + ids.Base + "/tables")
	assert.Equal(t, ids.Tables[:20], pluck(r.items("items"), "table_id"))
	assert.Equal(t, true, r.data()["has_more"])
	r = l.get(appsPath+ids.Base+"/tables", "page_token", r.data()["page_token"].(string))
	assert.Equal(t, ids.Tables[20:], pluck(r.items("items"), "table_id"))
	assert.Equal(t, false, r.data()["has_more"])
	assert.NotEmpty(t, r.data()["page_token"])
	assert.Equal(t, 25.0, r.data()["total"])
	r = l.get(appsPath+ids.Base+"/tables", "page_token", r.data()["page_token"].(string))
	assert.Empty(t, r.items("items"), "and there is nothing behind it")
}

func TestBase_Fields(t *testing.T) {
	l := open(t)
	items := l.get(appsPath + l.withOrders(0).Base + "/tables/tbl1/fields").items("items")
	require.Len(t, items, 4)
	assert.Equal(t, []string{"fldName", "fldFiles", "fldMore", "fldCount"}, pluck(items, "field_id"))
	assert.Equal(t, []string{"Text", "Attachment", "Lookup", "Number"}, pluck(items, "ui_type"))
	assert.Equal(t, 17.0, items[1]["type"])
	assert.Equal(t, true, items[0]["is_primary"])
	assert.Equal(t, true, items[3]["is_hidden"])
}

func TestBase_SearchFindsRecordsWithFiles(t *testing.T) {
	l := open(t)
	ids := l.withOrders(1300)
	const body = `{"field_names":["订单","附件"],"automatic_fields":true,
		"filter":{"conjunction":"and","conditions":[{"field_name":"附件","operator":"isNotEmpty","value":[]}]}}`
	var tokens []string
	var sizes []int
	next := ""
	for more := true; more; {
		r := l.search(ids.Base, body, "page_size", "300", "page_token", next)
		require.Equal(t, [2]int{200, 0}, r.refusedWith())
		assert.Equal(t, 434.0, r.data()["total"])
		sizes = append(sizes, len(r.list("items")))
		for _, record := range r.items("items") {
			values := record["fields"].(map[string]any)
			assert.Len(t, values, 2, "keyed by name")
			tokens = append(tokens, values["附件"].([]any)[0].(map[string]any)["file_token"].(string))
		}
		more = r.data()["has_more"].(bool)
		next, _ = r.data()["page_token"].(string)
	}
	assert.Equal(t, []int{300, 134}, sizes)
	assert.Equal(t, ids.Media, tokens)
}

func TestBase_Values(t *testing.T) {
	l := open(t)
	at := time.Date(2026, 4, 5, 6, 7, 8, 9e6, time.UTC)
	file := media("a")
	file.Token = "tok"
	ids := l.AddBase("", feishusim.Base{Tables: []feishusim.Table{{ID: "tbl1", Fields: orders, Records: []feishusim.Record{{
		ID: "rec1", Values: map[string]any{"订单": "one", "Count": 3}, Modified: at,
		Files: map[string][]feishusim.Media{"附件": {file}, "More": {media("looked up")}},
	}}}}})
	r := l.search(ids.Base, `{}`)
	require.Equal(t, 0, r.code())
	record := r.items("items")[0]
	assert.NotContains(t, record, "last_modified_time", "unless asked for")
	values := record["fields"].(map[string]any)
	assert.Equal(t, []any{map[string]any{"type": "text", "text": "one"}}, values["订单"])
	assert.Equal(t, 3.0, values["Count"])
	looked := values["More"].(map[string]any)
	assert.Equal(t, 17.0, looked["type"])
	assert.Len(t, looked["value"], 1)
	assert.Equal(t, map[string]any{
		"file_token": "tok", "name": "a.txt", "size": 1.0, "type": "text/plain",
		"url":     l.URL() + "/open-apis/drive/v1/medias/tok/download?",
		"tmp_url": l.URL() + "/open-apis/drive/v1/medias/batch_get_tmp_download_url?file_tokens=tok",
	}, values["附件"].([]any)[0])

	record = l.search(ids.Base, `{"automatic_fields":true}`).items("items")[0]
	assert.Equal(t, float64(at.UnixMilli()), record["last_modified_time"])
}

func TestBase_RefusesWith200(t *testing.T) {
	l := open(t)
	base := l.withOrders(30).Base
	filter := func(condition string) string {
		return `{"filter":{"conjunction":"and","conditions":[` + condition + `]}}`
	}
	for name, c := range map[string]struct {
		want [2]int
		got  reply
	}{
		"base":        {[2]int{200, 1254040}, l.get(appsPath + "x/tables")},
		"table":       {[2]int{200, 1254041}, l.get(appsPath + base + "/tables/x/fields")},
		"body":        {[2]int{200, 1254001}, l.search(base, "{")},
		"page token":  {[2]int{200, 1254002}, l.search(base, "{}", "page_token", "x")},
		"page size":   {[2]int{400, 1254011}, l.search(base, "{}", "page_size", "501")},
		"field names": {[2]int{200, 1254024}, l.search(base, `{"field_names":["fldFiles"]}`)},
		"field":       {[2]int{200, 1254045}, l.search(base, filter(`{"field_name":"x","operator":"isEmpty","value":[]}`))},
		"no value":    {[2]int{200, 1254018}, l.search(base, filter(`{"field_name":"附件","operator":"isNotEmpty"}`))},
		"operator":    {[2]int{200, 1254018}, l.search(base, filter(`{"field_name":"附件","operator":"contains","value":["a"]}`))},
		"conjunction": {[2]int{200, 1254018}, l.search(base, `{"filter":{"conditions":[]}}`)},
	} {
		assert.Equal(t, c.want, c.got.refusedWith(), name)
	}
	names, err := json.Marshal(map[string]any{"field_names": make([]string, 201)})
	require.NoError(t, err)
	assert.Equal(t, [2]int{200, 1254001}, l.search(base, string(names)).refusedWith())
	l.SetLargestPage(10)
	assert.Equal(t, [2]int{200, 1254030}, l.search(base, "{}").refusedWith())
	assert.Equal(t, 0, l.search(base, "{}", "page_size", "10").code())
	l.SetForbidden(base, true)
	assert.Equal(t, [2]int{200, 1254302}, l.search(base, "{}").refusedWith())
	l.SetForbidden(base, false)
	l.HideRecords(base, true)
	r := l.search(base, "{}")
	assert.Equal(t, [2]int{200, 0}, r.refusedWith(), "too few rights are no error")
	assert.Empty(t, r.items("items"))
}

func TestBase_Changes(t *testing.T) {
	l := open(t)
	ids := l.withOrders(2)
	tables := func() map[string]any { return l.get(appsPath + ids.Base + "/tables").items("items")[0] }
	before := tables()["revision"].(float64)
	id, tokens := l.AddRecord(ids.Base, "tbl1", feishusim.Record{Files: map[string][]feishusim.Media{"附件": {media("new")}}})
	assert.Len(t, tokens, 1)
	assert.Equal(t, before+1, tables()["revision"])
	assert.Len(t, l.search(ids.Base, "{}").items("items"), 3)
	l.RemoveRecord(ids.Base, "tbl1", id)
	assert.Len(t, l.search(ids.Base, "{}").items("items"), 2)
	l.RenameField(ids.Base, "tbl1", "fldFiles", "Papers")
	assert.Contains(t, l.search(ids.Base, "{}").items("items")[0]["fields"], "Papers")
	l.RenameTable(ids.Base, "tbl1", "Sales")
	assert.Equal(t, "Sales", tables()["name"])
}

func TestBase_TablesMayBeBusy(t *testing.T) {
	l := open(t)
	base, other := l.withOrders(1).Base, l.withOrders(1).Base
	l.SetTablePause(time.Hour)
	assert.Equal(t, 0, l.search(base, "{}").code())
	assert.Equal(t, [2]int{200, 1254291}, l.search(base, "{}").refusedWith())
	assert.Equal(t, 0, l.search(other, "{}").code(), "of other tables nothing is said")
	l.SetTablePause(0)
	assert.Equal(t, 0, l.search(base, "{}").code())
}
