package e2e_test

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
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

// Services that take one call a second, and say so only when there are more,
// each in its own words.
func TestThrottle_ObeyedInAllShapes(t *testing.T) {
	t.Parallel()
	shapes := []linksim.LimitShape{linksim.Limit429, linksim.Limit400, linksim.Limit200, linksim.LimitText}
	var s settings
	origins := make([]*linksim.Origin, len(shapes))
	files := make([]map[string]linksim.Content, len(shapes))
	for i, shape := range shapes {
		origins[i] = trapOrigin(t, linksim.WithLinkRate(1, time.Second))
		origins[i].SetLimitShapes(shape, linksim.Limit403)
		files[i] = putMany(origins[i], "d", 4, 30_000, linksim.Object{})
		s.providers = append(s.providers, simProvider("like "+string(shape), origins[i])+"batch = 1\n")
	}
	free := trapOrigin(t)
	putMany(free, "d", 20, 30_000, linksim.Object{HideSize: true})
	s.providers = append(s.providers, simProvider("free", free)+"batch = 1\n")
	p := mount(t, s)

	served := make([]chan map[string]finding, len(shapes))
	for i, shape := range shapes {
		dir := filepath.Join(p.dir, "like "+string(shape), "d")
		served[i] = make(chan map[string]finding, 1)
		go func() { served[i] <- readTogether(dir, names(dir)) }()
		require.Eventually(t, func() bool { return origins[i].Counts().Throttled > 0 }, patience, time.Millisecond)
	}
	others := filepath.Join(p.dir, "free", "d")
	for name, got := range readTogether(others, names(others)) {
		require.NoError(t, got.err, name)
	}
	for i, shape := range shapes {
		assert.Empty(t, served[i], "the other provider did not wait for the one like %s", shape)
	}
	for i, shape := range shapes {
		for name, got := range <-served[i] {
			require.NoError(t, got.err, "%s like %s", name, shape)
			requireSame(t, contentOf(t, files[i][name]), got.bytes)
		}
		// Three, two, and one have to be told, and again where calls meet.
		assert.LessOrEqual(t, origins[i].Counts().Throttled, 2*(3+2+1), shape)
	}
}

func TestQuota_SpentAtTheProvider(t *testing.T) {
	origin, other := trapOrigin(t), trapOrigin(t)
	files := putMany(origin, "d", 6, 300_000, linksim.Object{})
	putMany(other, "d", 6, 300_000, linksim.Object{})
	origin.Put(linksim.Object{Path: "d/unknown.pdf", Content: linksim.Pattern(62, 1000), HideSize: true})
	s := settings{cacheDir: t.TempDir(), providers: []string{
		simProvider("sim", origin) + "batch = 1\n", simProvider("other", other) + "batch = 1\n",
	}}
	p := mount(t, s)
	dir := filepath.Join(p.dir, "sim", "d")
	origin.SetQuota(1)
	requireSame(t, contentOf(t, files["00000.pdf"]), read(t, filepath.Join(dir, "00000.pdf")))

	spent := func() {
		t.Helper()
		began := time.Now()
		for i := 1; i < 6; i++ {
			requireFails(t, filepath.Join(dir, fmt.Sprintf("%05d.pdf", i)), nil, unix.EDQUOT)
		}
		requireFails(t, filepath.Join(dir, "unknown.pdf"), nil, unix.EDQUOT)
		assert.Less(t, time.Since(began), atOnce)
		assert.Equal(t, 1, origin.Counts().OverQuota, "nobody asks again who was told")
		assert.Len(t, names(dir), 7)
		requireSame(t, contentOf(t, files["00000.pdf"]), read(t, filepath.Join(dir, "00000.pdf")))
	}
	spent()
	requireAll(t, filepath.Join(p.dir, "other", "d"), files)
	awaitOnDisk(t, s.cacheDir, 300_000)
	require.NoError(t, p.stop(t, unix.SIGTERM))

	origin.ResetCounts()
	p = mount(t, s)
	dir = filepath.Join(p.dir, "sim", "d")
	spent()
	assert.Zero(t, origin.Counts().Gets, "from the cache")
}

// scanEnv makes the test binary be a thumbnailer of eight threads over the
// directory that it names.
const scanEnv = "ATTACHFS_E2E_SCAN"

func init() {
	if dir := os.Getenv(scanEnv); dir != "" {
		scanByThreads(dir)
		os.Exit(0)
	}
}

