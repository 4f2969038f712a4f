package kdocs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/attachfs/attachfs/resolver"
)

// word is a text that some servers write as a number; null is empty.
type word string

// UnmarshalJSON reads a text or a number. Whatever else there is, is empty.
func (w *word) UnmarshalJSON(text []byte) error {
	var s string
	var n json.Number
	switch {
	case json.Unmarshal(text, &s) == nil:
		*w = word(s)
	case json.Unmarshal(text, &n) == nil:
		*w = word(n.String())
	}
	return nil
}

// cells are the values of a record, by the ids of their fields.
type cells map[string]json.RawMessage

// UnmarshalJSON reads an object, or a text that holds one, as other calls of WPS
// write it.
func (c *cells) UnmarshalJSON(text []byte) error {
	var within string
	if json.Unmarshal(text, &within) == nil {
		text = []byte(cmp.Or(within, "null"))
	}
	return json.Unmarshal(text, (*map[string]json.RawMessage)(c))
}

// attachment is one of a cell.
type attachment struct {
	Name   string `json:"fileName"`
	Size   word   `json:"size"`
	Type   string `json:"type"`
	Source string `json:"source"`
	Key    string `json:"uploadId"`
}

func (a attachment) reference() reference { return reference{a.Source, a.Type, a.Key} }

// attachmentType is what columns of attachments are called by the newer API of
// WPS. Nobody says what this one calls them, so cells tell as well.
const attachmentType = "attachment"

// isAttachments reports whether the column is one of attachments, as far as its
// type tells.
func (f field) isAttachments() bool { return strings.EqualFold(f.Type, attachmentType) }

// attachmentsOf returns what a cell has. If the type of its column does not tell
// that it is one of attachments, what it looks like does.
func attachmentsOf(value json.RawMessage, typed bool) []attachment {
	var list []attachment
	if !bytes.HasPrefix(bytes.TrimSpace(value), []byte("[")) || json.Unmarshal(value, &list) != nil {
		return nil
	}
	return slices.DeleteFunc(list, func(a attachment) bool {
		return a.Key == "" || !typed && (a.Name == "" || a.Source == "")
	})
}

// attachments returns those of all cells, in a fixed order. One that is in two
// fields is one.
func (r record) attachments(typed []string) []attachment {
	var all []attachment
	seen := make(map[reference]bool)
	for _, id := range slices.Sorted(maps.Keys(r.Fields)) {
		for _, a := range attachmentsOf(r.Fields[id], slices.Contains(typed, id)) {
			if !seen[a.reference()] {
				seen[a.reference()] = true
				all = append(all, a)
			}
		}
	}
	return all
}

// name is that of the file, with an extension if it has to be made up.
func (a attachment) name() string {
	if a.Name != "" {
		return a.Name
	}
	name := "attachment " + a.Key
	if kind := strings.TrimPrefix(strings.ToLower(a.Type), "image/"); kind != "" && !strings.Contains(kind, "/") {
		name += "." + kind
	}
	return name
}

// length is what the cell tells. A file of no bytes is not uploaded as a rule: 0
// rather means that nobody knows.
func (a attachment) length() int64 {
	n, err := strconv.ParseInt(string(a.Size), 10, 64)
	if err != nil || n <= 0 {
		return resolver.SizeUnknown
	}
	return n
}

// label is what a value is called in a name: the text of it, or those in it.
func label(value json.RawMessage) string {
	d := json.NewDecoder(bytes.NewReader(value))
	d.UseNumber()
	var v any
	if d.Decode(&v) != nil {
		return ""
	}
	return labelOf(v)
}

// labelFields are where the objects of links, persons and references have their
// texts, the best first.
var labelFields = []string{"text", "displayText", "name", "nickName", "nickname", "title", "fileName", "value", "address", "link", "id"}

func labelOf(v any) string {
	switch v := v.(type) {
	case string:
		line, _, _ := strings.Cut(strings.TrimSpace(v), "\n")
		return strings.TrimSpace(line)
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	case []any:
		var parts []string
		for _, item := range v {
			if part := labelOf(item); part != "" {
				parts = append(parts, part)
			}
		}
		return strings.Join(parts, ", ")
	case map[string]any:
		for _, name := range labelFields {
			if text := labelOf(v[name]); text != "" {
				return text
			}
		}
	}
	return ""
}
