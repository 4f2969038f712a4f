package cache_test

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/cache/cachetest"
)

// contentOf is what cachetest puts into all pages of o.
func contentOf(o cache.Object) (b []byte) {
	for page := range o.Pages() {
		b = append(b, cachetest.Content(o, page, o.PageLen(page))...)
	}
	return b
}

// whole waits for the file of o, which the test closes.
func whole(t *testing.T, d *cache.Disk, o cache.Object) *os.File {
	t.Helper()
	var f *os.File
	require.Eventually(t, func() bool { f = d.Whole(o); return f != nil }, 10*time.Second, time.Millisecond)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func all(t *testing.T, f *os.File) []byte {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
	require.NoError(t, err)
	return b
}

func TestWhole_HoldsTheBytesAndNothingElse(t *testing.T) {
	dir := t.TempDir()
	o := cache.NewObject(20*cache.PageSize+4711, "a")
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	for page := range o.Pages() - 1 {
		cachetest.Put(d, d.NewPage, o, page, cache.PageSize)
	}
	assert.Nil(t, d.Whole(o), "a page is missing")
	cachetest.Put(d, d.NewPage, o, o.Pages()-1, o.PageLen(o.Pages()-1))
	f := whole(t, d, o)
	assert.True(t, bytes.Equal(contentOf(o), all(t, f)))
	assert.Len(t, hits(t, d, o), int(o.Pages()), "pages are served, too")

	putAll(d, o) // what comes again is not written behind it
	d.Settle()
	assert.True(t, bytes.Equal(contentOf(o), all(t, f)))
	d.Drop(o)
	assert.NoFileExists(t, d.Path(o))
	assert.True(t, bytes.Equal(contentOf(o), all(t, f)), "it stays with whoever has it")
}

func TestWhole_AfterARestartOnceAllWasRead(t *testing.T) {
	dir := t.TempDir()
	o := cache.NewObject(20*cache.PageSize, "a")
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	putAll(d, o)
	whole(t, d, o)
	require.NoError(t, d.Close())

	d = openDisk(t, cache.DiskConfig{Dir: dir})
	for page := range o.Pages() {
		assert.Nil(t, d.Whole(o), "page %d may be damaged", page)
		require.True(t, cachetest.Hit(t, d, o, page))
	}
	assert.True(t, bytes.Equal(contentOf(o), all(t, whole(t, d, o))))
}

func TestWhole_DamagedIsForgotten(t *testing.T) {
	dir := t.TempDir()
	o := cache.NewObject(20*cache.PageSize, "a")
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	putAll(d, o)
	held := whole(t, d, o)
	require.NoError(t, d.Close())
	sound := all(t, held)
	sound[5*cache.PageSize] ^= 1
	require.NoError(t, os.WriteFile(d.Path(o), sound, 0o600))

	var log bytes.Buffer
	d = openDisk(t, cache.DiskConfig{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	assert.NotContains(t, hits(t, d, o), int64(5))
	require.Eventually(t, func() bool { return !d.Has(o, 0) }, 10*time.Second, time.Millisecond, "others may read the file")
	putAll(d, o)
	assert.True(t, bytes.Equal(contentOf(o), all(t, whole(t, d, o))))
	assert.Contains(t, log.String(), "damaged page")
}

func TestWhole_WithoutItsIndexIsForgotten(t *testing.T) {
	dir := t.TempDir()
	o := cache.NewObject(20*cache.PageSize, "a")
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	putAll(d, o)
	whole(t, d, o)
	require.NoError(t, d.Close())
	indices, err := filepath.Glob(filepath.Join(dir, "objects", "*", "*.index"))
	require.NoError(t, err)
	require.Len(t, indices, 1)
	require.NoError(t, os.Truncate(indices[0], 10))

	d = openDisk(t, cache.DiskConfig{Dir: dir})
	assert.Empty(t, hits(t, d, o))
	assert.NoFileExists(t, d.Path(o))
	assert.NoFileExists(t, indices[0])
	putAll(d, o)
	d.Settle()
	assert.Len(t, hits(t, d, o), 20)
}

func TestWhole_SmallFilesAreNotWorthIt(t *testing.T) {
	d := openDisk(t, cache.DiskConfig{})
	o := cache.NewObject(cache.PageSize, "a")
	putAll(d, o)
	d.Settle()
	for range 3 {
		assert.Nil(t, d.Whole(o))
		time.Sleep(5 * time.Millisecond)
	}
	assert.NoFileExists(t, d.Path(o)+".index")
}

// A page that is found damaged on the way keeps the file from being handed out, and
// can be written again.
func TestWhole_DamageFoundOnTheWay(t *testing.T) {
	o := cache.NewObject(20*cache.PageSize, "a")
	d := openDisk(t, cache.DiskConfig{})
	putAll(d, o)
	d.Settle()
	f, err := os.OpenFile(d.Path(o), os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteAt([]byte("damaged"), 5*cache.PageSize)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	release := d.HoldWriting()
	assert.Nil(t, d.Whole(o))
	assert.NotContains(t, hits(t, d, o), int64(5))
	release()
	for range 20 {
		assert.Nil(t, d.Whole(o))
		time.Sleep(time.Millisecond)
	}
	assert.NoFileExists(t, d.Path(o)+".index")
}

// An index that cannot be read now is no reason to lose the file.
func TestWhole_IndexThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	o := cache.NewObject(20*cache.PageSize, "a")
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	putAll(d, o)
	whole(t, d, o)
	require.NoError(t, d.Close())
	index := d.Path(o) + ".index"
	require.NoError(t, os.Rename(index, index+".kept"))
	require.NoError(t, os.Mkdir(index, 0o700)) // reading it is another error than that it is not there

	d = openDisk(t, cache.DiskConfig{Dir: dir})
	assert.Empty(t, hits(t, d, o))
	require.NoError(t, d.Close())
	require.NoError(t, os.Remove(index))
	require.NoError(t, os.Rename(index+".kept", index))
	d = openDisk(t, cache.DiskConfig{Dir: dir})
	assert.Len(t, hits(t, d, o), 20)
}

func TestWhole_OrphanedIndexIsRemoved(t *testing.T) {
	dir := t.TempDir()
	o := cache.NewObject(20*cache.PageSize, "a")
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	putAll(d, o)
	whole(t, d, o)
	require.NoError(t, d.Close())
	require.NoError(t, os.Remove(d.Path(o)))
	d = openDisk(t, cache.DiskConfig{Dir: dir})
	d.Settle()
	assert.NoFileExists(t, d.Path(o)+".index")
}
