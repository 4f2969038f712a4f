package e2e_test

import (
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// How long something may take that is said to be at once, on a slow machine.
const atOnce = 8 * time.Second

func TestProviderDown_AtARestart(t *testing.T) {
	t.Parallel()
	origin := trapOrigin(t)
	files := putMany(origin, "d", 20, 300_000, linksim.Object{})
	maps.Copy(files, putMany(origin, "d", 10, 300_000, linksim.Object{HideSize: true}))
	large := linksim.Pattern(71, 8*mib)
	origin.Put(linksim.Object{Path: "d/large.pdf", Content: large})
	s := settings{cacheDir: t.TempDir()}
	p, dir := mountOrigin(t, origin, s)
	dir = filepath.Join(dir, "d")
	requireAll(t, dir, files)
	files["large.pdf"] = large
	requireSizes(t, dir, files)
	awaitOnDisk(t, s.cacheDir, 30*300_000/2)
	require.NoError(t, p.stop(t, unix.SIGTERM))

	require.NoError(t, origin.Down())
	s.read = `deadline = "20s"`
	_, dir = mountOrigin(t, origin, s)
	dir = filepath.Join(dir, "d")
	began := time.Now()
	require.Equal(t, slices.Sorted(maps.Keys(files)), names(dir))
	requireSizes(t, dir, files)
	delete(files, "large.pdf")
	requireAll(t, dir, files)
	assert.Less(t, time.Since(began), atOnce)
	for range 3 {
		began := time.Now()
		// Its head was fetched ahead when the files before it were read.
		requireFails(t, filepath.Join(dir, "large.pdf"), contentOf(t, large), unix.EIO)
		assert.Less(t, time.Since(began), atOnce, "a dead provider fails fast")
	}

	require.NoError(t, origin.Up())
	requireSame(t, contentOf(t, large), readInTime(t, filepath.Join(dir, "large.pdf")))
}

// A provider that was never there is a directory that says so, and nothing that
// a backup could take for an empty one.
func TestProviderDown_AtTheFirstStart(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"ls", "rsync"} {
		needTool(t, tool)
	}
	const note = "README-attachfs.txt"
	origin, other := trapOrigin(t), trapOrigin(t)
	files := putMany(origin, "d", 5, 1000, linksim.Object{})
	others := putMany(other, "d", 5, 1000, linksim.Object{})
	require.NoError(t, origin.Down())
	p := mount(t, settings{providers: []string{simProvider("sim", origin), simProvider("other", other)}})
	dir := filepath.Join(p.dir, "sim")

	out, err := exec.Command("ls", dir).Output()
	require.Error(t, err, "ls must not be content")
	assert.Equal(t, note+"\n", string(out))
	text := string(read(t, filepath.Join(dir, note)))
	assert.Contains(t, text, `"sim"`)
	assert.Contains(t, text, "connection refused")
	assertNoSecret(t, note, text)
	requireAll(t, filepath.Join(p.dir, "other", "d"), others)

	backup := t.TempDir()
	kept := filepath.Join(backup, "d", "kept.pdf")
	require.NoError(t, os.Mkdir(filepath.Dir(kept), 0o700))
	writeLocal(t, kept, []byte("the only copy"), time.Now())
	require.Error(t, exec.Command("rsync", "-a", "--delete", dir+"/", backup+"/").Run())
	assert.FileExists(t, kept, "nothing is deleted from a backup")

	require.NoError(t, origin.Up())
	require.Eventually(t, func() bool { return slices.Equal([]string{"d"}, names(dir)) }, patience, 50*time.Millisecond,
		"the files appear by themselves")
	requireAll(t, filepath.Join(dir, "d"), files)
	run(t, "ls", dir)
	assert.Eventually(t, func() bool {
		_, err := os.Stat(filepath.Join(dir, note))
		return os.IsNotExist(err)
	}, patience, 50*time.Millisecond)
}

// readFor reads a file from its start, in small pieces, for as long as d.
func readFor(t *testing.T, path string, content linksim.Content, d time.Duration) {
	t.Helper()
	const pause = 20 * time.Millisecond
	f := openFile(t, path)
	got := make([]byte, content.Size()*int64(pause)/int64(d)&^4095)
	off := int64(0)
	for began := time.Now(); time.Since(began) < d && off+int64(len(got)) <= content.Size(); off += int64(len(got)) {
		want := make([]byte, len(got))
		_, err := content.ReadAt(want, off)
		require.NoError(t, err)
		_, err = io.ReadFull(f, got)
		require.NoErrorf(t, err, "at %d", off)
		requireSame(t, want, got)
		time.Sleep(pause)
	}
}

