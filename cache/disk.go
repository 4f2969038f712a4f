package cache

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// maxOpenFiles leaves most of the usual 1024 descriptors to connections.
const maxOpenFiles = 256

// DiskConfig says where and how much a Disk remembers.
type DiskConfig struct {
	// Dir is the directory, made if it is not there. One process uses it.
	Dir string
	// Limit is the most that the files take on disk, in bytes.
	Limit int64
	// MinFree is what is left free on the file system, in bytes.
	MinFree int64
	// Queue is the most that waits to be written, in bytes; at least a page.
	Queue int64
	// NewPage makes the pages that Get returns.
	NewPage func() *Page
	// Log is told of defects, without a word on what the objects are; nil for
	// slog.Default.
	Log *slog.Logger
}

// Disk is the tier on disk: one sparse file for each object, written behind
// the callers by one goroutine. What it holds survives restarts, and every page
// read is checked against its sum.
type Disk struct {
	DiskConfig
	lock    *os.File
	files   *openFiles
	ledger  *ledger
	queue   *queue
	writeAt func(f *os.File, bs [][]byte, off int64) error
	cancel  context.CancelFunc
	done    sync.WaitGroup

	worker  sync.WaitGroup
	jobs    chan job // for the worker
	closing sync.Once
	failed  error // of Close

	writing sync.Mutex // serialises what changes files: writer, Adopt, Drop, trim; guards the following
	room    room
	failing bool // since the last page was written
	closed  bool // the directory may be another's
}

// fileName is the identity of a file in the directory.
type fileName struct {
	id    [16]byte
	spool bool
}

func (o Object) fileName() fileName { return fileName{o.ID, o.Size < 0} }

// OpenDisk opens the directory. It does not look at what is in it; a goroutine
// that Close waits for learns that. ErrLocked means that another process has
// the directory.
func OpenDisk(c DiskConfig) (*Disk, error) {
	for _, dir := range []string{c.Dir, filepath.Join(c.Dir, "objects")} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return nil, fmt.Errorf("make cache directory: %w", err)
		}
	}
	lock, err := lockDir(c.Dir)
	if err != nil {
		return nil, err
	}
	if err := emptyDir(filepath.Join(c.Dir, "spool")); err != nil {
		_ = lock.Close()
		return nil, fmt.Errorf("clear spool: %w", err)
	}
	if c.Log == nil {
		c.Log = slog.Default()
	}
	ctx, cancel := context.WithCancel(context.Background())
	d := &Disk{
		DiskConfig: c,
		lock:       lock,
		files:      newOpenFiles(maxOpenFiles),
		ledger:     newLedger(),
		writeAt:    writeGathered,
		jobs:       make(chan job, mostJobs),
		cancel:     cancel,
		room:       room{place: lock, keep: c.MinFree},
	}
	d.queue = newQueue(max(1, int(c.Queue/PageSize)), func() {
		c.Log.Warn("cache: disk is slower than reading, pages are dropped")
	})
	d.done.Go(d.write)
	d.worker.Go(func() { d.work(ctx) })
	d.done.Go(func() { d.scan(ctx) })
	return d, nil
}

func emptyDir(dir string) error {
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.MkdirAll(dir, 0o700)
}

// Get is [Store]'s. It sees pages that wait to be written, too.
func (d *Disk) Get(o Object, page int64) *Page {
	if p := d.queue.find(pageKey{o, page}); p != nil {
		return p
	}
	f := d.acquire(o)
	if f == nil {
		return nil
	}
	defer f.release()
	if _, sum := f.present(page); sum == 0 {
		return nil
	}
	now := time.Now()
	d.ledger.touch(o.fileName(), now)
	f.touch(now)
	p := d.NewPage()
	ok, err := f.read(page, p)
	if err != nil {
		f.report.Do(func() { d.Log.Warn("cache: damaged page, which is a miss", "object", o.String(), "error", err) })
		if f.aside.Load() { // others may be reading it, and it is not written to
			d.later(f, d.forget)
		}
	}
	if !ok {
		p.Release()
		return nil
	}
	return p
}

// Has is [Store]'s.
func (d *Disk) Has(o Object, page int64) bool {
	if d.queue.has(pageKey{o, page}) {
		return true
	}
	f := d.acquire(o)
	if f == nil {
		return false
	}
	defer f.release()
	_, sum := f.present(page)
	return sum != 0
}

