package cache

import (
	"context"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// mostJobs is how many files may wait for a job, each of which is open meanwhile.
const mostJobs = 64

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
	case f.aside.Load():
		return d.handOut(f)
	default:
		d.later(f, d.prepare)
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

// job is something to be done with a file behind callers.
type job struct {
	f  *objectFile // released when it is done
	do func(f *objectFile)
}

// later has do called with f, unless something is to be done with it already, or
// too much with others: it is asked for again.
func (d *Disk) later(f *objectFile, do func(f *objectFile)) {
	if !f.busy.CompareAndSwap(false, true) {
		return
	}
	f.refs.Add(1)
	select {
	case d.jobs <- job{f, do}:
	default:
		f.busy.Store(false)
		f.release()
	}
}

// leaveJobs gives up what work did not come to.
func (d *Disk) leaveJobs() {
	for {
		select {
		case j := <-d.jobs:
			j.f.release()
		default:
			return
		}
	}
}

// work does the jobs, one after another: each may wait for the disk. Those that are
// left at the end of ctx are not done.
func (d *Disk) work(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case j := <-d.jobs:
			if ctx.Err() == nil {
				j.do(j.f)
			}
			j.f.busy.Store(false)
			j.f.release()
		}
	}
}

// prepare leaves nothing but the pages in the file. They are on the disk then:
// whoever reads them as a whole does not look at their sums.
func (d *Disk) prepare(f *objectFile) {
	if f.aside.Load() {
		return
	}
	if err := f.file.Sync(); err != nil { // what the kernel still has is not what is on the disk
		d.Log.Warn("cache: object that cannot be written is forgotten", "object", f.object.String(), "error", err)
		d.forget(f)
		return
	}
	d.writing.Lock()
	defer d.writing.Unlock()
	if err := d.moveIndex(f); err != nil {
		f.report.Do(func() {
			d.Log.Warn("cache: file is not handed out as a whole", "object", f.object.String(), "error", err)
		})
	}
}

// forget forgets the object of f, unless it has another file by now.
func (d *Disk) forget(f *objectFile) {
	d.writing.Lock()
	defer d.writing.Unlock()
	if !d.closed && d.files.has(f.object.fileName(), f) {
		d.drop(f.object)
	}
}

// moveIndex moves the index to a file of its own, which is there before it is cut
// off where it was. A file that was forgotten meanwhile, or in which a page was
// found damaged, stays as it is.
func (d *Disk) moveIndex(f *objectFile) error {
	stat, err := f.file.Stat()
	if err != nil {
		return err
	}
	if _, links := usage(stat); links == 0 || d.closed || !f.sound() {
		return nil
	}
	temp := d.path(fileName{f.object.ID, true}) + indexSuffix
	index, err := createFile(temp)
	if err != nil {
		return err
	}
	err = d.writeAt(index, [][]byte{f.index(f.object)}, 0)
	if err == nil {
		err = index.Sync()
	}
	if closeErr := index.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(temp, f.path+indexSuffix)
	}
	if err != nil {
		_ = os.Remove(temp) // the next start clears the spool
		return fmt.Errorf("move the index: %w", err)
	}
	if err := f.file.Truncate(f.object.Size); err != nil {
		return err
	}
	f.aside.Store(true)
	d.files.replace(f.object.fileName(), f) // another one may not know
	return nil
}

// indexSuffix ends the name of the index of a file that holds nothing but pages.
const indexSuffix = ".index"
