package feishudocs

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"strings"
)

// cellFile is a medium as a cell of a spreadsheet tells of it. Only the form of
// pictures is documented, which has a token and no name; whatever else has a
// token is taken as it comes.
type cellFile struct {
	Type  string `json:"type"`
	Token string `json:"fileToken"`
	Name  string `json:"name"`
	// Text is the name of an attachment; that of a picture is empty.
	Text string `json:"text"`
}

// mentionType is that of a link to another document, whose token is no medium's.
const mentionType = "mention"

// add puts the file into the directory of a spreadsheet. A size in a cell is left
// aside: no document says what it is, and a wrong one would spoil the file.
func (f cellFile) add(at place, entries *entrySet) {
	name := cmp.Or(strings.TrimSpace(f.Name), strings.TrimSpace(f.Text))
	if name == "" {
		entries.addPicture(medium(at.at(mediaKind, at.tokens[0], f.Token), f.Token))
		return
	}
	entries.add(medium(at.at(mediaKind, at.tokens[0], f.Token), name))
}

// filesIn finds the media in values of whatever form, in their order.
func filesIn(values json.RawMessage) []cellFile {
	var found []cellFile
	var look func(json.RawMessage, int)
	look = func(value json.RawMessage, depth int) {
		value = bytes.TrimSpace(value)
		if len(value) == 0 || depth > maxNesting {
			return
		}
		switch value[0] {
		case '[':
			var items []json.RawMessage
			if json.Unmarshal(value, &items) == nil {
				for _, item := range items {
					look(item, depth+1)
				}
			}
		case '{':
			if !bytes.Contains(value, []byte(`"fileToken"`)) {
				return
			}
			for _, member := range members(value, &found) {
				look(member, depth+1)
			}
		}
	}
	look(values, 0)
	return found
}

// maxNesting is beyond the cells in rows in ranges, and what a cell has in it.
const maxNesting = 16

// members returns what is in an object, in its order, after the object itself was
// looked at. Nothing in a mention is a medium.
func members(object json.RawMessage, found *[]cellFile) []json.RawMessage {
	var f cellFile
	if json.Unmarshal(object, &f) != nil { // a field is of another type than ours
		f = cellFile{}
		_ = json.Unmarshal(object, &struct {
			Token *string `json:"fileToken"`
		}{&f.Token})
	}
	if f.Type == mentionType {
		return nil
	}
	if tokenText.MatchString(f.Token) {
		*found = append(*found, f)
	}
	var all []json.RawMessage
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return nil
	}
	for d.More() {
		var member json.RawMessage
		if _, err := d.Token(); err != nil {
			return all
		}
		if err := d.Decode(&member); err != nil && err != io.EOF {
			return all
		}
		all = append(all, member)
	}
	return all
}
