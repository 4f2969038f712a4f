//go:build !race

package cache

import "golang.org/x/sys/unix"

// mapSlab returns memory for the pages of one slab. Like the runtime it has no
// answer to a system without memory but to panic.
func mapSlab() []byte {
	slab, err := unix.Mmap(-1, 0, slabSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		panic("cache: out of memory: " + err.Error())
	}
	return slab
}

func unmapSlab(slab []byte) error { return unix.Munmap(slab) }

// discard gives the memory behind buf back until buf is written again.
func discard(buf []byte) { _ = unix.Madvise(buf, unix.MADV_DONTNEED) }

func poison([]byte) {}
