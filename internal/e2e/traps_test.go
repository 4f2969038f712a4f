package e2e_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// trapOrigin is startOrigin for tests in which nothing may ever send a HEAD.
func trapOrigin(t *testing.T, opts ...linksim.Option) *linksim.Origin {
	t.Helper()
	origin := startOrigin(t, opts...)
	t.Cleanup(func() { assert.Zero(t, origin.Counts().Heads, "HEAD is never sent") })
	return origin
}

// shapes of files, by how they are fetched.
const (
	small   = "small"   // of known size, by one GET without a range
	large   = "large"   // of known size, by ranges
	hidden  = "hidden"  // of unknown size, learnt from a ranged GET
	counted = "counted" // of unknown size, by one GET of a link with two uses
)

func shaped(shape, path string, seed uint64) linksim.Object {
	o := linksim.Object{Path: path, Content: linksim.Pattern(seed, 300_001)}
	switch shape {
	case large:
		o.Content = linksim.Pattern(seed, 6*mib+1234)
	case hidden:
		o.HideSize = true
	case counted:
		o.HideSize, o.Terms.Uses = true, 2
	}
	return o
}

// lie is something untrue that an origin says of one file.
type lie struct {
	name   string // of the test and of the file
	object linksim.Object
	fault  linksim.Fault
	// harmless: what is true can be told from what is said.
	harmless bool
	errno    unix.Errno // of reading the file while it is told
}

func lies() []lie {
	var all []lie
	add := func(name string, f linksim.Fault, harmless string, shapes ...string) {
		for _, shape := range shapes {
			l := lie{name: fmt.Sprintf("%s of %s", name, shape), fault: f, harmless: strings.Contains(harmless, shape), errno: unix.EIO}
			refusal := bytes.HasPrefix(f.Body, []byte("{")) || bytes.Contains(f.Body, []byte("AccessDenied"))
			// Of a reply without length nobody knows what it is before its end.
			if whole := shape == small || shape == large; refusal && (f.Header == nil || !whole) {
				l.errno = unix.EACCES // that is what the page says
			}
			l.object = shaped(shape, l.name+".pdf", uint64(1000+len(all)))
			all = append(all, l)
		}
	}
	for _, kind := range []linksim.FaultKind{linksim.WrongStart, linksim.NoContentRange, linksim.MultipartRanges} {
		add(string(kind), linksim.Fault{Kind: kind}, "", large, hidden)
	}
	add("200-to-range", linksim.Fault{Kind: linksim.Whole200}, large+hidden, large, hidden)
	add("wrong-total", linksim.Fault{Kind: linksim.WrongTotal}, "", large)
	add("short-body", linksim.Fault{Kind: linksim.ShortBody}, "", small, large, hidden)
	add("long-body", linksim.Fault{Kind: linksim.LongBody}, "", small, large, hidden)
	// What is beyond the end of a range that the reply names need not be read.
	add("long-chunked", linksim.Fault{Kind: linksim.LongChunked}, large+hidden, small, large, hidden)
	add("gzip", linksim.Fault{Kind: linksim.Gzip}, "", small, large, hidden, counted)
	for _, page := range []struct{ name, body string }{
		{"html", "<html><body>Please log in</body></html>"},
		{"json", `{"code":99991663,"msg":"token expired"}`},
		{"xml", `<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>`},
	} {
		f := linksim.Fault{Kind: linksim.Page200, Body: []byte(page.body)}
		add("page of "+page.name, f, "", small, large, hidden, counted)
		// net/http takes this for the wish to send no length.
		f.Header = http.Header{"Transfer-Encoding": {"chunked"}}
		add("chunked page of "+page.name, f, "", small, large, hidden, counted)
	}
	return all
}