func TestClockOff_LinksOfAMinute(t *testing.T) {
	for _, ahead := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		t.Run(ahead.String(), func(t *testing.T) {
			origin := trapOrigin(t)
			origin.SetClock(ahead)
			files := putMany(origin, "d", 20, 100_000, linksim.Object{Terms: linksim.Terms{Lifetime: time.Minute}})
			_, dir := mountOrigin(t, origin, settings{})
			requireAll(t, filepath.Join(dir, "d"), files)
			counts := origin.Counts()
			assert.Equal(t, 1, counts.LinkCalls)
			assert.Zero(t, counts.DeadUses)
		})
	}
}

// By the clocks as they are, the links would be dead when they come, or live for
// minutes after their death.
func TestClockOff_LinksThatDieInTheMiddle(t *testing.T) {
	t.Parallel()
	const lifetime = 4 * time.Second
	for _, ahead := range []time.Duration{-10 * time.Minute, 10 * time.Minute} {
		t.Run(ahead.String(), func(t *testing.T) {
			t.Parallel()
			origin := trapOrigin(t)
			origin.SetClock(ahead)
			content := linksim.Pattern(72, 24*mib)
			origin.Put(linksim.Object{Path: "f", Content: content, Terms: linksim.Terms{Lifetime: lifetime}})
			_, dir := mountOrigin(t, origin, settings{read: `window = "1MiB"`})
			readFor(t, filepath.Join(dir, "f"), content, lifetime*3/2)
			counts := origin.Counts()
			assert.Zero(t, counts.DeadUses, "of %d requests", counts.Gets)
			assert.LessOrEqual(t, counts.LinkCalls, 6)
		})
	}
}

// The links live one second, and the API says an hour. That is learnt from one
// file for all.
func TestEarlyDeath_IsLearnt(t *testing.T) {
	t.Parallel()
	origin := trapOrigin(t)
	files := putMany(origin, "d", 2, 24*mib, linksim.Object{
		Terms: linksim.Terms{Lifetime: time.Hour, Early: time.Hour - time.Second},
	})
	_, dir := mountTerms(t, origin, "batch = 1\n", settings{read: `window = "1MiB"`})
	for i, reading := range []time.Duration{4 * time.Second, 12 * time.Second} {
		origin.ResetCounts()
		began := time.Now()
		name := fmt.Sprintf("%05d.pdf", i)
		readFor(t, filepath.Join(dir, "d", name), files[name], reading)
		lives, counts := int(time.Since(began)/time.Second), origin.Counts()
		assert.LessOrEqual(t, counts.LinkCalls, 3*(lives+1), "links that last half of their life")
		if i == 0 {
			assert.NotZero(t, counts.DeadUses, "nothing to learn from")
			continue
		}
		assert.LessOrEqual(t, counts.DeadUses, lives/2, "of %d requests", counts.Gets)
	}
}

// The name of the host that links lead to is not known any more. A while later
// links lead elsewhere.
func TestNameOfTheHostGone_FailsAndRecovers(t *testing.T) {
	t.Parallel()
	origin := trapOrigin(t)
	files := putMany(origin, "d", 3, 1000, linksim.Object{})
	content := linksim.Pattern(74, 1000)
	origin.Put(linksim.Object{Path: "d/gone", Content: content, Terms: linksim.Terms{
		URL: "http://nowhere.invalid/f", Lifetime: time.Second,
	}})
	provider := hostsProvider("sim", origin, `["127.0.0.1", "nowhere.invalid"]`)
	p := mount(t, settings{providers: []string{provider}, read: "deadline = \"2s\"\nstall = \"1s\""})
	dir := filepath.Join(p.dir, "sim", "d")
	began := time.Now()
	requireFails(t, filepath.Join(dir, "gone"), nil, unix.EIO, unix.ETIMEDOUT)
	assert.Less(t, time.Since(began), patience/2)
	requireAll(t, dir, files)
	assert.LessOrEqual(t, origin.Counts().LinkCalls, 16, "the link is not to blame")
	origin.Put(linksim.Object{Path: "d/gone", Content: content})
	requireSame(t, contentOf(t, content), readInTime(t, filepath.Join(dir, "gone")))
}
