package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	fusefs "github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// figures collects what a benchmark found, one value a sample, and reports the
// median of each. ns/op would say how long the setup took, so it is hidden.
type figures struct {
	units  []string
	values map[string][]float64
}

func (f *figures) add(unit string, value float64) {
	if f.values == nil {
		f.values = make(map[string][]float64)
	}
	if _, ok := f.values[unit]; !ok {
		f.units = append(f.units, unit)
	}
	f.values[unit] = append(f.values[unit], value)
}

func (f *figures) report(b *testing.B) {
	b.ReportMetric(0, "ns/op")
	for _, unit := range f.units {
		b.ReportMetric(quantile(f.values[unit], 0.5), unit)
	}
}

// quantile returns the q-th quantile of at least one value.
func quantile(values []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[int(q*float64(len(sorted)-1)+0.5)]
}

// since is how many seconds passed, never 0.
func since(began time.Time) float64 { return max(time.Since(began).Seconds(), 1e-9) }

// megabytes is a speed in MB/s of n bytes since began.
func megabytes(n int64, began time.Time) float64 { return float64(n) / 1e6 / since(began) }

// pullBuffers is where pull gets its memory: a thousand small files would
// otherwise measure how fast a megabyte is cleared.
var pullBuffers = sync.Pool{New: func() any { return new([mib + 4096]byte) }}

// pull reads r to the end with a megabyte at a time, as cp and dd do, and
// compares a block of each megabyte: all of them would cost more than they came for.
func pull(r io.Reader, c linksim.Content) error {
	shelf := pullBuffers.Get().(*[mib + 4096]byte)
	defer pullBuffers.Put(shelf)
	buf, expected := shelf[:mib], shelf[mib:]
	for off := int64(0); off < c.Size(); {
		n, err := io.ReadFull(r, buf[:min(mib, c.Size()-off)])
		if err != nil {
			return fmt.Errorf("at %d of %d: %w", off+int64(n), c.Size(), err)
		}
		if m, _ := c.ReadAt(expected, off); !bytes.Equal(expected[:m], buf[:min(m, n)]) {
			return fmt.Errorf("other bytes at %d", off)
		}
		off += int64(n)
	}
	if n, err := r.Read(buf[:1]); n != 0 || err != io.EOF {
		return fmt.Errorf("%d bytes and %v where the file ends", n, err)
	}
	return nil
}

// pullFile reads the file at path to its end.
func pullFile(path string, c linksim.Content) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return pull(f, c)
}

// pullSpeed is pullFile in MB/s.
func pullSpeed(tb testing.TB, path string, c linksim.Content) float64 {
	tb.Helper()
	began := time.Now()
	require.NoError(tb, pullFile(path, c))
	return megabytes(c.Size(), began)
}

// dropPages makes the kernel forget the pages of a file that nobody has open.
func dropPages(tb testing.TB, path string) {
	tb.Helper()
	f, err := os.Open(path)
	require.NoError(tb, err)
	defer func() { _ = f.Close() }()
	require.NoError(tb, unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED))
}

// directClient downloads without the mount, one connection for each caller at a time.
func directClient(tb testing.TB) *http.Client {
	t := &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 64}
	tb.Cleanup(t.CloseIdleConnections)
	return &http.Client{Transport: t}
}

// directDownload is a GET of an object, to its end.
func directDownload(c *http.Client, origin *linksim.Origin, id string, content linksim.Content) error {
	resp, err := c.Get(origin.FileURL(id))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	return pull(resp.Body, content)
}

// directSpeed is directDownload in MB/s.
func directSpeed(tb testing.TB, c *http.Client, origin *linksim.Origin, id string, content linksim.Content) float64 {
	tb.Helper()
	began := time.Now()
	require.NoError(tb, directDownload(c, origin, id, content))
	return megabytes(content.Size(), began)
}

// roundTrip is the median time in seconds of a GET of 4 KiB without the mount,
// on a connection that is there already.
func roundTrip(tb testing.TB, origin *linksim.Origin, id string) float64 {
	tb.Helper()
	c := directClient(tb)
	var times []float64
	for i := range 12 {
		req, err := http.NewRequest(http.MethodGet, origin.FileURL(id), nil)
		require.NoError(tb, err)
		req.Header.Set("Range", fmt.Sprintf("bytes=%d-%d", i<<20, i<<20+4095))
		began := time.Now()
		resp, err := c.Do(req)
		require.NoError(tb, err)
		n, err := io.Copy(io.Discard, resp.Body)
		require.NoError(tb, err)
		require.NoError(tb, resp.Body.Close())
		require.Equal(tb, int64(4096), n)
		times = append(times, since(began))
	}
	return quantile(times[1:], 0.5)
}

