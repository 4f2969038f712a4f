package e2e_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
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

// nobody is an ordinary user.
const nobody = 65534

// outcome is how a run of the program ended.
type outcome struct {
	code     int
	out, err string
}

// call runs a command to its end, which must come by itself, and makes sure
// that nothing secret was printed.
func call(tb testing.TB, cmd *exec.Cmd) outcome {
	tb.Helper()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	cmd.WaitDelay = patience // a process left behind must not hold the pipes
	require.NoError(tb, cmd.Start())
	kill := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	err := cmd.Wait()
	if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) {
		require.NoError(tb, err)
	}
	for _, text := range []string{out.String(), errs.String()} {
		assert.NotContains(tb, text, linksim.Marker, "a secret was printed")
		assert.NotContains(tb, text, "goroutine ", "a panic")
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// requireSentence wants one line on stderr, with these words, nothing on
// stdout, and the exit code.
func requireSentence(tb testing.TB, got outcome, code int, words ...string) {
	tb.Helper()
	require.Equal(tb, code, got.code, got.err)
	assert.Empty(tb, got.out)
	assert.Truef(tb, strings.HasPrefix(got.err, "attachfs: "), "begins with %q", got.err)
	assert.Equalf(tb, 1, lines(got.err), "want one line, found:\n%s", got.err)
	for _, w := range words {
		assert.Contains(tb, got.err, w)
	}
}

// scene is a directory with all the places where a run could leave traces.
type scene struct{ dir, mnt, config string }

// newScene makes a scene that other users may look at.
func newScene(tb testing.TB) scene {
	tb.Helper()
	dir, err := os.MkdirTemp("", "attachfs-e2e-")
	require.NoError(tb, err)
	s := scene{dir, filepath.Join(dir, "mnt"), filepath.Join(dir, "config.toml")}
	tb.Cleanup(func() {
		s.release()
		assert.NoError(tb, os.RemoveAll(dir))
	})
	require.NoError(tb, os.Chmod(dir, 0o755))
	for _, sub := range []string{"mnt", "tmp", "home"} {
		require.NoError(tb, os.Mkdir(s.path(sub), 0o755))
	}
	s.write(tb, "list.json", `{"files": []}`)
	return s
}

// release takes away by force what is mounted in the scene, so that a process
// that waits for its own file system can end.
func (s scene) release() {
	all, _ := mountTable()
	for path := range all {
		if strings.HasPrefix(path, s.dir+"/") {
			_ = unix.Unmount(path, unix.MNT_FORCE|unix.MNT_DETACH)
		}
	}
}

func (s scene) path(name string) string { return filepath.Join(s.dir, name) }

func (s scene) write(tb testing.TB, name, text string) {
	tb.Helper()
	require.NoError(tb, os.WriteFile(s.path(name), []byte(text), 0o600))
}

// env puts the home and temporary directories of cmd into the scene.
func (s scene) env(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(cmd.Env, "HOME="+s.path("home"), "TMPDIR="+s.path("tmp"), "XDG_CONFIG_HOME=")
	return cmd
}

// attachfs is a run of the program in the scene.
func (s scene) attachfs(args ...string) *exec.Cmd { return s.env(attachfs(args...)) }

// mount is a run that mounts the scene's configuration.
func (s scene) mount(flags ...string) *exec.Cmd {
	return s.attachfs(append(append([]string{"mount", "--config", s.config}, flags...), s.mnt)...)
}

// everything lists the paths in the scene.
func (s scene) everything(tb testing.TB) []string {
	tb.Helper()
	var paths []string
	require.NoError(tb, filepath.WalkDir(s.dir, func(path string, _ fs.DirEntry, err error) error {
		paths = append(paths, path)
		return err
	}))
	return paths
}

// mounted reports whether anything is mounted in the scene.
func (s scene) mounted(tb testing.TB) bool {
	tb.Helper()
	all, err := mountTable()
	require.NoError(tb, err)
	for path := range all {
		if strings.HasPrefix(path, s.dir+"/") {
			return true
		}
	}
	return false
}

// mountTable is what the kernel says of each mount, by where it is.
func mountTable() (map[string]string, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	all := map[string]string{}
	plain := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 4 {
			all[plain.Replace(fields[4])] = line
		}
	}
	return all, err
}

