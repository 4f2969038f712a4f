// Package catalog remembers what exists at one provider: listings of
// directories, and what the origins of files were learnt to say.
//
// A [Catalog] answers names. It asks the provider for a directory page by page,
// once for all callers, and replaces a listing only by a complete one: a page
// that fails leaves the old listing in place, served as stale. Names become
// safe and unique file names on the way (names.go).
//
// A [Learnt] holds the identities, sizes above all, that origins told of files.
// It is laid over a listing whenever nodes are handed out, so that a listing
// itself never changes. A [State] keeps it on disk.
//
// Locks: Catalog.mu is never held together with another one. A listing's mutex
// and State.mu come before Learnt.mu. None is held over a call of the provider or
// the sizer.
package catalog
