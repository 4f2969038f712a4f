package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// forgetful lets the kernel remember nothing, so that a test sees what attachfs
// itself remembers.
const forgetful = "attr_timeout = \"0s\"\nentry_timeout = \"0s\"\nnegative_timeout = \"0s\"\n"

func TestSignal_Unmounts(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGINT, unix.SIGTERM} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			p := mount(t, settings{providers: []string{manifestProvider("files", newScene(t).path("list.json"))}})
			_, err := os.ReadDir(filepath.Join(p.dir, "files"))
			require.NoError(t, err)
			assert.NoError(t, p.stop(t, sig))
			assert.Empty(t, mountLine(t, p.dir))
		})
	}
}

func TestSignal_BusyIsDetachedAndToldWhy(t *testing.T) {
	for _, sig := range []syscall.Signal{unix.SIGINT, unix.SIGTERM} {
		t.Run(unix.SignalName(sig), func(t *testing.T) {
			origin := startOrigin(t)
			content := linksim.Pattern(1, 8*mib)
			origin.Put(linksim.Object{Path: "f", Content: content})
			p, dir := mountOrigin(t, origin, settings{})
			busy := holder(t, filepath.Join(dir, "f"))
			f, err := os.Open(filepath.Join(dir, "f"))
			require.NoError(t, err)
			defer func() { _ = f.Close() }()

			require.NoError(t, p.cmd.Process.Signal(sig))
			said := regexp.MustCompile(fmt.Sprintf(`(?m)^attachfs: %s is in use by .*\Qsleep (pid %d)\E.*: detached`, p.dir, busy.Process.Pid))
			require.Eventually(t, func() bool { return said.MatchString(p.log.String()) }, patience, 5*time.Millisecond)
			assert.Empty(t, mountLine(t, p.dir))
			requireSame(t, contentOf(t, content), readAll(t, f))

			// When nobody is left, it ends by itself.
			letGo(busy)
			require.NoError(t, f.Close())
			awaitEnd(t, p.exited)
			assert.NoError(t, p.err)
		})
	}
}

// readAll reads f from its beginning.
func readAll(tb testing.TB, f *os.File) []byte {
	tb.Helper()
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 1<<40))
	require.NoError(tb, err)
	return b
}

func TestSignal_SecondOneEnds(t *testing.T) {
	needFUSE(t)
	origin := startOrigin(t)
	origin.Put(linksim.Object{Path: "f", Content: linksim.Pattern(1, mib)})
	s := newScene(t)
	s.write(t, "config.toml", "[cache]\ndir = \"cache\"\n[[provider]]\n"+simProvider("sim", origin))
	p := s.start(t, s.mount())
	p.await("mounted ")
	holder(t, filepath.Join(s.mnt, "sim/f"))
	require.NoError(t, p.cmd.Process.Signal(unix.SIGINT))
	p.awaitIn(p.err, "detached")
	assert.Equal(t, 1, p.end(unix.SIGINT))
	// The end of the grace period has other words.
	assert.Regexp(t, `(?m)^attachfs: ended while files were still open$`, p.err.String())
}

// stuckPipe is a pipe that takes no byte until it is read: who begins to say
// something there is held at that point.
func stuckPipe(tb testing.TB) (r, w *os.File) {
	tb.Helper()
	r, w, err := os.Pipe()
	require.NoError(tb, err)
	tb.Cleanup(func() { _, _ = r.Close(), w.Close() })
	size, err := unix.FcntlInt(w.Fd(), unix.F_SETPIPE_SZ, 1) // rounded up
	require.NoError(tb, err)
	_, err = w.Write(make([]byte, size))
	require.NoError(tb, err)
	return r, w
}

// signalEarly sends SIGTERM to cmd once something is mounted in the scene,
// before the program could say so, and returns the exit code.
func (s scene) signalEarly(tb testing.TB, cmd *exec.Cmd) int {
	tb.Helper()
	r, w := stuckPipe(tb)
	cmd.Stdout = w
	p := s.start(tb, cmd)
	require.NoError(tb, w.Close())
	require.Eventually(tb, func() bool { return s.mounted(tb) }, patience, time.Millisecond)
	require.NoError(tb, cmd.Process.Signal(unix.SIGTERM))
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		_, _ = io.Copy(io.Discard, r)
	}()
	code := p.wait()
	awaitEnd(tb, drained)
	return code
}

