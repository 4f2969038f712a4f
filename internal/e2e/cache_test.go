package e2e_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// objectFiles are the files that hold bytes in a cache directory.
func objectFiles(tb testing.TB, cacheDir string) []string {
	tb.Helper()
	var files []string
	err := filepath.WalkDir(filepath.Join(cacheDir, "objects"), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	require.NoError(tb, err)
	return files
}

// awaitOnDisk returns when so many bytes are in the cache directory.
func awaitOnDisk(tb testing.TB, cacheDir string, bytes int64) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		var used int64
		for _, path := range objectFiles(tb, cacheDir) {
			var st unix.Stat_t
			if unix.Stat(path, &st) == nil {
				used += st.Blocks * 512
			}
		}
		return used >= bytes
	}, patience, 20*time.Millisecond, "the disk tier does not fill")
}

// awaitLearnt returns when the database beside the blocks has a record of id.
func awaitLearnt(tb testing.TB, cacheDir, id string) {
	tb.Helper()
	require.Eventually(tb, func() bool {
		b, err := os.ReadFile(filepath.Join(cacheDir, "state.db"))
		return err == nil && bytes.Contains(b, []byte(id))
	}, patience, 20*time.Millisecond, "what is learnt is not saved")
}

// kill ends the daemon at once, and cleans the mount point up as a user would.
func (p *process) kill(tb testing.TB) {
	tb.Helper()
	require.NoError(tb, p.cmd.Process.Kill())
	<-p.exited
	require.NoError(tb, unix.Unmount(p.dir, unix.MNT_DETACH))
}

// writeManifest lists what origin has at its permanent addresses.
func writeManifest(tb testing.TB, origin *linksim.Origin, sizes map[string]int64) string {
	tb.Helper()
	type entry struct {
		Path string `json:"path"`
		URL  string `json:"url"`
		Size *int64 `json:"size,omitempty"`
	}
	var list struct {
		Files []entry `json:"files"`
	}
	for path, size := range sizes {
		e := entry{Path: path, URL: origin.FileURL(path)}
		if size >= 0 {
			e.Size = &size
		}
		list.Files = append(list.Files, e)
	}
	text, err := json.Marshal(list)
	require.NoError(tb, err)
	file := filepath.Join(tb.TempDir(), "list.json")
	require.NoError(tb, os.WriteFile(file, text, 0o600))
	return file
}

func TestKilledDaemonLosesNothingWarm(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to unmount")
	}
	warm, half, small := linksim.Pattern(41, 24*mib+99), linksim.Pattern(42, 64*mib), linksim.Pattern(43, 7777)
	// What a dead provider listed is not kept on disk yet; a manifest lists itself.
	origin := startOrigin(t)
	for path, c := range map[string]linksim.Content{"warm": warm, "half": half, "small": small, "later": small} {
		origin.Put(linksim.Object{Path: path, Content: c, HideSize: path != "half"})
	}
	s := settings{cacheDir: t.TempDir(), read: "deadline = \"1s\"\nstall = \"500ms\""}
	s.providers = []string{manifestProvider("p", writeManifest(t, origin, map[string]int64{"warm": -1, "half": half.Size(), "small": -1, "later": -1}))}
	p := mount(t, s)
	dir := filepath.Join(p.dir, "p")
	requireSame(t, contentOf(t, small), read(t, filepath.Join(dir, "small")))
	requireSame(t, contentOf(t, warm), read(t, filepath.Join(dir, "warm")))
	awaitOnDisk(t, s.cacheDir, warm.Size())
	awaitLearnt(t, s.cacheDir, "warm")
	// Transactions follow each other: when the next one is being
	// written, the last one is complete.
	_, err := os.Stat(filepath.Join(dir, "later"))
	require.NoError(t, err)
	awaitLearnt(t, s.cacheDir, "later")
	f, err := os.Open(filepath.Join(dir, "half"))
	require.NoError(t, err)
	defer f.Close()
	got := make(chan error, 1)
	begun := make(chan struct{})
	go func() { // it is in the middle of reading, and writing to disk, when the end comes
		b := make([]byte, mib)
		_, err := f.ReadAt(b, 0)
		close(begun)
		for off := int64(mib); err == nil; off = (off + mib) % half.Size() {
			_, err = f.ReadAt(b, off)
		}
		got <- err
	}()
	<-begun
	p.kill(t)
	select {
	case err := <-got:
		assert.Error(t, err)
	case <-time.After(patience):
		require.FailNow(t, "a reader hangs on a dead daemon")
	}

	require.NoError(t, origin.Down())
	p = mount(t, s)
	dir = filepath.Join(p.dir, "p")
	for path, c := range map[string]linksim.Content{"warm": warm, "small": small} {
		info, err := os.Stat(filepath.Join(dir, path))
		require.NoError(t, err, "sizes are known")
		require.Equal(t, c.Size(), info.Size())
		requireSame(t, contentOf(t, c), read(t, filepath.Join(dir, path)))
	}
	// Of the other file: what there is is right, and what there is not is an error.
	require.NoError(t, piecesRight(filepath.Join(dir, "half"), half, 8))

	require.NoError(t, origin.Up())
	requireSame(t, contentOf(t, half), read(t, filepath.Join(dir, "half")))
}

