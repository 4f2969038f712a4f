package linksim

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"sync"
)

// Content is the bytes of an object. ReadAt may be called in parallel, and the
// bytes never change.
type Content interface {
	io.ReaderAt
	Size() int64
}

// Bytes is content held in memory. It keeps b, which must not be changed.
func Bytes(b []byte) Content { return bytes.NewReader(b) }

// Pattern is content of any size that takes no memory: bytes that look random
// and depend on seed and position alone. No two aligned blocks of 4 KiB in it
// are the same.
func Pattern(seed uint64, size int64) Content {
	return pattern{base: mix(seed), size: size}
}

const (
	patternBlock = 4 << 10
	patternTable = 1 << 20
)

// pattern takes each block from a place in a table of random bytes that the
// block's key chooses, and stamps the key over its beginning: keys are distinct
// where places are not.
type pattern struct {
	base uint64
	size int64
}

var randomTable = sync.OnceValue(func() []byte {
	table := make([]byte, patternTable+patternBlock)
	_, _ = rand.NewChaCha8([32]byte{}).Read(table)
	return table
})

func (c pattern) Size() int64 { return c.size }

func (c pattern) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("read pattern: negative offset")
	}
	rest := max(0, c.size-off)
	if int64(len(p)) > rest {
		p, err = p[:rest], io.EOF
	}
	table := randomTable()
	for n < len(p) {
		n += c.copyBlock(p[n:], table, off+int64(n))
	}
	return n, err
}

// copyBlock copies what p takes of the block around off, from off on.
func (c pattern) copyBlock(p, table []byte, off int64) int {
	key := mix(c.base + uint64(off/patternBlock))
	place, within := int(key%patternTable), int(off%patternBlock)
	n := copy(p, table[place+within:place+patternBlock])
	var stamp [8]byte
	if within < len(stamp) {
		binary.LittleEndian.PutUint64(stamp[:], key)
		copy(p[:n], stamp[within:])
	}
	return n
}

// mix is the finalizer of splitmix64: one to one, and every bit of the result
// depends on every bit of x.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
