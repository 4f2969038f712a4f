package catalog_test

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/catalog"
)

// large is a listed directory of 100,000 files, half of them learnt.
func large(b *testing.B) *catalog.Catalog {
	const count = 100_000
	s := new(shelf)
	entries := make([]resolver.Entry, count)
	for i := range entries {
		entries[i] = file(strconv.Itoa(i), fmt.Sprintf("file %06d.pdf", i), int64(i))
	}
	s.hold(entries...)
	c, o, _ := newCatalog(b, s)
	for i := 0; i < count; i += 2 {
		o.learnt.Learn(entries[i].ID, "v1", resolver.Identity{Size: int64(i)})
	}
	_, err := c.Readdir(b.Context(), resolver.Root)
	require.NoError(b, err)
	return c
}

// How long does one name take among 100,000?
func BenchmarkLookup(b *testing.B) {
	c := large(b)
	for i := 0; b.Loop(); i++ {
		if _, err := c.Lookup(b.Context(), resolver.Root, fmt.Sprintf("file %06d.pdf", i%100_000)); err != nil {
			b.Fatal(err)
		}
	}
}

// How long does it take to list 100,000 known entries again?
func BenchmarkReaddir(b *testing.B) {
	c := large(b)
	for b.Loop() {
		if _, err := c.Readdir(b.Context(), resolver.Root); err != nil {
			b.Fatal(err)
		}
	}
}
