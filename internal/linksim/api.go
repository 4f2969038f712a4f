package linksim

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// dirPrefix begins the ids of directories other than the root, whose id is
// empty.
const dirPrefix = "dir:"

// listed is an entry of a listing on the wire.
type listed struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Dir     bool       `json:"dir"`
	Version string     `json:"version"`
	Size    *int64     `json:"size,omitempty"`
	ModTime *time.Time `json:"mtime,omitempty"`
	SHA256  string     `json:"sha256,omitempty"`
}

// key orders a directory and is what a cursor holds.
func (e listed) key() string { return e.Name + "\x00" + e.ID }

type page struct {
	Entries []listed `json:"entries"`
	Next    string   `json:"next,omitempty"`
}

// issued is the answer to one id on the wire.
type issued struct {
	ID      string            `json:"id"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Expires *time.Time        `json:"expires,omitempty"`
	Uses    int               `json:"uses,omitempty"`
	Ranged  *bool             `json:"ranged,omitempty"`
	Size    *int64            `json:"size,omitempty"`
	Error   string            `json:"error,omitempty"`
}

// maxIDs bounds the body of a links call.
const maxIDs = 8 << 20

// SetAPIDelay makes every answer of the API come later by d.
func (o *Origin) SetAPIDelay(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.apiDelay = d
}

func (o *Origin) serveAPI(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	token, delay := o.token, o.apiDelay
	o.mu.Unlock()
	call := Call(strings.TrimPrefix(r.URL.Path, "/api/"))
	var p *reply
	switch {
	case call == ListCall && r.Method == http.MethodGet:
		dir := r.URL.Query().Get("dir")
		o.tally.add(dir, func(c *Counts) { c.Lists++ })
	case call == LinkCall && r.Method == http.MethodPost:
		o.tally.add("", func(c *Counts) { c.LinkCalls++ })
	default:
		p = errorReply(http.StatusNotFound, "no such call")
	}
	if p == nil && token != "" && r.Header.Get("Authorization") != "Bearer "+token {
		p = errorReply(http.StatusUnauthorized, "unauthorized")
	}
	if p == nil {
		p = o.call(r, call)
	}
	p.delay += delay
	p.send(w, r, &exchange{})
}

// call answers a call that is authorized, faults included.
func (o *Origin) call(r *http.Request, call Call) *reply {
	f, _ := o.apiFaults.next(string(call), false)
	p := &reply{}
	switch {
	case f.Kind.replaces():
	case call == ListCall:
		p = o.list(r, f.Kind)
	default:
		p = o.issueLinks(r, f.Kind)
	}
	f.play(p, r, o.Elsewhere()+r.URL.RequestURI())
	return p
}

func errorReply(status int, message string) *reply {
	return jsonReply(status, map[string]string{"error": message})
}

// list answers a call for one page of a directory.
func (o *Origin) list(r *http.Request, fault FaultKind) *reply {
	cursor := r.URL.Query().Get("cursor")
	after, err := decodeCursor(cursor)
	if err != nil {
		return errorReply(http.StatusBadRequest, "bad cursor")
	}
	dir := r.URL.Query().Get("dir")
	o.mu.Lock()
	if o.tree == nil {
		o.tree = plant(o.objects)
	}
	entries, ok := o.tree[dir]
	o.mu.Unlock()
	if !ok {
		return errorReply(http.StatusNotFound, "no such directory")
	}
	from, found := slices.BinarySearchFunc(entries, after, func(e listed, key string) int {
		return cmp.Compare(e.key(), key)
	})
	if found {
		from++
	}
	limit := min(from+o.pageSize, len(entries))
	p := page{Entries: append([]listed{}, entries[from:limit]...)}
	if limit < len(entries) {
		p.Next = encodeCursor(entries[limit-1].key())
	}
	switch fault {
	case EmptyPage:
		p = page{Entries: []listed{}, Next: encodeCursor(after)}
	case RepeatCursor:
		p.Next = encodeCursor(after)
	}
	return jsonReply(http.StatusOK, p)
}

// A cursor holds the key of the last entry before it, so that changes of the
// tree between pages neither repeat nor lose another entry.
func encodeCursor(after string) string {
	return "after-" + base64.RawURLEncoding.EncodeToString([]byte(after))
}

func decodeCursor(cursor string) (after string, err error) {
	key, err := base64.RawURLEncoding.DecodeString(strings.TrimPrefix(cursor, "after-"))
	return string(key), err
}

// plant makes the directories from the paths of the objects, each sorted.
func plant(objects map[string]*object) map[string][]listed {
	tree := map[string][]listed{"": nil}
	newest := make(map[string]time.Time) // by the path of directories
	for _, obj := range objects {
		dir, _ := splitPath(obj.Path)
		id := dirID(dir)
		tree[id] = append(tree[id], obj.listed())
		for ; dir != "" && newest[dir].Before(obj.ModTime); dir, _ = splitPath(dir) {
			newest[dir] = obj.ModTime
		}
	}
	for dir, modTime := range newest {
		parent, name := splitPath(dir)
		id := dirID(parent)
		tree[id] = append(tree[id], listed{ID: dirID(dir), Name: name, Dir: true, ModTime: &modTime})
	}
	for _, entries := range tree {
		slices.SortFunc(entries, func(a, b listed) int { return cmp.Compare(a.key(), b.key()) })
	}
	return tree
}

func dirID(dir string) string {
	if dir == "" {
		return ""
	}
	return dirPrefix + dir
}

func (obj *object) listed() listed {
	e := listed{ID: obj.ID, Name: obj.name(), ModTime: &obj.ModTime, SHA256: obj.SHA256}
	if size := obj.Content.Size(); !obj.HideSize {
		e.Size = &size
	}
	if !obj.HideVersion {
		e.Version = hash(obj.ID, obj.ETag, obj.ModTime.String())
	}
	return e
}

// issueLinks answers a call for links. The answers come in the reverse order
// of the ids: nobody promised another.
func (o *Origin) issueLinks(r *http.Request, fault FaultKind) *reply {
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxIDs))
	if err != nil {
		return errorReply(http.StatusBadRequest, "cannot read the body")
	}
	var asked struct {
		IDs []string `json:"ids"`
	}
	if err := json.Unmarshal(body, &asked); err != nil || len(asked.IDs) < 1 || len(asked.IDs) > o.batch {
		return errorReply(http.StatusBadRequest, "ids must be a list of at least one and not more than a batch")
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if slices.ContainsFunc(asked.IDs, o.spoils) {
		return errorReply(http.StatusBadRequest, "one of the ids is bad")
	}
	answers := []issued{}
	for _, id := range slices.Backward(asked.IDs) {
		obj, ok := o.objects[id]
		switch {
		case !ok:
			answers = append(answers, issued{ID: id, Error: "not found"})
		case obj.Terms.Refusal == Missing:
		case obj.Terms.Refusal == NoURL:
			answers = append(answers, issued{ID: id})
		case obj.Terms.Refusal != "":
			answers = append(answers, issued{ID: id, Error: string(obj.Terms.Refusal)})
		case fault == OldLinks && o.latest[id] != nil:
			answers = append(answers, o.latest[id].issued(obj))
		default:
			answers = append(answers, o.issue(id, obj.Terms).issued(obj))
		}
	}
	return jsonReply(http.StatusOK, map[string]any{"links": answers})
}

// spoils tells an id that makes a call fail. o.mu is held.
func (o *Origin) spoils(id string) bool {
	obj, ok := o.objects[id]
	return ok && obj.Terms.Refusal == Spoils
}

// issued tells of the link what its terms let the API tell.
func (l *link) issued(obj *object) issued {
	a := issued{ID: l.id, URL: l.url, Ranged: l.terms.Ranged}
	if !l.expires.IsZero() {
		a.Expires = &l.expires
	}
	if !l.terms.HideUses {
		a.Uses = l.terms.Uses
	}
	if size := obj.Content.Size(); l.terms.TellSize {
		a.Size = &size
	}
	for name := range l.header {
		if a.Headers == nil {
			a.Headers = make(map[string]string)
		}
		a.Headers[name] = l.header.Get(name)
	}
	return a
}