// mountLine is what the kernel says of the mount at path, "" if there is none.
func mountLine(tb testing.TB, path string) string {
	tb.Helper()
	all, err := mountTable()
	require.NoError(tb, err)
	return all[path]
}

// listProvider is a table for a manifest without files; it has four lines.
const listProvider = "[[provider]]\nname = \"files\"\ntype = \"manifest\"\nfile = \"list.json\"\n"

func TestConfig_Bad(t *testing.T) {
	sim := "[[provider]]\nname = \"sim\"\ntype = \"sim\"\nbase_url = \"http://127.0.0.1:1\"\n"
	manifest := func(file string) string { return strings.ReplaceAll(listProvider, "list.json", file) }
	for _, c := range []struct {
		name, text string
		at         string // after the name of the configuration file
		says       []string
	}{
		{"unknown key at the top", "colour = \"red\"\n" + listProvider, ":1: colour: ", []string{"unknown", "mount", "provider"}},
		{"unknown section", "\n[mout]\n" + listProvider, ":2: mout: ", []string{"did you mean mount?"}},
		{"unknown key in a section", "[mount]\nallow_oter = true\n" + listProvider, ":2: mount.allow_oter: ", []string{"did you mean allow_other?"}},
		{"unknown key of a provider", listProvider + "files = \"x\"\n", ":5: provider.files: ", []string{"did you mean file?"}},
		{"text for a number", "[read]\nstreams = \"8\"\n" + listProvider, ":2: read.streams: ", []string{"whole number", "found a text"}},
		{"number for a duration", "[mount]\nlisting_ttl = 5\n" + listProvider, ":2: mount.listing_ttl: ", []string{`"10s"`}},
		{"text for a table", "mount = \"x\"\n" + listProvider, ":1: mount: ", []string{"[mount]"}},
		{"secret not in the environment", sim + "access_token = \"env:NO_SUCH_TOKEN\"\n", ":5: provider.access_token: ", []string{`"NO_SUCH_TOKEN"`, "not set"}},
		{"secret not in its file", sim + "access_token = \"file:no-such-token\"\n", ":5: provider.access_token: ", []string{"no-such-token", "no such file"}},
		{"secret without quotes", sim + "access_token = " + token + "\n", ":5: ", []string{"quotes"}},
		{"secret that is a list", sim + "access_token = [\"" + token + "\"]\n", ":5: provider.access_token: ", []string{"env:NAME", "found a list"}},
		{"not TOML", "[read]\nstreams 8\n", ":2: ", nil},
		{"not text", "\x00\x01\xff\n", ":1: ", nil},
		{"the same name twice", listProvider + listProvider, ":6: provider.name: ", []string{`"files"`, "line 2"}},
		{"unknown type", "[[provider]]\nname = \"x\"\ntype = \"manifset\"\n", ":3: provider.type: ", []string{"did you mean manifest?"}},
		{"provider without a type", "[[provider]]\nname = \"x\"\n", ":1: provider.type: ", []string{"missing", "manifest"}},
		{"no provider", "[mount]\nallow_other = false\n", ": provider: ", []string{"[[provider]]"}},
		{"nothing", "", ": provider: ", []string{"[[provider]]"}},
		{"missing manifest", manifest("gone.json"), "", []string{"provider files", "gone.json", "no such file"}},
		{"directory for a manifest", manifest("tmp"), "", []string{"provider files", "/tmp", "regular file"}},
		{"broken manifest", manifest("bad.json"), "", []string{"provider files", "bad.json", "line 3"}},
		{"manifest without an address", manifest("wrong.json"), "", []string{"provider files", "wrong.json", "files[0]", "url"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			s.write(t, "config.toml", c.text)
			s.write(t, "bad.json", "{\"files\": [\n{\"path\": \"a\", \"url\": \"https://h/"+token+"\"},\n{\"pa")
			s.write(t, "wrong.json", `{"files": [{"path": "a"}]}`)
			before := s.everything(t)
			says := c.says
			if c.at != "" {
				says = append([]string{s.config + c.at}, says...)
			}
			requireSentence(t, call(t, s.mount()), 2, says...)
			assert.False(t, s.mounted(t))
			assert.Equal(t, before, s.everything(t), "something was left behind")
		})
	}
}

