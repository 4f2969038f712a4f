package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

const (
	// token is what every simulated API wants; it must not be printed.
	token = linksim.Marker + "-api-token"
	// patience bounds what a test waits for.
	patience = time.Minute
)

// needFUSE skips the test where nothing can be mounted; in CI that is a failure.
func needFUSE(tb testing.TB) {
	tb.Helper()
	f, err := os.OpenFile("/dev/fuse", os.O_RDWR, 0)
	if err != nil {
		missing(tb, "FUSE")
	}
	require.NoError(tb, f.Close())
	if os.Getuid() != 0 {
		needTool(tb, "fusermount3")
	}
}

// needTool skips the test where a program is missing; in CI that is a failure.
func needTool(tb testing.TB, name string) {
	tb.Helper()
	if _, err := exec.LookPath(name); err != nil {
		missing(tb, name)
	}
}

func missing(tb testing.TB, what string) {
	tb.Helper()
	if os.Getenv("ATTACHFS_CI") != "" {
		tb.Fatalf("%s is not there, and in CI it must be", what)
	}
	tb.Skipf("%s is not there", what)
}

// startOrigin starts a simulated service that ends with the test.
func startOrigin(tb testing.TB, opts ...linksim.Option) *linksim.Origin {
	tb.Helper()
	origin, err := linksim.Start(append([]linksim.Option{linksim.WithToken(token)}, opts...)...)
	require.NoError(tb, err)
	tb.Cleanup(func() { assert.NoError(tb, origin.Close()) })
	return origin
}

// process is a running attachfs.
type process struct {
	dir    string // the mount point
	cache  string
	config string
	cmd    *exec.Cmd
	log    transcript
	exited chan struct{} // closed when the process is gone
	err    error         // how it ended, valid then
}

// settings are lines of the configuration by section; "provider" is a whole
// table without its header. Everything has a default that suits tests.
type settings struct {
	mount, cache, read, log string
	sim                     string // more lines for mountOrigin's provider
	providers               []string
	cacheDir                string   // kept between mounts; a temporary one if empty
	env                     []string // besides that of the test
}

// simProvider is the table of a provider that speaks to origin.
func simProvider(name string, origin *linksim.Origin) string {
	return fmt.Sprintf("name = %q\ntype = \"sim\"\nbase_url = %q\naccess_token = \"env:SIM_TOKEN\"\ninsecure_hosts = [\"127.0.0.1\"]\n",
		name, origin.URL())
}

// manifestProvider is the table of a provider that reads a manifest.
func manifestProvider(name, file string) string {
	return fmt.Sprintf("name = %q\ntype = \"manifest\"\nfile = %q\ninsecure_hosts = [\"127.0.0.1\"]\n", name, file)
}

// mountOrigin mounts one simulated service as "sim" and returns its directory.
func mountOrigin(tb testing.TB, origin *linksim.Origin, s settings) (*process, string) {
	tb.Helper()
	s.providers = append(s.providers, simProvider("sim", origin)+s.sim)
	p := mount(tb, s)
	return p, filepath.Join(p.dir, "sim")
}

// mount mounts the configured providers; the cleanup unmounts, whatever
// happened, and makes sure that nothing secret was printed.
func mount(tb testing.TB, s settings) *process {
	tb.Helper()
	needFUSE(tb)
	p := &process{dir: tb.TempDir(), cache: s.cacheDir, log: newTranscript(tb), exited: make(chan struct{})}
	if p.cache == "" {
		p.cache = tb.TempDir()
	}
	p.config = writeConfig(tb, s, p.cache)
	p.cmd = attachfs("mount", "--config", p.config, p.dir)
	p.cmd.Env = append(p.cmd.Env, s.env...)
	p.cmd.Stderr = p.log.File
	out, err := p.cmd.StdoutPipe()
	require.NoError(tb, err)
	require.NoError(tb, p.cmd.Start())
	ready := make(chan string, 1)
	go func() {
		defer close(p.exited)
		line, _ := bufio.NewReader(out).ReadString('\n')
		ready <- line
		_, _ = io.Copy(io.Discard, out)
		p.err = p.cmd.Wait()
	}()
	tb.Cleanup(func() { p.cleanup(tb) })
	select {
	case line := <-ready:
		require.Truef(tb, strings.HasPrefix(line, "mounted "), "said %q; log:\n%s", line, p.log)
	case <-time.After(patience):
		require.FailNow(tb, "not mounted in time", p.log.String())
	}
	return p
}