// cpuSeconds is what a process has used, by itself and in the kernel.
func cpuSeconds(tb testing.TB, pid int) float64 {
	tb.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(tb, err)
	// The name in parentheses may hold anything; the state follows it.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	require.Greater(tb, len(fields), 12)
	var ticks float64
	for _, field := range fields[11:13] { // utime and stime
		n, err := strconv.ParseFloat(field, 64)
		require.NoError(tb, err)
		ticks += n
	}
	return ticks / 100 // USER_HZ is 100 wherever Go runs
}

// peakMemory is the most that a process has had in memory, in MiB.
func peakMemory(tb testing.TB, pid int) float64 {
	tb.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(tb, err)
	_, rest, found := strings.Cut(string(status), "VmHWM:")
	require.True(tb, found)
	kib, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	require.NoError(tb, err)
	return kib / 1024
}

// nativeFile writes content to the local disk and leaves it in the page cache.
func nativeFile(tb testing.TB, content linksim.Content) string {
	tb.Helper()
	path := filepath.Join(tb.TempDir(), "native")
	f, err := os.Create(path)
	require.NoError(tb, err)
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, io.NewSectionReader(content, 0, content.Size()), make([]byte, mib))
	require.NoError(tb, err)
	require.NoError(tb, f.Sync()) // writing back must not disturb what is measured
	require.NoError(tb, f.Close())
	return path
}

// bareEnv makes the test binary be the least file system that go-fuse can be:
// what attachfs would cost if it had nothing to do. It is a process of its own,
// because a process that reads its own mount can deadlock.
const bareEnv = "ATTACHFS_E2E_BARE"

func init() {
	if os.Getenv(bareEnv) != "" {
		if err := serveBare(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
}

// mountBare mounts a bare file system with "file", which is native, and "list",
// a directory of n files that have the first 4 KiB of it.
func mountBare(tb testing.TB, native string, n int) string {
	tb.Helper()
	dir, _ := mountLeast(tb, n, native)
	return dir
}

// mountPipe mounts a bare file system of files "0", "1" and so on that come from
// URLs, and are nowhere kept; the second result is its process.
func mountPipe(tb testing.TB, urls ...string) (dir string, pid int) {
	tb.Helper()
	return mountLeast(tb, 0, urls...)
}

func mountLeast(tb testing.TB, n int, sources ...string) (dir string, pid int) {
	tb.Helper()
	needFUSE(tb)
	dir = tb.TempDir()
	cmd := exec.Command(os.Args[0], append([]string{dir, strconv.Itoa(n)}, sources...)...)
	cmd.Env = append(os.Environ(), bareEnv+"=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, cmd.Start())
	exited := make(chan error, 1)
	ready := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(out).ReadString('\n')
		ready <- line
		exited <- cmd.Wait()
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM)
		select {
		case err := <-exited:
			assert.NoError(tb, err)
		case <-time.After(patience):
			_ = cmd.Process.Kill()
			<-exited
			assert.Fail(tb, "the bare mount did not end")
		}
		_ = unix.Unmount(dir, unix.MNT_DETACH) // what a killed process left behind
	})
	select {
	case line := <-ready:
		require.Equal(tb, "ready\n", line)
	case <-time.After(patience):
		require.FailNow(tb, "the bare mount is not there in time")
	}
	return dir, cmd.Process.Pid
}

func serveBare(dir, entries string, sources []string) error {
	n, err := strconv.Atoi(entries)
	if err != nil {
		return err
	}
	root := &bareRoot{entries: n}
	if strings.HasPrefix(sources[0], "http") {
		root.pipes, err = newPipes(sources)
	} else {
		root.file, err = newBareFile(sources[0])
	}
	if err != nil {
		return err
	}
	minute := time.Minute
	// What attachfs asks for, too.
	server, err := fusefs.Mount(dir, root, &fusefs.Options{
		EntryTimeout: &minute, AttrTimeout: &minute,
		MountOptions: fuse.MountOptions{
			FsName: "bare", Options: []string{"ro", "default_permissions"}, DirectMount: true,
			MaxWrite: 1 << 20, MaxBackground: 128, DisableSplice: true, DisableXAttrs: true,
			ExplicitDataCacheControl: true, ExtraCapabilities: fuse.CAP_READDIRPLUS_AUTO,
		},
	})
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if unix.Lstat(dir, &st) == nil {
		bdi := fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev))
		_ = os.WriteFile(bdi, []byte("1024"), 0o644) // ours does it, and may not be allowed to either
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, unix.SIGTERM)
	go func() {
		<-stop
		_ = server.Unmount()
	}()
	fmt.Println("ready")
	server.Wait()
	return nil
}