func TestLie_ToldOnceCostsOneFreshLink(t *testing.T) {
	origin := trapOrigin(t)
	for _, l := range lies() {
		origin.Put(l.object)
		l.fault.Times = 1
		origin.Inject(l.object.Path, l.fault)
	}
	_, dir := mountOrigin(t, origin, settings{})
	for _, l := range lies() {
		t.Run(l.name, func(t *testing.T) {
			requireSame(t, contentOf(t, l.object.Content), read(t, filepath.Join(dir, l.object.Path)))
			links := 2
			if l.harmless {
				links = 1
			}
			assert.Equal(t, links, origin.CountsOf(l.object.Path).LinksIssued)
			assert.Zero(t, origin.CountsOf(l.object.Path).OverUses)
		})
	}
}

func TestLie_AlwaysTold(t *testing.T) {
	t.Parallel()
	origin := trapOrigin(t)
	for _, l := range lies() {
		origin.Put(l.object)
		origin.Inject(l.object.Path, l.fault)
	}
	cacheDir := t.TempDir()
	p, dir := mountOrigin(t, origin, settings{cacheDir: cacheDir})
	for _, l := range lies() {
		t.Run(l.name, func(t *testing.T) {
			path, want := filepath.Join(dir, l.object.Path), contentOf(t, l.object.Content)
			if l.harmless {
				requireSame(t, want, read(t, path))
				return
			}
			requireFails(t, path, want, l.errno)
			counts := origin.CountsOf(l.object.Path)
			assert.LessOrEqual(t, counts.LinksIssued, 6)
			// Places that the kernel asks for at once share a link.
			assert.LessOrEqual(t, counts.Gets, 16)
		})
	}
	origin.ClearFaults()
	require.NoError(t, p.cmd.Process.Signal(unix.SIGHUP)) // refusals are remembered for a minute
	for _, l := range lies() {
		t.Run(l.name+", then the truth", func(t *testing.T) {
			requireSame(t, contentOf(t, l.object.Content), readInTime(t, filepath.Join(dir, l.object.Path)))
		})
	}
	require.NoError(t, p.stop(t, unix.SIGTERM))
	_, dir = mountOrigin(t, origin, settings{cacheDir: cacheDir})
	for _, l := range lies() {
		t.Run(l.name+", then mounted again", func(t *testing.T) {
			requireSame(t, contentOf(t, l.object.Content), read(t, filepath.Join(dir, l.object.Path)))
		})
	}
}

// requireFails reads a file that cannot be read: what comes before the error
// must be the file's bytes.
func requireFails(t *testing.T, path string, want []byte, errnos ...syscall.Errno) {
	t.Helper()
	got, err := readRaw(path)
	require.Error(t, err)
	requireErrno(t, err, errnos...)
	requirePrefix(t, want, got)
}

// readRaw is os.ReadFile without the runtime's poller, where a read that fails
// with EAGAIN would wait for ever.
func readRaw(path string) (b []byte, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }()
	buf := make([]byte, 128<<10)
	for {
		n, err := unix.Read(fd, buf)
		if err != nil {
			return b, &os.PathError{Op: "read", Path: path, Err: err}
		}
		if n == 0 {
			return b, nil
		}
		b = append(b, buf[:n]...)
	}
}

func requireErrno(t *testing.T, err error, errnos ...syscall.Errno) {
	t.Helper()
	var got syscall.Errno
	require.ErrorAs(t, err, &got)
	require.Containsf(t, errnos, got, "errno %d: %v", int(got), err)
}

func requirePrefix(t *testing.T, want, got []byte) {
	t.Helper()
	require.LessOrEqual(t, len(got), len(want))
	requireSame(t, want[:len(got)], got)
}

// readInTime reads a file that may fail for a while yet, such as while a
// refusal is remembered.
func readInTime(t *testing.T, path string) []byte {
	t.Helper()
	for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		b, err := readRaw(path)
		if err == nil {
			return b
		}
		if time.Since(began) > patience {
			require.NoError(t, err)
		}
	}
}

