package feishusim

import (
	"cmp"
	"slices"
	"time"

	"github.com/attachfs/attachfs/internal/linksim"
)

// DriveFile is an uploaded file.
type DriveFile struct {
	Name string
	// Token is made up if empty.
	Token string
	// Content is the bytes; nil is none.
	Content linksim.Content
	// ContentType is application/octet-stream if empty.
	ContentType string
	// Modified is a fixed time in 2026 if zero.
	Modified time.Time
}

// DriveRoot is the token of the folder that everything of a user's drive is in,
// or of the apps' own with an empty address. Whoever knows a token may use it.
func (s *Server) DriveRoot(user string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.root(user).token
}

// root is added if it is not there. s.mu is held.
func (s *Server) root(user string) *item {
	i, ok := s.docs.roots[user]
	if !ok {
		i = s.addItem("", KindFolder, "", "", time.Time{})
		s.docs.roots[user] = i
	}
	return i
}

// AddDriveFolder adds a folder to the folder of a token, or to none if that is
// empty, and returns its token.
func (s *Server) AddDriveFolder(parent, name string) (token string) {
	return s.AddDriveItem(parent, KindFolder, name)
}

// AddDriveItem adds something without content, such as a mind map.
func (s *Server) AddDriveItem(parent string, kind Kind, name string) (token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addItem(parent, kind, "", name, time.Time{}).token
}

// AddDriveFile adds a file to the folder of a token, or to none if that is
// empty, and returns its token.
func (s *Server) AddDriveFile(parent string, f DriveFile) (token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.addItem(parent, KindFile, f.Token, f.Name, f.Modified)
	if f.Content == nil {
		f.Content = linksim.Bytes(nil)
	}
	i.etag = s.next()
	i.file = &attachment{id: i.token, cut: uncut, Attachment: Attachment{
		Name: f.Name, Content: f.Content, ContentType: f.ContentType,
	}}
	return i.token
}

// AddShortcut adds a shortcut to whatever the target's token stands for, an
// ancestor of the shortcut included, and returns the shortcut's own token.
func (s *Server) AddShortcut(parent, name, target string) (token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.addItem(parent, KindShortcut, "", name, time.Time{})
	i.target = s.docs.items[target]
	return i.token
}

// ReplaceDriveFile gives a file other bytes, as of a time. Its ETag changes.
func (s *Server) ReplaceDriveFile(token string, c linksim.Content, modified time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := s.docs.items[token]
	changed := *i.file // bodies that are under way keep the old one
	changed.Content, changed.cut = c, uncut
	i.file, i.modified, i.etag = &changed, modified, s.next()
}

// MoveDriveItem puts a file, folder or document into the folder of a token.
func (s *Server) MoveDriveItem(token, parent string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.docs.items[parent].adopt(s.docs.items[token])
}

func (s *Server) rootFolder(q *request) *answer {
	root := s.root(q.token.user)
	return success(map[string]any{"token": root.token, "id": s.digits(), "user_id": s.digits()})
}

// driveOrder is one in which folders are listed.
type driveOrder struct{ by, direction string }

func (o driveOrder) ok() bool {
	return slices.Contains([]string{"", "EditedTime", "CreatedTime"}, o.by) &&
		slices.Contains([]string{"", "ASC", "DESC"}, o.direction)
}

func (o driveOrder) key(i *item) string {
	at := i.modified.Unix()
	if o.by == "CreatedTime" {
		at = i.created().Unix()
	}
	if o.direction != "ASC" {
		return sortKey(1<<40-at) + sortKey(1<<40-int64(i.serial))
	}
	return sortKey(at) + sortKey(int64(i.serial))
}

// created is a second apart from what came before.
func (i *item) created() time.Time { return usualTime.Add(time.Duration(i.serial-1<<20) * time.Second) }

// listDrive lists the root without pages and without shortcuts if no folder is
// named.
func (s *Server) listDrive(q *request) *answer {
	query := q.URL.Query()
	order := driveOrder{query.Get("order_by"), query.Get("direction")}
	size, ok := pageSize(q, 100, 200)
	if !ok {
		return refuse(400, 1064001, "page size is invalid")
	}
	if !order.ok() {
		return q.endpoint.refuses.bad.answer()
	}
	token := query.Get("folder_token")
	if token == "" {
		return s.listRoot(s.root(q.token.user), order)
	}
	folder, refused := s.found(q, token, KindFolder)
	if refused != nil {
		return refused
	}
	p, ok := turn(s, q, folder.sorted(order), order.key, size)
	if !ok {
		return q.endpoint.refuses.pageToken.answer()
	}
	files := make([]map[string]any, len(p.items))
	for n, i := range p.items {
		files[n] = i.listed()
	}
	data := map[string]any{"files": files, "has_more": p.more}
	if p.more {
		data["next_page_token"] = p.next
	}
	return success(data)
}

func (s *Server) listRoot(root *item, order driveOrder) *answer {
	files := []map[string]any{}
	for _, i := range root.sorted(order) {
		if i.kind != KindShortcut {
			files = append(files, i.listed())
		}
	}
	return success(map[string]any{"files": files, "has_more": false})
}

// sorted are what is in a folder, in an order.
func (i *item) sorted(order driveOrder) []*item {
	keys := make(map[*item]string, len(i.children))
	for _, c := range i.children {
		keys[c] = order.key(c)
	}
	return slices.SortedFunc(slices.Values(i.children), func(a, b *item) int { return cmp.Compare(keys[a], keys[b]) })
}

func (i *item) listed() map[string]any {
	listed := map[string]any{
		"token": i.token, "name": i.name, "type": i.kind, "parent_token": "",
		"url":          "https://example.feishu.cn/" + string(i.kind) + "/" + i.token,
		"created_time": seconds(i.created()), "modified_time": seconds(i.modified), "owner_id": "ou_b13d41c02edc52ce66aaae67bf1abcef",
	}
	if i.parent != nil {
		listed["parent_token"] = i.parent.token
	}
	if i.target != nil {
		listed["shortcut_info"] = map[string]any{"target_type": i.target.kind, "target_token": i.target.token}
	}
	return listed
}
