package cache

import (
	"errors"
	"os"
	"sync/atomic"
)

// Tiered is memory over disk.
type Tiered struct {
	memory *Memory
	disk   *Disk // nil without a disk tier

	drops                        atomic.Int64
	memoryHits, diskHits, misses atomic.Int64
}

// Stats is what a Tiered did since it was opened and what it uses now.
type Stats struct {
	// MemoryBytes is the memory of all pages in use, DiskBytes what the files
	// take on disk as far as it is known.
	MemoryBytes, DiskBytes int64
	// MemoryHits, DiskHits and Misses count the answers of Get.
	MemoryHits, DiskHits, Misses int64
}

// Open opens the tiers of a valid configuration. ErrLocked means that another
// process uses the directory.
func Open(c Config) (*Tiered, error) {
	t := &Tiered{memory: NewMemory(c.Memory)}
	if c.Disk == 0 {
		return t, nil
	}
	disk, err := OpenDisk(DiskConfig{
		Dir:     c.Dir,
		Limit:   c.Disk,
		MinFree: c.MinFree,
		Queue:   min(64<<20, c.Memory/4),
		NewPage: t.memory.NewPage,
		Log:     c.Log,
	})
	if err != nil {
		return nil, errors.Join(err, t.memory.Close())
	}
	t.disk = disk
	return t, nil
}

// NewPage returns an empty page within the memory budget; see [Memory.NewPage].
func (t *Tiered) NewPage() *Page { return t.memory.NewPage() }

// Free is what the memory budget leaves to new pages; see [Memory.Free].
func (t *Tiered) Free() int64 { return t.memory.Free() }

// Budget is the memory budget in bytes.
func (t *Tiered) Budget() int64 { return t.memory.Budget() }

// Get is [Store]'s. A page found on disk is in memory afterwards, unless a Drop has
// forgotten it meanwhile.
func (t *Tiered) Get(o Object, page int64) *Page {
	drops := t.drops.Load()
	p, fromDisk := t.find(o, page)
	switch {
	case p == nil:
		t.misses.Add(1)
	case fromDisk:
		t.memory.Put(o, page, p)
		if t.drops.Load() != drops {
			t.memory.Drop(o)
		}
	}
	return p
}

// Glance is Get for a caller who passes a page on and will hardly come again: one
// found on disk does not push anything out of memory, and none is no miss yet.
func (t *Tiered) Glance(o Object, page int64) *Page {
	p, _ := t.find(o, page)
	return p
}

func (t *Tiered) find(o Object, page int64) (p *Page, fromDisk bool) {
	if p := t.memory.Get(o, page); p != nil {
		t.memoryHits.Add(1)
		return p, false
	}
	if t.disk != nil {
		if p := t.disk.Get(o, page); p != nil {
			t.diskHits.Add(1)
			return p, true
		}
	}
	return nil, false
}

// Has is [Store]'s.
func (t *Tiered) Has(o Object, page int64) bool {
	return t.memory.Has(o, page) || t.disk != nil && t.disk.Has(o, page)
}

// Put is [Store]'s. The page must be one that NewPage made.
func (t *Tiered) Put(o Object, page int64, p *Page) {
	t.memory.Put(o, page, p)
	if t.disk != nil {
		t.disk.Put(o, page, p)
	}
}

// Adopt is [Store]'s.
func (t *Tiered) Adopt(from, to Object) {
	t.memory.Adopt(from, to)
	if t.disk != nil {
		t.disk.Adopt(from, to)
	}
}

// Drop is [Store]'s.
func (t *Tiered) Drop(o Object) {
	t.drops.Add(1)
	if t.disk != nil {
		t.disk.Drop(o)
	}
	t.memory.Drop(o)
}

// Whole is that of the disk tier, nil without one; see [Disk.Whole].
func (t *Tiered) Whole(o Object) *os.File {
	if t.disk == nil {
		return nil
	}
	return t.disk.Whole(o)
}

// Capacity is [Store]'s, that of the larger tier.
func (t *Tiered) Capacity() int64 {
	if t.disk == nil {
		return t.memory.Capacity()
	}
	return max(t.memory.Capacity(), t.disk.Capacity())
}

// Stats returns the figures of now.
func (t *Tiered) Stats() Stats {
	s := Stats{
		MemoryBytes: t.memory.Bytes(),
		MemoryHits:  t.memoryHits.Load(),
		DiskHits:    t.diskHits.Load(),
		Misses:      t.misses.Load(),
	}
	if t.disk != nil {
		s.DiskBytes = t.disk.Bytes()
	}
	return s
}

// Close closes the disk tier, then memory.
func (t *Tiered) Close() error {
	var err error
	if t.disk != nil {
		err = t.disk.Close()
	}
	return errors.Join(err, t.memory.Close())
}
