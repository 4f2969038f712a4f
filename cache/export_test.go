package cache

import (
	"os"
	"time"
)

// Gather, RetryAfter and Patience are what tests wait for.
const (
	Gather     = gather
	RetryAfter = retryAfter
	Patience   = patience
)

// WriteWith makes the disk write with f from now on.
func (d *Disk) WriteWith(f func(f *os.File, b []byte, off int64) (int, error)) {
	d.writing.Lock()
	defer d.writing.Unlock()
	d.writeAt = func(file *os.File, bs [][]byte, off int64) error {
		for _, b := range bs {
			if _, err := f(file, b, off); err != nil {
				return err
			}
			off += int64(len(b))
		}
		return nil
	}
}

// HoldWriting keeps everybody from changing files until release is called.
func (d *Disk) HoldWriting() (release func()) {
	d.writing.Lock()
	return d.writing.Unlock
}

// Settle returns when nothing waits to be written and the directory was scanned.
func (d *Disk) Settle() {
	d.queue.close(time.Minute)
	d.done.Wait()
}

// Path is where the file of o is.
func (d *Disk) Path(o Object) string { return d.path(o.fileName()) }

// OpenFiles is the number of files that are remembered.
func (d *Disk) OpenFiles() int {
	d.files.mu.Lock()
	defer d.files.mu.Unlock()
	return d.files.files.Len()
}

// FileLayout returns where the index of o begins in its file and where the
// entry of a page does.
func FileLayout(o Object, page int64) (index, entry int64) {
	return indexOffset(o), entryOffset(o, page)
}
