package catalog_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/bbolt"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/catalog"
)

var (
	small = resolver.Identity{Size: 1, ETag: `"s"`, LastModified: "Thu, 01 Oct 2026 12:00:00 GMT"}
	big   = resolver.Identity{Size: 1 << 40}
	lost  = resolver.Identity{Size: resolver.SizeUnknown}
)

// openState opens a state that the test closes, its log in the buffer.
func openState(t *testing.T, path string) (*catalog.State, *bytes.Buffer) {
	t.Helper()
	log := new(bytes.Buffer)
	s, err := catalog.OpenState(path, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s, log
}

func statePath(t *testing.T) string { return filepath.Join(t.TempDir(), "made", "state.db") }

func assertLearnt(t *testing.T, l *catalog.Learnt, id resolver.ID, version string, want resolver.Identity, revision int) {
	t.Helper()
	identity, got, ok := l.Get(id, version)
	assert.True(t, ok, "%s is not known", id)
	assert.Equal(t, want, identity)
	assert.Equal(t, revision, got)
}

func assertUnknown(t *testing.T, l *catalog.Learnt, id resolver.ID, version string, revision int) {
	t.Helper()
	identity, got, ok := l.Get(id, version)
	assert.False(t, ok, "%s is known", id)
	assert.Zero(t, identity)
	assert.Equal(t, revision, got)
}

func TestLearnt(t *testing.T) {
	state, _ := openState(t, statePath(t))
	for name, l := range map[string]*catalog.Learnt{"in memory": new(catalog.Learnt), "kept": state.Learnt("p")} {
		t.Run(name, func(t *testing.T) {
			assertUnknown(t, l, "1", "v1", 0)
			l.Learn("1", "v1", small)
			l.Learn("1", "v1", big)
			assertLearnt(t, l, "1", "v1", small, 0)
			assertUnknown(t, l, "1", "v2", 0)

			l.Change("1", "v1", small)
			assertLearnt(t, l, "1", "v1", small, 0)
			for range 2 {
				l.Change("1", "v1", big)
				assertLearnt(t, l, "1", "v1", big, 1)
			}
			for range 2 {
				l.Change("1", "v1", lost)
				assertUnknown(t, l, "1", "v1", 2)
			}
			l.Learn("1", "v1", lost)
			assertUnknown(t, l, "1", "v1", 2)
			l.Learn("1", "v1", small)
			assertLearnt(t, l, "1", "v1", small, 2)

			l.Learn("1", "v2", big)
			assertLearnt(t, l, "1", "v2", big, 0)
			assertUnknown(t, l, "1", "v1", 0)
			l.Change("2", "v1", big)
			assertLearnt(t, l, "2", "v1", big, 1)
		})
	}
}

func TestState_SurvivesReopen(t *testing.T) {
	path := statePath(t)
	s, _ := openState(t, path)
	l := s.Learnt("mail")
	l.Learn("1", "v1", small)
	l.Change("2", "", big)
	l.Change("3", "v1", lost)
	l.Learn("", "v1", small)
	l.Learn("4", "\xff", small)
	l.Learn(resolver.ID(strings.Repeat("x", bbolt.MaxKeySize+1)), "v1", small)
	s.Learnt("docs").Learn("1", "v1", big)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	l.Learn("9", "v1", small)
	assertLearnt(t, l, "9", "v1", small, 0)

	s, log := openState(t, path)
	l = s.Learnt("mail")
	assert.Same(t, l, s.Learnt("mail"))
	l.Learn("1", "v1", big)
	assertLearnt(t, l, "1", "v1", small, 0)
	assertLearnt(t, l, "2", "", big, 1)
	assertUnknown(t, l, "3", "v1", 1)
	assertLearnt(t, s.Learnt("docs"), "1", "v1", big, 0)
	assertUnknown(t, l, "4", "\xff", 0)
	assertUnknown(t, l, "9", "v1", 0)
	assert.Empty(t, log.String())
}

func TestState_ListingsShowWhatIsOnDisk(t *testing.T) {
	path := statePath(t)
	s, _ := openState(t, path)
	s.Learnt("p").Learn("1", "v1", small)
	require.NoError(t, s.Close())

	s, _ = openState(t, path)
	p := new(shelf)
	p.hold(file("1", "a", resolver.SizeUnknown))
	c := catalog.New(p, s.Learnt("p"), nil, catalog.DefaultConfig())
	defer c.Close()
	l, err := c.Readdir(t.Context(), resolver.Root)
	require.NoError(t, err)
	assert.Equal(t, small.Size, l.Nodes[0].Size)
}

// What is learnt is on disk soon, without Close: a copy of the database made
// then has it.
func TestState_SavesSoon(t *testing.T) {
	path := statePath(t)
	s, _ := openState(t, path)
	s.Learnt("p").Learn("1", "v1", small)
	assert.EventuallyWithT(t, func(t *assert.CollectT) {
		snapshot, err := os.ReadFile(path)
		require.NoError(t, err)
		assert.Contains(t, string(snapshot), `\"s\"`)
	}, 5*time.Second, 20*time.Millisecond)
}

func TestState_Locked(t *testing.T) {
	path := statePath(t)
	openState(t, path)
	start := time.Now()
	_, err := catalog.OpenState(path, nil)
	assert.ErrorContains(t, err, "in use by another attachfs")
	assert.Less(t, time.Since(start), 5*time.Second)
	assert.NoFileExists(t, path+".corrupt")
}

func TestState_NotToBeOpened(t *testing.T) {
	_, err := catalog.OpenState(t.TempDir(), nil)
	var pathError *os.PathError
	assert.ErrorAs(t, err, &pathError)
}

// written returns a database with many records, closed. The second session
// leaves gaps where the first one wrote, which the third fills, so that the
// file ends in records.
func written(t *testing.T) (path string) {
	path = statePath(t)
	for _, session := range []struct {
		version string
		records int
	}{{"v0", 2000}, {"v1", 2000}, {"v2", 1}} {
		s, _ := openState(t, path)
		for i := range session.records {
			s.Learnt("p").Learn(resolver.ID(fmt.Sprint(i)), session.version, small)
		}
		require.NoError(t, s.Close())
	}
	return path
}

func TestState_DamagedAtOpen(t *testing.T) {
	page := int64(os.Getpagesize())
	cases := map[string]func(t *testing.T, f *os.File){
		"garbage":   func(t *testing.T, f *os.File) { overwrite(t, f, 0, 3*page) },
		"short":     func(t *testing.T, f *os.File) { require.NoError(t, f.Truncate(10)) },
		"metas":     func(t *testing.T, f *os.File) { overwrite(t, f, 0, 2*page) },
		"truncated": func(t *testing.T, f *os.File) { require.NoError(t, f.Truncate(5*page)) },
		"without its end": func(t *testing.T, f *os.File) {
			require.NoError(t, f.Truncate(usedBytes(t, f.Name())-page))
		},
		"all after the metas": func(t *testing.T, f *os.File) {
			info, err := f.Stat()
			require.NoError(t, err)
			overwrite(t, f, 2*page, info.Size())
		},
	}
	for name, damage := range cases {
		t.Run(name, func(t *testing.T) {
			path := written(t)
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			require.NoError(t, err)
			damage(t, f)
			require.NoError(t, f.Close())

			s, log := openState(t, path)
			assert.FileExists(t, path+".corrupt")
			assert.Equal(t, 1, strings.Count(log.String(), "WARN"), log)
			l := s.Learnt("p")
			assertUnknown(t, l, "1", "v1", 0)
			l.Learn("1", "v1", big)
			require.NoError(t, s.Close())
			s, _ = openState(t, path)
			assertLearnt(t, s.Learnt("p"), "1", "v1", big, 0)
		})
	}
}

// usedBytes is where the last page of a database ends, in a file that may be
// longer.
func usedBytes(t *testing.T, path string) (used int64) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.View(func(tx *bbolt.Tx) error { used = tx.Size(); return nil }))
	require.NoError(t, db.Close())
	return used
}

