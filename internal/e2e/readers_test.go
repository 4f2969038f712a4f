package e2e_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
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

// readerEnv makes the test binary be a reader of a mount: "ROLE SEED PATH".
const readerEnv = "ATTACHFS_E2E_READER"

// A process whose threads wait in page faults of the mount cannot be the one
// that serves the origin: the collector would wait for them, and they for it.
func init() {
	if job := os.Getenv(readerEnv); job != "" {
		if err := beReader(strings.SplitN(job, " ", 3)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

func beReader(job []string) error {
	seed, err := strconv.ParseUint(job[1], 10, 64)
	if err != nil {
		return err
	}
	f, err := os.Open(job[2])
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	content := linksim.Pattern(seed, info.Size())
	if job[0] == "mmap" {
		return readMapped(f, content)
	}
	return readSlowly(f, content)
}

// readMapped touches a mapping at random, then all of it.
func readMapped(f *os.File, content linksim.Content) (err error) {
	size := int(content.Size())
	b, err := unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("touching the mapping: %v", p)
		}
	}()
	want := make([]byte, 64<<10)
	compare := func(off, n int) error {
		n = min(n, size-off)
		if got, _ := content.ReadAt(want[:n], int64(off)); got != n {
			return fmt.Errorf("pattern of %d bytes at %d", got, off)
		}
		if !bytes.Equal(want[:n], b[off:off+n]) {
			return fmt.Errorf("other bytes in [%d, %d)", off, off+n)
		}
		return nil
	}
	for range 300 {
		if err := compare(rand.IntN(size), 1+rand.IntN(9000)); err != nil {
			return err
		}
	}
	for off := 0; off < size; off += len(want) {
		if err := compare(off, len(want)); err != nil {
			return err
		}
	}
	return unix.Munmap(b)
}

func readSlowly(f *os.File, content linksim.Content) error {
	want, got := make([]byte, 64<<10), make([]byte, 64<<10)
	for off := int64(0); off < content.Size(); off += int64(len(got)) {
		n, err := io.ReadFull(f, got) // not ReadAt: see TestGoReaderOfAThrottledFileEnds
		if err != nil && err != io.ErrUnexpectedEOF {
			return err
		}
		m, _ := content.ReadAt(want, off)
		if n != m || !bytes.Equal(want[:m], got[:n]) {
			return fmt.Errorf("other bytes at %d", off)
		}
	}
	return nil
}

// reader is a command that reads path, the pattern of seed, in its role.
func reader(role string, seed uint64, path string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%s %d %s", readerEnv, role, seed, path))
	return cmd
}

func TestMappedFile(t *testing.T) {
	for _, hidden := range []bool{false, true} {
		t.Run(fmt.Sprintf("size hidden %v", hidden), func(t *testing.T) {
			origin := startOrigin(t)
			origin.Put(linksim.Object{Path: "f", Content: linksim.Pattern(21, 32*mib+1234), HideSize: hidden})
			_, dir := mountOrigin(t, origin, settings{})
			out, err := reader("mmap", 21, filepath.Join(dir, "f")).CombinedOutput()
			assert.NoError(t, err, string(out))
			out, err = reader("mmap", 22, filepath.Join(dir, "f")).CombinedOutput()
			assert.Error(t, err, "the reader must see a difference: %s", out)
		})
	}
}

func TestEightReadersOfOneFile(t *testing.T) {
	origin := startOrigin(t)
	content := linksim.Pattern(22, 64*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	p, dir := mountOrigin(t, origin, settings{})
	want := digest(t, io.NewSectionReader(content, 0, content.Size()))
	got := make([][32]byte, 8)
	errs := make([]error, len(got))
	var readers sync.WaitGroup
	for i := range got {
		readers.Go(func() { got[i], errs[i] = digestOf(filepath.Join(dir, "f")) })
	}
	readers.Wait()
	for i := range got {
		assert.NoError(t, errs[i])
		assert.Equal(t, want, got[i])
	}
	require.NoError(t, p.stop(t, unix.SIGTERM)) // ends what is fetched ahead
	assert.LessOrEqual(t, float64(origin.Counts().Bytes), 1.3*float64(content.Size()))
}

// digestOf may be called off the test's goroutine.
func digestOf(path string) (d [32]byte, err error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return d, err
	}
	return sha256.Sum256(b), nil
}

// TestReadersInUnevenNumber: readers share the memory for what is fetched ahead,
// and a share need not be a whole number of pages.
func TestReadersInUnevenNumber(t *testing.T) {
	for _, n := range []int{3, 5, 7} {
		t.Run(strconv.Itoa(n), func(t *testing.T) {
			origin := startOrigin(t)
			content := linksim.Pattern(32, 64*mib)
			// Who waits for bytes has more fetched ahead.
			origin.SetBehaviour("", linksim.Behaviour{Delay: 30 * time.Millisecond})
			for i := range n {
				origin.Put(linksim.Object{Path: fmt.Sprint(i), Content: content})
			}
			_, dir := mountOrigin(t, origin, settings{cache: "memory = \"128MiB\"\ndisk = 0"})
			whole := contentOf(t, content)
			files := make([]*os.File, n)
			for i := range files {
				f, err := os.Open(filepath.Join(dir, fmt.Sprint(i)))
				require.NoError(t, err)
				t.Cleanup(func() { _ = f.Close() })
				head := make([]byte, mib)
				_, err = f.ReadAt(head, 0)
				require.NoError(t, err)
				requireSame(t, whole[:mib], head)
				files[i] = f
			}
			wrong := make([]int64, n) // where the first other byte is
			errs := make([]error, n)
			var readers sync.WaitGroup
			for i, f := range files {
				readers.Go(func() { wrong[i], errs[i] = firstDifference(f, whole) })
			}
			readers.Wait()
			for i := range files {
				assert.NoError(t, errs[i])
				assert.EqualValues(t, -1, wrong[i], "reader %d", i)
			}
		})
	}
}

// firstDifference reads a file to its end, and returns where it is not want.
func firstDifference(f *os.File, want []byte) (int64, error) {
	b := make([]byte, 256<<10)
	for off := 0; off < len(want); off += len(b) {
		n, err := f.ReadAt(b, int64(off))
		if err != nil && err != io.EOF {
			return -1, err
		}
		if !bytes.Equal(want[off:min(off+len(b), len(want))], b[:n]) {
			return int64(off), nil
		}
	}
	return -1, nil
}

func TestHeadOfAGibibyte(t *testing.T) {
	needTool(t, "head")
	origin := startOrigin(t)
	content := linksim.Pattern(23, 1<<30)
	origin.Put(linksim.Object{Path: "f", Content: content})
	p, dir := mountOrigin(t, origin, settings{})
	out, err := exec.Command("sh", "-c", `cat "$1" | head -c 10`, "sh", filepath.Join(dir, "f")).Output()
	require.NoError(t, err)
	want := make([]byte, 10)
	_, err = content.ReadAt(want, 0)
	require.NoError(t, err)
	assert.Equal(t, want, out)
	require.NoError(t, p.stop(t, unix.SIGTERM))
	assert.LessOrEqual(t, origin.Counts().Bytes, int64(8*mib))
}

// waitingIn reports whether a process waits in read(2) on a file.
func waitingIn(pid int, path string) bool {
	call, err := os.ReadFile(fmt.Sprintf("/proc/%d/syscall", pid))
	if err != nil {
		return false
	}
	fields := strings.Fields(string(call))
	if len(fields) < 2 || fields[0] != strconv.Itoa(unix.SYS_READ) {
		return false
	}
	fd, err := strconv.ParseUint(fields[1], 0, 32)
	if err != nil {
		return false
	}
	file, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", pid, fd))
	return err == nil && file == path
}

func TestKilledReadersDie(t *testing.T) {
	needTool(t, "cat")
	needTool(t, "dd")
	if _, err := os.ReadFile("/proc/self/syscall"); err != nil {
		missing(t, "/proc/PID/syscall")
	}
	const stall = 6 * time.Second
	origin := startOrigin(t)
	content := linksim.Pattern(24, 32*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	origin.Put(linksim.Object{Path: "other", Content: content})
	origin.Inject("f", linksim.Fault{Kind: linksim.Stall, After: 100_000})
	_, dir := mountOrigin(t, origin, settings{read: fmt.Sprintf("stall = %q", stall)})
	path := filepath.Join(dir, "f")

	type outcome struct {
		digest [32]byte
		err    error
	}
	survivor := make(chan outcome, 1)
	go func() {
		d, err := digestOf(path)
		survivor <- outcome{d, err}
	}()
	var doomed []*exec.Cmd
	for _, args := range [][]string{
		{"cat", path}, {"dd", "if=" + path, "of=/dev/null", "bs=1M"},
		{"dd", "if=" + path, "of=/dev/null", "bs=4k", "skip=5000"},
		{"dd", "if=" + path, "of=/dev/null", "bs=1M", "iflag=direct"},
	} {
		cmd := exec.Command(args[0], args[1:]...)
		require.NoError(t, cmd.Start())
		t.Cleanup(func() { _ = cmd.Process.Kill() })
		doomed = append(doomed, cmd)
	}
	for _, cmd := range doomed {
		require.Eventually(t, func() bool { return waitingIn(cmd.Process.Pid, path) }, patience, 10*time.Millisecond, "%v", cmd.Args)
	}
	began := time.Now()
	for _, cmd := range doomed {
		require.NoError(t, cmd.Process.Kill())
	}
	for _, cmd := range doomed {
		_ = cmd.Wait()
	}
	assert.Less(t, time.Since(began), atOnce, "killed readers must die")
	assert.Empty(t, survivor, "still waiting for the origin")

	origin.ClearFaults()
	want := sha256.Sum256(contentOf(t, content))
	got, err := digestOf(filepath.Join(dir, "other"))
	require.NoError(t, err)
	assert.Equal(t, want, got, "another file is not disturbed")
	select {
	case o := <-survivor:
		assert.NoError(t, o.err)
		assert.Equal(t, want, o.digest, "who shared the transfer goes on")
	case <-time.After(patience + stall):
		require.FailNow(t, "the survivor hangs")
	}
}

func TestSignalsDoNotDisturbReaders(t *testing.T) {
	needTool(t, "perl")
	// perl installs its handlers without SA_RESTART: what the kernel reports
	// as EINTR, it sees.
	const script = `$SIG{ALRM} = $SIG{URG} = sub { $n++ };
		binmode STDOUT; $| = 1; syswrite STDOUT, "r";
		my ($path, $flags, $size) = @ARGV;
		my $s = (stat $path)[7]; defined $s or die "stat: $!"; $s == $size or die "size $s";
		sysopen(F, $path, $flags) or die "open: $!";
		while (1) { my $got = sysread F, $b, 131072; defined $got or die "read: $!"; $got or last; print STDOUT $b; }
		$n > 10 or die "only $n signals";`
	for name, flags := range map[string]int{"buffered": unix.O_RDONLY, "direct": unix.O_RDONLY | unix.O_DIRECT} {
		t.Run(name, func(t *testing.T) {
			origin := startOrigin(t)
			content := linksim.Pattern(25, 6*mib+77)
			// Everything takes long enough for many signals.
			origin.Put(linksim.Object{
				Path: "d/f", Content: content, HideSize: true,
				Behaviour: linksim.Behaviour{Delay: 300 * time.Millisecond, BytesPerSecond: 6 * mib},
			})
			origin.SetAPIDelay(200 * time.Millisecond)
			_, dir := mountOrigin(t, origin, settings{})
			var out bytes.Buffer
			complaint := newTranscript(t)
			cmd := exec.Command("perl", "-e", script, filepath.Join(dir, "d/f"), strconv.Itoa(flags), strconv.FormatInt(content.Size(), 10))
			pipe, err := cmd.StdoutPipe()
			require.NoError(t, err)
			cmd.Stderr = complaint.File
			require.NoError(t, cmd.Start())
			_, err = io.ReadFull(pipe, make([]byte, 1)) // its handlers are in place
			require.NoError(t, err, complaint.String())
			done := make(chan struct{})
			var signalling sync.WaitGroup
			signalling.Go(func() {
				for i := 0; ; i++ {
					select {
					case <-done:
						return
					case <-time.After(3 * time.Millisecond):
						_ = cmd.Process.Signal([]os.Signal{unix.SIGALRM, unix.SIGURG}[i%2])
					}
				}
			})
			_, err = out.ReadFrom(pipe)
			close(done)
			signalling.Wait()
			assert.NoError(t, err)
			assert.NoError(t, cmd.Wait(), complaint.String())
			requireSame(t, contentOf(t, content), out.Bytes())
		})
	}
}

func TestGoReaderIsPreempted(t *testing.T) {
	origin := startOrigin(t)
	origin.Put(linksim.Object{
		Path: "f", Content: linksim.Pattern(26, 6*mib), HideSize: true,
		Behaviour: linksim.Behaviour{Delay: 200 * time.Millisecond, BytesPerSecond: 6 * mib},
	})
	_, dir := mountOrigin(t, origin, settings{})
	cmd := reader("read", 26, filepath.Join(dir, "f"))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	require.NoError(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for {
		select {
		case err := <-ended:
			assert.NoError(t, err, out.String())
			return
		case <-time.After(2 * time.Millisecond):
			_ = cmd.Process.Signal(unix.SIGURG)
		}
	}
}

// TestGoReaderOfAThrottledFileEnds: where read(2) answers EAGAIN, Go waits until
// the file says that it is readable, which a FUSE file never does.
func TestGoReaderOfAThrottledFileEnds(t *testing.T) {
	throttled := linksim.Fault{Kind: linksim.Status, Status: 429, Header: http.Header{"Retry-After": {"1"}}}
	for _, where := range []string{"origin", "links"} {
		t.Run(where, func(t *testing.T) {
			origin := startOrigin(t)
			origin.Put(linksim.Object{Path: "f", Content: linksim.Pattern(33, 9*mib)})
			if where == "links" {
				origin.InjectAPI(linksim.LinkCall, throttled)
			} else {
				origin.Inject("f", throttled)
			}
			_, dir := mountOrigin(t, origin, settings{read: "deadline = \"1s\"\nstall = \"500ms\""})
			path := filepath.Join(dir, "f")
			var readers sync.WaitGroup
			// One after the other, so that some join a transfer that is about
			// to give up and are told why.
			for i := range 8 {
				readers.Go(func() {
					time.Sleep(time.Duration(i) * 200 * time.Millisecond)
					ctx, cancel := context.WithTimeout(t.Context(), patience)
					defer cancel()
					cmd := reader("read", 33, path)
					timed := exec.CommandContext(ctx, cmd.Path)
					timed.Env = cmd.Env
					out, err := timed.CombinedOutput()
					assert.NoError(t, ctx.Err(), "the reader hangs")
					assert.Error(t, err, "it cannot have read anything: %s", out)
				})
			}
			readers.Wait()
		})
	}
}

func TestSeeking(t *testing.T) {
	t.Parallel()
	origin := startOrigin(t)
	content := linksim.Pattern(27, 48*mib+321)
	whole := contentOf(t, content)
	size := content.Size()
	// at reads n bytes and compares them; it wants what there is.
	at := func(t *testing.T, f *os.File, off int64, n int) {
		t.Helper()
		got := make([]byte, n)
		want := whole[min(off, size):min(off+int64(n), size)]
		m, err := f.ReadAt(got, off)
		if len(want) < n {
			require.ErrorIs(t, err, io.EOF)
		} else {
			require.NoError(t, err)
		}
		requireSame(t, want, got[:m])
	}
	for _, c := range []struct {
		name  string
		flags int
		read  func(t *testing.T, f *os.File)
		most  float64 // of the size may be fetched
	}{
		{"backward", 0, func(t *testing.T, f *os.File) {
			for off := size; off > -64<<10; off -= 64 << 10 {
				at(t, f, max(0, off), 64<<10)
			}
		}, 1.3},
		{"two interleaved", 0, func(t *testing.T, f *os.File) {
			for off := int64(0); off < size/2; off += 128 << 10 {
				at(t, f, off, 128<<10)
				at(t, f, size/2+off, 128<<10)
			}
		}, 1.3},
		{"odd steps", 0, func(t *testing.T, f *os.File) {
			for off := int64(0); off < size; off += 999_983 {
				at(t, f, off, 70_001)
			}
		}, 1.3},
		{"past the end", 0, func(t *testing.T, f *os.File) {
			at(t, f, size, 1)
			at(t, f, size-1, 100)
			at(t, f, size+4096, 4096)
			at(t, f, 1<<40, 10)
			end, err := f.Seek(-5, io.SeekEnd)
			require.NoError(t, err)
			assert.Equal(t, size-5, end)
			rest, err := io.ReadAll(f)
			require.NoError(t, err)
			assert.Equal(t, whole[size-5:], rest)
		}, 0.2},
		{"direct", unix.O_DIRECT, func(t *testing.T, f *os.File) {
			for off := int64(0); off < size; off += 3 * mib {
				at(t, f, off, 1*mib)
				at(t, f, off+4096*5, 4096)
			}
			at(t, f, size-100, 4096)
		}, 1.3},
		{"announced", 0, func(t *testing.T, f *os.File) {
			require.NoError(t, unix.Fadvise(int(f.Fd()), 8*mib, 4*mib, unix.FADV_WILLNEED))
			require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_RANDOM))
			at(t, f, 8*mib, 4*mib)
			at(t, f, 31*mib+5, 5000)
			require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_SEQUENTIAL))
			at(t, f, 0, 4*mib)
			require.NoError(t, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
			at(t, f, 0, 4*mib)
		}, 1.3},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := c.name + ".bin"
			origin.Put(linksim.Object{Path: path, Content: content})
			p, dir := mountOrigin(t, origin, settings{})
			f, err := os.OpenFile(filepath.Join(dir, path), os.O_RDONLY|c.flags, 0)
			require.NoError(t, err)
			t.Cleanup(func() { _ = f.Close() })
			c.read(t, f)
			require.NoError(t, f.Close())
			require.NoError(t, p.stop(t, unix.SIGTERM))
			assert.LessOrEqual(t, float64(origin.CountsOf(path).Bytes), c.most*float64(size))
		})
	}
}

