package cache

// Store remembers pages of objects, as long as it likes. Its methods may be
// called in parallel; after Close every page is a miss and nothing is kept.
type Store interface {
	// Get returns the page, retained for the caller, or nil for a miss.
	Get(o Object, page int64) *Page

	// Has reports whether Get would find the page. It is cheap: it reads no
	// page, and touches the disk only when an object is first asked for.
	Has(o Object, page int64) bool

	// Put remembers the page with a reference of its own; the caller keeps
	// his. The content of p must not change any more. A page of another length
	// than o.PageLen(page) is not remembered; where the size is unknown, the
	// last page may be short. A page that is already there stays as it is.
	Put(o Object, page int64, p *Page)

	// Adopt makes the pages remembered of from, an object of unknown size, the
	// pages of to, whose size is known; from is forgotten. Pages that do not
	// have the length which to gives them are forgotten, and so may be those
	// that were remembered of to before. Who spools an object ends with Adopt
	// or Drop, after the last Put.
	Adopt(from, to Object)

	// Drop forgets the object.
	Drop(o Object)

	// Capacity is how many bytes of one object the store can remember before
	// it forgets the first of them.
	Capacity() int64

	// Close gives everything back. Pages that are still retained stay valid
	// until their release. Calling it twice is harmless.
	Close() error
}
