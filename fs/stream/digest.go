package stream

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc64"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

// digest checks a file against what was promised: the SHA-256 of its listing, or
// else the CRC-64 that its origin tells. Pages are hashed in order as they
// arrive; one that came too early is taken from the cache when its turn is there.
// The page that makes the file complete is handed out only if the digest is
// right, so that a copy of a damaged file fails.
type digest struct {
	name string // of the promise, for errors
	want []byte

	mu   sync.Mutex // guards the following
	hash hash.Hash
	next int64 // the page whose turn it is
}

// newDigest returns nil for a file without a promise in its listing, or whose
// promise is about content that is gone.
func newDigest(f resolver.File) *digest {
	if len(f.SHA256) != sha256.Size || f.Revision > 0 {
		return nil
	}
	return &digest{name: "SHA-256 of the listing", want: f.SHA256, hash: sha256.New()}
}

// crcHeader has the checksum of the whole object, also in answers with a part of
// it, where the origin is an Alibaba OSS.
const crcHeader = "X-Oss-Hash-Crc64ecma"

var crcTable = sync.OnceValue(func() *crc64.Table { return crc64.MakeTable(crc64.ECMA) })

// toldDigest returns the promise that an origin makes with a reply, nil if it
// makes none. What a store makes of an object while it is asked for is not the
// object that the checksum would be of.
func toldDigest(header http.Header, link resolver.Link) *digest {
	sum, err := strconv.ParseUint(header.Get(crcHeader), 10, 64)
	if err != nil {
		return nil
	}
	for _, u := range link.URLs {
		if strings.Contains(u.Reveal(), "x-oss-process=") {
			return nil
		}
	}
	return &digest{
		name: "CRC-64 of the origin", want: binary.BigEndian.AppendUint64(nil, sum), hash: crc64.New(crcTable()),
	}
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
		return fmt.Errorf("the bytes do not have the %s: %w", d.name, resolver.ErrUnavailable)
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
