package cache

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
)

const (
	// PageSize is the unit of presence, of memory and of checksums, in bytes.
	PageSize = 64 << 10
	// BlockSize is the unit in which memory forgets, in bytes.
	BlockSize = 1 << 20
	// PagesPerBlock is how many pages a block has.
	PagesPerBlock = BlockSize / PageSize
)

// SizeUnknown is the size of an object that is still being spooled.
const SizeUnknown int64 = -1

// Object is one version of one file's content. Objects with the same ID and
// different sizes are different objects.
type Object struct {
	// ID is made by [NewObject] and tells nothing of what it stands for.
	ID [16]byte
	// Size is the length in bytes, or SizeUnknown.
	Size int64
}

// NewObject returns the object that parts name, such as provider, account, id
// and version. Different parts give different IDs; size has no part in the ID.
func NewObject(size int64, parts ...string) Object {
	h := sha256.New()
	for _, part := range parts {
		var length [8]byte
		binary.LittleEndian.PutUint64(length[:], uint64(len(part)))
		h.Write(length[:])
		h.Write([]byte(part))
	}
	o := Object{Size: size}
	copy(o.ID[:], h.Sum(nil))
	return o
}

// Pages is the number of pages, or SizeUnknown for an object of unknown size.
func (o Object) Pages() int64 {
	if o.Size < 0 {
		return SizeUnknown
	}
	pages := o.Size / PageSize
	if o.Size%PageSize > 0 {
		pages++
	}
	return pages
}

// PageLen is the length of a page in bytes: PageSize, less for the last one, 0
// outside the object. In an object of unknown size every page is taken as full.
func (o Object) PageLen(page int64) int {
	switch {
	case page < 0 || page > math.MaxInt64/PageSize:
		return 0
	case o.Size < 0:
		return PageSize
	default:
		return int(max(0, min(PageSize, o.Size-page*PageSize)))
	}
}

// fits reports whether n bytes can be that page of the object.
func (o Object) fits(page int64, n int) bool {
	if o.Size < 0 {
		return n > 0 && n <= o.PageLen(page)
	}
	return n > 0 && n == o.PageLen(page)
}

// String is the ID in hexadecimal.
func (o Object) String() string { return hex.EncodeToString(o.ID[:]) }
