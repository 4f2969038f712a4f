package catalog_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/catalog"
)

const many = 100_000

// vast is a provider of a directory of many files, made anew for each listing.
var vast = lister(func(context.Context, resolver.ID) ([]resolver.Entry, error) {
	entries := make([]resolver.Entry, many)
	for i := range entries {
		entries[i] = file("id"+strconv.Itoa(i), nameOf(i), int64(i))
		entries[i].Version = "version " + strconv.Itoa(i)
	}
	return entries, nil
})

func nameOf(i int) string { return fmt.Sprintf("file %06d.pdf", i%many) }

// large is a listed directory of many files, half of them learnt.
func large(b *testing.B) *catalog.Catalog {
	c, o, _ := newCatalog(b, vast)
	for i := 0; i < many; i += 2 {
		o.learnt.Learn(resolver.ID("id"+strconv.Itoa(i)), "version "+strconv.Itoa(i), resolver.Identity{Size: int64(i)})
	}
	readdir(b, c)
	return c
}

func readdir(b *testing.B, c *catalog.Catalog) {
	if _, err := c.Readdir(b.Context(), resolver.Root); err != nil {
		b.Fatal(err)
	}
}

// How long does one name take among 100,000, in order and out of it?
func BenchmarkLookup(b *testing.B) {
	c := large(b)
	for name, step := range map[string]int{"in order": 1, "out of order": 7919} {
		b.Run(name, func(b *testing.B) {
			names := make([]string, many)
			for i := range names {
				names[i] = nameOf(i * step)
			}
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				if _, err := c.Lookup(b.Context(), resolver.Root, names[i%many]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// How long does it take to list 100,000 known entries again?
func BenchmarkReaddir(b *testing.B) {
	c := large(b)
	b.ReportAllocs()
	for b.Loop() {
		readdir(b, c)
	}
}

// How much memory does an entry take, as it is listed and as it is loaded?
func BenchmarkMemory(b *testing.B) {
	inMemory := func(*catalog.Config) {}
	for name, source := range map[string]struct {
		provider resolver.Provider
		set      func(*catalog.Config)
	}{"listed": {vast, inMemory}, "loaded": {dead, saved(b)}} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				before := heap()
				c, _, _ := newCatalog(b, source.provider, source.set)
				readdir(b, c)
				b.ReportMetric(float64(heap()-before)/many, "B/entry")
				runtime.KeepAlive(c)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}

// saved returns a configuration with the large listing on disk.
func saved(b *testing.B) func(*catalog.Config) {
	path := filepath.Join(b.TempDir(), "state.db")
	state, err := catalog.OpenState(path, nil)
	require.NoError(b, err)
	c, _, _ := newCatalog(b, vast, func(cfg *catalog.Config) { cfg.Listings = state.Listings("p") })
	readdir(b, c)
	require.NoError(b, state.Close())
	state, err = catalog.OpenState(path, nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, state.Close()) })
	return func(cfg *catalog.Config) { cfg.Listings = state.Listings("p") }
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// How long does the first listing of 100,000 take, up to it being on disk?
func BenchmarkSave(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		state, err := catalog.OpenState(filepath.Join(b.TempDir(), "state.db"), nil)
		require.NoError(b, err)
		c, _, _ := newCatalog(b, vast, func(cfg *catalog.Config) { cfg.Listings = state.Listings("p") })
		readdir(b, c)
		require.NoError(b, state.Close())
	}
}

// How long does it take to show 100,000 entries after a start?
func BenchmarkLoad(b *testing.B) {
	set := saved(b)
	b.ReportAllocs()
	for b.Loop() {
		c, _, _ := newCatalog(b, dead, set)
		readdir(b, c)
	}
}