// piecesRight reads some pages of a file; those that can be read must be right.
func piecesRight(path string, content linksim.Content, pieces int64) error {
	errs := make([]error, pieces)
	var readers sync.WaitGroup
	for i := range pieces {
		readers.Go(func() { errs[i] = pieceRight(path, content, content.Size()/pieces*i/4096*4096) })
	}
	readers.Wait()
	return errors.Join(errs...)
}

func pieceRight(path string, content linksim.Content, off int64) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	want, got := make([]byte, 4096), make([]byte, 4096)
	if _, err := content.ReadAt(want, off); err != nil {
		return err
	}
	switch _, err := f.ReadAt(got, off); {
	case err == nil && !bytes.Equal(want, got):
		return fmt.Errorf("other bytes at %d", off)
	case err != nil && !errors.Is(err, unix.EIO) && !errors.Is(err, unix.ETIMEDOUT):
		return err
	}
	return nil
}

// flip changes n bytes of a file at random, half of them in its last 4 KiB,
// where the index is.
func flip(tb testing.TB, path string, n int) {
	tb.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(tb, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(tb, err)
	for i := range n {
		off := rand.Int64N(info.Size())
		if i%2 == 0 {
			off = info.Size() - 1 - rand.Int64N(min(4096, info.Size()))
		}
		b := make([]byte, 1)
		_, err := f.ReadAt(b, off)
		require.NoError(tb, err)
		b[0] ^= byte(1 + rand.IntN(255))
		_, err = f.WriteAt(b, off)
		require.NoError(tb, err)
	}
}

func TestDamagedCacheNeverGivesWrongBytes(t *testing.T) {
	contents := map[string]linksim.Content{
		"a": linksim.Pattern(51, 24*mib), "b": linksim.Pattern(52, 3*mib+5), "c": linksim.Pattern(53, 300_000), "d": linksim.Pattern(54, 70),
		"twin 1": linksim.Pattern(55, 200_000), "twin 2": linksim.Pattern(56, 200_000),
	}
	origin := startOrigin(t)
	var total int64
	for path, c := range contents {
		origin.Put(linksim.Object{Path: path, Content: c, HideSize: len(path) == 1})
		total += c.Size()
	}
	s := settings{cacheDir: t.TempDir()}
	all := func(dir string) {
		t.Helper()
		for path, c := range contents {
			requireSame(t, contentOf(t, c), read(t, filepath.Join(dir, path)))
		}
	}
	p, dir := mountOrigin(t, origin, s)
	all(dir)
	awaitOnDisk(t, s.cacheDir, total)
	require.NoError(t, p.stop(t, unix.SIGTERM))

	for name, damage := range map[string]func(files []string){
		"data and index": func(files []string) {
			for _, path := range files {
				flip(t, path, 60)
			}
		},
		"one bit": func(files []string) {
			for _, path := range files {
				flip(t, path, 2)
			}
		},
		"cut": func(files []string) {
			for _, path := range files {
				info, err := os.Stat(path)
				require.NoError(t, err)
				require.NoError(t, os.Truncate(path, rand.Int64N(info.Size())))
			}
		},
		"exchanged": func(files []string) {
			for i := range files[1:] {
				require.NoError(t, os.Rename(files[i], files[i]+".x"))
				require.NoError(t, os.Rename(files[i+1], files[i]))
				require.NoError(t, os.Rename(files[i]+".x", files[i+1]))
			}
		},
		"zeros": func(files []string) {
			for _, path := range files {
				info, err := os.Stat(path)
				require.NoError(t, err)
				require.NoError(t, os.WriteFile(path, make([]byte, info.Size()), 0o600))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			files := objectFiles(t, s.cacheDir)
			require.Len(t, files, len(contents))
			damage(files)
			origin.ResetCounts()
			p, dir := mountOrigin(t, origin, s)
			all(dir)
			awaitOnDisk(t, s.cacheDir, total) // whole again, for the next damage
			require.NoError(t, p.stop(t, unix.SIGTERM))
			reports := 0
			for _, line := range strings.Split(p.log.String(), "\n") {
				if strings.Contains(line, "damaged") {
					reports++
				}
			}
			assert.LessOrEqual(t, reports, len(files), "once an object\n%s", p.log)
			assert.NotZero(t, reports)
			assert.NotZero(t, origin.Counts().Gets, "it was not damaged")
		})
	}
}

func TestDamageUnderARunningDaemon(t *testing.T) {
	origin := startOrigin(t)
	content := linksim.Pattern(57, 48*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	p, dir := mountOrigin(t, origin, settings{cache: `memory = "16MiB"`, read: `window = "4MiB"`})
	path := filepath.Join(dir, "f")
	openFile(t, path) // as long as it is, the kernel does not read the cache by itself
	whole := contentOf(t, content)
	requireSame(t, whole, read(t, path))
	awaitOnDisk(t, p.cache, content.Size()/2) // under pressure some may be dropped
	for range 3 {
		for _, file := range objectFiles(t, p.cache) {
			flip(t, file, 400)
		}
		f, err := os.Open(path)
		require.NoError(t, err)
		require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)) // else the kernel answers
		require.NoError(t, f.Close())
		requireSame(t, whole, read(t, path))
	}
	assert.Equal(t, 1, strings.Count(p.log.String(), "damaged page"), "said once, not for every page")
}

func TestFullCacheDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root to mount a small disk")
	}
	disk := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", disk, "tmpfs", 0, "size=8m,mode=0700"))
	t.Cleanup(func() { assert.NoError(t, unix.Unmount(disk, unix.MNT_DETACH)) })
	origin := startOrigin(t)
	content := linksim.Pattern(58, 64*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	origin.Put(linksim.Object{Path: "counted", Content: content, Terms: linksim.Terms{Uses: 2}})
	origin.Put(linksim.Object{Path: "untold", Content: linksim.Pattern(59, 20*mib), HideSize: true, Behaviour: linksim.Behaviour{NoLength: true}})
	s := settings{cacheDir: filepath.Join(disk, "cache"), cache: "memory = \"32MiB\"", read: `window = "4MiB"`}
	p, dir := mountOrigin(t, origin, s)
	whole := contentOf(t, content)
	for range 2 {
		requireSame(t, whole, read(t, filepath.Join(dir, "f")))
	}
	requireSame(t, whole, read(t, filepath.Join(dir, "counted")))
	requireSame(t, contentOf(t, linksim.Pattern(59, 20*mib)), read(t, filepath.Join(dir, "untold")))
	assert.Less(t, strings.Count(p.log.String(), "level=WARN"), 20, "the log is not flooded")
	assert.Contains(t, p.log.String(), "no space left", "the disk was not full")
	require.NoError(t, p.stop(t, unix.SIGTERM))

	_, dir = mountOrigin(t, origin, s)
	requireSame(t, whole, read(t, filepath.Join(dir, "f")))
}

