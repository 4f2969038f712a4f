// Package fs answers the kernel. It is the only importer of go-fuse; names come
// from a [Tree], bytes from fs/stream, and a node method translates, calls one
// of the two, and maps the error.
//
// The house, from top to bottom:
//
//	kernel
//	  -> fs               nodes, handles, errno
//	       -> Tree        names and sizes: resolver/catalog over a provider
//	       -> fs/stream   bytes: ranges over cache, resolver/broker and origins
//
// What the kernel remembers: entries and attributes for the configured times;
// pages of a file for ever, because the inode number contains the version, so
// that other content is another inode; a directory's listing for as long as it
// is the same. When a reader finds that content changed, or a renewed listing
// tells something else of a name, that is taken back by notifications, sent by
// one goroutine that no handler waits for and that holds no lock (changes.go).
//
// A provider of which nothing can be listed shows a file that says why, and
// reading its directory ends with an error: a backup must not take it for empty
// (note.go).
//
// Every request that can reach the network has a deadline, and ends early when
// its caller is dying. A harmless signal does not end it: the kernel would
// report EINTR to programs that do not expect it.
//
// Reads are answered from the cache's pages without a copy, or by the kernel alone
// (whole.go). There is no lock in this package that is held while the network is
// awaited; only that of opens is held together with those of other packages, which
// never ask for it.
package fs
