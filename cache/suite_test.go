package cache_test

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/cache/cachetest"
)

func newPool(t testing.TB) *cache.Pool {
	pool := cache.NewPool(4 << 20)
	t.Cleanup(func() {
		assert.Zero(t, pool.InUse(), "pages were not released")
		assert.NoError(t, pool.Close())
	})
	return pool
}

func openDisk(t testing.TB, c cache.DiskConfig) *cache.Disk {
	t.Helper()
	if c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Limit == 0 {
		c.Limit = 16 << 20
	}
	if c.NewPage == nil {
		c.NewPage = newPool(t).NewPage
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	c.Queue = 8 << 20
	d, err := cache.OpenDisk(c)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, d.Close()) })
	return d
}

func openTiered(t testing.TB, c cache.Config) *cache.Tiered {
	t.Helper()
	c.Log = slog.New(slog.DiscardHandler)
	require.NoError(t, c.Validate())
	tiered, err := cache.Open(c)
	require.NoError(t, err)
	t.Cleanup(func() {
		assert.NoError(t, tiered.Close())
		assert.Zero(t, tiered.Stats().MemoryBytes, "pages were not released")
	})
	return tiered
}

func TestMemory_Contract(t *testing.T) {
	cachetest.Run(t, func(t *testing.T) (cache.Store, func() *cache.Page) {
		m := cache.NewMemory(4 << 20)
		t.Cleanup(func() { assert.Zero(t, m.Bytes(), "pages were not released") })
		return m, m.NewPage
	})
}

func TestDisk_Contract(t *testing.T) {
	cachetest.Run(t, func(t *testing.T) (cache.Store, func() *cache.Page) {
		pool := newPool(t)
		return openDisk(t, cache.DiskConfig{NewPage: pool.NewPage}), pool.NewPage
	})
}

func TestTiered_Contract(t *testing.T) {
	configs := map[string]cache.Config{
		"memory alone":          {Memory: 4 << 20},
		"both":                  {Memory: 8 << 20, Disk: 16 << 20},
		"less memory than disk": {Memory: 2 << 20, Disk: 16 << 20},
	}
	for name, config := range configs {
		t.Run(name, func(t *testing.T) {
			cachetest.Run(t, func(t *testing.T) (cache.Store, func() *cache.Page) {
				config.Dir = t.TempDir()
				tiered := openTiered(t, config)
				return tiered, tiered.NewPage
			})
		})
	}
}
