package feishusim_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/feishu/feishusim"
)

const sheetsV3, sheetsV2 = "/open-apis/sheets/v3/spreadsheets/", "/open-apis/sheets/v2/spreadsheets/"

// values reads one range of a spreadsheet.
func (l *library) values(token, span string, query ...string) reply {
	l.t.Helper()
	return l.get(sheetsV2+token+"/values/"+url.PathEscape(span), query...)
}

// rows are the values of an answer.
func (r reply) rows() []any { return r.data()["valueRange"].(map[string]any)["values"].([]any) }

func TestSheets_Query(t *testing.T) {
	l := open(t)
	ids := l.AddSheet("", feishusim.Spreadsheet{Title: "plan", Tabs: []feishusim.Tab{
		{ID: "Q7PlXT", Title: "first", Cells: []feishusim.Cell{{At: "AB300", Value: 1}}},
		{ID: "0b6377", Title: "hidden", Hidden: true},
		{ID: "giDk9k", Title: "a base", Type: "bitable"},
	}})
	assert.Equal(t, "plan", l.get(sheetsV3 + ids.Spreadsheet).data()["spreadsheet"].(map[string]any)["title"])
	sheets := l.get(sheetsV3 + ids.Spreadsheet + "/sheets/query").items("sheets")
	require.Len(t, sheets, 3)
	assert.Equal(t, ids.Tabs, pluck(sheets, "sheet_id"))
	assert.Equal(t, []string{"sheet", "sheet", "bitable"}, pluck(sheets, "resource_type"))
	assert.Equal(t, true, sheets[1]["hidden"])
	grid := sheets[0]["grid_properties"].(map[string]any)
	assert.Equal(t, []any{300.0, 28.0}, []any{grid["row_count"], grid["column_count"]})
	assert.NotContains(t, sheets[2], "grid_properties")
}

// The example of question 8 of the page of questions about sheets.
func TestSheets_PicturesOfCellsAsThePageShows(t *testing.T) {
	l := open(t)
	picture := media("a")
	picture.Token = "UeZNbAxAIojSuRxarT1ccsabcef"
	ids := l.AddSheet("", feishusim.Spreadsheet{Token: "Iow7sNNEphp3WbtnbCscPqQPnTd", Tabs: []feishusim.Tab{{
		ID: "2jm6f6", Cells: []feishusim.Cell{{At: "B1", Media: []feishusim.Media{picture}}, {At: "A1", Value: "text"}},
	}}})
	r := l.values(ids.Spreadsheet, "2jm6f6!B1:B1")
	require.Equal(t, 0, r.code())
	assert.Equal(t, ids.Spreadsheet, r.data()["spreadsheetToken"])
	read := r.data()["valueRange"].(map[string]any)
	assert.Equal(t, "ROWS", read["majorDimension"])
	assert.Equal(t, "2jm6f6!B1:B1", read["range"])
	cell := r.rows()[0].([]any)[0].(map[string]any)
	link := cell["link"].(string)
	delete(cell, "link")
	assert.Equal(t, map[string]any{
		"fileToken": picture.Token, "height": 1994.0, "text": "", "type": "embed-image", "width": 3278.0,
	}, cell)
	assert.Contains(t, link, "/space/api/box/stream/download/v2/cover/"+picture.Token+"/")
	assert.Equal(t, 0, l.links("", picture.Token).code())
	assert.Equal(t, []any{[]any{"text", ""}}, l.values(ids.Spreadsheet, "2jm6f6!A1:B1", "valueRenderOption", "ToString").rows())
}

func TestSheets_ShapesOfAttachments(t *testing.T) {
	l := open(t)
	m := media("a")
	m.Token = "tok"
	full := map[string]any{"type": "attachment", "fileToken": "tok", "text": "a.txt", "mimeType": "text/plain", "size": 1.0}
	for shape, want := range map[feishusim.CellShape]any{
		feishusim.Attachments: []any{full},
		feishusim.Bare:        []any{map[string]any{"fileToken": "tok"}},
		feishusim.Nested: []any{
			map[string]any{"type": "text", "text": "see "}, []any{full},
			map[string]any{"type": "mention", "textType": "fileToken", "text": "a document", "token": "shtcnNotAMedium", "fileToken": "shtcnNotAMedium"},
		},
	} {
		ids := l.AddSheet("", feishusim.Spreadsheet{Tabs: []feishusim.Tab{{
			ID: "s", Rows: 1, Columns: 1, Cells: []feishusim.Cell{{At: "A1", Media: []feishusim.Media{m}, Shape: shape}},
		}}})
		assert.Equal(t, []any{[]any{want}}, l.values(ids.Spreadsheet, "s").rows(), shape)
	}
}