// attachfs is a command that runs the program under test.
func attachfs(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), runEnv+"=1", "SIM_TOKEN="+token)
	return cmd
}

func writeConfig(tb testing.TB, s settings, cacheDir string) string {
	tb.Helper()
	level := s.log
	if level == "" {
		level = `level = "debug"`
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[mount]\n%s\n[cache]\ndir = %q\nmin_free = 0\n%s\n[read]\n%s\n[log]\n%s\n", s.mount, cacheDir, s.cache, s.read, level)
	for _, p := range s.providers {
		fmt.Fprintf(&b, "[[provider]]\n%s\n", p)
	}
	path := filepath.Join(tb.TempDir(), "config.toml")
	require.NoError(tb, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

// stop ends the process as a user would, and returns how it ended.
func (p *process) stop(tb testing.TB, sig os.Signal) error {
	tb.Helper()
	_ = p.cmd.Process.Signal(sig)
	select {
	case <-p.exited:
	case <-time.After(patience):
		_ = unix.Unmount(p.dir, unix.MNT_DETACH)
		_ = p.cmd.Process.Kill()
		<-p.exited
		require.FailNow(tb, "did not end in time", p.log.String())
	}
	return p.err
}

func (p *process) cleanup(tb testing.TB) {
	select {
	case <-p.exited:
	default:
		assert.NoErrorf(tb, p.stop(tb, unix.SIGTERM), "log:\n%s", tail(p.log.String()))
	}
	_ = unix.Unmount(p.dir, unix.MNT_DETACH) // what a killed process left behind
	assert.NotContains(tb, p.log.String(), linksim.Marker, "a secret was printed")
	assert.NotContains(tb, p.log.String(), "panic")
	if tb.Failed() {
		tb.Logf("log:\n%s", tail(p.log.String()))
	}
}

func tail(s string) string { return s[max(0, len(s)-8000):] }

// transcript is what processes write, in a file: what was written before a
// system call was answered is there when the call returns, which a pipe does
// not promise.
type transcript struct{ *os.File }

func newTranscript(tb testing.TB) transcript {
	tb.Helper()
	f, err := os.CreateTemp(tb.TempDir(), "transcript")
	require.NoError(tb, err)
	tb.Cleanup(func() { _ = f.Close() })
	return transcript{f}
}

func (t transcript) String() string {
	b, err := io.ReadAll(io.NewSectionReader(t, 0, math.MaxInt64))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// read returns what the mount holds at path.
func read(tb testing.TB, path string) []byte {
	tb.Helper()
	b, err := os.ReadFile(path)
	require.NoError(tb, err)
	return b
}

// contentOf returns all bytes of c.
func contentOf(tb testing.TB, c linksim.Content) []byte {
	tb.Helper()
	b := make([]byte, c.Size())
	_, err := c.ReadAt(b, 0)
	if err != io.EOF {
		require.NoError(tb, err)
	}
	return b
}

// requireSame compares without printing megabytes.
func requireSame(tb testing.TB, expected, actual []byte) {
	tb.Helper()
	if bytes.Equal(expected, actual) {
		return
	}
	at := 0
	for at < len(expected) && at < len(actual) && expected[at] == actual[at] {
		at++
	}
	require.FailNowf(tb, "other bytes", "%d bytes, expected %d; first difference at %d", len(actual), len(expected), at)
}
