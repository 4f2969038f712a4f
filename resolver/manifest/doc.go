// Package manifest provides the files that a JSON document lists:
//
//	{"files": [{
//	    "path": "reports/2026.pdf",
//	    "url": "https://files.example.com/2026.pdf?signature=...",
//	    "size": 52311,
//	    "mtime": "2026-01-31T09:00:00Z",
//	    "headers": {"Authorization": "Bearer ..."},
//	    "sha256": "64 hex digits"
//	}]}
//
// Only path and url are required; mtime may also be whole seconds since 1970.
// The document is read again when it changes on disk. A version that cannot be
// used is logged once and the last good one stays, so a writer need not be
// careful; one that replaces the document by rename is never seen half-way.
//
// A [Provider] looks at the document's stat on every call and holds one tree, an
// index of the last good revision that is never changed once it is built. A
// file's ID is its path, a directory's ID its path with a slash at the end.
package manifest