func TestConfig_AllProblemsTogether(t *testing.T) {
	s := newScene(t)
	s.write(t, "config.toml", "[read]\nstreams = 0\nwindow = \"x\"\n"+listProvider+"other = 1\n")
	got := call(t, s.mount())
	require.Equal(t, 2, got.code)
	for _, at := range []string{":2: read.streams: ", ":3: read.window: ", ":8: provider.other: "} {
		assert.Contains(t, got.err, s.config+at)
	}
	assert.Equal(t, 3, lines(got.err))
}

func TestConfig_CannotBeRead(t *testing.T) {
	t.Run("missing", func(t *testing.T) {
		s := newScene(t)
		before := s.everything(t)
		requireSentence(t, call(t, s.mount()), 2, s.config+": ", "no such file", "config.toml.example")
		assert.Equal(t, before, s.everything(t))
	})
	t.Run("missing at the default place", func(t *testing.T) {
		s := newScene(t)
		requireSentence(t, call(t, s.attachfs("mount", s.mnt)), 2, s.path("home/.config/attachfs/config.toml"))
	})
	t.Run("directory", func(t *testing.T) {
		s := newScene(t)
		requireSentence(t, call(t, s.attachfs("mount", "--config", s.path("tmp"), s.mnt)), 2, s.path("tmp"), "is a directory")
	})
	t.Run("not for this user", func(t *testing.T) {
		s := newScene(t)
		s.write(t, "config.toml", listProvider)
		require.NoError(t, os.Chmod(s.config, 0))
		requireSentence(t, call(t, s.asNobody(t, s.mount())), 2, s.config+": ", "permission denied")
	})
}

// asNobody makes root's cmd an ordinary user's, with a copy of the program that
// this user may run. Who is not root stays who he is.
func (s scene) asNobody(tb testing.TB, cmd *exec.Cmd) *exec.Cmd {
	tb.Helper()
	if os.Getuid() != 0 {
		return cmd
	}
	if cmd.Path == os.Args[0] {
		cmd.Path = s.program(tb)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

// newSceneOfNobody is a scene where an ordinary user is at home.
func newSceneOfNobody(tb testing.TB) scene {
	tb.Helper()
	s := newScene(tb)
	if os.Getuid() == 0 {
		for _, own := range []string{"mnt", "tmp", "home"} {
			require.NoError(tb, os.Chown(s.path(own), nobody, nobody))
		}
	}
	return s
}

// program copies the program to where everybody may run it.
func (s scene) program(tb testing.TB) string {
	tb.Helper()
	path := s.path("attachfs")
	if _, err := os.Stat(path); err != nil {
		text, err := os.ReadFile(os.Args[0])
		require.NoError(tb, err)
		require.NoError(tb, os.WriteFile(path, text, 0o755))
	}
	return path
}

func TestUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		says []string
	}{
		{[]string{"mount"}, []string{"wrong usage", "MOUNTPOINT"}},
		{[]string{"mount", "a", "b"}, []string{"wrong usage", "MOUNTPOINT"}},
		{[]string{"mount", "--colour", "a"}, []string{"wrong usage", "--colour", "attachfs mount --help"}},
		{[]string{"mount", "--config"}, []string{"wrong usage", "--config"}},
		{[]string{"umount"}, []string{"wrong usage", "attachfs umount"}},
		{[]string{"demo", "a", "b"}, []string{"wrong usage", "attachfs demo"}},
		{[]string{"check", "a"}, []string{"wrong usage", "attachfs check"}},
		{[]string{"version", "a"}, []string{"wrong usage", "attachfs version"}},
		{[]string{"mont", "a"}, []string{"wrong usage", `"mont"`}},
		{[]string{"--colour"}, []string{"wrong usage", "--colour", "see attachfs --help"}},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			s := newScene(t)
			before := s.everything(t)
			requireSentence(t, call(t, s.attachfs(c.args...)), 2, c.says...)
			assert.Equal(t, before, s.everything(t))
		})
	}
}

