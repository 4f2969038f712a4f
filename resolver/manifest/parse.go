package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// record is one checked element of a manifest's files.
type record struct {
	path    string
	url     resolver.Secret
	size    int64
	modTime time.Time
	header  map[string]resolver.Secret
	sha256  []byte
}

// keys of a record and what reads each; in this order they are checked.
var keys = []struct {
	name string
	read func(*record, json.RawMessage) error
}{
	{"path", (*record).readPath},
	{"url", (*record).readURL},
	{"size", (*record).readSize},
	{"mtime", (*record).readModTime},
	{"headers", (*record).readHeaders},
	{"sha256", (*record).readSHA256},
}

// parse reads a document. Errors name the line or the element, and never show
// a URL or a header's value.
func parse(text []byte) ([]record, error) {
	var doc map[string]json.RawMessage
	if err := json.Unmarshal(text, &doc); err != nil {
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			return nil, fmt.Errorf("line %d: %w", 1+bytes.Count(text[:e.Offset], []byte("\n")), err)
		}
		return nil, errors.New(`must be an object such as {"files": [...]}`)
	}
	for key := range doc {
		if key != "files" {
			return nil, fmt.Errorf("unknown key %q, the only one is files", key)
		}
	}
	var files []map[string]json.RawMessage
	if err := json.Unmarshal(doc["files"], &files); err != nil {
		return nil, errors.New(`files: must be a list of objects such as {"path": ..., "url": ...}`)
	}
	records := make([]record, len(files))
	for i, fields := range files {
		if err := records[i].read(fields); err != nil {
			return nil, fmt.Errorf("files[%d]%s: %w", i, records[i].label(), err)
		}
	}
	return records, nil
}

// read fills r from the fields of one element.
func (r *record) read(fields map[string]json.RawMessage) error {
	r.size = resolver.SizeUnknown
	known := 0
	for _, key := range keys {
		raw, ok := fields[key.name]
		if ok {
			known++
		}
		if !ok || string(raw) == "null" {
			continue
		}
		if err := key.read(r, raw); err != nil {
			return fmt.Errorf("%s: %w", key.name, err)
		}
	}
	if known < len(fields) {
		return unknownKey(fields)
	}
	if r.path == "" {
		return errors.New(`path: is missing; must be a relative path such as "reports/2026.pdf"`)
	}
	if r.url.IsZero() {
		return errors.New("url: is missing; must be an absolute http or https address")
	}
	return nil
}

// label is the path for messages, if there is a good one.
func (r *record) label() string {
	if r.path == "" {
		return ""
	}
	return fmt.Sprintf(" %q", r.path)
}

// unknownKey names the first field that is not among keys.
func unknownKey(fields map[string]json.RawMessage) error {
	var names []string
	for _, key := range keys {
		names = append(names, key.name)
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		if !slices.Contains(names, field) {
			return fmt.Errorf("unknown key %q, must be one of %s", field, strings.Join(names, ", "))
		}
	}
	return nil
}