func TestCacheDirectoryVanishes(t *testing.T) {
	origin := startOrigin(t)
	for i := range 6 {
		origin.Put(linksim.Object{Path: fmt.Sprintf("f%d", i), Content: linksim.Pattern(uint64(i), 6*mib), HideSize: i%2 == 0})
	}
	p, dir := mountOrigin(t, origin, settings{cacheDir: filepath.Join(t.TempDir(), "cache")})
	same := func(i int) {
		t.Helper()
		requireSame(t, contentOf(t, linksim.Pattern(uint64(i), 6*mib)), read(t, filepath.Join(dir, fmt.Sprintf("f%d", i))))
	}
	same(0)
	f, err := os.Open(filepath.Join(dir, "f1"))
	require.NoError(t, err)
	defer f.Close()
	head := make([]byte, 1000)
	_, err = f.ReadAt(head, 0)
	require.NoError(t, err)
	// The daemon may be writing into it at the same time.
	require.Eventually(t, func() bool { return os.RemoveAll(p.cache) == nil }, patience, 10*time.Millisecond)
	for i := range 6 {
		same(i)
	}
	tail := make([]byte, 1000)
	_, err = f.ReadAt(tail, 6*mib-1000)
	require.NoError(t, err)
	whole := contentOf(t, linksim.Pattern(1, 6*mib))
	assert.Equal(t, whole[:1000], head)
	assert.Equal(t, whole[6*mib-1000:], tail)
	require.NoError(t, f.Close())
	require.NoError(t, p.stop(t, unix.SIGTERM))
}

func TestTwoDaemonsOnOneCacheDirectory(t *testing.T) {
	origin := startOrigin(t)
	content := linksim.Pattern(60, 3*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	s := settings{cacheDir: t.TempDir(), providers: []string{simProvider("sim", origin)}}
	p := mount(t, s)
	for _, disk := range []string{"", "disk = 0"} {
		t.Run("second with "+disk, func(t *testing.T) {
			second := s
			second.cache = disk
			dir := t.TempDir()
			cmd := attachfs("mount", "--config", writeConfig(t, second, s.cacheDir), dir)
			var out, complaint bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &complaint
			require.NoError(t, cmd.Start())
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				assert.Error(t, err)
			case <-time.After(patience):
				_ = cmd.Process.Kill()
				<-ended
				_ = unix.Unmount(dir, unix.MNT_DETACH)
				require.FailNow(t, "not refused", complaint.String())
			}
			assert.Equal(t, 1, cmd.ProcessState.ExitCode())
			assert.Empty(t, out.String())
			assert.Equal(t, 1, lines(complaint.String()), complaint.String())
			assert.Contains(t, complaint.String(), s.cacheDir)
			assert.Contains(t, complaint.String(), "in use by another attachfs")
			mounts, err := os.ReadFile("/proc/self/mountinfo")
			require.NoError(t, err)
			assert.NotContains(t, string(mounts), dir)
		})
	}
	requireSame(t, contentOf(t, content), read(t, filepath.Join(p.dir, "sim/f")))
	require.NoError(t, p.stop(t, unix.SIGTERM))
	p = mount(t, s) // it is free again
	requireSame(t, contentOf(t, content), read(t, filepath.Join(p.dir, "sim/f")))
}

// TestEndedRightAfterTheMount: from the moment when it says that it is mounted,
// the daemon unmounts when it is told to end.
func TestEndedRightAfterTheMount(t *testing.T) {
	origin := startOrigin(t)
	for range 10 {
		p, _ := mountOrigin(t, origin, settings{})
		require.NoError(t, p.stop(t, unix.SIGTERM))
	}
}

