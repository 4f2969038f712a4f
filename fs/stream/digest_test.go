package stream

import (
	"hash/crc64"
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// crcOf is what an Alibaba OSS tells of content.
func crcOf(p pattern, add uint64) string {
	sum := crc64.Checksum(p.bytes(0, int(p.size)), crc64.MakeTable(crc64.ECMA))
	return strconv.FormatUint(sum+add, 10)
}

// The value for these nine bytes is the check of CRC-64/XZ, which OSS names
// CRC64-ECMA.
func TestToldDigest_IsTheOneOfTheStore(t *testing.T) {
	d := toldDigest(http.Header{crcHeader: {"11051210869376104954"}}, resolver.Link{})
	require.NotNil(t, d)
	d.hash.Write([]byte("123456789"))
	assert.Equal(t, d.want, d.hash.Sum(nil))
	for _, sum := range []string{"", "x", "-1", "99999999999999999999999"} {
		assert.Nil(t, toldDigest(http.Header{crcHeader: {sum}}, resolver.Link{}), sum)
	}
	made := resolver.Link{URLs: []resolver.Secret{resolver.NewSecret("https://h/a.jpg?x-oss-process=image/crop,x_1")}}
	assert.Nil(t, toldDigest(http.Header{crcHeader: {"1"}}, made), "what is made of an object is not the object")
}

func TestDigest_OfTheOrigin(t *testing.T) {
	const size = 3*mib + 4711
	inBubble(t, 32*mib, func(t *testing.T, r *rig) {
		right := r.put("right", size)
		r.origin.set("/right", func(o *object) { o.crc = crcOf(o.content, 0) })
		h := r.open(right)
		require.True(t, r.read(h, 2*mib, kib), "a part of it is not checked")
		require.True(t, r.readAll(h))

		wrong := r.put("wrong", size)
		r.origin.set("/wrong", func(o *object) { o.crc = crcOf(o.content, 1) })
		h = r.open(wrong)
		require.True(t, r.read(h, 0, kib))
		var err error
		for off := int64(0); off < size && err == nil; off += 128 * kib {
			_, err = bytesAt(t.Context(), h, off, 128*kib)
		}
		require.ErrorIs(t, err, resolver.ErrUnavailable)
		assert.ErrorContains(t, err, "CRC-64")
	})
}

func TestDigest_OfTheListingCountsMore(t *testing.T) {
	inBubble(t, 32*mib, func(t *testing.T, r *rig) {
		f := r.put("a", 1000, func(o *object) { o.crc = crcOf(o.content, 0) })
		f.SHA256 = make([]byte, 32)
		_, err := bytesAt(t.Context(), r.open(f), 0, 1000)
		require.ErrorContains(t, err, "SHA-256")
	})
}
