package cache

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// wholeLeast is the size from which on a file is handed out as a whole. Below,
// opening it costs more than reading it.
const wholeLeast = 1 << 20

// Whole returns a file that holds all bytes of the object and nothing else, so
// that somebody else may read it, such as the kernel. The caller closes it; it
// stays as it is when the object is forgotten. It is nil for small objects, and
// as long as there are pages that were neither written nor read and found right
// since the object was opened. The first time that there are none it is nil, too:
// the file is made ready behind the caller, so that asking again later helps.
func (d *Disk) Whole(o Object) *os.File {
	if o.Size < wholeLeast {
		return nil
	}
	f := d.acquire(o)
	if f == nil {
		return nil
	}
	defer f.release()
	switch {
	case !f.sound():
	case f.bare.Load():
		return d.handOut(f)
	case f.baring.CompareAndSwap(false, true):
		f.refs.Add(1)
		if !d.begin(func() { defer f.release(); d.makeBare(f) }) {
			f.release()
		}
	}
	return nil
}

func (d *Disk) handOut(f *objectFile) *os.File {
	now := time.Now()
	d.ledger.touch(f.object.fileName(), now)
	f.touch(now)
	fd, err := unix.FcntlInt(f.file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil // too many are open: it is read page by page
	}
	return os.NewFile(uintptr(fd), f.path)
}

// begin runs fn on a goroutine that Close waits for; false when the disk is closed.
func (d *Disk) begin(fn func()) bool {
	d.beginning.Lock()
	defer d.beginning.Unlock()
	if d.ended {
		return false
	}
	d.done.Go(fn)
	return true
}

// makeBare leaves nothing but the pages in the file. They are on the disk then:
// whoever reads them as a whole does not look at their sums.
func (d *Disk) makeBare(f *objectFile) {
	err := f.file.Sync()
	if err == nil {
		d.writing.Lock()
		err = d.moveIndex(f)
		d.writing.Unlock()
	}
	if err != nil {
		d.Log.Warn("cache: file is not handed out as a whole", "object", f.object.String(), "error", err)
	}
}

// moveIndex moves the index to a file of its own, which is there before it is cut
// off where it was.
func (d *Disk) moveIndex(f *objectFile) error {
	stat, err := f.file.Stat()
	if err != nil {
		return err
	}
	if _, links := usage(stat); links == 0 || d.closed {
		return nil // it was forgotten meanwhile
	}
	made := d.path(fileName{f.object.ID, true}) + indexSuffix
	index, err := createFile(made)
	if err != nil {
		return err
	}
	err = d.writeAt(index, [][]byte{f.index(f.object)}, 0)
	if closeErr := index.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(made, f.path+indexSuffix)
	}
	if err != nil {
		_ = os.Remove(made) // the next start clears the spool
		return fmt.Errorf("move the index: %w", err)
	}
	if err := f.file.Truncate(f.object.Size); err != nil {
		return err
	}
	f.bare.Store(true)
	return nil
}

// indexSuffix ends the name of the index of a file that holds nothing but pages.
const indexSuffix = ".index"
