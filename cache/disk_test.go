package cache_test

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/cache/cachetest"
)

func putAll(d *cache.Disk, o cache.Object) {
	for page := range o.Pages() {
		cachetest.Put(d, d.NewPage, o, page, o.PageLen(page))
	}
}

func hits(t *testing.T, s cache.Store, o cache.Object) (pages []int64) {
	t.Helper()
	for page := range o.Pages() {
		if cachetest.Hit(t, s, o, page) {
			pages = append(pages, page)
		}
	}
	return pages
}

// diskWith returns a directory in which o is remembered, and the path of its file.
func diskWith(t *testing.T, o cache.Object) (dir, path string) {
	dir = t.TempDir()
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	putAll(d, o)
	require.NoError(t, d.Close())
	return dir, d.Path(o)
}

func TestDisk_RemembersOverRestarts(t *testing.T) {
	dir := t.TempDir()
	o := cache.NewObject(5*cache.PageSize+3, "a")
	spooled, known := cache.NewObject(cache.SizeUnknown, "b"), cache.NewObject(2*cache.PageSize, "b")
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	for _, page := range []int64{0, 3, 5} {
		cachetest.Put(d, d.NewPage, o, page, o.PageLen(page))
	}
	for page := range known.Pages() {
		p := d.NewPage()
		cachetest.Fill(p.Buf(), known, page)
		p.SetLen(cache.PageSize)
		d.Put(spooled, page, p)
		p.Release()
	}
	d.Adopt(spooled, known)
	require.NoError(t, d.Close())

	d = openDisk(t, cache.DiskConfig{Dir: dir})
	assert.Equal(t, []int64{0, 3, 5}, hits(t, d, o))
	assert.Equal(t, []int64{0, 1}, hits(t, d, known))
}

func TestDisk_IsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new")
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	o := cache.NewObject(10, "secret-name")
	putAll(d, o)
	require.NoError(t, d.Close())
	require.NoError(t, filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		require.NoError(t, err)
		stat, err := entry.Info()
		require.NoError(t, err)
		assert.Zero(t, stat.Mode().Perm()&0o077, path)
		assert.NotContains(t, path, "secret-name")
		return nil
	}))
}

func TestDisk_FlippedByteIsAMiss(t *testing.T) {
	o := cache.NewObject(2*cache.PageSize+100, "a")
	dir, path := diskWith(t, o)
	index, entry := cache.FileLayout(o, 1)
	sound, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, sound, int(index)+64+3*8)
	tests := []struct {
		name string
		at   []int64
		want []int64
	}{
		{"first page", []int64{0, 1, 4095, cache.PageSize - 1}, []int64{1, 2}},
		{"second page", []int64{cache.PageSize, 2*cache.PageSize - 1}, []int64{0, 2}},
		{"last page", []int64{o.Size - 100, o.Size - 1}, []int64{0, 1}},
		{"between data and index", []int64{o.Size, index - 1}, []int64{0, 1, 2}},
		{"header", []int64{index, index + 9, index + 17, index + 33, index + 50, index + 63}, nil},
		{"entry", []int64{entry, entry + 3, entry + 4, entry + 7}, []int64{0, 2}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			for _, at := range test.at {
				damaged := bytes.Clone(sound)
				damaged[at] ^= 0x10
				require.NoError(t, os.WriteFile(path, damaged, 0o600))
				d := openDisk(t, cache.DiskConfig{Dir: dir})
				assert.Equal(t, test.want, hits(t, d, o), "byte %d", at)
				putAll(d, o)
				require.NoError(t, d.Close())

				d = openDisk(t, cache.DiskConfig{Dir: dir})
				assert.Len(t, hits(t, d, o), 3, "put again after byte %d", at)
				require.NoError(t, d.Close())
			}
		})
	}
}

func TestDisk_DamagedFileIsRemoved(t *testing.T) {
	o := cache.NewObject(2*cache.PageSize, "a")
	dir, path := diskWith(t, o)
	sound, err := os.ReadFile(path)
	require.NoError(t, err)
	_, other := diskWith(t, cache.NewObject(2*cache.PageSize, "b"))
	foreign, err := os.ReadFile(other)
	require.NoError(t, err)
	tests := map[string][]byte{
		"empty":          nil,
		"no index":       sound[:o.Size],
		"half an index":  sound[:len(sound)-9],
		"too long":       append(bytes.Clone(sound), 0),
		"another object": foreign,
		"zeros":          make([]byte, len(sound)),
	}
	for name, content := range tests {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(path, content, 0o600))
			d := openDisk(t, cache.DiskConfig{Dir: dir})
			assert.Empty(t, hits(t, d, o))
			assert.NoFileExists(t, path)
			putAll(d, o)
			assert.Len(t, hits(t, d, o), 2)
			require.NoError(t, d.Close())
		})
	}
}