func TestSignal_BeforeItSaysMounted(t *testing.T) {
	needFUSE(t)
	s := newScene(t)
	s.write(t, "config.toml", listProvider)
	assert.Equal(t, 0, s.signalEarly(t, s.mount()))
	assert.False(t, s.mounted(t), "left behind")
}

func TestHangUp_DropsListings(t *testing.T) {
	origin := startOrigin(t)
	origin.Put(linksim.Object{Path: "d/old", Content: linksim.Pattern(1, 10)})
	p, dir := mountOrigin(t, origin, settings{mount: `listing_ttl = "1h"`})
	dir = filepath.Join(dir, "d")
	requireNames(t, dir, "old")
	origin.Remove("d/old")
	origin.Put(linksim.Object{Path: "d/new", Content: linksim.Pattern(2, 10)})
	requireNames(t, dir, "old")
	require.NoError(t, p.cmd.Process.Signal(unix.SIGHUP))
	require.Eventually(t, func() bool { return slices.Equal([]string{"new"}, names(dir)) }, patience, 5*time.Millisecond)
	requireSame(t, contentOf(t, linksim.Pattern(2, 10)), read(t, filepath.Join(dir, "new")))
}

// names lists dir; nil if that fails.
func names(dir string) (all []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

func requireNames(tb testing.TB, dir string, want ...string) {
	tb.Helper()
	_, err := os.ReadDir(dir)
	require.NoError(tb, err)
	require.Equal(tb, want, names(dir))
}

func TestHangUp_ReadsCredentialsAgain(t *testing.T) {
	for name, object := range map[string]linksim.Object{
		"file of known size":   {Path: "d/f", Content: linksim.Pattern(1, 10)},
		"file of unknown size": {Path: "d/f", Content: linksim.Pattern(2, 20), HideSize: true},
	} {
		t.Run(name, func(t *testing.T) {
			origin := startOrigin(t)
			origin.Put(object)
			s := newScene(t)
			s.write(t, "token", token+"\n")
			provider := strings.ReplaceAll(simProvider("sim", origin), "env:SIM_TOKEN", "file:"+s.path("token"))
			p := mount(t, settings{mount: forgetful, providers: []string{provider}})
			dir := filepath.Join(p.dir, "sim/d")
			requireNames(t, dir, "f")

			origin.SetToken("new-" + token)
			got, err := os.ReadFile(filepath.Join(dir, "f"))
			require.Truef(t, err != nil || len(got) == 0, "read %q, %v", got, err)

			s.write(t, "token", "new-"+token+"\n")
			require.NoError(t, p.cmd.Process.Signal(unix.SIGHUP))
			want := contentOf(t, object.Content)
			require.Eventually(t, func() bool {
				got, err = os.ReadFile(filepath.Join(dir, "f"))
				return err == nil && slices.Equal(want, got)
			}, patience, 20*time.Millisecond, "still cannot be read")
		})
	}
}

func TestHangUp_BrokenConfigurationChangesNothing(t *testing.T) {
	origin := startOrigin(t)
	origin.Put(linksim.Object{Path: "f", Content: linksim.Pattern(1, 10)})
	p, dir := mountOrigin(t, origin, settings{})
	text := read(t, p.config)
	require.NoError(t, os.WriteFile(p.config, append(text, "colour = 1\n"...), 0o600))
	require.NoError(t, p.cmd.Process.Signal(unix.SIGHUP))
	require.Eventually(t, func() bool { return strings.Contains(p.log.String(), "colour") }, patience, 5*time.Millisecond)
	assert.Contains(t, p.log.String(), p.config+":")
	requireSame(t, contentOf(t, linksim.Pattern(1, 10)), read(t, filepath.Join(dir, "f")))
}

func TestSystemd(t *testing.T) {
	s := newScene(t)
	address := s.path("notify")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: address, Net: "unixgram"})
	require.NoError(t, err)
	defer func() { _ = socket.Close() }()
	hear := func() []string {
		require.NoError(t, socket.SetReadDeadline(time.Now().Add(patience)))
		b := make([]byte, 4096)
		n, err := socket.Read(b)
		require.NoError(t, err)
		return strings.Split(string(b[:n]), "\n")
	}
	p := mount(t, settings{
		providers: []string{manifestProvider("files", s.path("list.json"))},
		env:       []string{"NOTIFY_SOCKET=" + address},
	})
	assert.Equal(t, []string{"READY=1", "STATUS=mounted " + p.dir + " (1 providers)"}, hear())
	_, err = os.ReadDir(filepath.Join(p.dir, "files"))
	assert.NoError(t, err)
	require.NoError(t, p.stop(t, unix.SIGTERM))
	assert.Contains(t, hear(), "STOPPING=1")
}

