package linksim

import (
	"net/url"
	"strconv"
	"strings"
	"time"
)

// NoETag as the ETag of an object gives it no entity tag.
const NoETag = "-"

// Object is one file that the origin has.
type Object struct {
	// ID names the object; the Path if empty.
	ID string
	// Path places the object in the tree of the listings, its parts separated
	// by slashes. Several objects may have the same.
	Path string
	// Name is what listings call it instead of the last part of Path. It may
	// be any text.
	Name string
	// Content is the bytes; nil is none.
	Content Content
	// ModTime is a fixed time in 2026 if zero.
	ModTime time.Time
	// ETag is with quotes; empty, it is made of id, size and how often the
	// object was put.
	ETag string
	// ContentType is application/octet-stream if empty.
	ContentType string
	// SHA256 is the digest in hex that listings tell; they tell none if empty.
	SHA256 string
	// HideSize and HideVersion keep listings from telling these.
	HideSize, HideVersion bool
	// Terms are those of the links that the API issues.
	Terms Terms
	// Behaviour is the object's own, if it is not zero.
	Behaviour Behaviour
}

// object is one put Object, its defaults filled in. It is never changed.
type object struct {
	Object
	version int // counts the puts of this id
}

// defaultModTime is the time of objects without their own.
var defaultModTime = time.Date(2026, time.March, 14, 9, 26, 53, 0, time.UTC)

// Put adds an object. If its id is there already it takes the place of the old
// one, under another version; links that were issued lead to the new content.
// Answers under way end with the old.
func (o *Origin) Put(obj Object) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.put(obj)
}

// put is Put; o.mu is held.
func (o *Origin) put(obj Object) {
	if obj.ID == "" {
		obj.ID = obj.Path
	}
	if obj.Content == nil {
		obj.Content = Bytes(nil)
	}
	if obj.ContentType == "" {
		obj.ContentType = "application/octet-stream"
	}
	version := 1
	if old, ok := o.objects[obj.ID]; ok {
		version = old.version + 1
	}
	if obj.ModTime.IsZero() {
		obj.ModTime = defaultModTime.Add(time.Duration(version) * time.Second)
	}
	if obj.ETag == "" {
		obj.ETag = `"` + hash(obj.ID, strconv.Itoa(version), strconv.FormatInt(obj.Content.Size(), 10)) + `"`
	}
	o.objects[obj.ID] = &object{Object: obj, version: version}
	o.addressed[hash(obj.ID)] = obj.ID
	o.tree = nil
}

// Swap gives an object other content under the same id: with another entity
// tag, unless it has none, and modified a second later. It reports whether
// the object was there.
func (o *Origin) Swap(id string, c Content) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	old, ok := o.objects[id]
	if !ok {
		return false
	}
	obj := old.Object
	obj.Content, obj.ModTime, obj.SHA256 = c, obj.ModTime.Add(time.Second), ""
	if obj.ETag != NoETag {
		obj.ETag = ""
	}
	o.put(obj)
	return true
}

// Remove deletes an object: it is listed no more, and all links to it are 404.
func (o *Origin) Remove(id string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.objects, id)
	o.tree = nil
}

// FileURL is the permanent address of an object, without any terms. The object
// need not be there yet.
func (o *Origin) FileURL(id string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.URL() + "/f/" + o.address(id)
}

// address is the path of an object below /d/ or /f/: the hash that finds it,
// and its name for people. o.mu is held.
func (o *Origin) address(id string) string {
	key, file := hash(id), "file"
	o.addressed[key] = id
	if obj, ok := o.objects[id]; ok {
		file = obj.name()
	}
	return key + "/" + url.PathEscape(file)
}

// name is what listings call the object.
func (obj *object) name() string {
	if obj.Name != "" {
		return obj.Name
	}
	_, name := splitPath(obj.Path)
	return name
}

// splitPath parts the last name from its directory. Nothing is cleaned: names
// such as ".." are names.
func splitPath(path string) (dir, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}