func TestVersionAndHelp(t *testing.T) {
	s := newScene(t)
	got := call(t, s.attachfs("version"))
	assert.Equal(t, 0, got.code)
	assert.Regexp(t, `^attachfs \S+\n$`, got.out)
	assert.Empty(t, got.err)
	for _, args := range [][]string{{"--help"}, {"help"}, {}} {
		got = call(t, s.attachfs(args...))
		assert.Equal(t, 0, got.code)
		assert.Empty(t, got.err)
		for _, verb := range []string{"mount", "demo", "check", "login", "umount", "version"} {
			assert.Regexp(t, `(?m)^  `+verb+` +[A-Z]`, got.out)
		}
	}
	got = call(t, s.attachfs("mount", "--help"))
	assert.Equal(t, 0, got.code)
	for _, word := range []string{"--config", "--daemon", "MOUNTPOINT"} {
		assert.Contains(t, got.out, word)
	}
}

func TestMountpoint_Bad(t *testing.T) {
	needFUSE(t)
	for _, c := range []struct {
		name, mnt, cache string
		says             []string
	}{
		{"missing", "nowhere", "cache", []string{"does not exist", "mkdir"}},
		{"missing with its parent", "nowhere/at/all", "cache", []string{"does not exist", "mkdir"}},
		{"not empty", "full", "cache", []string{"not empty", `"file"`}},
		{"a file", "full/file", "cache", []string{"not a directory"}},
		{"in the cache directory", "mnt", ".", []string{"in the cache directory", "cache.dir"}},
		{"the cache directory itself", "mnt", "mnt", []string{"cache directory", "cache.dir"}},
		{"around the cache directory", "mnt", "mnt/cache", []string{"cache directory", "hide", "cache.dir"}},
		{"in the cache directory by a symlink", "link/mnt", ".", []string{"in the cache directory", "cache.dir"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newScene(t)
			require.NoError(t, os.Mkdir(s.path("full"), 0o755))
			s.write(t, "full/file", "")
			require.NoError(t, os.Symlink(s.dir, s.path("link")))
			s.write(t, "config.toml", fmt.Sprintf("[cache]\ndir = %q\n", c.cache)+listProvider)
			before := s.everything(t)
			cmd := s.attachfs("mount", "--config", s.config, s.path(c.mnt))
			requireSentence(t, call(t, cmd), 1, append(c.says, strings.TrimPrefix(c.mnt, "link/"))...)
			assert.Equal(t, before, s.everything(t), "something was left behind")
		})
	}
}

func TestMountpoint_Taken(t *testing.T) {
	p := mount(t, settings{providers: []string{manifestProvider("files", newScene(t).path("list.json"))}})
	s := newScene(t)
	s.write(t, "config.toml", listProvider)
	got := call(t, s.attachfs("mount", "--config", s.config, p.dir))
	requireSentence(t, got, 1, "already mounted on "+p.dir, "attachfs umount "+p.dir)
	_, err := os.ReadDir(filepath.Join(p.dir, "files"))
	assert.NoError(t, err, "the first one goes on")
}

func TestMountpoint_Stale(t *testing.T) {
	needFUSE(t)
	s := newScene(t)
	s.write(t, "config.toml", listProvider)
	for range 3 {
		p := s.start(t, s.mount())
		p.await("mounted ")
		// With this the kernel remembers the attributes of the mount point
		// beyond the end of the process.
		_, err := os.Stat(s.mnt)
		require.NoError(t, err)
		require.NoError(t, p.cmd.Process.Kill())
		p.wait()
		_, err = os.ReadDir(s.mnt)
		require.ErrorIs(t, err, unix.ENOTCONN)
	}
	p := s.start(t, s.mount())
	p.await("mounted ")
	assert.Contains(t, p.err.String(), "dead")
	_, err := os.ReadDir(filepath.Join(s.mnt, "files"))
	assert.NoError(t, err)
	assert.Equal(t, 0, p.end(unix.SIGTERM))
	assert.False(t, s.mounted(t))
}

func TestMountpoint_OddNames(t *testing.T) {
	needFUSE(t)
	s := newScene(t)
	s.write(t, "config.toml", listProvider)
	for _, name := range []string{"with blank", `back\slash`, `a\040b`, "云盘", "tab\tand\nline"} {
		t.Run(name, func(t *testing.T) {
			mnt := s.path(name)
			require.NoError(t, os.Mkdir(mnt, 0o755))
			p := s.start(t, s.attachfs("mount", "--config", s.config, mnt))
			p.await("mounted ")
			_, err := os.ReadDir(filepath.Join(mnt, "files"))
			assert.NoError(t, err)
			assert.Equal(t, outcome{}, call(t, s.attachfs("umount", mnt+"/")))
			assert.Equal(t, 0, p.wait())
		})
	}
}