func TestFileLargerThanEverythingRemembered(t *testing.T) {
	origin := startOrigin(t)
	content := linksim.Pattern(61, 200*mib)
	origin.Put(linksim.Object{Path: "plain", Content: content})
	origin.Put(linksim.Object{Path: "counted", Content: content, Terms: linksim.Terms{Uses: 2}})
	_, dir := mountOrigin(t, origin, settings{cache: "memory = \"16MiB\"\ndisk = 0", read: `window = "8MiB"`})
	whole := contentOf(t, content)
	requireSame(t, whole, read(t, filepath.Join(dir, "plain")))
	assert.LessOrEqual(t, float64(origin.CountsOf("plain").Bytes), 1.3*float64(content.Size()))
	requireSame(t, whole, read(t, filepath.Join(dir, "counted")))
	counted := origin.CountsOf("counted")
	assert.Equal(t, 1, counted.Gets, "one request when it is read in sequence")
	assert.Equal(t, 1, counted.LinksIssued)
	assert.Zero(t, counted.OverUses)
}

// TestOpenedAgainFromTheCache: what is remembered of a file serves the next
// open, too, where the kernel did not keep its pages.
func TestOpenedAgainFromTheCache(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		t.Run(fmt.Sprintf("size hidden %v", hidden), func(t *testing.T) {
			origin := startOrigin(t)
			content := linksim.Pattern(65, 6*mib)
			origin.Put(linksim.Object{Path: "f", Content: content, HideSize: hidden})
			_, dir := mountOrigin(t, origin, settings{read: "deadline = \"2s\"\nstall = \"1s\""})
			path := filepath.Join(dir, "f")
			requireSame(t, contentOf(t, content), read(t, path))
			fetched := origin.Counts()
			require.NoError(t, origin.Down())
			f, err := os.Open(path)
			require.NoError(t, err)
			require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
			require.NoError(t, f.Close())
			requireSame(t, contentOf(t, content), read(t, path))
			assert.Equal(t, fetched, origin.Counts())
		})
	}
}

func getxattr(path, name string) (string, error) {
	b := make([]byte, 4096)
	n, err := unix.Lgetxattr(path, "user.attachfs."+name, b)
	return string(b[:max(0, n)]), err
}

func TestExtendedAttributes(t *testing.T) {
	origin := startOrigin(t)
	content := linksim.Pattern(62, 9*mib)
	origin.Put(linksim.Object{Path: "d/f", Content: content})
	origin.Put(linksim.Object{Path: "d/counted", Content: content, Terms: linksim.Terms{Uses: 2, Lifetime: time.Hour}})
	origin.Put(linksim.Object{Path: "d/bad", Content: content})
	origin.Put(linksim.Object{Path: "d/denied", Content: content, HideSize: true, Terms: linksim.Terms{Refusal: linksim.Forbidden}})
	origin.Inject("d/bad", linksim.Fault{Kind: linksim.Status, Status: 403})
	_, dir := mountOrigin(t, origin, settings{mount: "xattrs = true"})
	path := filepath.Join(dir, "d/f")
	value := func(path, name string) string {
		t.Helper()
		v, err := getxattr(path, name)
		require.NoError(t, err, name)
		return v
	}
	names := make([]byte, 4096)
	n, err := unix.Llistxattr(path, names)
	require.NoError(t, err)
	assert.Equal(t, []string{"user.attachfs.id", "user.attachfs.provider", "user.attachfs.version", "user.attachfs.cached", "user.attachfs.lease", "user.attachfs.error"},
		strings.Split(strings.TrimSuffix(string(names[:n]), "\x00"), "\x00"))
	assert.Equal(t, "d/f", value(path, "id"))
	assert.Equal(t, "sim", value(path, "provider"))
	assert.NotEmpty(t, value(path, "version"))
	assert.Equal(t, "0", value(path, "cached"))
	assert.Equal(t, "none", value(path, "lease"))
	assert.Empty(t, value(path, "error"))
	_, err = getxattr(path, "nothing")
	assert.ErrorIs(t, err, unix.ENODATA)

	f, err := os.Open(path)
	require.NoError(t, err)
	_, err = f.ReadAt(make([]byte, mib), 8*mib)
	require.NoError(t, err)
	part, err := strconv.Atoi(value(path, "cached"))
	require.NoError(t, err)
	assert.Greater(t, part, 0)
	assert.Less(t, part, 100)
	require.NoError(t, f.Close())
	requireSame(t, contentOf(t, content), read(t, path))
	assert.Equal(t, "100", value(path, "cached"))
	assert.Equal(t, "held", value(path, "lease"))
	assert.Empty(t, value(path, "error"))

	path = filepath.Join(dir, "d/counted")
	read(t, path)
	assert.Regexp(t, `^held, \d+ s left, 1 uses? left$`, value(path, "lease"))

	path = filepath.Join(dir, "d/bad")
	f, err = os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.ReadAt(make([]byte, 10), 0)
	assert.ErrorIs(t, err, unix.EACCES)
	assert.Contains(t, value(path, "error"), "permission denied")

	path = filepath.Join(dir, "d/denied")
	info, err := os.Stat(path)
	require.NoError(t, err)
	assert.Zero(t, info.Mode().Perm(), "a file that is refused for good shows it")
	assert.NotEmpty(t, value(path, "error"))
}

