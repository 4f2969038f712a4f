// Package cachetest is the contract of [cache.Store], as tests that every tier
// passes.
package cachetest

import (
	"bytes"
	"encoding/binary"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/cache"
)

// Fill writes the content that a page of o has in these tests into b: other
// bytes for every object, size and page.
func Fill(b []byte, o cache.Object, page int64) {
	seed := binary.LittleEndian.Uint64(o.ID[:]) ^ uint64(o.Size)
	state := rand.NewPCG(seed, uint64(page))
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, state.Uint64())
		b = b[8:]
	}
	for i := range b {
		b[i] = byte(state.Uint64())
	}
}

// Content is the content of length n that Fill gives a page.
func Content(o cache.Object, page int64, n int) []byte {
	b := make([]byte, n)
	Fill(b, o, page)
	return b
}

// Put gives the store a page of o with the content of length n that Fill makes.
func Put(s cache.Store, newPage func() *cache.Page, o cache.Object, page int64, n int) {
	p := newPage()
	defer p.Release()
	Fill(p.Buf()[:n], o, page)
	p.SetLen(n)
	s.Put(o, page, p)
}

// Hit reports whether the store has a page, which must be the one of o.
func Hit(t testing.TB, s cache.Store, o cache.Object, page int64) bool {
	t.Helper()
	p := s.Get(o, page)
	if p == nil {
		return false
	}
	defer p.Release()
	assert.True(t, bytes.Equal(Content(o, page, o.PageLen(page)), p.Bytes()), "page %d is not what was put", page)
	return true
}

type suite struct {
	cache.Store
	newPage func() *cache.Page
}

// Run tests the contract on stores that newStore makes, empty and with room for
// at least 40 pages. It returns what makes the pages for the store as well; it
// may close the store in a cleanup, after the tests did.
func Run(t *testing.T, newStore func(t *testing.T) (cache.Store, func() *cache.Page)) {
	tests := []struct {
		name string
		run  func(t *testing.T, s suite)
	}{
		{"round trip", testRoundTrip},
		{"has", testHas},
		{"wrong length", testWrongLength},
		{"drop", testDrop},
		{"versions", testVersions},
		{"unknown size", testUnknownSize},
		{"adopt", testAdopt},
		{"adopt another length", testAdoptAnotherLength},
		{"retained", testRetained},
		{"parallel", testParallel},
		{"close", testClose},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			store, newPage := newStore(t)
			test.run(t, suite{store, newPage})
			require.NoError(t, store.Close())
		})
	}
}

// put puts pages [start, limit) of o.
func (s suite) put(o cache.Object, start, limit int64) {
	for page := start; page < limit; page++ {
		Put(s.Store, s.newPage, o, page, o.PageLen(page))
	}
}

func (s suite) hits(t *testing.T, o cache.Object, start, limit int64) int {
	t.Helper()
	hits := 0
	for page := start; page < limit; page++ {
		if Hit(t, s.Store, o, page) {
			hits++
		}
	}
	return hits
}

func object(size int64, name string) cache.Object { return cache.NewObject(size, "cachetest", name) }

func testRoundTrip(t *testing.T, s suite) {
	o := object(39*cache.PageSize+7, "a")
	require.Zero(t, s.hits(t, o, -1, 42), "an empty store has a page")
	s.put(o, 0, o.Pages())
	assert.Equal(t, 40, s.hits(t, o, -1, 42))
	p := s.Get(o, 39)
	require.NotNil(t, p)
	assert.Len(t, p.Bytes(), 7)
	p.Release()
}

func testHas(t *testing.T, s suite) {
	o := object(20*cache.PageSize, "a")
	assert.False(t, s.Has(o, 3))
	s.put(o, 3, 4)
	assert.True(t, s.Has(o, 3))
	for _, page := range []int64{-1, 2, 4, 19, 20, 1 << 50} {
		assert.False(t, s.Has(o, page), "page %d", page)
	}
}

func testWrongLength(t *testing.T, s suite) {
	o := object(cache.PageSize+10, "a")
	Put(s.Store, s.newPage, o, 0, cache.PageSize-1)
	Put(s.Store, s.newPage, o, 1, 9)
	Put(s.Store, s.newPage, o, 1, 11)
	Put(s.Store, s.newPage, o, 2, cache.PageSize)
	Put(s.Store, s.newPage, o, -1, cache.PageSize)
	assert.Zero(t, s.hits(t, o, -1, 4))
}

func testDrop(t *testing.T, s suite) {
	a, b := object(8*cache.PageSize, "a"), object(8*cache.PageSize, "b")
	s.put(a, 0, 8)
	s.put(b, 0, 8)
	s.Drop(a)
	assert.Zero(t, s.hits(t, a, 0, 8))
	assert.False(t, s.Has(a, 0))
	assert.Equal(t, 8, s.hits(t, b, 0, 8))
	s.put(a, 0, 8)
	assert.Equal(t, 8, s.hits(t, a, 0, 8), "a dropped object cannot be put again")
}