func TestRandomReadsFetchLittle(t *testing.T) {
	const reads = 150
	origin := startOrigin(t)
	content := linksim.Pattern(28, 256*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	p, dir := mountOrigin(t, origin, settings{})
	randomReads(t, filepath.Join(dir, "f"), content, reads)
	require.NoError(t, p.stop(t, unix.SIGTERM))
	assert.LessOrEqual(t, origin.Counts().Bytes, int64(reads*256<<10))
}

func TestNothingCanBeWritten(t *testing.T) {
	origin := startOrigin(t)
	origin.Put(linksim.Object{Path: "d/f", Content: linksim.Pattern(29, 5000)})
	origin.Put(linksim.Object{Path: "d/g", Content: linksim.Pattern(30, 5000)})
	// The tree itself, and what can come before: names that are there or not.
	p, sim := mountOrigin(t, origin, settings{mount: "xattrs = true"})
	open := func(flags int) func(string) error {
		return func(path string) error {
			f, err := os.OpenFile(path, flags, 0o644)
			if err == nil {
				_ = f.Close()
			}
			return err
		}
	}
	now := []unix.Timespec{{Sec: 1}, {Sec: 2}}
	onFile := map[string]func(string) error{
		"open for write": open(os.O_WRONLY),
		"open for both":  open(os.O_RDWR),
		"append":         open(os.O_WRONLY | os.O_APPEND),
		"open truncated": open(os.O_WRONLY | os.O_TRUNC),
		"unlink":         unix.Unlink,
		"rename":         func(p string) error { return unix.Rename(p, p+".new") },
		"rename over":    func(p string) error { return unix.Rename(p, filepath.Join(sim, "d/g")) },
		"chmod":          func(p string) error { return unix.Chmod(p, 0o600) },
		"chown":          func(p string) error { return unix.Chown(p, 1, 1) },
		"utimes":         func(p string) error { return unix.UtimesNanoAt(unix.AT_FDCWD, p, now, 0) },
		"truncate":       func(p string) error { return unix.Truncate(p, 0) },
		"link":           func(p string) error { return unix.Link(p, p+".new") },
		"setxattr":       func(p string) error { return unix.Setxattr(p, "user.note", []byte("x"), 0) },
		"removexattr":    func(p string) error { return unix.Removexattr(p, "user.attachfs.id") },
	}
	inDir := map[string]func(string) error{
		"create":     open(os.O_CREATE | os.O_WRONLY),
		"exclusive":  open(os.O_CREATE | os.O_EXCL | os.O_RDWR),
		"mkdir":      func(p string) error { return unix.Mkdir(p, 0o755) },
		"mknod":      func(p string) error { return unix.Mknod(p, unix.S_IFREG|0o644, 0) },
		"symlink":    func(p string) error { return unix.Symlink("d", p) },
		"chmod dir":  func(p string) error { return unix.Chmod(filepath.Dir(p), 0o700) },
		"utimes dir": func(p string) error { return unix.UtimesNanoAt(unix.AT_FDCWD, filepath.Dir(p), now, 0) },
		"rmdir":      func(p string) error { return unix.Rmdir(filepath.Join(sim, "d")) },
		"rename dir": func(string) error { return unix.Rename(filepath.Join(sim, "d"), filepath.Join(sim, "e")) },
	}
	everything := func(t *testing.T) {
		for name, call := range onFile {
			assert.ErrorIs(t, call(filepath.Join(sim, "d/f")), unix.EROFS, name)
		}
		for _, dir := range []string{p.dir, sim, filepath.Join(sim, "d")} {
			for name, call := range inDir {
				assert.ErrorIs(t, call(filepath.Join(dir, "new")), unix.EROFS, "%s in %s", name, dir)
			}
		}
		requireSame(t, contentOf(t, linksim.Pattern(29, 5000)), read(t, filepath.Join(sim, "d/f")))
		entries, err := os.ReadDir(filepath.Join(sim, "d"))
		require.NoError(t, err)
		assert.Len(t, entries, 2)
	}
	t.Run("as mounted", everything)
	t.Run("remounted writable", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("needs root")
		}
		require.NoError(t, unix.Mount("", p.dir, "", unix.MS_REMOUNT|unix.MS_NOSUID|unix.MS_NODEV, ""))
		everything(t)
	})
}