func openFile(t *testing.T, path string) *os.File {
	t.Helper()
	f, err := os.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// requireAt reads n bytes at off and compares them.
func requireAt(t *testing.T, f *os.File, content linksim.Content, off int64, n int) {
	t.Helper()
	want, got := make([]byte, n), make([]byte, n)
	if _, err := content.ReadAt(want, off); err != io.EOF {
		require.NoError(t, err)
	}
	_, err := f.ReadAt(got, off)
	require.NoErrorf(t, err, "at %d", off)
	requireSame(t, want, got)
}

// failsAt reads at off, where the handle must have nothing to show.
func failsAt(t *testing.T, f *os.File, off int64, errnos ...syscall.Errno) {
	t.Helper()
	n, err := f.ReadAt(make([]byte, 4096), off)
	require.Errorf(t, err, "%d bytes at %d", n, off)
	requireErrno(t, err, errnos...)
}

func inodeOf(t *testing.T, path string) uint64 {
	t.Helper()
	info, err := os.Stat(path)
	require.NoError(t, err)
	return info.Sys().(*syscall.Stat_t).Ino
}

func TestWhole200_ReadInTheMiddleOfALargeFile(t *testing.T) {
	origin := trapOrigin(t)
	content := linksim.Pattern(20, 40*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	origin.Inject("f", linksim.Fault{Kind: linksim.Whole200})
	_, dir := mountOrigin(t, origin, settings{})
	f := openFile(t, filepath.Join(dir, "f"))
	requireAt(t, f, content, 23*mib+777, 50_000)
	requireAt(t, f, content, 3*mib+777, 50_000)
	requireSame(t, contentOf(t, content), read(t, f.Name()))
	assert.Equal(t, 1, origin.Counts().Gets, "the whole file came with the first answer")
}

// A page that a link answers with instead of a range, after it served.
func TestPage200_InMidRead(t *testing.T) {
	origin := trapOrigin(t)
	content := linksim.Pattern(34, 16*mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	_, dir := mountOrigin(t, origin, settings{})
	f := openFile(t, filepath.Join(dir, "f"))
	requireAt(t, f, content, 3*mib, 4096)
	origin.Inject("f", linksim.Fault{Kind: linksim.Page200, Times: 1})
	requireAt(t, f, content, 9*mib, 4096)
	assert.Equal(t, 2, origin.Counts().LinksIssued)
}

// A total that is wrong while the size is learnt cannot be known to be wrong;
// it must not stay.
func TestWrongTotal_WhileTheSizeIsLearnt(t *testing.T) {
	for _, times := range []int{1, 0} {
		t.Run(fmt.Sprintf("told %d times (0 is always)", times), func(t *testing.T) {
			origin := trapOrigin(t)
			content := linksim.Pattern(21, 300_001)
			origin.Put(linksim.Object{Path: "f", Content: content, HideSize: true})
			origin.Inject("f", linksim.Fault{Kind: linksim.WrongTotal, Times: times})
			cacheDir := t.TempDir()
			p, dir := mountOrigin(t, origin, settings{cacheDir: cacheDir})
			requireFails(t, filepath.Join(dir, "f"), contentOf(t, content), unix.EIO, unix.ESTALE)
			origin.ClearFaults()
			requireSame(t, contentOf(t, content), readInTime(t, filepath.Join(dir, "f")))
			require.NoError(t, p.stop(t, unix.SIGTERM))
			_, dir = mountOrigin(t, origin, settings{cacheDir: cacheDir})
			requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, "f")))
		})
	}
}

// sizes are those of new content in place of 16 MiB.
var sizes = []int64{16 * mib, 11 * mib, 19*mib + 1}

