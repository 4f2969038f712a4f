// Package catalog remembers what exists at one provider: listings of
// directories, and what the origins of files were learnt to say.
//
// A [Catalog] answers names. It asks the provider for a directory page by page,
// once for all callers, and replaces a listing only by a complete one: a page
// that fails leaves the old listing in place, served as stale. An expired one is
// shown at once, unless it is old, and renewed behind (renew.go), by what is new alone if the
// provider can tell that (fetch.go); who wants to know is told what changed
// (notices.go). Listings that come along with that of their parent are held each
// for itself, but share its source: what is known of when and how to renew it
// (directory.go, arrival.go). Names become safe and unique file names on the way
// (names.go). Sizes that listings do not tell are learnt when they are looked
// up, and ahead of a program that looks up one after another (sizes.go).
//
// A [Learnt] holds the identities, sizes above all, that origins told of files.
// It is laid over a listing whenever nodes are handed out, so that what was
// listed never changes.
//
// A [State] keeps both on disk, each in a table of its own: a map written behind
// by one writer (table.go). What is damaged there is missing, and asked for
// anew. So a catalog starts with what its last run had, the provider dead or not.
//
// Locks: ahead.mu comes before Catalog.mu and Learnt.mu, which are never held
// together; a listing's next and State.mu come before Learnt.mu and table.mu,
// and Learnt.mu before table.mu. None is held over a call of the provider, the
// sizer or who is told of changes.
package catalog
