package e2e_test

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/demo"
	"github.com/attachfs/attachfs/internal/linksim"
)

// run runs a program that must succeed, and returns what it printed.
func run(tb testing.TB, name string, args ...string) string {
	tb.Helper()
	needTool(tb, name)
	out, err := exec.Command(name, args...).CombinedOutput()
	require.NoErrorf(tb, err, "%s %s:\n%s", name, strings.Join(args, " "), out)
	return string(out)
}

func lines(s string) int { return strings.Count(s, "\n") }

// library puts a tree such as people have into origin, with half of the sizes
// hidden, and returns the same tree on a local disk.
func library(tb testing.TB, origin *linksim.Origin) string {
	tb.Helper()
	dir := tb.TempDir()
	modified := time.Date(2026, time.May, 1, 12, 0, 0, 0, time.UTC)
	n := 0
	put := func(path string, c linksim.Content, modified time.Time) {
		origin.Put(linksim.Object{Path: path, Content: c, ModTime: modified, HideSize: n%2 == 1})
		n++
		writeLocal(tb, filepath.Join(dir, path), contentOf(tb, c), modified)
	}
	for _, f := range demo.Files() {
		put(f.Path, f.Content, f.ModTime)
	}
	for i := range 200 {
		// From nothing to three pages, the edges of pages included.
		size := []int64{0, 1, 4095, 4096, 65535, 65536, 65537, 1000 * int64(i)}[i%8]
		put(fmt.Sprintf("small/%d/%03d.bin", i%7, i), linksim.Pattern(uint64(i), size), modified)
	}
	for i := range 20 {
		text := fmt.Sprintf("line one\nneedle number %d here\nthe end\n", i%4)
		put(fmt.Sprintf("notes/note %02d.txt", i), linksim.Bytes([]byte(text)), modified)
	}
	put("large.bin", linksim.Pattern(99, 30*mib), modified)
	return dir
}