// validators are what an origin may show to tell contents apart.
var validators = []struct {
	name string
	linksim.Behaviour
}{
	{"strong ETag", linksim.Behaviour{}},
	{"ETag alone", linksim.Behaviour{NoLastModified: true}},
	{"weak ETag", linksim.Behaviour{WeakETag: true}},
	{"ETag per link", linksim.Behaviour{ETagPerLink: true}},
	{"date alone", linksim.Behaviour{NoETag: true}},
	{"total not told", linksim.Behaviour{RangeOnlyStar: true}},
	{"length not told", linksim.Behaviour{NoLength: true}},
	{"out of range is 200", linksim.Behaviour{OutOfRangeIs200: true}},
}

func TestSwappedContent_WhileOpen(t *testing.T) {
	t.Parallel()
	origin := trapOrigin(t)
	old := linksim.Pattern(22, 16*mib)
	name := func(validator string, size int64) string { return fmt.Sprintf("%s, %d bytes", validator, size) }
	for _, b := range validators {
		for _, size := range sizes {
			origin.Put(linksim.Object{Path: name(b.name, size), Content: old, Behaviour: b.Behaviour})
		}
	}
	_, dir := mountOrigin(t, origin, settings{})
	for _, b := range validators {
		for _, size := range sizes {
			t.Run(name(b.name, size), func(t *testing.T) {
				path, fresh := filepath.Join(dir, name(b.name, size)), linksim.Pattern(23, size)
				ino, f := inodeOf(t, path), openFile(t, path)
				requireAt(t, f, old, 3*mib, 4096)
				origin.Swap(name(b.name, size), fresh)
				failsAt(t, f, 9*mib, unix.ESTALE)
				requireSame(t, contentOf(t, fresh), read(t, path))
				assert.NotEqual(t, ino, inodeOf(t, path), "other content is another inode")
				failsAt(t, f, 10*mib, unix.ESTALE)
				got := make([]byte, 4096)
				if _, err := f.ReadAt(got, 3*mib); err == nil { // still remembered
					requireSame(t, contentOf(t, old)[3*mib:3*mib+4096], got)
				} else {
					requireErrno(t, err, unix.ESTALE)
				}
			})
		}
	}
}

// changing is a file that gets other content.
type changing struct {
	linksim.Object
	fresh linksim.Content
}

// changings are files of 16 MiB, n of each kind.
func changings(n int) []changing {
	var all []changing
	for _, hideVersion := range []bool{false, true} {
		for _, hideSize := range []bool{false, true} {
			for _, size := range sizes {
				for i := range n {
					all = append(all, changing{linksim.Object{
						Path:    fmt.Sprintf("version hidden %v, size hidden %v, %d bytes, %d", hideVersion, hideSize, size, i),
						Content: linksim.Pattern(24, 16*mib), HideVersion: hideVersion, HideSize: hideSize,
					}, linksim.Pattern(25, size)})
				}
			}
		}
	}
	return all
}

// readHalf leaves half of a file in the cache and in the kernel.
func readHalf(t *testing.T, dir string, c changing) {
	t.Helper()
	f := openFile(t, filepath.Join(dir, c.Path))
	requireAt(t, f, c.Content, 0, 8*mib)
	require.NoError(t, f.Close())
}

// Half of the old content is here, and nobody looks when it changes. The next
// reader finds the new, or ESTALE before that: never a mixture. There are
// several files, because the kernel gives the last handle back a little later.
func TestSwappedContent_WhileClosed(t *testing.T) {
	t.Parallel()
	origin, all := trapOrigin(t), changings(2)
	for _, c := range all {
		origin.Put(c.Object)
	}
	_, dir := mountOrigin(t, origin, settings{read: `window = "1MiB"`})
	for _, c := range all {
		readHalf(t, dir, c)
	}
	for _, c := range all {
		origin.Swap(c.Path, c.fresh)
	}
	for _, c := range all {
		t.Run(c.Path, func(t *testing.T) { requireNewOrStale(t, filepath.Join(dir, c.Path), c.Content, c.fresh) })
	}
}

func requireNewOrStale(t *testing.T, path string, old, fresh linksim.Content) {
	t.Helper()
	got, err := readRaw(path)
	if err != nil {
		requireErrno(t, err, unix.ESTALE)
		requirePrefix(t, contentOf(t, old), got)
		got = read(t, path)
	}
	requireSame(t, contentOf(t, fresh), got)
}

