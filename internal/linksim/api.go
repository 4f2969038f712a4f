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
	Link    *issued    `json:"link,omitempty"`
}

// key orders a directory and is what a cursor holds.
func (e listed) key() string { return e.Name + "\x00" + e.ID }

type page struct {
	Entries []listed `json:"entries"`
	Next    string   `json:"next,omitempty"`
}

// issued is the answer to one id on the wire, or the link of a listed entry.
type issued struct {
	ID      string            `json:"id"`
	URL     string            `json:"url,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
	Issued  *time.Time        `json:"issued,omitempty"` // in listings
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
	p := o.receive(r, Call(strings.TrimPrefix(r.URL.Path, "/api/")))
	o.mu.Lock()
	p.delay += o.apiDelay
	o.mu.Unlock()
	p.send(w, r, &exchange{})
}

// receive counts a call, and answers it if it may be made.
func (o *Origin) receive(r *http.Request, call Call) *reply {
	switch {
	case call == ListCall && r.Method == http.MethodGet:
		dir := r.URL.Query().Get("dir")
		o.tally.add(dir, func(c *Counts) { c.Lists++ })
	case call == LinkCall && r.Method == http.MethodPost:
		o.tally.add("", func(c *Counts) { c.LinkCalls++ })
	case call == TokenCall && r.Method == http.MethodPost && o.app.id != "":
		o.tally.add("", func(c *Counts) { c.TokenCalls++ })
	default:
		return errorReply(http.StatusNotFound, "no such call")
	}
	if call != TokenCall && !o.authorized(r) {
		return errorReply(http.StatusUnauthorized, "unauthorized")
	}
	if refusal := o.admit(call); refusal != nil {
		return refusal
	}
	return o.call(r, call)
}

// call answers a call that is authorized and within the limits, faults
// included.
func (o *Origin) call(r *http.Request, call Call) *reply {
	f, _ := o.apiFaults.next(string(call), false)
	p := &reply{}
	switch {
	case f.Kind.replaces():
	case call == ListCall:
		p = o.list(r, f.Kind)
	case call == TokenCall:
		p = o.issueToken(r)
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
	o.bringLinks(p.Entries)
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
	if o.grouped && o.mixed(asked.IDs) {
		return errorReply(http.StatusBadRequest, "ids must be of one directory")
	}
	answers := []issued{}
	for _, id := range slices.Backward(asked.IDs) {
		answers = append(answers, o.answersTo(id, fault)...)
	}
	return jsonReply(http.StatusOK, map[string]any{"links": answers})
}

// answersTo is what a call for links says of one of its ids. o.mu is held.
func (o *Origin) answersTo(id string, fault FaultKind) []issued {
	obj, ok := o.objects[id]
	if !ok {
		return []issued{{ID: id, Error: "not found"}}
	}
	switch obj.Terms.Refusal {
	case "", Twice, Stranger:
	case Missing:
		return nil
	case NoURL:
		return []issued{{ID: id}}
	default:
		return []issued{{ID: id, Error: string(obj.Terms.Refusal)}}
	}
	l := o.latest[id]
	if fault != OldLinks || l == nil {
		l = o.issue(id, obj.Terms)
	}
	a := l.issued(obj)
	switch obj.Terms.Refusal {
	case Twice:
		return []issued{a, a}
	case Stranger:
		a.ID = "not " + id
	}
	return []issued{a}
}

// mixed reports whether ids are of several directories. Those of no object are
// of none. o.mu is held.
func (o *Origin) mixed(ids []string) bool {
	dirs := make(map[string]bool)
	for _, id := range ids {
		if obj, ok := o.objects[id]; ok {
			dir, _ := splitPath(obj.Path)
			dirs[dir] = true
		}
	}
	return len(dirs) > 1
}

// bringLinks gives entries the links that their terms make listings bring.
func (o *Origin) bringLinks(entries []listed) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i := range entries {
		e := &entries[i]
		obj, ok := o.objects[e.ID]
		if !ok || e.Dir || !obj.Terms.Listed || obj.Terms.Refusal != "" {
			continue
		}
		now := time.Now().Add(o.ahead)
		link := o.issue(e.ID, obj.Terms).issued(obj)
		link.Issued = &now
		e.Link = &link
	}
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