// writeLocal writes a file of the local disk, with its directories.
func writeLocal(tb testing.TB, path string, b []byte, modified time.Time) {
	tb.Helper()
	require.NoError(tb, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(tb, os.WriteFile(path, b, 0o644))
	require.NoError(tb, os.Chtimes(path, modified, modified))
}

func TestCopiesOfATree(t *testing.T) {
	for _, tool := range []string{"cp", "diff", "rsync", "tar"} {
		needTool(t, tool)
	}
	origin := startOrigin(t)
	local := library(t, origin)
	s := settings{cacheDir: t.TempDir(), log: `level = "warn"`}
	p, dir := mountOrigin(t, origin, s)

	copied := filepath.Join(t.TempDir(), "copied")
	run(t, "cp", "-r", dir, copied)
	assert.Empty(t, run(t, "diff", "-r", local, copied))
	gets := origin.Counts().Gets

	synced := t.TempDir()
	run(t, "rsync", "-a", dir+"/", synced)
	assert.Empty(t, run(t, "diff", "-r", local, synced))
	noTransfer(t, dir, synced)

	archive := filepath.Join(t.TempDir(), "all.tar")
	run(t, "tar", "-C", dir, "-cf", archive, ".")
	unpacked := t.TempDir()
	run(t, "tar", "-C", unpacked, "-xf", archive)
	assert.Empty(t, run(t, "diff", "-r", local, unpacked))
	assert.Equal(t, run(t, "sh", "-c", "cd "+local+" && find . -type f | sort"),
		run(t, "sh", "-c", "tar -tf "+archive+" | grep -v '/$' | sort"))
	assert.Equal(t, gets, origin.Counts().Gets, "what was copied once is not fetched again")

	require.NoError(t, p.stop(t, unix.SIGTERM))
	_, dir = mountOrigin(t, origin, s)
	origin.ResetCounts()
	noTransfer(t, dir, synced)
	assert.Zero(t, origin.Counts().Gets, "sizes and times are known from before")
	// Times that are equal prove little; the bytes are compared, too.
	assert.Empty(t, run(t, "rsync", "-ac", "--itemize-changes", dir+"/", synced))
	assert.Zero(t, origin.Counts().Gets, "the bytes are in the cache")
}

// noTransfer runs rsync over what it synced before: nothing may have changed.
func noTransfer(tb testing.TB, from, to string) {
	tb.Helper()
	assert.Empty(tb, run(tb, "rsync", "-a", "--itemize-changes", from+"/", to))
	stats := run(tb, "rsync", "-a", "--stats", from+"/", to)
	assert.Contains(tb, stats, "Number of regular files transferred: 0\n")
	assert.Contains(tb, stats, "Total transferred file size: 0 bytes\n")
}

func TestGrepFindsTheFiles(t *testing.T) {
	t.Parallel()
	needTool(t, "grep")
	origin := startOrigin(t)
	local := library(t, origin)
	_, dir := mountOrigin(t, origin, settings{log: `level = "warn"`})
	for _, needle := range []string{"needle number 3", "line one"} {
		expected := strings.Split(strings.ReplaceAll(run(t, "grep", "-rl", needle, local), local, ""), "\n")
		found := strings.Split(strings.ReplaceAll(run(t, "grep", "-rl", needle, dir), dir, ""), "\n")
		slices.Sort(expected)
		slices.Sort(found)
		assert.Greater(t, len(expected), 4)
		assert.Equal(t, expected, found)
	}
	cmd := exec.Command("grep", "-r", "no such text anywhere", dir)
	out, err := cmd.CombinedOutput()
	assert.Error(t, err, "1 is for: not found")
	assert.Equal(t, 1, cmd.ProcessState.ExitCode())
	assert.Empty(t, out)
}

func TestUnzipTestsAnArchive(t *testing.T) {
	needTool(t, "unzip")
	var archive bytes.Buffer
	w := zip.NewWriter(&archive)
	for i, method := range []uint16{zip.Store, zip.Deflate, zip.Store} {
		f, err := w.CreateHeader(&zip.FileHeader{Name: fmt.Sprintf("part %d.bin", i), Method: method})
		require.NoError(t, err)
		_, err = f.Write(contentOf(t, linksim.Pattern(uint64(i), 2*mib+int64(i))))
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	for _, hidden := range []bool{false, true} {
		t.Run(fmt.Sprintf("size hidden %v", hidden), func(t *testing.T) {
			origin := startOrigin(t)
			origin.Put(linksim.Object{Path: "parts.zip", Content: linksim.Bytes(archive.Bytes()), HideSize: hidden})
			_, dir := mountOrigin(t, origin, settings{log: `level = "warn"`})
			path := filepath.Join(dir, "parts.zip")
			assert.Contains(t, run(t, "unzip", "-t", path), "No errors detected")
			out, err := exec.Command("unzip", "-p", path, "part 1.bin").Output()
			require.NoError(t, err)
			requireSame(t, contentOf(t, linksim.Pattern(1, 2*mib+1)), out)
		})
	}
}

func TestSqliteQueriesADatabase(t *testing.T) {
	needTool(t, "sqlite3")
	made := filepath.Join(t.TempDir(), "made.db")
	run(t, "sqlite3", made, `create table t(i integer primary key, s text);
		with recursive n(i) as (select 1 union all select i+1 from n where i < 20000)
		insert into t select i, hex(zeroblob(i%300)) from n; create index s on t(s);`)
	origin := startOrigin(t)
	origin.Put(linksim.Object{Path: "t.db", Content: linksim.Bytes(read(t, made)), HideSize: true})
	_, dir := mountOrigin(t, origin, settings{log: `level = "warn"`})
	const query = "pragma integrity_check; select count(*), sum(length(s)), max(s) from t;"
	expected := run(t, "sqlite3", made, query)
	assert.Contains(t, expected, "ok\n20000|")
	assert.Equal(t, expected, run(t, "sqlite3", "-readonly", filepath.Join(dir, "t.db"), query))
}

func TestHeadReadsCostLittle(t *testing.T) {
	needTool(t, "head")
	needTool(t, "file")
	origin := startOrigin(t)
	var all []string
	files := demo.Set(demo.Pictures)
	for i, f := range files {
		origin.Put(linksim.Object{Path: f.Path, Content: f.Content, HideSize: i%2 == 0})
	}
	large := linksim.Pattern(7, 100*mib)
	for i := range 10 {
		origin.Put(linksim.Object{Path: fmt.Sprintf("large %d.iso", i), Content: large, HideSize: i%2 == 0})
	}
	_, dir := mountOrigin(t, origin, settings{log: `level = "warn"`})
	for _, f := range files {
		path := filepath.Join(dir, f.Path)
		head, err := exec.Command("head", "-c", "512", path).Output()
		require.NoError(t, err)
		whole := contentOf(t, f.Content)
		requireSame(t, whole[:min(512, len(whole))], head)
		all = append(all, path)
	}
	kinds := run(t, "file", append([]string{"--brief"}, all...)...)
	for _, kind := range []string{"PNG image data, ", "JPEG image data", "RIFF (little-endian) data, WAVE audio", "text"} {
		assert.Contains(t, kinds, kind)
	}
	origin.ResetCounts()
	for i := range 10 {
		run(t, "head", "-c", "65536", filepath.Join(dir, fmt.Sprintf("large %d.iso", i)))
	}
	assert.Less(t, origin.Counts().Bytes, int64(10*4*mib), "a sniffer must not bring the files")
}

func TestFioVerifiesWhatItWrote(t *testing.T) {
	needTool(t, "fio")
	local := t.TempDir()
	fio := func(dir string, more ...string) {
		t.Helper()
		// It leaves a state file where it runs, and wants the directory first.
		job := append([]string{
			"--name=v", "--directory=" + dir, "--filename=v.bin", "--size=24m", "--bs=64k",
			"--verify=crc32c", "--randseed=7", "--ioengine=psync",
		}, more...)
		cmd := exec.Command("fio", job...)
		cmd.Dir = local
		out, err := cmd.CombinedOutput()
		require.NoErrorf(t, err, "fio %v:\n%s", job, out)
	}
	fio(local, "--rw=write", "--do_verify=0")
	origin := startOrigin(t)
	origin.Put(linksim.Object{Path: "v.bin", Content: linksim.Bytes(read(t, filepath.Join(local, "v.bin")))})
	_, dir := mountOrigin(t, origin, settings{log: `level = "warn"`})
	fio(dir, "--rw=read", "--readonly", "--verify_fatal=1")
	fio(dir, "--rw=randread", "--readonly", "--verify_fatal=1")
}

func TestFSContract(t *testing.T) {
	origin := startOrigin(t)
	var names []string
	for i := range 40 {
		name := fmt.Sprintf("d%d/文件 %02d.bin", i%3, i)
		origin.Put(linksim.Object{Path: name, Content: linksim.Pattern(uint64(i), int64(i*i*40)), HideSize: i%2 == 1})
		names = append(names, name)
	}
	_, dir := mountOrigin(t, origin, settings{log: `level = "warn"`})
	require.NoError(t, fstest.TestFS(os.DirFS(dir), names...))
	for i, name := range names {
		f, err := os.Open(filepath.Join(dir, name))
		require.NoError(t, err)
		b, err := io.ReadAll(f)
		require.NoError(t, err)
		require.NoError(t, f.Close())
		requireSame(t, contentOf(t, linksim.Pattern(uint64(i), int64(i*i*40))), b)
	}
}