func scanByThreads(dir string) {
	files := make(chan string)
	var scanners sync.WaitGroup
	for range 8 {
		scanners.Go(func() {
			for path := range files {
				if f, err := os.Open(path); err == nil {
					_, _ = io.CopyN(io.Discard, f, 64<<10)
					_ = f.Close()
				}
			}
		})
	}
	for _, name := range names(dir) {
		files <- filepath.Join(dir, name)
	}
	close(files)
	scanners.Wait()
}

// A thumbnailer is at 500 files. A person who opens one more in the middle of
// that does not wait for those who came before him.
func TestScanner_PeopleFirst(t *testing.T) {
	for _, tool := range []string{"sh", "find", "xargs", "head", "cat"} {
		needTool(t, tool)
	}
	const files = 500
	for _, row := range []struct {
		name    string
		batch   int
		command []string // with the directory after it
	}{
		{"eight programs", 5, []string{"sh", "-c", `find "$0" -type f | xargs -P 8 -n 1 head -c 65536 >/dev/null`}},
		{"one program of eight threads", 1, os.Args[:1]},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			origin := trapOrigin(t, linksim.WithBatch(row.batch), linksim.WithLinkRate(1, time.Second))
			putMany(origin, "scanned", files, 100_000, linksim.Object{})
			content := linksim.Pattern(63, 100_000)
			origin.Put(linksim.Object{Path: "opened.pdf", Content: content})
			p, dir := mountTerms(t, origin, fmt.Sprintf("batch = %d\nlink_rate = 1\n", row.batch), settings{})
			stop := scan(t, filepath.Join(dir, "scanned"), row.command)
			require.Eventually(t, func() bool { return origin.Counts().LinkCalls >= 3 }, patience, time.Millisecond)

			got, err := exec.Command("cat", filepath.Join(dir, "opened.pdf")).Output()
			stop()
			require.NoError(t, err)
			requireSame(t, contentOf(t, content), got)
			most := 2 + origin.Counts().Throttled // one under way, one for who waits longest, and those that were too early
			assert.LessOrEqual(t, callsBefore(t, p, "opened.pdf"), most)
			assert.Less(t, origin.Counts().LinkCalls, files/row.batch/2, "the scan was still going on")
		})
	}
}

// callsBefore is how many link calls were made from when somebody wanted the
// link of the file whose id ends with id until his own call, by p's log.
func callsBefore(t *testing.T, p *process, id string) int {
	t.Helper()
	calls, wanted := 0, false
	for line := range strings.Lines(p.log.String()) {
		switch of := strings.Contains(line, id); {
		case of && strings.Contains(line, `msg="link wanted"`):
			wanted = true
		case of && strings.Contains(line, `msg="link lent"`):
			require.True(t, wanted, "no link of %s was wanted", id)
			return calls - 1
		case wanted && strings.Contains(line, `msg="link call"`):
			calls++
		}
	}
	require.FailNow(t, "no link was lent", id)
	return 0
}

// scan runs a scanner over dir until it is stopped, with all its children.
func scan(t *testing.T, dir string, command []string) (stop func()) {
	t.Helper()
	cmd := exec.Command(command[0], append(command[1:len(command):len(command)], dir)...)
	cmd.Env = append(os.Environ(), scanEnv+"="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	require.NoError(t, cmd.Start())
	stop = sync.OnceFunc(func() {
		_ = unix.Kill(-cmd.Process.Pid, unix.SIGKILL)
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	return stop
}

func TestFind_HundredThousandEntries(t *testing.T) {
	needTool(t, "find")
	const dirs, files = 20, 5_000
	origin := trapOrigin(t, linksim.WithPageSize(files))
	for d := range dirs {
		putMany(origin, fmt.Sprintf("%02d", d), files, 100_000, linksim.Object{HideSize: d%2 == 0})
	}
	p, dir := mountOrigin(t, origin, settings{log: `level = "warn"`})
	assert.Equal(t, dirs*files, lines(run(t, "find", dir, "-name", "*.pdf")))
	counts := origin.Counts()
	assert.Zero(t, counts.LinkCalls)
	assert.Zero(t, counts.Gets)
	most := 256.0 + 64 // MiB: what cache.memory allows, and a little
	if raceDetected() {
		most *= 3
	}
	assert.LessOrEqual(t, peakMemory(t, p.cmd.Process.Pid), most)
}

// brief reports whether a test of volume is to do with a part of it: the race
// detector makes ten minutes of one.
func brief() bool { return testing.Short() || raceDetected() }

// raceDetected reports whether this program, and with it the one under test, was
// built with the race detector, which takes several times the memory.
func raceDetected() bool {
	info, ok := debug.ReadBuildInfo()
	return ok && slices.Contains(info.Settings, debug.BuildSetting{Key: "-race", Value: "true"})
}