func TestSheets_Ranges(t *testing.T) {
	l := open(t)
	token := l.AddSheet("", feishusim.Spreadsheet{Tabs: []feishusim.Tab{
		{ID: "s", Rows: 3, Columns: 2, Cells: []feishusim.Cell{{At: "A1", Value: "a"}, {At: "B2", Value: 2}, {At: "A3", Value: "c"}}},
		{ID: "wide", Rows: 1, Columns: 150, Cells: []feishusim.Cell{{At: "EA1", Value: "far"}}},
	}}).Spreadsheet
	whole := []any{[]any{"a", nil}, []any{nil, 2.0}, []any{"c", nil}}
	for span, want := range map[string][]any{
		"s": whole, "s!A:B": whole, "s!A2:B": whole[1:], "s!A1:Z100": whole, "s!A1:A1": {[]any{"a"}}, "s!B2:B3": {[]any{2.0}, []any{nil}},
	} {
		assert.Equal(t, want, l.values(token, span).rows(), span)
	}
	assert.Equal(t, "", l.values(token, "s!B1:B1").data()["valueRange"].(map[string]any)["range"], "no data")
	assert.Len(t, l.values(token, "wide!A:ET").rows()[0], 100)
	assert.Len(t, l.values(token, "wide!A1:ET").rows()[0], 100)
	assert.Len(t, l.values(token, "wide!A1:ET1").rows()[0], 150)

	r := l.get(sheetsV2+token+"/values_batch_get", "ranges", "s!A1:B2,wide!EA1:EA1")
	require.Equal(t, 0, r.code())
	assert.Equal(t, 5.0, r.data()["totalCells"])
	assert.Equal(t, []string{"s!A1:B2", "wide!EA1:EA1"}, pluck(r.items("valueRanges"), "range"))
}

func TestSheets_Floats(t *testing.T) {
	l := open(t)
	ids := l.AddSheet("", feishusim.Spreadsheet{Tabs: []feishusim.Tab{
		{ID: "s", Floats: []feishusim.Float{{Media: media("a"), At: "C3"}}}, {ID: "none"},
	}})
	path := sheetsV3 + ids.Spreadsheet + "/sheets/"
	items := l.get(path + "s/float_images/query").items("items")
	require.Len(t, items, 1)
	assert.Equal(t, ids.Media[0], items[0]["float_image_token"])
	assert.Equal(t, "s!C3:C3", items[0]["range"])
	assert.NotContains(t, items[0], "name")
	assert.Empty(t, l.get(path+"none/float_images/query").items("items"))
	assert.Equal(t, [2]int{400, 1310251}, l.get(path+"x/float_images/query").refusedWith())
}

func TestSheets_Refuse(t *testing.T) {
	l := open(t)
	token := l.AddSheet("", feishusim.Spreadsheet{Tabs: []feishusim.Tab{{ID: "s"}}}).Spreadsheet
	query := func(token string) [2]int { return l.get(sheetsV3 + token + "/sheets/query").refusedWith() }
	assert.Equal(t, [2]int{400, 1310214}, query("x"))
	assert.Equal(t, [2]int{404, 91402}, l.values("x", "s").refusedWith())
	assert.Equal(t, [2]int{400, 90215}, l.values(token, "t!A1:B2").refusedWith())
	for _, span := range []string{"s!A1", "s!", "s!B1:A1", "s!A2:A1", "s!1:2", "s!A0:A1"} {
		assert.Equal(t, [2]int{400, 90202}, l.values(token, span).refusedWith(), span)
	}
	l.SetForbidden(token, true)
	assert.Equal(t, [2]int{400, 1310213}, query(token))
	assert.Equal(t, [2]int{403, 91403}, l.values(token, "s").refusedWith())
	l.SetForbidden(token, false)
	l.Remove(token)
	assert.Equal(t, [2]int{400, 1310249}, query(token))
}

func TestSheets_AnswersAreBounded(t *testing.T) {
	l := open(t)
	token := l.AddSheet("", feishusim.Spreadsheet{Tabs: []feishusim.Tab{{ID: "s", Rows: 30_000, Columns: 100}}}).Spreadsheet
	assert.Equal(t, [2]int{400, 90221}, l.values(token, "s").refusedWith(), "3 million empty cells")
	assert.Equal(t, 0, l.values(token, "s!A1:CV1000").code())
	l.SetLargestValues(1000)
	assert.Equal(t, 90221, l.values(token, "s!A1:CV10").code())
	assert.Equal(t, 0, l.values(token, "s!A1:CV1").code())
}

func TestSheets_Change(t *testing.T) {
	l := open(t)
	token := l.AddSheet("", feishusim.Spreadsheet{Tabs: []feishusim.Tab{{ID: "s", Cells: []feishusim.Cell{{At: "A1", Value: 1}}}}}).Spreadsheet
	assert.Equal(t, 0.0, l.values(token, "s!A1:A1").data()["revision"])
	l.SetSheet(token, feishusim.Spreadsheet{Title: "new", Tabs: []feishusim.Tab{{ID: "s", Cells: []feishusim.Cell{{At: "A1", Value: 2}}}}})
	r := l.values(token, "s!A1:A1")
	assert.Equal(t, 1.0, r.data()["revision"])
	assert.Equal(t, []any{[]any{2.0}}, r.rows())
}
