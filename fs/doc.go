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
// is the same. When a reader finds that content changed, the entry and its
// pages are taken back by notifications, sent by one goroutine that no handler
// waits for and that holds no lock.
//
// Every request that can reach the network has a deadline, and ends early when
// its caller is dying. A harmless signal does not end it: the kernel would
// report EINTR to programs that do not expect it.
//
// Reads are answered from the cache's pages without a copy. There is no lock in
// this package that is held while anything is awaited.
package fs