func TestDisk_DefectIsLoggedOnce(t *testing.T) {
	o := cache.NewObject(8*cache.PageSize, "a")
	dir, path := diskWith(t, o)
	sound, err := os.ReadFile(path)
	require.NoError(t, err)
	for page := range o.Pages() {
		sound[page*cache.PageSize] ^= 1
	}
	require.NoError(t, os.WriteFile(path, sound, 0o600))
	var log bytes.Buffer
	d := openDisk(t, cache.DiskConfig{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	assert.Empty(t, hits(t, d, o))
	require.NoError(t, d.Close())
	assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
	assert.Contains(t, log.String(), o.String())
}

func TestDisk_SecondIsRefused(t *testing.T) {
	dir := t.TempDir()
	first := openDisk(t, cache.DiskConfig{Dir: dir})
	_, err := cache.OpenDisk(cache.DiskConfig{Dir: dir, Limit: 1 << 20, NewPage: first.NewPage})
	require.ErrorIs(t, err, cache.ErrLocked)
	assert.ErrorContains(t, err, dir)
	require.NoError(t, first.Close())
	openDisk(t, cache.DiskConfig{Dir: dir})
}

func TestDisk_SpoolLeftoversAreRemoved(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	o := cache.NewObject(cache.SizeUnknown, "a")
	cachetest.Put(d, d.NewPage, o, 0, cache.PageSize)
	require.NoError(t, d.Close())
	require.FileExists(t, d.Path(o))
	d = openDisk(t, cache.DiskConfig{Dir: dir})
	assert.NoFileExists(t, d.Path(o))
	assert.False(t, d.Has(o, 0))
}

func TestDisk_LimitEvictsOldestFirst(t *testing.T) {
	const size = 4 * cache.PageSize
	d := openDisk(t, cache.DiskConfig{Limit: 10 * size})
	var objects []cache.Object
	for i := range 9 {
		objects = append(objects, cache.NewObject(size, string(rune('a'+i))))
		putAll(d, objects[i])
	}
	require.Eventually(t, func() bool { return d.Bytes() >= 9*size }, 10*time.Second, time.Millisecond)
	require.Len(t, hits(t, d, objects[0]), 4, "evicted within the limit, or not written")
	last := cache.NewObject(size, "last")
	putAll(d, last)
	d.Settle()

	assert.LessOrEqual(t, d.Bytes(), int64(10*size))
	assert.Len(t, hits(t, d, objects[0]), 4, "used just now")
	assert.Empty(t, hits(t, d, objects[1]), "the oldest")
	assert.Len(t, hits(t, d, last), 4)
	assert.NoFileExists(t, d.Path(objects[1]))
}

func TestDisk_StartEvictsOldestFirst(t *testing.T) {
	const size = 4 * cache.PageSize
	dir := t.TempDir()
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	var objects []cache.Object
	for i := range 8 {
		objects = append(objects, cache.NewObject(size, string(rune('a'+i))))
		putAll(d, objects[i])
	}
	require.NoError(t, d.Close())
	for i, o := range objects {
		at := time.Now().Add(-time.Duration((i*3)%8) * time.Hour)
		require.NoError(t, os.Chtimes(d.Path(o), at, at))
	}
	d = openDisk(t, cache.DiskConfig{Dir: dir, Limit: 5 * size})
	d.Settle()
	for i, o := range objects {
		assert.Equal(t, (i*3)%8 < 4, len(hits(t, d, o)) > 0, "%d hours old", (i*3)%8)
	}
}

func TestDisk_UseIsKnownAfterRestart(t *testing.T) {
	o := cache.NewObject(10, "a")
	dir, path := diskWith(t, o)
	before := time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(path, before, before))
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	require.True(t, cachetest.Hit(t, d, o, 0))
	stat, err := os.Stat(path)
	require.NoError(t, err)
	assert.WithinDuration(t, time.Now(), stat.ModTime(), time.Minute)
}

func TestDisk_TooLargeIsNotAdmitted(t *testing.T) {
	d := openDisk(t, cache.DiskConfig{Limit: 1 << 20})
	large := cache.NewObject(d.Capacity()+1, "large")
	cachetest.Put(d, d.NewPage, large, 0, cache.PageSize)
	assert.False(t, d.Has(large, 0))
	fits := cache.NewObject(d.Capacity(), "fits")
	cachetest.Put(d, d.NewPage, fits, 0, cache.PageSize)
	assert.True(t, d.Has(fits, 0))
}

func TestDisk_OpenFilesAreBounded(t *testing.T) {
	d := openDisk(t, cache.DiskConfig{})
	spooled := cache.NewObject(cache.SizeUnknown, "spooled")
	cachetest.Put(d, d.NewPage, spooled, 0, cache.PageSize)
	var objects []cache.Object
	for i := range 300 {
		objects = append(objects, cache.NewObject(10, "x", string(rune('a'+i))))
		putAll(d, objects[i])
	}
	for _, o := range objects {
		assert.True(t, cachetest.Hit(t, d, o, 0))
	}
	assert.LessOrEqual(t, d.OpenFiles(), 256)
	assert.True(t, d.Has(spooled, 0))
}

func TestDisk_VanishedDirectoryIsMisses(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cache")
	d := openDisk(t, cache.DiskConfig{Dir: dir, MinFree: 1})
	o := cache.NewObject(4*cache.PageSize, "a")
	putAll(d, o)
	require.Eventually(t, func() bool { return d.Bytes() >= o.Size }, 10*time.Second, time.Millisecond)
	require.NoError(t, os.RemoveAll(dir))
	hits(t, d, o)
	for i := range 20 {
		putAll(d, cache.NewObject(4*cache.PageSize, "b", string(rune('a'+i))))
	}
	d.Drop(o)
	assert.Empty(t, hits(t, d, o))
	assert.NoError(t, d.Close())
}

func TestDisk_VanishedFileIsMadeAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDisk(t, cache.DiskConfig{})
		o := cache.NewObject(3*cache.PageSize, "a")
		cachetest.Put(d, d.NewPage, o, 0, cache.PageSize)
		awaitWrites()
		require.NoError(t, os.RemoveAll(filepath.Dir(d.Path(o))))
		cachetest.Put(d, d.NewPage, o, 1, cache.PageSize)
		awaitWrites()
		cachetest.Put(d, d.NewPage, o, 2, cache.PageSize)
		awaitWrites()
		assert.FileExists(t, d.Path(o))
		assert.Equal(t, []int64{2}, hits(t, d, o))
	})
}