type bareRoot struct {
	fusefs.Inode
	file    *bareFile
	pipes   []*barePipe // instead of the file
	entries int
}

func (r *bareRoot) OnAdd(ctx context.Context) {
	for i, p := range r.pipes {
		attr := fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: firstBare + uint64(i)}
		r.AddChild(strconv.Itoa(i), r.NewPersistentInode(ctx, p, attr), false)
	}
	if r.file == nil {
		return
	}
	r.AddChild("file", r.NewPersistentInode(ctx, r.file, fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: 2}), false)
	list := &bareDir{names: make([]string, r.entries)}
	inode := r.NewPersistentInode(ctx, list, fusefs.StableAttr{Mode: syscall.S_IFDIR, Ino: 3})
	r.AddChild("list", inode, false)
	for i := range list.names {
		list.names[i] = smallName(i)
		attr := fusefs.StableAttr{Mode: syscall.S_IFREG, Ino: firstBare + uint64(i)}
		list.AddChild(list.names[i], list.NewPersistentInode(ctx, &bareFile{native: r.file.native, size: 4096}, attr), false)
	}
}

// firstBare is the inode number of the first file of bareDir.
const firstBare = 100

func smallName(i int) string { return fmt.Sprintf("file %06d.bin", i) }

// bareFile answers from a local file.
type bareFile struct {
	fusefs.Inode
	native *os.File
	size   uint64
}

func newBareFile(native string) (*bareFile, error) {
	f, err := os.Open(native)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	return &bareFile{native: f, size: uint64(info.Size())}, nil
}

func (f *bareFile) Getattr(_ context.Context, _ fusefs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	out.Mode, out.Size, out.Nlink = 0o444, f.size, 1
	return 0
}

func (f *bareFile) Open(context.Context, uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return nil, fuse.FOPEN_KEEP_CACHE | fuse.FOPEN_NOFLUSH, 0
}

func (f *bareFile) Read(_ context.Context, _ fusefs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n, err := f.native.ReadAt(dest[:min(len(dest), max(0, int(int64(f.size)-off)))], off)
	if err != nil && err != io.EOF {
		return nil, syscall.EIO
	}
	return fuse.ReadResultData(dest[:n]), 0
}

// bareDir lets the kernel keep its listing.
type bareDir struct {
	fusefs.Inode
	names []string
}

func (d *bareDir) OpendirHandle(context.Context, uint32) (fusefs.FileHandle, uint32, syscall.Errno) {
	return &bareListing{dir: d}, fuse.FOPEN_CACHE_DIR | fuse.FOPEN_KEEP_CACHE, 0
}

type bareListing struct {
	dir *bareDir
	pos int
}

func (l *bareListing) Readdirent(context.Context) (*fuse.DirEntry, syscall.Errno) {
	if l.pos == len(l.dir.names) {
		return nil, 0
	}
	e := &fuse.DirEntry{Name: l.dir.names[l.pos], Mode: syscall.S_IFREG, Ino: firstBare + uint64(l.pos), Off: uint64(l.pos) + 1}
	l.pos++
	return e, 0
}

func (l *bareListing) Seekdir(_ context.Context, off uint64) syscall.Errno {
	l.pos = int(off)
	return 0
}

var (
	_ = (fusefs.NodeOnAdder)((*bareRoot)(nil))
	_ = (fusefs.NodeGetattrer)((*bareFile)(nil))
	_ = (fusefs.NodeOpener)((*bareFile)(nil))
	_ = (fusefs.NodeReader)((*bareFile)(nil))
	_ = (fusefs.NodeOpendirHandler)((*bareDir)(nil))
	_ = (fusefs.FileReaddirenter)((*bareListing)(nil))
	_ = (fusefs.FileSeekdirer)((*bareListing)(nil))
)
