package kdocs

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

func TestLabel(t *testing.T) {
	for value, want := range map[string]string{
		`"西湖店"`:                             "西湖店",
		`"  first line \n second"`:          "first line",
		`12345678901234567890`:              "12345678901234567890",
		`true`:                              "true",
		`["a","b",""]`:                      "a, b",
		`[{"nickName":"小明","id":"7"}]`:      "小明",
		`{"address":"https://h","text":""}`: "https://h",
		`{"unknown":"x"}`:                   "",
		`null`:                              "",
		`""`:                                "",
		``:                                  "",
	} {
		assert.Equal(t, want, label(json.RawMessage(value)), value)
	}
}

func TestAttachments(t *testing.T) {
	const cell = `[{"uploadId":"u1","source":"Cloud","type":"otl","fileName":"a.otl","size":"7"},{"uploadId":"","fileName":"x","source":"cloud"}]`
	for name, c := range map[string]struct {
		value string
		typed bool
		want  int
	}{
		"by shape":            {cell, false, 1},
		"by type":             {cell, true, 1},
		"a name is missing":   {`[{"uploadId":"u1"}]`, true, 1},
		"without the type":    {`[{"uploadId":"u1"}]`, false, 0},
		"persons":             {`[{"id":"7","name":"x"}]`, false, 0},
		"a text":              {`"[]"`, true, 0},
		"texts":               {`["u1"]`, true, 0},
		"nothing":             {`null`, true, 0},
		"one that is no list": {`{"uploadId":"u1","fileName":"x","source":"cloud"}`, true, 0},
	} {
		assert.Len(t, attachmentsOf(json.RawMessage(c.value), c.typed), c.want, name)
	}
	list := attachmentsOf(json.RawMessage(cell), false)
	require.Len(t, list, 1)
	assert.Equal(t, reference{"Cloud", "otl", "u1"}, list[0].reference(), "as received")
	assert.EqualValues(t, 7, list[0].length())
	assert.Equal(t, "attachment u1.png", attachment{Key: "u1", Type: "image/PNG"}.name())
	assert.Equal(t, resolver.SizeUnknown, attachment{}.length())
}

// Other calls of WPS write the cells of a record as a text.
func TestRecord_CellsAsText(t *testing.T) {
	for _, fields := range []string{`{"B":"x"}`, `"{\"B\":\"x\"}"`} {
		var r record
		require.NoError(t, json.Unmarshal([]byte(`{"id":7,"fields":`+fields+`}`), &r))
		assert.Equal(t, word("7"), r.ID)
		assert.Equal(t, "x", label(r.Fields["B"]))
	}
	var r record
	require.NoError(t, json.Unmarshal([]byte(`{"id":"K","fields":""}`), &r))
	assert.Empty(t, r.Fields)
}

func TestRecord_OneFileOfTwoFields(t *testing.T) {
	const cell = `[{"uploadId":"u1","source":"cloud","type":"png","fileName":"a.png"}]`
	r := record{Fields: cells{"C": json.RawMessage(cell), "D": json.RawMessage(cell)}}
	assert.Len(t, r.attachments(nil), 1)
}

func TestID(t *testing.T) {
	at := place{"dbt", "1/1", "2", "r%", reference{"cloud", "", "k/ 中"}}
	for level, id := range map[string]resolver.ID{
		documentLevel: at.documentID(), sheetLevel: at.sheetID(), recordLevel: at.recordID(), fileLevel: at.fileID(),
	} {
		got, found := placeOf(id)
		assert.Equal(t, level, found)
		assert.Equal(t, at.token, got.token)
	}
	got, _ := placeOf(at.fileID())
	assert.Equal(t, at, got, "all that a call for links asks for")
	for _, id := range []resolver.ID{
		"", "document", "document/dbt", "document/dbt/", "document/docx/1", "sheet/dbt/1", "sheet/dbt/1/", "file/dbt/1/2/3/s/t",
		"file/dbt/1/2/3/s/t/", "file/dbt/1/2/3/s/t/k/more", "document/dbt/%zz",
	} {
		_, level := placeOf(id)
		assert.Empty(t, level, id)
	}
}