func TestDisk_AdoptsPagesOfTheRightLength(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDisk(t, cache.DiskConfig{})
		from, to := cache.NewObject(cache.SizeUnknown, "a"), cache.NewObject(cache.PageSize+10, "a")
		for page := range int64(3) {
			cachetest.Put(d, d.NewPage, from, page, cache.PageSize)
		}
		awaitWrites()
		d.Adopt(from, to)
		assert.True(t, d.Has(to, 0))
		assert.False(t, d.Has(to, 1))
	})
}

func TestDisk_MinFree(t *testing.T) {
	d := openDisk(t, cache.DiskConfig{MinFree: 1 << 60})
	o := cache.NewObject(4*cache.PageSize, "a")
	putAll(d, o)
	d.Settle()
	assert.Empty(t, hits(t, d, o))
	assert.Zero(t, d.Bytes())
}

func TestDisk_FullDiskPausesWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		d := openDisk(t, cache.DiskConfig{Log: slog.New(slog.NewTextHandler(&log, nil))})
		older, kept, lost := cache.NewObject(200_000, "older"), cache.NewObject(20, "kept"), cache.NewObject(30, "lost")
		putAll(d, older)
		awaitWrites()
		time.Sleep(time.Second)
		putAll(d, kept)
		awaitWrites()
		var tries atomic.Int64
		d.WriteWith(func(*os.File, []byte, int64) (int, error) {
			tries.Add(1)
			return 0, syscall.ENOSPC
		})
		for range 3 {
			putAll(d, lost)
			awaitWrites()
			assert.Empty(t, hits(t, d, lost))
			time.Sleep(cache.RetryAfter - time.Millisecond)
			putAll(d, lost)
			assert.False(t, d.Has(lost, 0), "taken during the pause")
			time.Sleep(time.Millisecond)
		}
		assert.Equal(t, int64(3), tries.Load())
		assert.Equal(t, 1, strings.Count(log.String(), "\n"), log.String())
		assert.Len(t, hits(t, d, kept), 1, "reads go on")
		assert.Empty(t, hits(t, d, older), "not evicted")

		d.WriteWith((*os.File).WriteAt)
		putAll(d, lost)
		assert.Len(t, hits(t, d, lost), 1)
	})
}

