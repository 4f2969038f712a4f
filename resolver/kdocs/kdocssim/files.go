package kdocssim

import (
	"cmp"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// folder is one of the person's, or one of a group's.
type folder struct {
	id, name, parent string
	group            bool
}

// files is what the person has. It is guarded by Server.mu.
type files struct {
	inDetail  bool
	most      int // files a page
	folders   []folder
	documents []*document // in the order in which they were added
	byToken   map[string]*document
}

func newFiles() files { return files{most: 100, byToken: make(map[string]*document)} }

var fileEndpoints = []*endpoint{{
	call: Files, pattern: "GET /api/v1/openapi/personal/files", scope: ScopeFiles,
	test: 10_000, released: 1_000_000, handle: (*Server).listFolder,
}, {
	call: FlatFiles, pattern: "GET /api/v1/openapi/personal/files/flat", scope: ScopeFiles,
	test: 10_000, released: 1_000_000, handle: (*Server).listFlat,
}}

// AddFolder adds a folder to another; to "My documents" if parent is empty.
func (s *Server) AddFolder(parent, name string) (id string) { return s.addFolder(parent, name, false) }

// AddGroup adds a group of people, which has files of its own.
func (s *Server) AddGroup(name string) (id string) { return s.addFolder("", name, true) }

func (s *Server) addFolder(parent, name string, group bool) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.id("folder")
	s.files.folders = append(s.files.folders, folder{id, name, parent, group})
	return id
}

// SetFilesInDetail lets lists of files come in data.detail instead of in data.
func (s *Server) SetFilesInDetail(inDetail bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files.inDetail = inDetail
}

// SetMostFiles says how many files a page of them may have: 100 until told
// otherwise. To ask for more is an error.
func (s *Server) SetMostFiles(n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.files.most = n
}

// listed is an item on the wire.
func listed(id, name, kind string, modTime time.Time, size int64) map[string]any {
	return map[string]any{
		"id":    map[string]any{"open_id": id, "union_id": "u" + id},
		"fname": name, "ftype": kind, "mtime": modTime.Unix(), "fsize": size,
	}
}

func (d *document) listed() map[string]any {
	return listed(d.Token, d.Name, "file", d.ModTime, d.Size)
}

// The filters of a list by folder, each with the one that follows it.
var filters = map[string]string{"group": "folder", "folder": "file", "file": ""}

// listFolder lists what is in a folder: groups, then folders, then files. Each
// page holds one kind alone.
func (s *Server) listFolder(q *request) *answer {
	query := q.URL.Query()
	parent, filter := query.Get("parent_id"), cmp.Or(query.Get("filter"), "group")
	following, known := filters[filter]
	inside := func(f folder) bool { return f.parent == parent && f.group == (filter == "group") }
	if !known || parent != "" && !slices.ContainsFunc(s.files.folders, func(f folder) bool { return f.id == parent }) {
		return s.refuse(badParameter, "invalid parameter")
	}
	var items []map[string]any
	if filter == "file" {
		for _, d := range s.files.documents {
			if d.Folder == parent && !d.Unlisted {
				items = append(items, d.listed())
			}
		}
	} else {
		for _, f := range s.files.folders {
			if inside(f) {
				items = append(items, listed(f.id, f.name, filter, defaultModTime, 0))
			}
		}
	}
	return s.filePage(q, items, filter, following)
}

// listFlat lists all files, whatever their folders are.
func (s *Server) listFlat(q *request) *answer {
	query := q.URL.Query()
	var items []map[string]any
	for _, d := range s.files.documents {
		ext := strings.TrimPrefix(path.Ext(d.Name), ".")
		if d.Unlisted || len(query["exts"]) > 0 && !slices.Contains(query["exts"], ext) || slices.Contains(query["ignore"], ext) {
			continue
		}
		items = append(items, d.listed())
	}
	return s.filePage(q, items, "", "")
}

// filePage cuts a page from items, which are in the order of their addition.
// s.mu is held.
func (s *Server) filePage(q *request, items []map[string]any, filter, following string) *answer {
	query := q.URL.Query()
	count, err := strconv.Atoi(cmp.Or(query.Get("count"), "20"))
	start, startErr := strconv.Atoi(cmp.Or(query.Get("offset"), "0"))
	if err != nil || startErr != nil || count < 1 || count > s.files.most || start < 0 {
		return s.refuse(badParameter, "invalid count or offset")
	}
	if !order(items, cmp.Or(query.Get("order_by"), "mtime"), cmp.Or(query.Get("order"), "desc")) {
		return s.refuse(badParameter, "invalid order")
	}
	start = min(start, len(items))
	limit := min(start+count, len(items))
	list := map[string]any{"files": append([]map[string]any{}, items[start:limit]...)}
	switch {
	case limit < len(items):
		list["next_offset"], list["next_filter"] = limit, filter
	case following != "":
		list["next_offset"], list["next_filter"] = 0, following
	default:
		list["next_offset"], list["next_filter"] = -1, ""
	}
	if s.files.inDetail {
		return success(map[string]any{"detail": list})
	}
	return success(list)
}

// order sorts items, stably, and tells whether it knows by what.
func order(items []map[string]any, by, direction string) bool {
	compare := map[string]func(a, b map[string]any) int{
		"mtime": func(a, b map[string]any) int { return cmp.Compare(a["mtime"].(int64), b["mtime"].(int64)) },
		"fname": func(a, b map[string]any) int { return cmp.Compare(a["fname"].(string), b["fname"].(string)) },
		"fsize": func(a, b map[string]any) int { return cmp.Compare(a["fsize"].(int64), b["fsize"].(int64)) },
	}[by]
	if compare == nil || direction != "asc" && direction != "desc" {
		return false
	}
	slices.SortStableFunc(items, func(a, b map[string]any) int {
		if direction == "desc" {
			a, b = b, a
		}
		return compare(a, b)
	})
	return true
}
