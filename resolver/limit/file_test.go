package limit_test

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/resolver/limit"
)

const today, tomorrow = "2026-11-22", "2026-11-23"

func add(t *testing.T, f *limit.File, key string, c limit.Count) limit.Count {
	sums, err := f.Add(map[string]limit.Count{key: c})
	require.NoError(t, err)
	return sums[key]
}

func TestFile_Add(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state", "budgets.json")
	f, again := limit.NewFile(path, nil), limit.NewFile(path, nil)
	assert.Equal(t, limit.Count{Period: today, Used: 2}, add(t, f, "a", limit.Count{Period: today, Used: 2}))
	assert.Equal(t, limit.Count{Period: today, Used: 5}, add(t, again, "a", limit.Count{Period: today, Used: 3}))
	assert.Equal(t, limit.Count{Period: today, Used: 1}, add(t, f, "b", limit.Count{Period: today, Used: 1}))
	assert.Equal(t, limit.Count{Period: today, Used: 5, Spent: true}, add(t, f, "a", limit.Count{Period: today, Spent: true}))
	assert.Equal(t, limit.Count{Period: today, Used: 5, Spent: true}, add(t, again, "a", limit.Count{Period: today}))
	assert.Equal(t, limit.Count{Period: tomorrow, Used: 1}, add(t, f, "a", limit.Count{Period: tomorrow, Used: 1}))
	assert.Equal(t, limit.Count{Period: today, Used: 1}, add(t, f, "b", limit.Count{Period: today}))
}

func TestFile_TellsNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	path := filepath.Join(dir, "budgets.json")
	add(t, limit.NewFile(path, nil), "cli_a1b2c3/links", limit.Count{Period: today, Used: 2})
	for name, mode := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, path: 0o600, path + ".lock": 0o600} {
		is, err := os.Stat(name)
		require.NoError(t, err)
		assert.Equal(t, mode, is.Mode(), name)
	}
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Contains(t, string(text), today)
	assert.NotContains(t, string(text), "cli_a1b2c3")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	assert.Len(t, left, 2, "the file and its lock")
}

func TestFile_Damaged(t *testing.T) {
	for name, text := range map[string]string{
		"empty":          "",
		"cut":            `{"budgets":{"x":{"period":"2026-1`,
		"not JSON":       "\x00\x00\x00",
		"another's":      `{"files":[]}`,
		"negative":       `{"budgets":{"x":{"period":"2026-11-22","used":-1}}}`,
		"absurd":         `{"budgets":{"x":{"period":"2026-11-22","used":9223372036854775807}}}`,
		"not a number":   `{"budgets":{"x":{"period":"2026-11-22","used":"1"}}}`,
		"far too large":  `{"budgets":{}}` + strings.Repeat(" ", 2<<20),
		"trailing bytes": `{"budgets":{}}{`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "budgets.json")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			var log bytes.Buffer
			f := limit.NewFile(path, slog.New(slog.NewTextHandler(&log, nil)))
			for n := 1; n <= 2; n++ {
				assert.Equal(t, n, add(t, f, "a", limit.Count{Period: today, Used: 1}).Used)
			}
			assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
			kept, err := os.ReadFile(path + ".corrupt")
			require.NoError(t, err)
			assert.Equal(t, text, string(kept))
		})
	}
}

func TestFile_Unreadable(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budgets.json")
	require.NoError(t, os.Mkdir(path, 0o700))
	var log bytes.Buffer
	l := limit.New(limit.NewFile(path, nil), slog.New(slog.NewTextHandler(&log, nil)))
	b := l.Bucket("b", budgets(limit.Budget{Key: "k", Calls: 3}))
	assert.Equal(t, 3, spend(t, b))
	assert.Error(t, l.Close())
	assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	assert.DirExists(t, path)
}

func TestFile_LockIsNotWaitedForForEver(t *testing.T) {
	path := filepath.Join(t.TempDir(), "budgets.json")
	f := limit.NewFile(path, nil)
	lock, err := os.OpenFile(path+".lock", os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	defer lock.Close()
	require.NoError(t, unix.Flock(int(lock.Fd()), unix.LOCK_EX))
	_, err = f.Add(map[string]limit.Count{"a": {Period: today, Used: 1}})
	assert.ErrorContains(t, err, "locked by another process")
	assert.NoFileExists(t, path)
	require.NoError(t, unix.Flock(int(lock.Fd()), unix.LOCK_UN))
	assert.Equal(t, 1, add(t, f, "a", limit.Count{Period: today, Used: 1}).Used)
}