func TestDisk_TornWriteIsAMiss(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	o := cache.NewObject(2*cache.PageSize, "a")
	d.WriteWith(func(f *os.File, b []byte, off int64) (int, error) {
		if off == cache.PageSize {
			n, _ := f.WriteAt(b[:len(b)/2], off)
			return n, errors.New("cut")
		}
		return f.WriteAt(b, off)
	})
	putAll(d, o)
	require.NoError(t, d.Close())
	d = openDisk(t, cache.DiskConfig{Dir: dir})
	// The page before it may have been a part of the same write.
	assert.NotContains(t, hits(t, d, o), int64(1))
}

func TestDisk_SlowDiskCostsASecondInAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDisk(t, cache.DiskConfig{Limit: 1 << 30})
		stuck := make(chan struct{})
		d.WriteWith(func(f *os.File, b []byte, off int64) (int, error) {
			<-stuck
			return f.WriteAt(b, off)
		})
		o := cache.NewObject(200*cache.PageSize, "a")
		start := time.Now()
		putAll(d, o)
		assert.Equal(t, cache.Patience, time.Since(start))
		assert.True(t, d.Has(o, 127))
		assert.False(t, d.Has(o, 128), "dropped")

		for range 2 { // page and index
			stuck <- struct{}{}
		}
		synctest.Wait()
		cachetest.Put(d, d.NewPage, o, 128, cache.PageSize)
		assert.False(t, d.Has(o, 128), "taken before the queue has drained")
		assert.Equal(t, cache.Patience, time.Since(start))

		close(stuck)
		awaitWrites()
		cachetest.Put(d, d.NewPage, o, 128, cache.PageSize)
		assert.True(t, d.Has(o, 128), "taken again once the queue has drained")
	})
}

// Pages come together for a moment, once, and not for each few of them.
func TestDisk_WhoWritesMuchDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, err := cache.OpenDisk(cache.DiskConfig{
			Dir: t.TempDir(), Limit: 16 << 20, Queue: 4 * cache.PageSize,
			NewPage: newPool(t).NewPage, Log: slog.New(slog.DiscardHandler),
		})
		require.NoError(t, err)
		start := time.Now()
		for i := range 10 {
			putAll(d, cache.NewObject(10*cache.PageSize, string(rune('a'+i))))
		}
		require.NoError(t, d.Close())
		assert.LessOrEqual(t, time.Since(start), 4*cache.Gather)
	})
}

func TestDisk_CloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openDisk(t, cache.DiskConfig{})
		d.WriteWith(func(f *os.File, b []byte, off int64) (int, error) {
			time.Sleep(time.Second / 4)
			return f.WriteAt(b, off)
		})
		putAll(d, cache.NewObject(100*cache.PageSize, "a"))
		start := time.Now()
		require.NoError(t, d.Close())
		assert.InDelta(t, 10, time.Since(start).Seconds(), 5)
	})
}

func BenchmarkDisk_Get(b *testing.B) {
	d := openDisk(b, cache.DiskConfig{})
	o := cache.NewObject(8<<20, "a")
	putAll(d, o)
	d.Settle()
	b.ReportAllocs()
	b.SetBytes(cache.PageSize)
	var page int64
	for b.Loop() {
		p := d.Get(o, page)
		require.NotNil(b, p)
		p.Release()
		page = (page + 1) % o.Pages()
	}
}

func BenchmarkDisk_Put(b *testing.B) {
	d := openDisk(b, cache.DiskConfig{Limit: 64 << 20})
	o := cache.NewObject(32<<20, "a")
	b.ReportAllocs()
	b.SetBytes(cache.PageSize)
	var page int64
	for b.Loop() {
		cachetest.Put(d, d.NewPage, o, page, cache.PageSize)
		if page++; page == o.Pages() {
			page = 0
			d.Drop(o)
		}
	}
}

// awaitWrites returns when what was put is written; in a synctest bubble.
func awaitWrites() {
	time.Sleep(cache.Gather)
	synctest.Wait()
}
