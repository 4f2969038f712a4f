package stream

import (
	"path"
	"strings"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/resolver"
)

// twoEnded are formats whose directory is at the end of the file: who reads one
// end reads the other next. Archives, Office files and PDF have it there always,
// films in MP4 when they were not made for streaming.
var twoEnded = map[string]bool{
	".zip": true, ".jar": true, ".apk": true, ".epub": true, ".7z": true,
	".docx": true, ".xlsx": true, ".pptx": true, ".odt": true, ".ods": true, ".odp": true, ".ofd": true,
	".pdf": true, ".mp4": true, ".m4v": true, ".m4a": true, ".mov": true,
}

// hasTwoEnds reports whether a file is of such a format, and not fetched whole
// anyway.
func hasTwoEnds(f resolver.File) bool {
	return f.Size > wholeFile && twoEnded[strings.ToLower(path.Ext(f.Name))]
}

// otherEnd is what to fetch along with a read at one end of a file; empty for
// reads elsewhere.
func otherEnd(read byteRange, size int64) byteRange {
	switch tail := pageDown(size - cache.PageSize); {
	case read.start < cache.PageSize:
		return byteRange{tail, size}
	case read.limit > tail:
		return byteRange{0, cache.PageSize}
	}
	return byteRange{}
}
