package e2e_test

import (
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// readsAlone reports whether the kernel reads a file without asking attachfs,
// whose process is stopped meanwhile.
func readsAlone(t *testing.T, p *process, path string, content linksim.Content) bool {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	defer func() { _ = f.Close() }()
	require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
	require.NoError(t, p.cmd.Process.Signal(unix.SIGSTOP))
	read := make(chan []byte, 1)
	go func() {
		got, _ := io.ReadAll(f)
		read <- got
	}()
	alone := false
	var got []byte
	select {
	case got = <-read:
		alone = true
	case <-time.After(2 * time.Second):
	}
	require.NoError(t, p.cmd.Process.Signal(unix.SIGCONT))
	if !alone {
		got = <-read
	}
	requireSame(t, contentOf(t, content), got)
	return alone
}

// needPassthrough skips the test where the kernel has no passthrough.
func needPassthrough(t *testing.T) {
	t.Helper()
	var name unix.Utsname
	require.NoError(t, unix.Uname(&name))
	var major, minor int
	_, err := fmt.Sscanf(unix.ByteSliceToString(name.Release[:]), "%d.%d", &major, &minor)
	require.NoError(t, err)
	if os.Getuid() != 0 || major < 6 || major == 6 && minor < 9 {
		t.Skip("only root, and only from Linux 6.9 on, can let the kernel read by itself")
	}
}

// A file that is complete in the cache on disk is read by the kernel alone, after
// a restart, too, once it was read and found right.
func TestWhole_IsReadByTheKernel(t *testing.T) {
	needPassthrough(t)
	origin := startOrigin(t)
	content := linksim.Pattern(1, 5*mib+4711)
	origin.Put(linksim.Object{Path: "f", Content: content, SHA256: fmt.Sprintf("%x", sha256.Sum256(contentOf(t, content)))})
	s := settings{cacheDir: t.TempDir()}
	for range 2 {
		p, dir := mountOrigin(t, origin, s)
		path := filepath.Join(dir, "f")
		requireSame(t, contentOf(t, content), read(t, path))
		awaitOnDisk(t, s.cacheDir, content.Size())
		require.Eventually(t, func() bool { return readsAlone(t, p, path, content) }, patience, 20*time.Millisecond)
		require.NoError(t, p.stop(t, unix.SIGTERM))
	}
	assert.EqualValues(t, content.Size(), origin.Counts().Bytes)
}

// Whoever opens, holds, maps and closes files while they become complete, sees
// their bytes and no error.
func TestWhole_OpenedInTheMeantime(t *testing.T) {
	needPassthrough(t)
	origin := startOrigin(t)
	for i := range stressFiles {
		origin.Put(linksim.Object{Path: fmt.Sprint(i), Content: stressContent(i)})
	}
	_, dir := mountOrigin(t, origin, settings{log: `level = "warn"`})
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), stressEnv+"="+dir)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, tail(string(out)))
}

const stressFiles = 3

func stressContent(i int) linksim.Content { return linksim.Pattern(uint64(i), 2*mib+int64(i)) }

// stressEnv makes the test binary be eight readers of the files below a
// directory. They are a process of their own: who waits for a mapped page holds
// up a whole thread, and the origin is a part of the test.
const stressEnv = "ATTACHFS_E2E_STRESS"

func init() {
	dir := os.Getenv(stressEnv)
	if dir == "" {
		return
	}
	var contents [][]byte
	for i := range stressFiles {
		c := stressContent(i)
		b := make([]byte, c.Size())
		_, _ = c.ReadAt(b, 0) // io.EOF
		contents = append(contents, b)
	}
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for range 150 {
				i := rand.IntN(stressFiles)
				if err := openAndRead(filepath.Join(dir, fmt.Sprint(i)), contents[i]); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		})
	}
	readers.Wait()
	os.Exit(0)
}

// openAndRead reads a part of a file in one of several ways, and compares.
func openAndRead(path string, want []byte) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	off := rand.IntN(len(want) - 200_000)
	got := make([]byte, 200_000)
	switch rand.IntN(3) {
	case 0: // mapped, and closed while it is
		m, err := unix.Mmap(int(f.Fd()), 0, len(want), unix.PROT_READ, unix.MAP_SHARED)
		_ = f.Close()
		if err != nil {
			return err
		}
		copy(got, m[off:])
		if err := unix.Munmap(m); err != nil {
			return err
		}
	case 1: // its pages dropped before
		_ = unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED)
		fallthrough
	default:
		_, err := f.ReadAt(got, int64(off))
		_ = f.Close()
		if err != nil {
			return err
		}
	}
	if string(got) != string(want[off:off+len(got)]) {
		return fmt.Errorf("other bytes at %d of %s", off, path)
	}
	return nil
}