// processesOf returns the processes that have word on their command line.
func processesOf(tb testing.TB, word string) (pids []int) {
	tb.Helper()
	dirs, err := os.ReadDir("/proc")
	require.NoError(tb, err)
	for _, d := range dirs {
		pid, err := strconv.Atoi(d.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		line, _ := os.ReadFile(filepath.Join("/proc", d.Name(), "cmdline")) // empty for those that are gone
		if slices.Contains(strings.Split(string(line), "\x00"), word) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// daemonOf finds the one daemon with word on its command line. The cleanup
// kills it if it is still there.
func daemonOf(tb testing.TB, word string) (pidfd int) {
	tb.Helper()
	pids := processesOf(tb, word)
	require.Len(tb, pids, 1)
	pidfd, err := unix.PidfdOpen(pids[0], 0)
	require.NoError(tb, err)
	tb.Cleanup(func() {
		_ = unix.PidfdSendSignal(pidfd, unix.SIGKILL, nil, 0)
		_ = unix.Close(pidfd)
	})
	return pidfd
}

// awaitGone waits for the end of a process that is nobody's child here.
func awaitGone(tb testing.TB, pidfd int) {
	tb.Helper()
	fds := []unix.PollFd{{Fd: int32(pidfd), Events: unix.POLLIN}}
	for deadline := time.Now().Add(patience); ; {
		n, err := unix.Poll(fds, int(max(0, time.Until(deadline).Milliseconds())))
		if err == unix.EINTR {
			continue
		}
		require.NoError(tb, err)
		require.Equal(tb, 1, n, "the daemon did not end in time")
		return
	}
}

func TestDaemon(t *testing.T) {
	needFUSE(t)
	origin := startOrigin(t)
	content := linksim.Pattern(1, mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	for name, stop := range map[string]func(*testing.T, scene, int){
		"ended by umount": func(t *testing.T, s scene, _ int) {
			assert.Equal(t, outcome{}, call(t, s.attachfs("umount", s.mnt)))
		},
		"ended by a signal": func(t *testing.T, _ scene, pidfd int) {
			require.NoError(t, unix.PidfdSendSignal(pidfd, unix.SIGTERM, nil, 0))
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.write(t, "config.toml", "[cache]\ndir = \"cache\"\n[log]\nlevel = \"debug\"\n[[provider]]\n"+simProvider("sim", origin))
			mountpoint := "../" + filepath.Base(s.dir) + "/mnt" // tells the daemon from those of other tests
			cmd := s.attachfs("mount", "--daemon", "--config", "config.toml", mountpoint)
			cmd.Dir = s.dir
			require.Equal(t, outcome{out: "mounted " + s.mnt + " (1 providers)\n"}, call(t, cmd))
			pidfd := daemonOf(t, mountpoint)
			cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", processesOf(t, mountpoint)[0]))
			require.NoError(t, err)
			assert.Equal(t, "/", cwd, "it keeps no directory busy")
			requireSame(t, contentOf(t, content), read(t, filepath.Join(s.mnt, "sim/f")))

			log := s.path("cache/attachfs.log")
			info, err := os.Stat(log)
			require.NoError(t, err)
			assert.Equal(t, os.FileMode(0o600), info.Mode())
			// It finds the configuration again, whose path was relative.
			require.NoError(t, unix.PidfdSendSignal(pidfd, unix.SIGHUP, nil, 0))
			require.Eventually(t, func() bool { return strings.Contains(string(read(t, log)), "credentials read again") }, patience, 5*time.Millisecond)

			stop(t, s, pidfd)
			awaitGone(t, pidfd)
			assert.False(t, s.mounted(t))
			assert.NotContains(t, string(read(t, log)), linksim.Marker)
			assert.NotContains(t, string(read(t, log)), "panic")
		})
	}
}

func TestDaemon_FailingStart(t *testing.T) {
	needFUSE(t)
	for _, c := range []struct {
		name, config, mnt string
		code              int
		says              string
	}{
		{"mount point", listProvider, "nowhere", 1, "nowhere does not exist"},
		{"configuration", "colour = 1\n" + listProvider, "mnt", 2, ":1: colour: unknown"},
		{"manifest", strings.ReplaceAll(listProvider, "list.json", "gone.json"), "mnt", 2, "gone.json"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.write(t, "config.toml", c.config)
			place := s.path(c.mnt)
			requireSentence(t, call(t, s.attachfs("mount", "--daemon", "--config", s.config, place)), c.code, c.says)
			assert.Empty(t, processesOf(t, place), "left behind")
			assert.False(t, s.mounted(t))
		})
	}
}

// helper is a call of the program as mount(8) makes it.
func (s scene) helper(tb testing.TB, args ...string) *exec.Cmd {
	tb.Helper()
	exe, err := os.Executable()
	require.NoError(tb, err)
	name := s.path("mount.attachfs")
	if err := os.Symlink(exe, name); !os.IsExist(err) {
		require.NoError(tb, err)
	}
	cmd := s.attachfs(append([]string{s.config, s.mnt}, args...)...)
	cmd.Path, cmd.Args[0] = name, name
	return cmd
}

func TestMountHelper(t *testing.T) {
	needFUSE(t)
	if os.Getuid() != 0 {
		t.Skip("mount(8) calls its helpers as root")
	}
	origin := startOrigin(t)
	origin.Put(linksim.Object{Path: "f", Content: linksim.Bytes([]byte("hello"))})
	s := newScene(t)
	s.write(t, "config.toml", "[cache]\ndir = \"cache\"\n[[provider]]\n"+simProvider("sim", origin))
	mounted := outcome{out: "mounted " + s.mnt + " (1 providers)\n"}
	options := fmt.Sprintf("ro,allow_other,uid=%d,gid=1234,file_mode=0400,noatime,_netdev,x-systemd.automount", nobody)
	require.Equal(t, mounted, call(t, s.helper(t, "-o", options)))
	pidfd := daemonOf(t, s.mnt)
	info, err := os.Stat(filepath.Join(s.mnt, "sim/f"))
	require.NoError(t, err)
	owner := info.Sys().(*syscall.Stat_t)
	assert.Equal(t, []uint32{nobody, 1234, 0o100400}, []uint32{owner.Uid, owner.Gid, owner.Mode})
	assert.Contains(t, mountLine(t, s.mnt), "allow_other")
	cat := s.asNobody(t, exec.Command("cat", filepath.Join(s.mnt, "sim/f")))
	assert.Equal(t, outcome{out: "hello"}, call(t, cat), "another user may read")
	require.Equal(t, outcome{}, call(t, exec.Command("umount", s.mnt)))
	awaitGone(t, pidfd)

	require.Equal(t, mounted, call(t, s.helper(t, "-s", "-n", "-o", "ro,unheard_of=1", "-o", "nosuid")))
	pidfd = daemonOf(t, s.mnt)
	assert.NotContains(t, mountLine(t, s.mnt), "allow_other")
	require.Equal(t, outcome{}, call(t, s.attachfs("umount", s.mnt)))
	awaitGone(t, pidfd)

	assert.Equal(t, outcome{}, call(t, s.helper(t, "-f", "-o", "ro")), "a fake mount")
	for _, c := range []struct{ options, says string }{
		{"rw", "read-only"}, {"rw,ro", "read-only"}, {"ro,allow_others", "did you mean allow_other?"},
		{"ro,uid=me", "uid=me"}, {"ro,file_mode=999", "file_mode=999"},
	} {
		requireSentence(t, call(t, s.helper(t, "-o", c.options)), 2, c.says)
	}
	requireSentence(t, call(t, s.helper(t, "third")), 2, "configuration file and a mount point")
	requireSentence(t, call(t, s.helper(t, "-q")), 2, "-q")
	assert.False(t, s.mounted(t))
	assert.Empty(t, processesOf(t, s.mnt))
}

// listed is a file of a manifest.
type listed struct {
	Path    string            `json:"path"`
	URL     string            `json:"url"`
	Size    *int64            `json:"size,omitempty"`
	MTime   *time.Time        `json:"mtime,omitempty"`
	Headers map[string]string `json:"headers,omitempty"`
}

func manifestText(tb testing.TB, files ...listed) string {
	tb.Helper()
	text, err := json.MarshalIndent(map[string][]listed{"files": files}, "", " ")
	require.NoError(tb, err)
	return string(text)
}

// replace changes a file of the scene by rename, as careful writers do.
func (s scene) replace(tb testing.TB, name, text string) {
	tb.Helper()
	s.write(tb, name+".new", text)
	require.NoError(tb, os.Rename(s.path(name+".new"), s.path(name)))
}

// publish puts an object and returns it as a manifest's file, with its size.
func publish(origin *linksim.Origin, path string, content linksim.Content) listed {
	origin.Put(linksim.Object{ID: path, Path: path, Content: content})
	size := content.Size()
	return listed{Path: path, URL: origin.FileURL(path), Size: &size}
}

// mountManifest mounts list.json of the scene. Listings live long, so that only
// a change of the document makes them new.
func mountManifest(tb testing.TB, s scene) (*process, string) {
	tb.Helper()
	p := mount(tb, settings{
		mount:     forgetful + `listing_ttl = "10h"`,
		providers: []string{manifestProvider("files", s.path("list.json"))},
	})
	return p, filepath.Join(p.dir, "files")
}

func TestManifest_Reads(t *testing.T) {
	origin, s := startOrigin(t), newScene(t)
	small, large := linksim.Pattern(1, 1000), linksim.Pattern(2, 9*mib+11)
	sized, unsized, empty := publish(origin, "a/b/sized", large), publish(origin, "a/unsized", small), publish(origin, "empty", linksim.Bytes(nil))
	day := time.Date(2026, time.May, 4, 3, 2, 1, 0, time.UTC)
	sized.MTime, unsized.Size = &day, nil
	address, header := origin.Link("a/unsized", linksim.Terms{Header: http.Header{"X-Bound": {"bound-" + linksim.Marker}}})
	bound := listed{Path: "bound", URL: address, Headers: map[string]string{"X-Bound": header.Get("X-Bound")}}
	unbound := listed{Path: "unbound", URL: address, Size: ptr(small.Size())}
	s.write(t, "list.json", manifestText(t, sized, unsized, empty, bound, unbound))
	_, dir := mountManifest(t, s)

	requireNames(t, dir, "a", "bound", "empty", "unbound")
	requireNames(t, filepath.Join(dir, "a"), "b", "unsized")
	requireSame(t, contentOf(t, large), read(t, filepath.Join(dir, "a/b/sized")))
	requireSame(t, contentOf(t, small), read(t, filepath.Join(dir, "a/unsized")))
	requireSame(t, contentOf(t, small), read(t, filepath.Join(dir, "bound")))
	assert.Empty(t, read(t, filepath.Join(dir, "empty")))
	_, err := os.ReadFile(filepath.Join(dir, "unbound"))
	assert.ErrorIs(t, err, unix.EACCES, "without its header the link does not work")
	info, err := os.Stat(filepath.Join(dir, "a/b/sized"))
	require.NoError(t, err)
	assert.Equal(t, large.Size(), info.Size())
	assert.True(t, day.Equal(info.ModTime()))
	info, err = os.Stat(filepath.Join(dir, "a/unsized"))
	require.NoError(t, err)
	assert.Equal(t, small.Size(), info.Size())
}

func ptr[T any](v T) *T { return &v }

func TestManifest_Changes(t *testing.T) {
	origin, s := startOrigin(t), newScene(t)
	two := linksim.Pattern(2, 2000)
	first, second := publish(origin, "d/one", linksim.Pattern(1, 1000)), publish(origin, "d/two", two)
	s.write(t, "list.json", manifestText(t, first))
	_, dir := mountManifest(t, s)
	_, err := os.Stat(filepath.Join(dir, "d/two"))
	require.ErrorIs(t, err, os.ErrNotExist)

	s.replace(t, "list.json", manifestText(t, first, second))
	requireSame(t, contentOf(t, two), read(t, filepath.Join(dir, "d/two")))
	requireNames(t, filepath.Join(dir, "d"), "one", "two")

	s.replace(t, "list.json", manifestText(t, second))
	requireNames(t, filepath.Join(dir, "d"), "two")
	_, err = os.Stat(filepath.Join(dir, "d/one"))
	assert.ErrorIs(t, err, os.ErrNotExist)

	s.replace(t, "list.json", `{"files": []}`)
	requireNames(t, dir)
	_, err = os.ReadDir(filepath.Join(dir, "d"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestManifest_HalfWrittenKeepsTheTree(t *testing.T) {
	origin, s := startOrigin(t), newScene(t)
	one := linksim.Pattern(1, 1000)
	first, second := publish(origin, "one", one), publish(origin, "two", linksim.Pattern(2, 2000))
	s.write(t, "list.json", manifestText(t, first))
	p, dir := mountManifest(t, s)
	requireNames(t, dir, "one")

	text := manifestText(t, first, second)
	s.write(t, "list.json", text[:len(text)/2])
	requireNames(t, dir, "one")
	requireSame(t, contentOf(t, one), read(t, filepath.Join(dir, "one")))
	assert.Contains(t, p.log.String(), "keeping the last good one")
	s.write(t, "list.json", text)
	requireNames(t, dir, "one", "two")

	require.NoError(t, os.Remove(s.path("list.json")))
	requireNames(t, dir, "one", "two")
	s.write(t, "list.json", manifestText(t, second))
	requireNames(t, dir, "two")
}

func TestManifest_NewAddressAfterTheOldOneDied(t *testing.T) {
	content := linksim.Pattern(1, 40*mib)
	origin, s := startOrigin(t), newScene(t)
	f := publish(origin, "f", content)
	f.URL, _ = origin.Link("f", linksim.Terms{})
	s.write(t, "list.json", manifestText(t, f))
	_, dir := mountManifest(t, s)
	open, err := os.Open(filepath.Join(dir, "f"))
	require.NoError(t, err)
	defer func() { _ = open.Close() }()
	_, err = open.ReadAt(make([]byte, 10), 0)
	require.NoError(t, err)

	origin.ExpireLinks()
	f.URL, _ = origin.Link("f", linksim.Terms{})
	s.replace(t, "list.json", manifestText(t, f))
	requireSame(t, contentOf(t, content), readAll(t, open))
	requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, "f")))
}

func TestManifest_NewAddressOfOtherContent(t *testing.T) {
	before := linksim.Pattern(1, 6*mib)
	for _, c := range []struct {
		name  string
		after linksim.Content
		sized bool
	}{
		{"another size", linksim.Pattern(2, 5*mib), true},
		{"the same size", linksim.Pattern(2, 6*mib), true},
		{"sizes not told", linksim.Pattern(2, 5*mib), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			origin, s := startOrigin(t), newScene(t)
			file := func(id string, content linksim.Content, day int) string {
				f := publish(origin, id, content)
				f.Path, f.MTime = "f", ptr(time.Date(2026, time.May, day, 0, 0, 0, 0, time.UTC))
				if !c.sized {
					f.Size = nil
				}
				return manifestText(t, f)
			}
			s.write(t, "list.json", file("first", before, 1))
			_, dir := mountManifest(t, s)
			requireSame(t, contentOf(t, before), read(t, filepath.Join(dir, "f")))
			// The old address still answers, with the old content.
			s.replace(t, "list.json", file("second", c.after, 2))
			requireSame(t, contentOf(t, c.after), read(t, filepath.Join(dir, "f")))
		})
	}
}
