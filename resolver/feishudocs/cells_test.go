package feishudocs

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestFilesIn(t *testing.T) {
	for name, c := range map[string]struct {
		values string
		tokens []string
	}{
		"nothing":            {``, nil},
		"null":               {`null`, nil},
		"not JSON":           {`[[{"fileToken":"boxAbcd"`, nil},
		"texts":              {`[["fileToken", 1, null, true, {"text":"x"}]]`, nil},
		"the documented one": {`[[{"type":"embed-image","fileToken":"boxAbcd","width":1,"height":2,"text":"","link":"https://x"}]]`, []string{"boxAbcd"}},
		"several in a cell":  {`[[[{"fileToken":"boxAbcd"},{"fileToken":"boxEfgh"}]]]`, []string{"boxAbcd", "boxEfgh"}},
		"within something":   {`[[{"type":"attachment","value":{"files":[{"fileToken":"boxAbcd"}]}}]]`, []string{"boxAbcd"}},
		"a mention":          {`[[{"type":"mention","textType":"fileToken","fileToken":"shtAbcd","value":{"fileToken":"boxAbcd"}}]]`, nil},
		"odd types":          {`[[{"fileToken":"boxAbcd","name":5,"text":{},"type":1}]]`, []string{"boxAbcd"}},
		"no token at all":    {`[[{"fileToken":"../x"},{"fileToken":""},{"fileToken":{}}]]`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var tokens []string
			for _, f := range filesIn(json.RawMessage(c.values)) {
				tokens = append(tokens, f.Token)
			}
			assert.Equal(t, c.tokens, tokens)
		})
	}
}

func FuzzFilesIn(f *testing.F) {
	f.Add([]byte(`[[{"type":"embed-image","fileToken":"boxAbcd"},[{"fileToken":"x"}]]]`))
	f.Add([]byte(`{"fileToken":{"fileToken":[[["fileToken"]]]}}`))
	f.Fuzz(func(t *testing.T, values []byte) {
		for _, found := range filesIn(values) {
			assert.Regexp(t, tokenText, found.Token)
		}
	})
}

func TestColumnName(t *testing.T) {
	for column, want := range map[int]string{0: "A", 25: "Z", 26: "AA", 51: "AZ", 52: "BA", 701: "ZZ", 702: "AAA"} {
		assert.Equal(t, want, columnName(column))
	}
}

func TestTextOf(t *testing.T) {
	for value, want := range map[string]string{
		``: "", `null`: "", `{}`: "", `[]`: "",
		`"plain"`: "plain", `[{"type":"text","text":"a "},{"type":"text","text":"b"}]`: "a b",
		`5`: "5", `1767225600000`: "1767225600000", `1.5`: "1.5", `true`: "true",
		`["x","y"]`: "x, y", `[{"id":"ou_1","name":"Ann"}]`: "Ann",
		`{"type":1,"value":[{"type":"text","text":"formula"}]}`: "formula",
		`{"link":"https://x","text":"shown"}`:                   "shown",
		"\"two\\nlines\"":                                       "two lines",
	} {
		assert.Equal(t, want, textOf(json.RawMessage(value)), value)
	}
}

func TestPlace(t *testing.T) {
	p := place{kind: folderKind, tokens: []string{"A"}}
	_, ok := p.through("S", "A")
	assert.False(t, ok, "to itself")
	p, ok = p.through("S", "B")
	assert.True(t, ok)
	q := p.at(docxKind, "a/b:c")
	assert.Equal(t, q, placeOf(q.id()))
	_, ok = q.through("S2", "B")
	assert.False(t, ok, "to where a way led already")
	for i := range 2 * maxVia {
		if p, ok = p.through("S", string(rune('a'+i))); !ok {
			assert.Equal(t, maxVia-1, i)
			return
		}
	}
	t.Error("there is no end")
}
