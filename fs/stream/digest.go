package stream

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"hash"
	"sync"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

// digest checks a file against the SHA-256 that its listing promised. Pages are
// hashed in order as they arrive; one that came too early is taken from the
// cache when its turn is there. The page that makes the file complete is handed
// out only if the digest is right, so that a copy of a damaged file fails.
type digest struct {
	want []byte

	mu   sync.Mutex // guards the following
	hash hash.Hash
	next int64 // the page whose turn it is
}

// newDigest returns nil for a file without a promise, or whose promise is about
// content that is gone.
func newDigest(f resolver.File) *digest {
	if len(f.SHA256) != sha256.Size || f.Revision > 0 {
		return nil
	}
	return &digest{want: f.SHA256, hash: sha256.New()}
}

// add takes in page p of object, and those around it that store remembers. It
// returns an error if the file is complete and not what was promised.
func (d *digest) add(store cache.Store, object cache.Object, p int64, page *cache.Page) error {
	if d == nil {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.next >= object.Pages() {
		return nil
	}
	for d.next < object.Pages() {
		if d.next == p {
			d.hash.Write(page.Bytes())
		} else if !d.addCached(store, object) {
			return nil
		}
		d.next++
	}
	if !bytes.Equal(d.hash.Sum(nil), d.want) {
		return fmt.Errorf("the bytes do not have the SHA-256 of the listing: %w", resolver.ErrUnavailable)
	}
	return nil
}

func (d *digest) addCached(store cache.Store, object cache.Object) bool {
	page := store.Get(object, d.next)
	if page == nil {
		return false
	}
	defer page.Release()
	d.hash.Write(page.Bytes())
	return true
}
