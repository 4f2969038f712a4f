package kdocssim_test

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/kdocs/kdocssim"
)

const recordsPath = "/api/v1/openapi/dbt/" + doc + "/sheets/1/records"

// many adds a sheet of n records.
func many(s *kdocssim.Server, n int) {
	s.AddDocument(table())
	records := make([]kdocssim.Record, n)
	for i := range records {
		records[i] = kdocssim.Record{ID: fmt.Sprintf("r%d", i), Cells: map[string]any{"B": i}}
	}
	s.SetRecords(doc, 1, records)
}

func ids(r reply) (ids []string) {
	for _, record := range r.detail()["records"].([]any) {
		ids = append(ids, record.(map[string]any)["id"].(string))
	}
	return ids
}

func TestSchemas(t *testing.T) {
	s := start(t)
	many(s, 3)
	r := get(t, s, s.Login(appID).Access, schemasPath, nil)
	got, err := json.Marshal(r.detail()["sheets"])
	require.NoError(t, err)
	assert.JSONEq(t, `[{"id":1,"name":"数据表","primaryFieldId":"B","recordsCount":3,
		"fields":[{"id":"B","name":"名称","type":"MultiLineText"},{"id":"C","name":"图片和附件","type":"Attachment"}],
		"views":[{"id":"B","name":"表格视图","type":"Grid","recordsCount":3}]}]`, string(got))
}

func TestRecords_Pages(t *testing.T) {
	s := start(t)
	many(s, 250)
	token := s.Login(appID).Access
	var got []string
	var sizes []int
	query := url.Values{}
	for more := true; more; {
		r := get(t, s, token, recordsPath, query)
		got, sizes = append(got, ids(r)...), append(sizes, len(ids(r)))
		var offset string
		if offset, more = r.detail()["offset"].(string); more {
			query.Set("offset", offset)
		}
	}
	assert.Equal(t, []int{100, 100, 50}, sizes)
	want := make([]string, 250)
	for i := range want {
		want[i] = fmt.Sprintf("r%d", i)
	}
	assert.Equal(t, want, got)
	assert.Equal(t, kdocssim.CallCounts{Calls: 3, Items: 250}, s.Counts(kdocssim.Records))
}

func TestRecords_CursorsSurviveChanges(t *testing.T) {
	s := start(t)
	many(s, 4)
	token := s.Login(appID).Access
	first := get(t, s, token, recordsPath, url.Values{"pageSize": {"2"}})
	s.SetRecords(doc, 1, []kdocssim.Record{{ID: "new"}, {ID: "r0"}, {ID: "r1"}, {ID: "r2"}})
	query := url.Values{"pageSize": {"2"}, "offset": {first.detail()["offset"].(string)}}
	assert.Equal(t, []string{"r2"}, ids(get(t, s, token, recordsPath, query)))
	query.Set("offset", "opaque")
	assert.Equal(t, 40003, get(t, s, token, recordsPath, query).code())
}

func TestRecords_CursorEnds(t *testing.T) {
	s := start(t)
	many(s, 4)
	token := s.Login(appID).Access
	query := url.Values{"pageSize": {"2"}}
	led := get(t, s, token, recordsPath, query).detail()["offset"].(string)
	query.Set("offset", led)
	for end, want := range map[kdocssim.CursorEnd]any{
		kdocssim.EndEmpty: "", kdocssim.EndNull: nil, kdocssim.EndRepeated: led,
	} {
		s.SetCursorEnd(end)
		detail := get(t, s, token, recordsPath, query).detail()
		require.Contains(t, detail, "offset", end)
		assert.Equal(t, want, detail["offset"], end)
	}
	s.SetCursorEnd(kdocssim.EndAbsent)
	assert.NotContains(t, get(t, s, token, recordsPath, query).detail(), "offset")
	s.SetCursorEnd(kdocssim.EndRepeated)
	assert.NotContains(t, get(t, s, token, recordsPath, nil).detail(), "offset", "nothing led to the first page")
}

func TestRecords_PageSizes(t *testing.T) {
	s := start(t)
	many(s, 1100)
	token := s.Login(appID).Access
	sized := func(n int) reply { return get(t, s, token, recordsPath, url.Values{"pageSize": {strconv.Itoa(n)}}) }
	assert.Len(t, ids(sized(1000)), 1000)
	assert.Equal(t, 40003, sized(1001).code())
	s.SetPages(kdocssim.Pages{Most: 100})
	assert.Equal(t, 40003, sized(101).code())
	s.SetPages(kdocssim.Pages{Most: 100, Clamps: true})
	assert.Len(t, ids(sized(1000)), 100)
	assert.Equal(t, 40003, sized(0).code())
}

func TestRecords_Parameters(t *testing.T) {
	s := start(t)
	many(s, 5)
	s.SetRecords(doc, 1, []kdocssim.Record{
		{ID: "r0", Cells: map[string]any{"B": "text", "C": []kdocssim.Attachment{{UploadID: "u"}}}}, {ID: "r1"}, {ID: "r2"},
	})
	token := s.Login(appID).Access
	fields := func(query url.Values) []string {
		var names []string
		record := get(t, s, token, recordsPath, query).detail()["records"].([]any)[0].(map[string]any)
		for name := range record["fields"].(map[string]any) {
			names = append(names, name)
		}
		return names
	}
	assert.ElementsMatch(t, []string{"名称", "图片和附件"}, fields(nil))
	assert.ElementsMatch(t, []string{"B", "C"}, fields(url.Values{"preferId": {"true"}}))
	assert.Equal(t, []string{"C"}, fields(url.Values{"preferId": {"true"}, "fields": {"C"}}))
	assert.Equal(t, []string{"r0", "r1"}, ids(get(t, s, token, recordsPath, url.Values{"maxRecords": {"2"}})))
	assert.Equal(t, []string{"r2"}, ids(get(t, s, token, recordsPath, url.Values{"pageSize": {"1"}, "pageNum": {"2"}})))
	for name, value := range map[string]string{"viewId": "none", "preferId": "maybe", "pageSize": "x", "pageNum": "x"} {
		assert.Equal(t, 40003, get(t, s, token, recordsPath, url.Values{name: {value}}).code(), name)
	}
	assert.Equal(t, 0, get(t, s, token, recordsPath, url.Values{"viewId": {"B"}}).code())
	assert.Equal(t, 40004, get(t, s, token, "/api/v1/openapi/dbt/111/sheets/9/records", nil).code())
}
