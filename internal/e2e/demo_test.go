package e2e_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/demo"
)

var mountedLine = regexp.MustCompile(fmt.Sprintf(`^mounted (\S+) \(%d providers\)\n`, len(demo.Names())))

// startDemo starts a demo and returns where it is mounted.
func startDemo(tb testing.TB, s scene, cmd *exec.Cmd) (*program, string) {
	tb.Helper()
	needFUSE(tb)
	p := s.start(tb, cmd)
	p.await("^C ends the demo")
	m := mountedLine.FindStringSubmatch(p.out.String())
	require.NotNil(tb, m, p.out.String())
	require.NotEmpty(tb, mountLine(tb, m[1]))
	return p, m[1]
}

// requireNothingLeft wants an empty temporary directory and no mount.
func requireNothingLeft(tb testing.TB, s scene) {
	tb.Helper()
	assert.False(tb, s.mounted(tb), "still mounted")
	assert.Empty(tb, names(s.path("tmp")), "left behind")
	assert.Empty(tb, names(s.mnt))
	assert.Empty(tb, names(s.path("home")))
}

func TestDemo(t *testing.T) {
	t.Parallel()
	for name, given := range map[string]bool{"mount point given": true, "mount point made": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			cmd := s.attachfs("demo")
			if given {
				cmd = s.attachfs("demo", s.mnt)
			}
			p, dir := startDemo(t, s, cmd)
			if given {
				assert.Equal(t, s.mnt, dir)
			} else {
				assert.Equal(t, s.path("tmp"), filepath.Dir(dir))
			}
			requireNames(t, dir, slices.Sorted(slices.Values(demo.Names()))...)
			said := p.out.String()
			for _, hint := range append(demo.Names(), "ls -lR "+dir, "cp -r "+dir+"/", "grep -rl ", dir+"\n") {
				assert.Contains(t, said, hint)
			}
			requireDemoFiles(t, dir)
			assert.Equal(t, 0, p.end(unix.SIGINT))
			assert.Empty(t, p.err.String(), "nothing went wrong")
			requireNothingLeft(t, s)
		})
	}
}

// requireDemoFiles wants every file of the demo, and no other.
func requireDemoFiles(t *testing.T, dir string) {
	t.Helper()
	total := 0
	for _, set := range demo.Names() {
		for _, f := range demo.Set(set) {
			path := filepath.Join(dir, set, f.Path)
			total++
			info, err := os.Stat(path)
			require.NoError(t, err)
			if f.Withheld && info.Size() == 0 { // nobody knows its size
				assert.Zero(t, info.Mode().Perm(), path)
				continue
			}
			assert.Equal(t, f.Content.Size(), info.Size(), path)
			modified := f.ModTime
			if modified.IsZero() {
				modified = time.Unix(0, 0) // what is shown of what nobody tells
			}
			assert.True(t, modified.Equal(info.ModTime()), path)
			if f.Withheld {
				continue
			}
			want := digest(t, io.NewSectionReader(f.Content, 0, f.Content.Size()))
			assert.Equal(t, want, fileDigest(t, path), path)
		}
	}
	assert.Equal(t, total, lines(run(t, "find", dir, "!", "-type", "d")))
}

func TestDemo_BadMountpoint(t *testing.T) {
	needFUSE(t)
	s := newScene(t)
	requireSentence(t, call(t, s.attachfs("demo", s.path("nowhere"))), 1, "does not exist")
	requireNothingLeft(t, s)
	s.write(t, "mnt/file", "")
	requireSentence(t, call(t, s.attachfs("demo", s.mnt)), 1, "not empty")
	require.NoError(t, os.Remove(s.path("mnt/file")))
	requireNothingLeft(t, s)
}

func TestDemo_Busy(t *testing.T) {
	s := newScene(t)
	p, dir := startDemo(t, s, s.attachfs("demo"))
	holder(t, filepath.Join(dir, "contracts", demo.Set(demo.Contracts)[0].Path))
	require.NoError(t, p.cmd.Process.Signal(unix.SIGINT))
	p.awaitIn(p.err, "detached")
	assert.Contains(t, p.err.String(), dir+" is in use by sleep (pid ")
	assert.Equal(t, 1, p.end(unix.SIGINT))
	requireNothingLeft(t, s)
}

func TestDemo_SignalBeforeItSaysMounted(t *testing.T) {
	needFUSE(t)
	s := newScene(t)
	assert.Equal(t, 0, s.signalEarly(t, s.attachfs("demo")))
	requireNothingLeft(t, s)
}

func TestDemo_UnmountedByTheUser(t *testing.T) {
	s := newScene(t)
	p, dir := startDemo(t, s, s.attachfs("demo"))
	assert.Equal(t, outcome{}, call(t, s.attachfs("umount", dir)))
	assert.Equal(t, 0, p.wait())
	requireNothingLeft(t, s)
}