func TestSwappedContent_AcrossARemount(t *testing.T) {
	t.Parallel()
	origin, all := trapOrigin(t), changings(1)
	for _, c := range all {
		origin.Put(c.Object)
	}
	s := settings{cacheDir: t.TempDir(), read: `window = "1MiB"`}
	p, dir := mountOrigin(t, origin, s)
	for _, c := range all {
		readHalf(t, dir, c)
	}
	require.NoError(t, p.stop(t, unix.SIGTERM))
	for _, c := range all {
		origin.Swap(c.Path, c.fresh)
	}
	_, dir = mountOrigin(t, origin, s)
	for _, c := range all {
		t.Run(c.Path, func(t *testing.T) { requireNewOrStale(t, filepath.Join(dir, c.Path), c.Content, c.fresh) })
	}
}

// All of the old content is in the kernel's pages when the listing shows
// another time.
func TestSwappedContent_SeenByTheListing(t *testing.T) {
	origin := trapOrigin(t)
	old := linksim.Pattern(26, 300_001)
	_, dir := mountOrigin(t, origin, settings{mount: "listing_ttl = \"100ms\"\nattr_timeout = \"100ms\"\nentry_timeout = \"100ms\"\nnegative_timeout = \"0s\""})
	for _, hideVersion := range []bool{false, true} {
		for _, size := range []int64{300_001, 200_001, 400_001} {
			name := fmt.Sprintf("version hidden %v, %d bytes", hideVersion, size)
			t.Run(name, func(t *testing.T) {
				origin.Put(linksim.Object{Path: name, Content: old, HideVersion: hideVersion})
				path, fresh := filepath.Join(dir, name), linksim.Pattern(27, size)
				wantOld, wantNew := contentOf(t, old), contentOf(t, fresh)
				requireSame(t, wantOld, readInTime(t, path))
				origin.Swap(name, fresh)
				for began := time.Now(); ; time.Sleep(50 * time.Millisecond) {
					require.Less(t, time.Since(began), patience/2, "the old content stays")
					got, err := readRaw(path)
					switch {
					case err != nil:
						requireErrno(t, err, unix.ESTALE)
					case bytes.Equal(got, wantNew):
						return
					default:
						requireSame(t, wantOld, got)
					}
				}
			})
		}
	}
}

// A reply that is on its way is of the old content to its end.
func TestSwappedContent_TransferUnderWayGoesOn(t *testing.T) {
	origin := trapOrigin(t)
	old := linksim.Pattern(35, 8*mib)
	origin.Put(linksim.Object{Path: "f", Content: old, Behaviour: linksim.Behaviour{NoRanges: true, BytesPerSecond: 8 * mib}})
	_, dir := mountOrigin(t, origin, settings{})
	f := openFile(t, filepath.Join(dir, "f"))
	requireAt(t, f, old, 0, 4096)
	origin.Swap("f", linksim.Pattern(36, 8*mib))
	requireAt(t, f, old, 0, 8*mib)
	assert.Equal(t, 1, origin.Counts().Gets)
}

func TestETagPerLink_ReadsOnAcrossLinks(t *testing.T) {
	for _, hide := range []bool{false, true} {
		t.Run(fmt.Sprintf("size hidden %v", hide), func(t *testing.T) {
			origin := trapOrigin(t)
			content := linksim.Pattern(28, 16*mib)
			origin.Put(linksim.Object{Path: "f", Content: content, HideSize: hide, Behaviour: linksim.Behaviour{ETagPerLink: true}})
			cacheDir := t.TempDir()
			p, dir := mountOrigin(t, origin, settings{cacheDir: cacheDir})
			f := openFile(t, filepath.Join(dir, "f"))
			requireAt(t, f, content, 3*mib, 4096)
			origin.ExpireLinks()
			requireAt(t, f, content, 9*mib, 4096)
			origin.ExpireLinks()
			requireAt(t, f, content, 6*mib, 4096)
			assert.Equal(t, 3, origin.Counts().LinksIssued)
			require.NoError(t, f.Close())
			require.NoError(t, p.stop(t, unix.SIGTERM))
			_, dir = mountOrigin(t, origin, settings{cacheDir: cacheDir})
			requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, "f")))
		})
	}
}

