package cache

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
)

// An object's file holds its bytes from offset 0, with holes where pages are
// missing, and from the next multiple of 4096 on the index: a header and an
// entry for each page. All numbers are little endian.
//
//	header  magic [8], format uint32, page size uint32, ID [16], size int64,
//	        zeros [20], CRC-32C of all that uint32
//	entry   mark uint32, CRC-32C of the page mixed with ID and number uint32
//
// Of a file that is handed out as a whole the index is in one beside it, and the
// file ends with its bytes.
//
// A page is present when its entry has the mark. The entry is written after
// the page, so that a write cut short leaves a page missing or its sum wrong.
const (
	indexMagic  = "attachfs"
	indexFormat = 1
	indexAlign  = 4096
	headerLen   = 64
	entryLen    = 8
	entryMark   = 0x50A6E5ED
)

var errDamaged = errors.New("damaged")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the sum of a page's bytes as it is kept in memory, where 0 stands
// for a missing page.
func checksum(b []byte) uint32 { return max(1, crc32.Checksum(b, castagnoli)) }

// tag tells the entries of objects and pages apart: a sum on disk is a page's
// checksum XOR its tag, which makes a page in a wrong place a wrong sum.
func tag(id [16]byte, page int64) uint32 {
	var b [24]byte
	copy(b[:], id[:])
	binary.LittleEndian.PutUint64(b[16:], uint64(page))
	return crc32.Checksum(b[:], castagnoli)
}

// indexOffset is where the index of o begins in its file.
func indexOffset(o Object) int64 { return (o.Size + indexAlign - 1) / indexAlign * indexAlign }

func indexLen(o Object) int64 { return headerLen + o.Pages()*entryLen }

// fileLen is the length of the file of o with its index.
func fileLen(o Object) int64 { return indexOffset(o) + indexLen(o) }

func entryOffset(o Object, page int64) int64 {
	return indexOffset(o) + headerLen + page*entryLen
}

// appendHeader appends the header of o's index.
func appendHeader(b []byte, o Object) []byte {
	start := len(b)
	b = append(b, indexMagic...)
	b = binary.LittleEndian.AppendUint32(b, indexFormat)
	b = binary.LittleEndian.AppendUint32(b, PageSize)
	b = append(b, o.ID[:]...)
	b = binary.LittleEndian.AppendUint64(b, uint64(o.Size))
	b = append(b, make([]byte, start+headerLen-4-len(b))...)
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b[start:], castagnoli))
}

// appendEntry appends the entry of a page; sum 0 makes it a missing one.
func appendEntry(b []byte, o Object, page int64, sum uint32) []byte {
	if sum == 0 {
		return append(b, make([]byte, entryLen)...)
	}
	b = binary.LittleEndian.AppendUint32(b, entryMark)
	return binary.LittleEndian.AppendUint32(b, sum^tag(o.ID, page))
}

// parseIndex returns the object that an index is of, and a checksum for each of
// its pages, 0 for those that are missing. An error is errDamaged.
func parseIndex(b []byte) (Object, []uint32, error) {
	if len(b) < headerLen {
		return Object{}, nil, fmt.Errorf("index of %d bytes: %w", len(b), errDamaged)
	}
	header, entries := b[:headerLen], b[headerLen:]
	if binary.LittleEndian.Uint32(header[headerLen-4:]) != crc32.Checksum(header[:headerLen-4], castagnoli) {
		return Object{}, nil, fmt.Errorf("header sum: %w", errDamaged)
	}
	var o Object
	copy(o.ID[:], header[16:])
	size := binary.LittleEndian.Uint64(header[32:])
	if size > math.MaxInt64/2 {
		return Object{}, nil, fmt.Errorf("size %d: %w", size, errDamaged)
	}
	o.Size = int64(size)
	if string(header[:8]) != indexMagic ||
		binary.LittleEndian.Uint32(header[8:]) != indexFormat ||
		binary.LittleEndian.Uint32(header[12:]) != PageSize ||
		int64(len(b)) != indexLen(o) {
		return Object{}, nil, fmt.Errorf("header: %w", errDamaged)
	}
	sums := make([]uint32, o.Pages())
	for page := range sums {
		entry := entries[page*entryLen:]
		if binary.LittleEndian.Uint32(entry) == entryMark {
			sums[page] = binary.LittleEndian.Uint32(entry[4:]) ^ tag(o.ID, int64(page))
		}
	}
	return o, sums, nil
}