// program is a running attachfs that a test speaks to.
type program struct {
	tb       testing.TB
	scene    scene
	cmd      *exec.Cmd
	out, err transcript
	exited   chan struct{} // closed when the process is gone
}

// start starts cmd; the cleanup ends it.
func (s scene) start(tb testing.TB, cmd *exec.Cmd) *program {
	tb.Helper()
	p := &program{tb: tb, scene: s, cmd: cmd, out: newTranscript(tb), err: newTranscript(tb), exited: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.out.File
	}
	cmd.Stderr = p.err.File
	cmd.WaitDelay = patience
	require.NoError(tb, cmd.Start())
	go func() {
		defer close(p.exited)
		_ = cmd.Wait() // how it went is in the state
	}()
	tb.Cleanup(func() {
		_ = cmd.Process.Signal(unix.SIGTERM) // it may be gone
		p.wait()
		assert.NotContains(tb, p.err.String(), linksim.Marker, "a secret was printed")
		assert.NotContains(tb, p.err.String(), "panic")
		if tb.Failed() {
			tb.Logf("stdout:\n%s\nstderr:\n%s", tail(p.out.String()), tail(p.err.String()))
		}
	})
	return p
}

// await waits until the program has said text on stdout.
func (p *program) await(text string) {
	p.tb.Helper()
	p.awaitIn(p.out, text)
}

func (p *program) awaitIn(said transcript, text string) {
	p.tb.Helper()
	require.Eventuallyf(p.tb, func() bool {
		select {
		case <-p.exited:
			return true
		default:
			return strings.Contains(said.String(), text)
		}
	}, patience, 5*time.Millisecond, "never said %q", text)
	require.Contains(p.tb, said.String(), text)
}

// wait returns the exit code of a program that ends by itself.
func (p *program) wait() int {
	p.tb.Helper()
	select {
	case <-p.exited:
	case <-time.After(patience):
		assert.Fail(p.tb, "the program did not end in time")
		_ = p.cmd.Process.Kill()
		p.scene.release()
		awaitEnd(p.tb, p.exited)
	}
	return p.cmd.ProcessState.ExitCode()
}

// end sends a signal and returns the exit code.
func (p *program) end(sig os.Signal) int {
	p.tb.Helper()
	require.NoError(p.tb, p.cmd.Process.Signal(sig))
	return p.wait()
}

// awaitEnd waits for what ends by itself.
func awaitEnd(tb testing.TB, ended <-chan struct{}) {
	tb.Helper()
	select {
	case <-ended:
	case <-time.After(patience):
		require.FailNow(tb, "no end in time")
	}
}

// holder is a process that has a file open and does nothing.
func holder(tb testing.TB, path string) *exec.Cmd {
	tb.Helper()
	needTool(tb, "sleep")
	f, err := os.Open(path)
	require.NoError(tb, err)
	defer func() { _ = f.Close() }()
	cmd := exec.Command("sleep", "600")
	cmd.Stdin = f
	require.NoError(tb, cmd.Start())
	tb.Cleanup(func() { letGo(cmd) })
	return cmd
}

// letGo ends a holder; it may be gone already.
func letGo(holder *exec.Cmd) {
	_ = holder.Process.Kill()
	_ = holder.Wait()
}

// reportLine is a verdict, what it is about, and the detail.
var reportLine = regexp.MustCompile(`^(ok|FAIL) +([^:]+): \S.*\n$`)

