package stream

import (
	"fmt"

	"github.com/attachfs/attachfs/resolver"
)

// Ledger remembers what origins showed, beyond the life of the process.
// Its methods do not block and may be called in parallel.
type Ledger interface {
	// Get returns what is remembered of this version, ok if anything is, and
	// how often it was seen to change.
	Get(id resolver.ID, version string) (identity resolver.Identity, revision int, ok bool)
	// Learn remembers the identity that the first reply showed.
	Learn(id resolver.ID, version string, identity resolver.Identity)
	// Change replaces it by that of other content.
	Change(id resolver.ID, version string, identity resolver.Identity)
}

// sight is what one reply showed of a file's content.
type sight struct {
	resolver.Identity        // Size is unknown if the reply did not tell
	generation        uint64 // of the link that the reply came through
}

// compare tells whether a later reply shows the content that was pinned. It
// returns nil, resolver.ErrChanged for other content, or a failure for a reply
// that contradicts itself.
//
// Tags decide; dates where there are no tags. A tag that differs while date and
// length agree, on another link, is one that the origin makes per signature
// (seen with signing proxies), and is no evidence.
func compare(pinned, seen sight) error {
	resized := seen.Size != unknown && seen.Size != pinned.Size
	switch tags, dates := pinned.ETag != "" && seen.ETag != "", pinned.LastModified != "" && seen.LastModified != ""; {
	case tags && pinned.ETag != seen.ETag:
		perLink := !resized && dates && pinned.LastModified == seen.LastModified && pinned.generation != seen.generation
		if perLink {
			return nil
		}
		return changed("ETag")
	case !tags && dates && pinned.LastModified != seen.LastModified:
		return changed("Last-Modified")
	case resized:
		return wrong("total of %d where the file has %d", seen.Size, pinned.Size)
	}
	return nil
}

func changed(what string) error {
	return fmt.Errorf("%s is another: %w", what, resolver.ErrChanged)
}