func TestWeakETag_IsNoEvidence(t *testing.T) {
	origin := trapOrigin(t)
	object := linksim.Object{
		Path: "f", Content: linksim.Pattern(29, 16*mib), ETag: `"one"`,
		ModTime: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Behaviour: linksim.Behaviour{WeakETag: true},
	}
	origin.Put(object)
	_, dir := mountOrigin(t, origin, settings{})
	f := openFile(t, filepath.Join(dir, "f"))
	requireAt(t, f, object.Content, 3*mib, 4096)
	object.ETag = `"two"`
	origin.Put(object)
	requireAt(t, f, object.Content, 9*mib, 4096)
	assert.Equal(t, 1, origin.Counts().LinksIssued)
}

func TestNoETagNoDate_ReadsOnAcrossLinks(t *testing.T) {
	for _, hide := range []bool{false, true} {
		t.Run(fmt.Sprintf("size hidden %v", hide), func(t *testing.T) {
			origin := trapOrigin(t)
			content := linksim.Pattern(30, 16*mib)
			origin.Put(linksim.Object{Path: "f", Content: content, HideSize: hide, Behaviour: linksim.Behaviour{NoETag: true, NoLastModified: true}})
			_, dir := mountOrigin(t, origin, settings{})
			f := openFile(t, filepath.Join(dir, "f"))
			requireAt(t, f, content, 3*mib, 4096)
			origin.ExpireLinks()
			requireAt(t, f, content, 9*mib, 4096)
			requireSame(t, contentOf(t, content), read(t, f.Name()))
			assert.Equal(t, 2, origin.Counts().LinksIssued)
		})
	}
}

// omissions are what an origin may leave out or ignore without lying.
var omissions = []struct {
	name string
	linksim.Behaviour
}{
	{"nothing", linksim.Behaviour{}},
	{"length", linksim.Behaviour{NoLength: true}},
	{"total", linksim.Behaviour{RangeOnlyStar: true}},
	{"length and total", linksim.Behaviour{NoLength: true, RangeOnlyStar: true}},
	{"ranges", linksim.Behaviour{NoRanges: true}},
	{"ranges and length", linksim.Behaviour{NoRanges: true, NoLength: true}},
	{"ranges, length and validators", linksim.Behaviour{NoRanges: true, NoLength: true, NoETag: true, NoLastModified: true}},
	{"416", linksim.Behaviour{OutOfRangeIs200: true}},
}

func TestUnknownLength_TrueSizeBeforeOpen(t *testing.T) {
	t.Parallel()
	origin := trapOrigin(t)
	var objects []linksim.Object
	for _, b := range omissions {
		for _, uses := range []int{0, 2} {
			for _, size := range []int64{0, 1, 65_536, 300_001, 20*mib + 17} {
				objects = append(objects, linksim.Object{
					Path:    fmt.Sprintf("%s left out, %d uses, %d bytes", b.name, uses, size),
					Content: linksim.Pattern(31, size), HideSize: true, Behaviour: b.Behaviour, Terms: linksim.Terms{Uses: uses},
				})
				origin.Put(objects[len(objects)-1])
			}
		}
	}
	_, dir := mountOrigin(t, origin, settings{})
	for _, o := range objects {
		t.Run(o.Path, func(t *testing.T) {
			info, err := os.Stat(filepath.Join(dir, o.Path))
			require.NoError(t, err)
			assert.Equal(t, o.Content.Size(), info.Size())
			requireSame(t, contentOf(t, o.Content), read(t, filepath.Join(dir, o.Path)))
			if o.Terms.Uses > 0 || o.Behaviour.NoRanges && o.Behaviour.NoLength {
				assert.Equal(t, 1, origin.CountsOf(o.Path).Gets)
				assert.Zero(t, origin.CountsOf(o.Path).OverUses)
			}
		})
	}
}

