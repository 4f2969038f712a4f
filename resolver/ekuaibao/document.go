package ekuaibao

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// document is one as the API tells it: fields are as many as templates have.
type document map[string]any

func (d document) id() string { return text(d, "id") }

func (d document) form() map[string]any { return object(d, "form") }

func (d document) created() time.Time { return moment(d, "createTime") }

func (d document) updated() time.Time { return moment(d, "updateTime") }

// active reports whether the document was not deleted.
func (d document) active() bool {
	active, told := d["active"].(bool)
	return active || !told
}

// name is what the directory of the document is called.
func (d document) name() string {
	code, title := strings.TrimSpace(text(d.form(), "code")), strings.TrimSpace(text(d.form(), "title"))
	return cmp.Or(strings.TrimSpace(code+" "+title), d.id())
}

// lines are the lines of an expense.
func (d document) lines() []any { return list(d.form(), "details") }

// invoiceIDs are those of invoices that were recognised, which are no
// attachments.
func (d document) invoiceIDs() []string {
	var ids []string
	for _, line := range d.lines() {
		for _, invoice := range list(object(object(line, "feeTypeForm"), "invoiceForm"), "invoices") {
			if id := text(invoice, "invoiceId"); id != "" && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// settled reports whether money may have moved, so that there may be receipts.
func (d document) settled() bool {
	switch text(d, "state") {
	case "paid", "archived", "PROCESSING":
		return true
	}
	return !moment(d.form(), "payDate").IsZero()
}

// The folders of a document.
const (
	approvalsFolder = "approvals"
	invoicesFolder  = "invoices"
	receiptsFolder  = "receipts"
	thumbsFolder    = ".thumbnails"
)

func lineFolder(i int) string { return fmt.Sprintf("detail-%d", i+1) }

// file is one of a document.
type file struct {
	id     resolver.ID
	folder string
	fileID string
	key    string
	name   string
	time   time.Time
	link   *resolver.Link // that came along, or nil
	stored string         // the key in the link, where nothing else tells what it is
}

// files are the attachments that the document itself names, in a fixed order.
// One that is there twice is where it comes first.
func (d document) files() []file {
	f := finder{flow: d.id()}
	form := maps.Clone(d.form())
	delete(form, "details")
	f.walk(form, "", d.created())
	for i, line := range d.lines() {
		f.walk(line, lineFolder(i), d.created())
	}
	for _, entry := range list(d, "logs") {
		at := moment(entry, "time")
		if at.IsZero() {
			at = d.created()
		}
		f.walk(entry, approvalsFolder, at)
	}
	return f.found
}

// finder looks for attachments. Templates may have any number of fields with
// some, so all objects that look like one are taken for it.
type finder struct {
	flow  string
	found []file
}

func (f *finder) walk(value any, folder string, at time.Time) {
	switch value := value.(type) {
	case []any:
		for _, item := range value {
			f.walk(item, folder, at)
		}
	case map[string]any:
		key, fileID, name := text(value, "key"), text(value, "fileId"), text(value, "fileName")
		if key != "" && (fileID != "" || name != "") {
			f.add(file{folder: folder, fileID: fileID, key: key, name: name, time: at})
			return
		}
		for _, field := range slices.Sorted(maps.Keys(value)) {
			below := folder
			if field == "invoiceForm" {
				below = invoicesFolder
			}
			f.walk(value[field], below, at)
		}
	}
}

// add completes a file and returns its place. One that is there already only
// takes the link.
func (f *finder) add(n file) {
	if onDrive(n.key) {
		n.link = nil // it would lack the headers
	}
	if at := f.find(n.fileID, n.key); at >= 0 {
		f.found[at].link = cmp.Or(f.found[at].link, n.link)
		return
	}
	if n.id == "" && n.fileID != "" {
		n.id = join(fileKind, f.flow, n.fileID, n.key)
	} else if n.id == "" {
		n.id = join(partKind, f.flow, partOf(n.key, "", ""))
	}
	n.name = cmp.Or(n.name, nameOf(n.key), n.fileID)
	if uploaded := timeOf(n.key); !uploaded.IsZero() {
		n.time = uploaded
	}
	f.found = append(f.found, n)
}

// find returns the place of a file, by its id or else its key; -1 for none.
func (f *finder) find(fileID, key string) int {
	if fileID != "" {
		if at := slices.IndexFunc(f.found, func(n file) bool { return n.fileID == fileID }); at >= 0 {
			return at
		}
	}
	if key == "" {
		return -1
	}
	return slices.IndexFunc(f.found, func(n file) bool {
		return n.key == key && (n.fileID == "" || fileID == "" || n.fileID == fileID)
	})
}

// text, object, list and moment read a field of what may be an object and may
// have it.
func text(of any, field string) string {
	m, _ := asObject(of)
	s, _ := m[field].(string)
	return s
}

func object(of any, field string) map[string]any {
	m, _ := asObject(of)
	o, _ := m[field].(map[string]any)
	return o
}

func list(of any, field string) []any {
	m, _ := asObject(of)
	l, _ := m[field].([]any)
	return l
}

func moment(of any, field string) time.Time {
	m, _ := asObject(of)
	if ms, ok := m[field].(float64); ok && ms > 0 {
		return time.UnixMilli(int64(ms)).UTC()
	}
	return time.Time{}
}

func asObject(of any) (map[string]any, bool) {
	switch of := of.(type) {
	case map[string]any:
		return of, true
	case document:
		return of, true
	}
	return nil, false
}