// TestErrorOutlivesTheHandle: who asks why a program failed asks when it has
// ended.
func TestErrorOutlivesTheHandle(t *testing.T) {
	origin := startOrigin(t)
	origin.Put(linksim.Object{Path: "f", Content: linksim.Pattern(63, 9*mib)})
	origin.Inject("f", linksim.Fault{Kind: linksim.Status, Status: 403})
	_, dir := mountOrigin(t, origin, settings{mount: "xattrs = true"})
	path := filepath.Join(dir, "f")
	_, err := os.ReadFile(path)
	require.ErrorIs(t, err, unix.EACCES)
	for range 100 { // the kernel tells of the close when it likes
		v, err := getxattr(path, "error")
		require.NoError(t, err)
		require.Contains(t, v, "permission denied")
	}
}

func TestNoExtendedAttributesByDefault(t *testing.T) {
	origin := startOrigin(t)
	origin.Put(linksim.Object{Path: "f", Content: linksim.Pattern(64, 10)})
	_, dir := mountOrigin(t, origin, settings{})
	path := filepath.Join(dir, "f")
	for _, name := range []string{"id", "provider", "version", "cached", "lease", "error"} {
		_, err := getxattr(path, name)
		assert.True(t, errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.ENODATA), "%s: %v", name, err)
	}
	n, err := unix.Llistxattr(path, make([]byte, 4096))
	assert.True(t, n <= 0, "%d bytes of names, %v", n, err)
}

func TestNothingPilesUp(t *testing.T) {
	const files = 500
	// Descriptors that may stay: idle connections and the object files used last.
	const idle, remembered = 32, 256
	origin := startOrigin(t)
	for i := range 2 * files {
		origin.Put(linksim.Object{Path: fmt.Sprintf("%d/f%03d", i/files, i), Content: linksim.Pattern(uint64(i), 20_000), HideSize: i%2 == 0})
	}
	p, dir := mountOrigin(t, origin, settings{log: `level = "warn"`})
	descriptors := func() int {
		entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", p.cmd.Process.Pid))
		require.NoError(t, err)
		return len(entries)
	}
	before := descriptors()
	readAll := func(from int) {
		for i := from; i < from+files; i++ {
			requireSame(t, contentOf(t, linksim.Pattern(uint64(i), 20_000)), read(t, filepath.Join(dir, fmt.Sprintf("%d/f%03d", i/files, i))))
		}
	}
	readAll(0)
	assert.Eventually(t, func() bool { return descriptors() <= before+idle+remembered+8 }, patience, 50*time.Millisecond, "%d", descriptors())
	readAll(files)
	assert.Eventually(t, func() bool { return descriptors() <= before+idle+remembered+8 }, patience, 50*time.Millisecond, "%d", descriptors())

	// The runtime's own answer to SIGQUIT lists every goroutine.
	require.NoError(t, p.cmd.Process.Signal(unix.SIGQUIT))
	select {
	case <-p.exited:
	case <-time.After(patience):
		require.FailNow(t, "does not end on SIGQUIT")
	}
	n := strings.Count(p.log.String(), "\ngoroutine ")
	assert.NotZero(t, n)
	assert.Less(t, n, 100+2*idle, "an idle connection has two")
}