func TestKnownSize_WhateverTheOriginLeavesOut(t *testing.T) {
	origin := trapOrigin(t)
	var objects []linksim.Object
	for _, b := range omissions {
		for _, size := range []int64{0, 1, 300_001, 20*mib + 17} {
			objects = append(objects, linksim.Object{
				Path:    fmt.Sprintf("%s left out, %d bytes", b.name, size),
				Content: linksim.Pattern(32, size), Behaviour: b.Behaviour,
			})
			origin.Put(objects[len(objects)-1])
		}
	}
	_, dir := mountOrigin(t, origin, settings{})
	for _, o := range objects {
		t.Run(o.Path, func(t *testing.T) {
			path, size := filepath.Join(dir, o.Path), o.Content.Size()
			if size > mib {
				requireAt(t, openFile(t, path), o.Content, size-4096, 4096)
			}
			requireSame(t, contentOf(t, o.Content), read(t, path))
			for _, r := range origin.Requests() {
				if r.ID == o.Path {
					assert.Less(t, lastAsked(r.Range), size, "never asked beyond the end")
				}
			}
		})
	}
}

// lastAsked is the last byte that a Range header asks for, -1 if it names none.
func lastAsked(header string) int64 {
	var first, last int64
	if n, _ := fmt.Sscanf(header, "bytes=%d-%d", &first, &last); n < 2 {
		return -1
	}
	return last
}

func TestNoRanges_OneGETForRandomReaders(t *testing.T) {
	no := false
	for name, terms := range map[string]linksim.Terms{"told": {Ranged: &no}, "found out": {}} {
		for _, n := range []int{1, 4} {
			t.Run(fmt.Sprintf("%s, %d readers", name, n), func(t *testing.T) {
				origin := trapOrigin(t)
				content := linksim.Pattern(33, 12*mib)
				origin.Put(linksim.Object{Path: "f", Content: content, Terms: terms, Behaviour: linksim.Behaviour{NoRanges: true}})
				_, dir := mountOrigin(t, origin, settings{})
				path := filepath.Join(dir, "f")
				held := openFile(t, path)
				var readers sync.WaitGroup
				for range n {
					readers.Go(func() { randomReads(t, path, content, 30) })
				}
				readers.Wait()
				requireAt(t, held, content, 0, 12*mib)
				gets := 1
				if terms.Ranged == nil {
					gets = n // those that are there before the first answer
				}
				assert.LessOrEqual(t, origin.Counts().Gets, gets)
			})
		}
	}
}

// What was fetched by one handle is not fetched again for the next.
func TestNoRanges_OneGETForReadersInTurn(t *testing.T) {
	for _, hide := range []bool{false, true} {
		t.Run(fmt.Sprintf("size hidden %v", hide), func(t *testing.T) {
			no := false
			origin := trapOrigin(t)
			content := linksim.Pattern(37, 12*mib)
			origin.Put(linksim.Object{Path: "f", Content: content, HideSize: hide, Terms: linksim.Terms{Ranged: &no}, Behaviour: linksim.Behaviour{NoRanges: true}})
			_, dir := mountOrigin(t, origin, settings{})
			_ = inodeOf(t, filepath.Join(dir, "f"))
			origin.ResetCounts()
			for i := range int64(10) {
				f := openFile(t, filepath.Join(dir, "f"))
				requireAt(t, f, content, i*mib+5, 4096)
				require.NoError(t, f.Close())
			}
			assert.LessOrEqual(t, origin.Counts().Gets, 1)
		})
	}
}