// Put is [Store]'s. The page is written later, or dropped when the disk does
// not keep up; a full queue makes callers wait for a second at most.
func (d *Disk) Put(o Object, page int64, p *Page) {
	if o.fits(page, p.len) && d.admits(o, page) && !d.Has(o, page) {
		d.queue.put(pageKey{o, page}, p)
	}
}

// Adopt is [Store]'s. What was remembered of to before is forgotten if
// anything of from was written.
func (d *Disk) Adopt(from, to Object) {
	d.writing.Lock()
	defer d.writing.Unlock()
	if d.closed {
		return
	}
	if to.Size < 0 || !d.admits(to, 0) {
		d.drop(from)
		return
	}
	d.queue.adopt(from, to)
	f := d.files.take(from.fileName())
	if f == nil {
		return
	}
	defer f.release()
	d.ledger.remove(from.fileName())
	if f.file == nil {
		return
	}
	blocks, err := d.publish(f, to)
	if err != nil {
		d.fail(fmt.Errorf("adopt spooled object: %w", err))
		_ = os.Remove(f.path) // the next start clears the spool
		return
	}
	d.files.forget(to.fileName())
	d.ledger.note(to.fileName(), blocks, time.Now())
}

// Drop is [Store]'s.
func (d *Disk) Drop(o Object) {
	d.writing.Lock()
	defer d.writing.Unlock()
	if !d.closed {
		d.drop(o)
	}
}

func (d *Disk) drop(o Object) {
	d.queue.drop(o)
	d.remove(o.fileName())
}

// remove forgets a file and removes it; who reads it goes on to the end.
func (d *Disk) remove(name fileName) {
	if err := removeFile(d.path(name)); err != nil {
		d.Log.Warn("cache: remove object", "error", err)
	}
	d.files.forget(name) // last: a reader who came before would remember the file again
	d.ledger.remove(name)
}

// removeFile removes the file of an object, and its index where that is not in it:
// that first, because a file without one is found damaged.
func removeFile(path string) error {
	for _, path := range []string{path + indexSuffix, path} {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// Capacity is [Store]'s: what trimming leaves of the limit.
func (d *Disk) Capacity() int64 { return d.target() }

// admits reports whether o can be remembered; an object of unknown size can as
// far as that page.
func (d *Disk) admits(o Object, page int64) bool {
	if o.Size < 0 {
		return page < d.Capacity()/PageSize
	}
	return o.Size <= d.Capacity()
}

// Bytes is what is known of what the files take on disk.
func (d *Disk) Bytes() int64 { return d.ledger.bytes() }

// Close writes what waits, for ten seconds at most, and gives the directory
// back. It waits for a file that is being brought to the disk, too.
func (d *Disk) Close() error {
	d.closing.Do(func() {
		d.cancel()
		d.queue.close(10 * time.Second)
		d.done.Wait()
		d.worker.Wait()
		d.leaveJobs()
		d.writing.Lock()
		d.queue.clear(0)
		d.closed = true
		d.writing.Unlock()
		d.files.close()
		if err := d.lock.Close(); err != nil {
			d.failed = fmt.Errorf("unlock cache directory: %w", err)
		}
	})
	return d.failed
}

// acquire returns the file of o, opened, for the caller to release; nil if
// there is none. Files that are not sound are removed.
func (d *Disk) acquire(o Object) *objectFile {
	name := o.fileName()
	f := d.files.acquire(name, func() *objectFile { return &objectFile{object: o, path: d.path(name)} })
	if f == nil {
		return nil
	}
	f.opened.Do(func() { d.open(f) })
	if f.file == nil || f.object != o {
		f.release()
		return nil
	}
	return f
}

func (d *Disk) open(f *objectFile) {
	if f.object.Size < 0 {
		return // spooled by this process, or not at all
	}
	err := f.open()
	switch {
	case errors.Is(err, errDamaged):
		d.Log.Warn("cache: damaged object removed", "object", f.object.String(), "error", err)
		_ = removeFile(f.path) // where it stays, it is found damaged again
		d.ledger.remove(f.object.fileName())
	case err != nil:
		d.Log.Warn("cache: object cannot be read", "object", f.object.String(), "error", err)
	case f.file != nil:
		d.ledger.note(f.object.fileName(), f.blocks, time.Now())
	}
}

// path is where the file of that name is. Only a part of the ID is in the name
// of its directory, so that there are 256 of them.
func (d *Disk) path(name fileName) string {
	id := fmt.Sprintf("%x", name.id)
	if name.spool {
		return filepath.Join(d.Dir, "spool", id)
	}
	return filepath.Join(d.Dir, "objects", id[:2], id)
}