func overwrite(t *testing.T, f *os.File, start, limit int64) {
	t.Helper()
	_, err := f.WriteAt(bytes.Repeat([]byte{0xa5}, int(limit-start)), start)
	require.NoError(t, err)
}

// A database that shrinks under its user makes reads of the mapping fault.
func TestState_DamagedInUse(t *testing.T) {
	path := written(t)
	s, log := openState(t, path)
	l := s.Learnt("p")
	require.NoError(t, os.Truncate(path, 0))
	assertUnknown(t, l, "1", "v1", 0)
	l.Learn("1", "v1", big)
	assertLearnt(t, l, "1", "v1", big, 0)
	assertUnknown(t, l, "2", "v1", 0)
	require.NoError(t, s.Close())
	assert.Equal(t, 1, strings.Count(log.String(), "WARN"), log)
	assert.FileExists(t, path+".corrupt")

	s, log = openState(t, path)
	assertUnknown(t, s.Learnt("p"), "1", "v1", 0)
	assert.Empty(t, log.String())
}

func TestState_DamagedRecordIsUnknown(t *testing.T) {
	path := written(t)
	db, err := bbolt.Open(path, 0o600, nil)
	require.NoError(t, err)
	require.NoError(t, db.Update(func(tx *bbolt.Tx) error {
		b := tx.Bucket([]byte("learnt/p"))
		other := bytes.Clone(b.Get([]byte("1")))
		flipped := bytes.Replace(other, []byte(`"size":1`), []byte(`"size":9`), 1)
		assert.NotEqual(t, other, flipped)
		return errors.Join(b.Put([]byte("1"), flipped), b.Put([]byte("2"), other), b.Put([]byte("3"), nil))
	}))
	require.NoError(t, db.Close())

	s, _ := openState(t, path)
	for _, id := range []resolver.ID{"1", "2", "3"} {
		assertUnknown(t, s.Learnt("p"), id, "v1", 0)
	}
	assertLearnt(t, s.Learnt("p"), "4", "v1", small, 0)
}

func TestState_Parallel(t *testing.T) {
	path := statePath(t)
	s, _ := openState(t, path)
	var learners sync.WaitGroup
	for range 8 {
		learners.Go(func() {
			for i := range 200 {
				l := s.Learnt(fmt.Sprint(i % 3))
				id := resolver.ID(fmt.Sprint(i))
				l.Learn(id, "v1", small)
				l.Change(id, "v1", big)
				l.Get(id, "v1")
			}
		})
	}
	learners.Wait()
	require.NoError(t, s.Close())
	s, _ = openState(t, path)
	for i := range 200 {
		assertLearnt(t, s.Learnt(fmt.Sprint(i%3)), resolver.ID(fmt.Sprint(i)), "v1", big, 1)
	}
}
