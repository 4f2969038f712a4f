package cache

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// retryAfter is how long nothing is written after a write that failed: long
// enough for a full disk not to be hammered, short enough to be back soon.
const retryAfter = 5 * time.Second

var errLowSpace = errors.New("less than min_free is free")

// write writes what is put, until the queue is closed and empty or has had its time.
func (d *Disk) write() {
	for d.queue.wait() {
		switch err := d.writeNext(); {
		case errors.Is(err, errLowSpace), errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
			d.trim(d.Bytes() / 10 * 9)
		case d.Bytes() > d.Limit:
			d.trim(d.target())
		}
	}
}

// writeNext writes the pages that are next in the queue. After an error the queue
// is empty and takes nothing for a while.
func (d *Disk) writeNext() error {
	d.writing.Lock()
	defer d.writing.Unlock()
	first, pages := d.queue.next()
	if len(pages) == 0 {
		return nil
	}
	err := d.room.take(int64(len(pages)) * PageSize)
	if err == nil {
		err = d.writePages(first, pages)
	}
	if err != nil {
		d.fail(fmt.Errorf("write pages: %w", err))
		return err
	}
	d.failing = false
	d.queue.written(first, len(pages))
	return nil
}

// fail stops the writing for a while.
func (d *Disk) fail(err error) {
	if !d.failing {
		d.failing = true
		d.Log.Warn("cache: disk tier pauses", "error", err)
	}
	d.room.forget()
	d.queue.clear(retryAfter)
}

// writePages writes pages that follow one another, the first being k, to the file
// of their object, which is made if there is none.
func (d *Disk) writePages(k pageKey, pages []*Page) error {
	f := d.acquire(k.object)
	if f != nil {
		defer f.release()
		if f.aside.Load() { // all its pages are there, or it is about to be forgotten
			return nil
		}
		return d.fill(f, k.page, pages)
	}
	f, err := d.create(k.object)
	if err != nil {
		return err
	}
	defer f.release()
	if err := d.fill(f, k.page, pages); err != nil {
		_ = os.Remove(f.file.Name()) // the next start clears the spool
		return err
	}
	d.files.replace(k.object.fileName(), f)
	return nil
}

// fill writes pages, the first being that of the number: all their bytes, then all
// their entries, by one call each.
func (d *Disk) fill(f *objectFile, page int64, pages []*Page) error {
	o := f.object
	bytes, sums := make([][]byte, len(pages)), make([]uint32, len(pages))
	for i, p := range pages {
		bytes[i] = p.Bytes()
	}
	if err := d.writeAt(f.file, bytes, page*PageSize); err != nil {
		return err
	}
	var entries []byte
	for i, b := range bytes {
		sums[i] = checksum(b)
		entries = appendEntry(entries, o, page+int64(i), sums[i])
	}
	if o.Size >= 0 {
		if err := d.enter(f, page, entries); err != nil {
			return err
		}
	}
	for i, b := range bytes {
		f.remember(page+int64(i), len(b), sums[i])
	}
	return d.account(f)
}

// enter writes the entries of pages, the first being that of the number. A file
// without a name gets its index, and its name.
func (d *Disk) enter(f *objectFile, page int64, entries []byte) error {
	o := f.object
	if !f.unnamed {
		return d.writeAt(f.file, [][]byte{entries}, entryOffset(o, page))
	}
	index := appendHeader(nil, o)
	if page == 0 {
		index = append(index, entries...)
	} else if err := d.writeAt(f.file, [][]byte{entries}, entryOffset(o, page)); err != nil {
		return err
	}
	f.unnamed = false
	return d.finish(f.file, o, index, f.path)
}

