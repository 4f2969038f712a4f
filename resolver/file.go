package resolver

import "time"

// Identity is what an origin says of a file's content, learnt from a reply.
// Replies for one version of a file must agree on it across all links.
type Identity struct {
	// Size is the length in bytes.
	Size int64 `json:"size"`
	// ETag is a strong entity tag with its quotes, or empty; weak ones do not
	// tell bytes apart and are left out.
	ETag string `json:"etag,omitempty"`
	// LastModified is the header as sent, or empty.
	LastModified string `json:"last_modified,omitempty"`
}

// File is one version of a file, ready to be read: what a listing says of it,
// with what was learnt from its origin.
type File struct {
	ID ID
	// Dir is the directory that lists the file.
	Dir     ID
	Version string
	// Revision counts how often the origin was seen to change under the same
	// Version; ID, Version and Revision together tell contents apart.
	Revision int
	// Name is the safe name, for messages.
	Name string
	// Size is true, or SizeUnknown before the file was learnt.
	Size int64
	// SizeLearnt says that Size is what an origin showed, not what a listing
	// promised.
	SizeLearnt bool
	ModTime    time.Time
	SHA256     []byte
	// Learnt is what the origin said of this version before; nil if it was
	// never asked.
	Learnt *Identity
	// Refused is why the provider will not hand the file out; nil otherwise.
	Refused error
}

// Node is a name in the tree as the catalog presents it: a directory, or one
// version of a file.
type Node struct {
	// File holds ID, Name and ModTime of a directory, too.
	File
	Dir bool
	// Stale says that the listing is being renewed that tells so: it may soon
	// tell something else.
	Stale bool
}

// Listing is one directory, sorted by name. It is shared between callers and
// must not be changed.
type Listing struct {
	Nodes []Node
	// Serial is another number whenever Nodes are not the same as before.
	Serial uint64
	// Stale says that the listing is being renewed.
	Stale bool
}