func TestCheck(t *testing.T) {
	needFUSE(t)
	origin := startOrigin(t)
	origin.Put(linksim.Object{Path: "d/e/f.txt", Content: linksim.Pattern(1, 10)})
	s := newScene(t)
	sim := "[[provider]]\n" + simProvider("sim", origin)
	check := func(config string) (outcome, []string) {
		s.write(t, "config.toml", "[cache]\ndir = \"cache\"\n"+config)
		before := append(s.everything(t), s.path("cache"))
		got := call(t, s.attachfs("check", "--config", s.config))
		for _, path := range s.everything(t) {
			assert.Contains(t, before, path, "left behind")
		}
		var verdicts []string
		for line := range strings.Lines(got.out) {
			m := reportLine.FindStringSubmatch(line)
			if assert.NotNilf(t, m, "line %q", line) {
				verdicts = append(verdicts, m[1]+" "+m[2])
			}
		}
		return got, verdicts
	}
	want := func(sim ...string) []string {
		return slices.Concat([]string{"ok configuration", "ok FUSE", "ok cache"}, sim,
			[]string{"ok provider files, listing", "ok provider files, link"})
	}

	got, verdicts := check(sim + listProvider)
	assert.Equal(t, 0, got.code)
	assert.Equal(t, want("ok provider sim, listing", "ok provider sim, link"), verdicts)
	assert.Contains(t, got.out, "f.txt is at 127.0.0.1:")
	assert.Empty(t, got.err)

	got, verdicts = check(strings.ReplaceAll(sim, `insecure_hosts = ["127.0.0.1"]`, "") + listProvider)
	assert.Equal(t, 1, got.code)
	assert.Equal(t, want("ok provider sim, listing", "FAIL provider sim, link"), verdicts)
	assert.Contains(t, got.out, "plain http; insecure_hosts can allow it", "no file could be read")

	origin.Put(linksim.Object{Path: "d/e/f.txt", Terms: linksim.Terms{Refusal: linksim.Forbidden}})
	got, verdicts = check(sim + listProvider)
	assert.Equal(t, 1, got.code)
	assert.Equal(t, want("ok provider sim, listing", "FAIL provider sim, link"), verdicts)

	origin.SetToken("another-" + token)
	got, verdicts = check(sim + listProvider)
	assert.Equal(t, 1, got.code)
	assert.Equal(t, want("FAIL provider sim, listing"), verdicts)
	assert.Regexp(t, `(?m)^FAIL  provider sim, listing: .*401.*permission`, got.out)
	assert.Empty(t, got.err)

	require.NoError(t, origin.Down())
	got, verdicts = check(sim + listProvider)
	assert.Equal(t, 1, got.code)
	assert.Equal(t, want("FAIL provider sim, listing"), verdicts)
	assert.Regexp(t, `(?m)^FAIL  provider sim, listing: .*refused`, got.out)

	got, verdicts = check(strings.ReplaceAll(listProvider, "list.json", "gone.json"))
	assert.Equal(t, 1, got.code)
	assert.Equal(t, []string{"ok configuration", "ok FUSE", "ok cache", "FAIL provider files"}, verdicts)

	got, _ = check("colour = 1\n" + listProvider)
	requireSentence(t, got, 2, s.config+":3: ", "colour")
}

func TestUmount(t *testing.T) {
	origin := startOrigin(t)
	content := linksim.Pattern(1, mib)
	origin.Put(linksim.Object{Path: "f", Content: content})
	s := newScene(t)

	requireSentence(t, call(t, s.attachfs("umount", s.mnt)), 1, "nothing is mounted on "+s.mnt)
	requireSentence(t, call(t, s.attachfs("umount", s.path("gone"))), 1, s.path("gone"))
	requireSentence(t, call(t, s.attachfs("umount", "/proc")), 1, "/proc", "not attachfs")

	p, dir := mountOrigin(t, origin, settings{})
	busy := holder(t, filepath.Join(dir, "f"))
	who := "sleep (pid " + strconv.Itoa(busy.Process.Pid) + ")"
	requireSentence(t, call(t, s.attachfs("umount", p.dir)), 1, p.dir+" is in use by "+who, "--lazy")
	requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, "f")))

	assert.Equal(t, outcome{}, call(t, s.attachfs("umount", "--lazy", p.dir)))
	assert.Empty(t, mountLine(t, p.dir))
	select {
	case <-p.exited:
		assert.Fail(t, "ended while a file was open")
	default:
	}
	letGo(busy)
	awaitEnd(t, p.exited)
	assert.NoError(t, p.err)

	p, _ = mountOrigin(t, origin, settings{})
	require.NoError(t, os.Symlink(p.dir, s.path("link")))
	cmd := s.attachfs("umount", "link")
	cmd.Dir = s.dir
	assert.Equal(t, outcome{}, call(t, cmd))
	awaitEnd(t, p.exited)
	assert.NoError(t, p.err)
}
