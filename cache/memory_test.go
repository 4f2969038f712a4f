package cache_test

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/cache/cachetest"
)

func TestObject_Pages(t *testing.T) {
	tests := []struct {
		size, pages int64
		last        int
	}{
		{0, 0, 0},
		{1, 1, 1},
		{cache.PageSize, 1, cache.PageSize},
		{cache.PageSize + 1, 2, 1},
		{1<<63 - 1, 1 << 47, cache.PageSize - 1},
	}
	for _, test := range tests {
		o := cache.Object{Size: test.size}
		assert.Equal(t, test.pages, o.Pages(), "size %d", test.size)
		assert.Equal(t, test.last, o.PageLen(test.pages-1), "size %d", test.size)
		assert.Zero(t, o.PageLen(test.pages), "size %d", test.size)
	}
}

func TestNewObject_PartsAreApart(t *testing.T) {
	assert.NotEqual(t, cache.NewObject(1, "ab", "c").ID, cache.NewObject(1, "a", "bc").ID)
	assert.NotEqual(t, cache.NewObject(1, "a").ID, cache.NewObject(1, "a", "").ID)
	assert.Equal(t, cache.NewObject(1, "a").ID, cache.NewObject(2, "a").ID)
}

func TestPage_MisusePanics(t *testing.T) {
	pool := newPool(t)
	p := pool.NewPage()
	p.Release()
	assert.Panics(t, func() { p.Release() })
	q := cache.NewPool(1 << 20).NewPage()
	q.Release()
	assert.Panics(t, func() { q.Retain() })
}

func TestMemory_ForgetsOldestBlockFirst(t *testing.T) {
	m := cache.NewMemory(3 * cache.BlockSize)
	defer m.Close()
	o := cache.NewObject(4*cache.BlockSize, "a")
	for page := range int64(3 * cache.PagesPerBlock) {
		cachetest.Put(m, m.NewPage, o, page, cache.PageSize)
	}
	require.True(t, m.Has(o, 0), "fits, but was forgotten")
	cachetest.Put(m, m.NewPage, o, 3*cache.PagesPerBlock, cache.PageSize)
	assert.True(t, m.Has(o, 0), "used just now")
	assert.False(t, m.Has(o, cache.PagesPerBlock), "the oldest")
	assert.True(t, m.Has(o, 2*cache.PagesPerBlock))
}

func TestMemory_GoesBeyondTheBudgetAndComesBack(t *testing.T) {
	m := cache.NewMemory(2 * cache.BlockSize)
	defer m.Close()
	o := cache.NewObject(3*cache.BlockSize, "a")
	var held []*cache.Page
	for page := range o.Pages() {
		p := m.NewPage()
		p.SetLen(cache.PageSize)
		m.Put(o, page, p)
		held = append(held, p)
	}
	assert.Equal(t, int64(3*cache.BlockSize), m.Bytes())
	assert.Equal(t, int64(-cache.BlockSize), m.Free())
	for _, p := range held {
		p.Release()
	}
	assert.LessOrEqual(t, m.Bytes(), m.Budget())
	assert.Equal(t, m.Budget(), m.Free())
}

func TestMemory_FreeCountsHeldPagesOnly(t *testing.T) {
	m := cache.NewMemory(2 * cache.BlockSize)
	defer m.Close()
	o := cache.NewObject(cache.BlockSize, "a")
	for page := range o.Pages() {
		cachetest.Put(m, m.NewPage, o, page, cache.PageSize)
	}
	assert.Equal(t, m.Budget(), m.Free())
	p := m.Get(o, 0)
	q := m.Get(o, 0)
	inFlight := m.NewPage()
	assert.Equal(t, m.Budget()-2*cache.PageSize, m.Free())
	for _, held := range []*cache.Page{p, q, inFlight} {
		held.Release()
	}
	assert.Equal(t, m.Budget(), m.Free())
}

func TestMemory_BudgetHoldsUnderLoad(t *testing.T) {
	const workers = 8
	m := cache.NewMemory(2 * cache.BlockSize)
	defer m.Close()
	o := cache.NewObject(8*cache.BlockSize, "a")
	var wg sync.WaitGroup
	for worker := range workers {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(2, uint64(worker)))
			for range 200 {
				page := random.Int64N(o.Pages())
				if !cachetest.Hit(t, m, o, page) {
					cachetest.Put(m, m.NewPage, o, page, cache.PageSize)
				}
				assert.LessOrEqual(t, m.Bytes(), m.Budget())
			}
		})
	}
	wg.Wait()
	assert.Equal(t, m.Budget(), m.Free())
}

func BenchmarkMemory_Get(b *testing.B) {
	m := cache.NewMemory(16 << 20)
	defer m.Close()
	o := cache.NewObject(8<<20, "a")
	for page := range o.Pages() {
		cachetest.Put(m, m.NewPage, o, page, cache.PageSize)
	}
	b.ReportAllocs()
	var page int64
	for b.Loop() {
		m.Get(o, page).Release()
		page = (page + 1) % o.Pages()
	}
}

func BenchmarkMemory_PutBeyondTheBudget(b *testing.B) {
	m := cache.NewMemory(16 << 20)
	defer m.Close()
	o := cache.NewObject(1<<40, "a")
	b.ReportAllocs()
	b.SetBytes(cache.PageSize)
	var page int64
	for b.Loop() {
		p := m.NewPage()
		p.SetLen(cache.PageSize)
		m.Put(o, page, p)
		p.Release()
		page++
	}
}