func TestStatfs(t *testing.T) {
	needTool(t, "df")
	origin := startOrigin(t)
	origin.Put(linksim.Object{Path: "d/f", Content: linksim.Pattern(31, 100)})
	p, sim := mountOrigin(t, origin, settings{})
	assert.Contains(t, run(t, "df", p.dir), p.dir)
	assert.Contains(t, run(t, "df", "-i", filepath.Join(sim, "d/f")), p.dir)
	require.NoError(t, origin.Down()) // it must not need the network
	for _, path := range []string{p.dir, sim, filepath.Join(sim, "d"), filepath.Join(sim, "d/f")} {
		var st unix.Statfs_t
		require.NoError(t, unix.Statfs(path, &st), path)
		assert.EqualValues(t, 255, st.Namelen)
		assert.Zero(t, st.Bavail)
		assert.NotZero(t, st.Bsize)
	}
}

func TestAttributesStayTheSame(t *testing.T) {
	origin := startOrigin(t)
	modified := time.Date(2026, time.February, 3, 4, 5, 6, 0, time.UTC)
	for i := range 20 {
		origin.Put(linksim.Object{Path: fmt.Sprintf("d/f%02d", i), Content: linksim.Pattern(uint64(i), int64(i)*777), HideSize: i%2 == 0, ModTime: modified})
	}
	stat := func(dir string) map[string]unix.Stat_t {
		all := make(map[string]unix.Stat_t)
		for i := range 20 {
			name := fmt.Sprintf("d/f%02d", i)
			var st unix.Stat_t
			require.NoError(t, unix.Stat(filepath.Join(dir, name), &st))
			assert.EqualValues(t, int64(i)*777, st.Size)
			assert.Equal(t, modified.Unix(), st.Mtim.Sec)
			st.Dev = 0 // of the mount
			all[name] = st
		}
		var st unix.Stat_t
		require.NoError(t, unix.Stat(filepath.Join(dir, "d"), &st))
		st.Dev = 0
		all["d"] = st
		return all
	}
	s := settings{cacheDir: t.TempDir()}
	p, dir := mountOrigin(t, origin, s)
	first := stat(dir)
	inodes := make(map[uint64]bool)
	for _, st := range first {
		inodes[st.Ino] = true
	}
	assert.Len(t, inodes, 21, "each has its own inode")
	require.NoError(t, p.stop(t, unix.SIGTERM))
	p, dir = mountOrigin(t, origin, s)
	assert.Equal(t, first, stat(dir))
	require.NoError(t, p.stop(t, unix.SIGTERM))

	_, dir = mountOrigin(t, origin, settings{})
	assert.Equal(t, first, stat(dir), "even without what was learnt before")

	assert.True(t, origin.Swap("d/f03", linksim.Pattern(77, 4444)))
	s.mount = `listing_ttl = "100ms"` // the old listing is on disk, and is shown until it is renewed
	_, dir = mountOrigin(t, origin, s)
	var st unix.Stat_t
	for began := time.Now(); st.Size != 4444; time.Sleep(20 * time.Millisecond) {
		require.NoError(t, unix.Stat(filepath.Join(dir, "d/f03"), &st))
		require.Less(t, time.Since(began), patience, "the old version stays")
	}
	assert.NotEqual(t, first["d/f03"].Ino, st.Ino, "another version is another inode")
	requireSame(t, contentOf(t, linksim.Pattern(77, 4444)), read(t, filepath.Join(dir, "d/f03")))
	require.NoError(t, unix.Stat(filepath.Join(dir, "d/f05"), &st))
	assert.Equal(t, first["d/f05"].Ino, st.Ino)
}