// writeGathered writes all of bs at off, one behind the other.
func writeGathered(f *os.File, bs [][]byte, off int64) error {
	for len(bs) > 0 {
		n, err := unix.Pwritev(int(f.Fd()), bs, off)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return &fs.PathError{Op: "write", Path: f.Name(), Err: err}
		case n == 0:
			return io.ErrShortWrite
		}
		off += int64(n)
		for len(bs) > 0 && n >= len(bs[0]) {
			n -= len(bs[0])
			bs = bs[1:]
		}
		if n > 0 {
			bs = append([][]byte{bs[0][n:]}, bs[1:]...)
		}
	}
	return nil
}

// account notes what the file takes now. One that has lost its name, because
// somebody emptied the directory, is forgotten.
func (d *Disk) account(f *objectFile) error {
	stat, err := f.file.Stat()
	if err != nil {
		return err
	}
	name := f.object.fileName()
	blocks, links := usage(stat)
	if links == 0 {
		d.files.forget(name)
		d.ledger.remove(name)
		return nil
	}
	d.ledger.note(name, blocks, time.Now())
	return nil
}

// create makes the file of o, without a page, and returns it for the caller to
// release. A file with an index gets its name when it is whole.
func (d *Disk) create(o Object) (*objectFile, error) {
	f := &objectFile{object: o, path: d.path(o.fileName())}
	f.refs.Add(1)
	f.opened.Do(func() {}) // it is open as soon as it is seen
	f.touched.Store(time.Now().UnixNano())
	made := f.path
	if o.Size >= 0 {
		f.sums, f.seen, f.end = make([]uint32, o.Pages()), make([]bool, o.Pages()), o.Size
		f.unnamed, made = true, d.path(fileName{o.ID, true})+".new"
	}
	file, err := createFile(made)
	if err != nil {
		return nil, err
	}
	f.file = file
	return f, nil
}

// createFile makes an empty file, and its directory if that has vanished.
func createFile(path string) (*os.File, error) {
	const flags = os.O_RDWR | os.O_CREATE | os.O_TRUNC
	f, err := os.OpenFile(path, flags, 0o600)
	if !errors.Is(err, fs.ErrNotExist) {
		return f, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	return os.OpenFile(path, flags, 0o600)
}

// publish gives a spooled file the index and the name of o, and returns what it
// takes on disk.
func (d *Disk) publish(f *objectFile, o Object) (int64, error) {
	if err := f.file.Truncate(o.Size); err != nil {
		return 0, err
	}
	if err := d.finish(f.file, o, f.index(o), d.path(o.fileName())); err != nil {
		return 0, err
	}
	stat, err := f.file.Stat()
	if err != nil {
		return 0, err
	}
	blocks, _ := usage(stat)
	return blocks, nil
}

// finish gives a file under a temporary name an index (or its beginning, the rest
// being zeros), with it the length of o's, and its name.
func (d *Disk) finish(file *os.File, o Object, index []byte, path string) error {
	if int64(len(index)) < indexLen(o) {
		if err := file.Truncate(fileLen(o)); err != nil {
			return err
		}
	}
	if err := d.writeAt(file, [][]byte{index}, indexOffset(o)); err != nil {
		return err
	}
	err := os.Rename(file.Name(), path)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// room keeps a part of a file system free. It asks the system once a second or
// each 16 MiB, whichever comes first. Disk.writing guards it.
type room struct {
	place *os.File // any on the file system; it outlives the directory
	keep  int64
	left  int64 // may be written before asking again
	asked time.Time
}

const roomStep = 16 << 20

// take is called before n bytes are written.
func (r *room) take(n int64) error {
	if r.keep <= 0 {
		return nil
	}
	if r.left < n || time.Since(r.asked) > time.Second {
		var stat unix.Statfs_t
		if err := unix.Fstatfs(int(r.place.Fd()), &stat); err != nil {
			return fmt.Errorf("ask for free space: %w", err)
		}
		r.left = min(roomStep, int64(stat.Bavail)*stat.Bsize-r.keep)
		r.asked = time.Now()
	}
	if r.left < n {
		return errLowSpace
	}
	r.left -= n
	return nil
}

// forget makes the next take ask again.
func (r *room) forget() { r.left = 0 }
