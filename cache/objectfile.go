package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// objectFile is the file of one object on disk, or the knowledge that there is
// none. It is counted: whoever has one releases it, and the last one closes it.
type objectFile struct {
	object Object
	path   string
	refs   atomic.Int32

	opened  sync.Once // before it, none of the following is set
	file    *os.File  // nil if there is no file
	blocks  int64     // bytes it used on disk when it was opened
	unnamed bool      // it is still being made; Disk.writing guards it
	touched atomic.Int64
	report  sync.Once
	aside   atomic.Bool // the index is beside the file, which is not written to any more
	busy    atomic.Bool // a job is to be done with it

	mu   sync.Mutex // guards the following
	sums []uint32   // by page, 0 where it is missing; of an unknown size as long as needed
	seen []bool     // by page: it was written, or found right, since the file was opened
	end  int64      // of the last page, in bytes
}

// open looks for the file of an object of known size. A file that is not what
// it should be is an error wrapping errDamaged.
func (f *objectFile) open() error {
	file, err := os.OpenFile(f.path, os.O_RDWR|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open object: %w", err)
	}
	if err := f.load(file); err != nil {
		_ = file.Close() // nothing was written
		return fmt.Errorf("load object: %w", err)
	}
	f.file = file
	return nil
}

func (f *objectFile) load(file *os.File) error {
	stat, err := file.Stat()
	if err != nil {
		return err
	}
	inside := stat.Size() == fileLen(f.object)
	if !stat.Mode().IsRegular() || !inside && stat.Size() != f.object.Size {
		return fmt.Errorf("%d bytes long: %w", stat.Size(), errDamaged)
	}
	index := make([]byte, indexLen(f.object))
	if inside {
		_, err = file.ReadAt(index, indexOffset(f.object))
		inside = !errors.Is(err, io.EOF) // it is being moved just now
	}
	if !inside {
		index, err = os.ReadFile(f.path + indexSuffix)
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("%w: %w", errDamaged, err)
		}
	}
	if err != nil {
		return err
	}
	o, sums, err := parseIndex(index)
	if err != nil {
		return err
	}
	if o != f.object || !inside && slices.Contains(sums, 0) {
		return fmt.Errorf("another index: %w", errDamaged)
	}
	f.aside.Store(!inside)
	f.sums, f.seen, f.end = sums, make([]bool, len(sums)), o.Size
	f.blocks, _ = usage(stat)
	f.touched.Store(stat.ModTime().UnixNano())
	return nil
}

// usage returns the bytes that a file takes on its disk and the number of its
// names.
func usage(stat fs.FileInfo) (bytes, links int64) {
	if sys, ok := stat.Sys().(*syscall.Stat_t); ok {
		return sys.Blocks * 512, int64(sys.Nlink)
	}
	return stat.Size(), 1
}

// present returns the length of a page, and its checksum or 0 if it is missing.
func (f *objectFile) present(page int64) (length int, sum uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if page < 0 || page >= int64(len(f.sums)) {
		return 0, 0
	}
	return int(min(PageSize, f.end-page*PageSize)), f.sums[page]
}

// read fills p with a page and reports whether it was there. A page that does
// not have its checksum is forgotten and is an error wrapping errDamaged.
func (f *objectFile) read(page int64, p *Page) (bool, error) {
	length, sum := f.present(page)
	if sum == 0 {
		return false, nil
	}
	buf := p.Buf()[:length]
	_, err := f.file.ReadAt(buf, page*PageSize)
	if err == nil || errors.Is(err, io.EOF) {
		if checksum(buf) == sum {
			p.SetLen(length)
			f.saw(page)
			return true, nil
		}
		err = errors.New("wrong sum")
	}
	f.forget(page, sum)
	return false, fmt.Errorf("%w: %w", errDamaged, err)
}

// forget makes a page missing that had the given sum. On disk it keeps the wrong
// one, which is as good, until it is written again.
func (f *objectFile) forget(page int64, sum uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sums[page] == sum {
		f.sums[page], f.seen[page] = 0, false
	}
}

func (f *objectFile) saw(page int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen[page] = f.sums[page] != 0
}

// sound reports whether all pages are there, and none is to be looked at yet.
func (f *objectFile) sound() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return !slices.Contains(f.seen, false)
}

// remember notes that a page was written.
func (f *objectFile) remember(page int64, length int, sum uint32) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for int64(len(f.sums)) <= page {
		f.sums, f.seen = append(f.sums, 0), append(f.seen, false)
	}
	f.sums[page], f.seen[page] = sum, true
	f.end = max(f.end, page*PageSize+int64(length))
}

// index returns the index with which the file's content becomes that of o.
func (f *objectFile) index(o Object) []byte {
	index := appendHeader(nil, o)
	for page := range o.Pages() {
		length, sum := f.present(page)
		if length != o.PageLen(page) {
			sum = 0
		}
		index = appendEntry(index, o, page, sum)
	}
	return index
}

// touch tells the next start that the object is in use. Once an hour is fine
// enough for that and spares the disk, as cmd/go's cache has it.
func (f *objectFile) touch(now time.Time) {
	last := f.touched.Load()
	if now.Sub(time.Unix(0, last)) < time.Hour || !f.touched.CompareAndSwap(last, now.UnixNano()) {
		return
	}
	_ = os.Chtimes(f.path, now, now) // gone or not, the object can be read
}

func (f *objectFile) release() {
	if f.refs.Add(-1) == 0 && f.file != nil {
		_ = f.file.Close() // the sums tell what was not written
	}
}