func testVersions(t *testing.T, s suite) {
	older, newer := object(4*cache.PageSize, "a, older"), object(4*cache.PageSize, "a, newer")
	s.put(older, 0, 4)
	s.put(newer, 1, 2)
	assert.Equal(t, 1, s.hits(t, newer, 0, 4))
	assert.Equal(t, 4, s.hits(t, older, 0, 4))
	longer := cache.Object{ID: older.ID, Size: older.Size + 1}
	assert.Zero(t, s.hits(t, longer, 0, 5))
	s.put(longer, 0, 5)
	s.hits(t, older, 0, 4)
	s.hits(t, longer, 0, 5)
}

func testUnknownSize(t *testing.T, s suite) {
	o := object(cache.SizeUnknown, "a")
	s.put(o, 0, 3)
	Put(s.Store, s.newPage, o, 3, 5)
	assert.Equal(t, 3, s.hits(t, o, 0, 3))
	p := s.Get(o, 3)
	require.NotNil(t, p)
	assert.Equal(t, Content(o, 3, 5), p.Bytes())
	p.Release()
	s.Drop(o)
	assert.Zero(t, s.hits(t, o, 0, 5))
}

func testAdopt(t *testing.T, s suite) {
	const last = 1234
	from := object(cache.SizeUnknown, "spooled")
	to := object(19*cache.PageSize+last, "known")
	putAs(s, from, to, 0, 20)
	s.Adopt(from, to)
	assert.Equal(t, 20, s.hits(t, to, 0, 20))
	assert.Zero(t, s.hits(t, from, 0, 20))
	assert.True(t, s.Has(to, 19))
	assert.False(t, s.Has(from, 0))

	s.Adopt(object(cache.SizeUnknown, "never put"), object(10, "nothing"))
	assert.False(t, s.Has(object(10, "nothing"), 0))
}

// putAs puts pages of one object with the content of another.
func putAs(s suite, as, o cache.Object, start, limit int64) {
	for page := start; page < limit; page++ {
		p := s.newPage()
		n := o.PageLen(page)
		Fill(p.Buf()[:n], o, page)
		p.SetLen(n)
		s.Put(as, page, p)
		p.Release()
	}
}

func testAdoptAnotherLength(t *testing.T, s suite) {
	from, to := object(cache.SizeUnknown, "spooled"), object(2*cache.PageSize+10, "shorter")
	putAs(s, from, object(4*cache.PageSize, "full pages"), 2, 4)
	putAs(s, from, to, 0, 2)
	s.Adopt(from, to)
	assert.Equal(t, 2, s.hits(t, to, 0, 5))
	assert.False(t, s.Has(to, 2))
}

func testRetained(t *testing.T, s suite) {
	o := object(4*cache.PageSize, "a")
	s.put(o, 0, 4)
	p := s.Get(o, 1)
	require.NotNil(t, p)
	defer p.Release()
	s.Drop(o)
	const most = 8 << 20
	other := object(min(most, 2*s.Capacity()), "other")
	s.put(other, 0, other.Pages())
	assert.True(t, bytes.Equal(Content(o, 1, cache.PageSize), p.Bytes()), "a retained page changed")
}

func testParallel(t *testing.T, s suite) {
	objects := []cache.Object{
		object(9*cache.PageSize+1, "a"),
		object(12*cache.PageSize, "b"),
		object(100, "c"),
		object(3*cache.PageSize+99, "d"),
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(worker)))
			for range 400 {
				o := objects[random.IntN(len(objects))]
				page := random.Int64N(o.Pages())
				switch random.IntN(20) {
				case 0:
					s.Drop(o)
				case 1:
					from := object(cache.SizeUnknown, string(rune('0'+worker)))
					putAs(s, from, o, page, page+1)
					s.Adopt(from, o)
				case 2, 3:
					s.Has(o, page)
				default:
					if !Hit(t, s.Store, o, page) {
						s.put(o, page, page+1)
					}
				}
			}
		})
	}
	wg.Wait()
	for _, o := range objects {
		s.Drop(o)
		assert.Zero(t, s.hits(t, o, 0, o.Pages()), "a dropped object came back")
	}
}

func testClose(t *testing.T, s suite) {
	o := object(3*cache.PageSize, "a")
	s.put(o, 0, 3)
	p := s.Get(o, 0)
	require.NotNil(t, p)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	assert.True(t, bytes.Equal(Content(o, 0, cache.PageSize), p.Bytes()), "a retained page changed")
	p.Release()
	s.put(o, 0, 3)
	assert.Zero(t, s.hits(t, o, 0, 3), "a closed store has a page")
	s.Drop(o)
}