// go-fuse looks for the program in places of its own, whatever PATH is. So in a
// mount namespace of its own nothing is found where it is.
func TestDemo_RootNeedsNoFusermount(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("for root only")
	}
	needFUSE(t)
	needTool(t, "unshare")
	s := newScene(t)
	script := `for f in $(command -v fusermount3) /bin/fusermount3 /bin/fusermount; do
		[ ! -e "$f" ] || mount --bind /dev/null "$f" || exit 9
	done; exec "$1" demo`
	cmd := s.env(exec.Command("unshare", "-m", "sh", "-c", script, "sh", s.program(t)))
	cmd.Env = append(os.Environ(), append(cmd.Env, runEnv+"=1")...)
	p := s.start(t, cmd)
	p.await("^C ends the demo")
	m := mountedLine.FindStringSubmatch(p.out.String())
	require.NotNil(t, m, p.out.String())
	there := fmt.Sprintf("/proc/%d/root", cmd.Process.Pid)
	requireNames(t, filepath.Join(there, m[1]), slices.Sorted(slices.Values(demo.Names()))...)
	_, err := exec.Command(filepath.Join(there, "bin/fusermount3")).Output()
	require.Error(t, err, "there is none")
	assert.Equal(t, 0, p.end(unix.SIGINT))
	requireNothingLeft(t, s)
}

// letEverybodyMount makes /dev/fuse what it is on a desktop.
func letEverybodyMount(tb testing.TB) {
	tb.Helper()
	needFUSE(tb)
	needTool(tb, "fusermount3")
	info, err := os.Stat("/dev/fuse")
	require.NoError(tb, err)
	if mode := info.Mode().Perm(); mode != 0o666 && os.Getuid() == 0 {
		require.NoError(tb, os.Chmod("/dev/fuse", 0o666))
		tb.Cleanup(func() { assert.NoError(tb, os.Chmod("/dev/fuse", mode)) })
	}
}

func TestUser_Demo(t *testing.T) {
	letEverybodyMount(t)
	for name, given := range map[string]bool{"mount point given": true, "mount point made": false} {
		t.Run(name, func(t *testing.T) {
			s := newSceneOfNobody(t)
			cmd := s.attachfs("demo")
			if given {
				cmd = s.attachfs("demo", s.mnt)
			}
			p, dir := startDemo(t, s, s.asNobody(t, cmd))
			assert.Contains(t, mountLine(t, dir), "fuse.attachfs")

			// Nobody else may look, not even root.
			needTool(t, "sha256sum")
			sums := exec.Command("sh", "-c", `cd "$1" && exec find . ! -type d -exec sha256sum {} +`, "sh", dir)
			got := call(t, s.asNobody(t, sums))
			total := 0
			for _, set := range demo.Names() {
				for _, f := range demo.Set(set) {
					if f.Withheld {
						assert.Contains(t, got.err, f.Path)
						continue
					}
					total++
					sum := digest(t, io.NewSectionReader(f.Content, 0, f.Content.Size()))
					assert.Contains(t, got.out, fmt.Sprintf("%x  ./%s/%s\n", sum, set, f.Path))
				}
			}
			assert.Equal(t, total, lines(got.out), got.err)

			assert.Equal(t, 0, p.end(unix.SIGINT))
			requireNothingLeft(t, s)
		})
	}
}

func TestUser_BusyDemo(t *testing.T) {
	letEverybodyMount(t)
	s := newSceneOfNobody(t)
	p, dir := startDemo(t, s, s.asNobody(t, s.attachfs("demo")))
	busy := s.asNobody(t, exec.Command("sleep", "600"))
	busy.Dir = filepath.Join(dir, "contracts")
	require.NoError(t, busy.Start())
	t.Cleanup(func() { letGo(busy) })
	require.NoError(t, p.cmd.Process.Signal(unix.SIGINT))
	p.awaitIn(p.err, "detached")
	assert.Contains(t, p.err.String(), fmt.Sprintf("%s is in use by sleep (pid %d)", dir, busy.Process.Pid))
	letGo(busy)
	assert.Equal(t, 0, p.wait())
	requireNothingLeft(t, s)
}

func TestUser_WithoutFusermount(t *testing.T) {
	letEverybodyMount(t)
	s := newSceneOfNobody(t)
	for _, args := range [][]string{{"demo"}, {"demo", s.mnt}, {"mount", "--config", s.config, s.mnt}} {
		s.write(t, "config.toml", listProvider)
		require.NoError(t, os.Chmod(s.config, 0o644))
		require.NoError(t, os.Chmod(s.path("list.json"), 0o644))
		cmd := s.asNobody(t, s.attachfs(args...))
		cmd.Env = append(cmd.Env, "PATH="+s.path("home"))
		requireSentence(t, call(t, cmd), 1, "fusermount3 is missing", "fuse3")
		requireNothingLeft(t, s)
	}
}

func TestUser_MayNotOpenTheDevice(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("root alone can hide the device")
	}
	needFUSE(t)
	needTool(t, "setpriv")
	s := newSceneOfNobody(t)
	// The device of this machine stays as it is: in a mount namespace of its
	// own, the user finds a file there that is not for him.
	s.write(t, "device", "")
	script := `mount --bind "$1" /dev/fuse && exec setpriv --reuid "$2" --regid "$2" --clear-groups "$3" demo`
	cmd := s.env(exec.Command("unshare", "-m", "sh", "-c", script, "sh", s.path("device"), fmt.Sprint(nobody), s.program(t)))
	cmd.Env = append(os.Environ(), append(cmd.Env, runEnv+"=1")...)
	got := call(t, cmd)
	requireSentence(t, got, 1, "may not open /dev/fuse", "chmod 666 /dev/fuse")
	assert.False(t, strings.Contains(got.err, "fusermount"), "one reason is enough")
	requireNothingLeft(t, s)
}
