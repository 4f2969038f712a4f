package e2e_test

import (
	"fmt"
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

// mountTerms is mountOrigin for a provider whose table has the lines of terms,
// too.
func mountTerms(tb testing.TB, origin *linksim.Origin, terms string, s settings) (*process, string) {
	tb.Helper()
	s.providers = append(s.providers, simProvider("sim", origin)+terms)
	p := mount(tb, s)
	return p, filepath.Join(p.dir, "sim")
}

// putMany puts n files like model into the directory dir of origin, each with
// content of its own, and returns them by name.
func putMany(origin *linksim.Origin, dir string, n int, size int64, model linksim.Object) map[string]linksim.Content {
	all := make(map[string]linksim.Content, n)
	for i := range n {
		name := fmt.Sprintf("%05d.pdf", i)
		model.Path, model.Content = dir+"/"+name, linksim.Pattern(uint64(i), size)
		origin.Put(model)
		all[name] = model.Content
	}
	return all
}

// requireAll reads all files of dir, one after another.
func requireAll(t *testing.T, dir string, files map[string]linksim.Content) {
	t.Helper()
	for name, content := range files {
		requireSame(t, contentOf(t, content), read(t, filepath.Join(dir, name)))
	}
}

// readTogether reads files of dir at once and returns what came of each.
func readTogether(dir string, names []string) map[string]finding {
	var mu sync.Mutex // guards all
	var reading sync.WaitGroup
	all := make(map[string]finding, len(names))
	for _, name := range names {
		reading.Go(func() {
			b, err := readRaw(filepath.Join(dir, name))
			mu.Lock()
			defer mu.Unlock()
			all[name] = finding{b, err}
		})
	}
	reading.Wait()
	return all
}

// finding is what was found in a file, or why not.
type finding struct {
	bytes []byte
	err   error
}

func TestBatch_HundredOpensAtOnce(t *testing.T) {
	origin := startOrigin(t)
	files := putMany(origin, "d", 100, 30_000, linksim.Object{})
	_, dir := mountOrigin(t, origin, settings{})
	dir = filepath.Join(dir, "d")
	for name, got := range readTogether(dir, names(dir)) {
		require.NoError(t, got.err, name)
		requireSame(t, contentOf(t, files[name]), got.bytes)
	}
	counts := origin.Counts()
	assert.LessOrEqual(t, counts.LinkCalls, 2)
	assert.Equal(t, 100, counts.LinksIssued)
	assert.Equal(t, 100, counts.Gets)
}

// A copy reads one file after another: the free places of each call go to
// those that follow.
func TestBatch_CopyAtALimitedRate(t *testing.T) {
	t.Parallel()
	needTool(t, "cp")
	origin := startOrigin(t, linksim.WithBatch(20), linksim.WithLinkRate(2, time.Second))
	files := putMany(origin, "d", 100, 30_000, linksim.Object{})
	_, dir := mountTerms(t, origin, "batch = 20\nlink_rate = 2\n", settings{})
	copied := filepath.Join(t.TempDir(), "copy")
	run(t, "cp", "-r", filepath.Join(dir, "d"), copied)
	requireAll(t, copied, files)
	counts := origin.Counts()
	assert.Equal(t, 5, counts.LinkCalls, "100 files at 20 a call")
	assert.Equal(t, 100, counts.LinksIssued)
	assert.Zero(t, counts.Throttled)
}

func TestBatch_SiblingsOfAMessage(t *testing.T) {
	origin := startOrigin(t, linksim.WithBatch(20), linksim.WithGroups())
	first := putMany(origin, "first message", 15, 30_000, linksim.Object{})
	second := putMany(origin, "second message", 15, 30_000, linksim.Object{})
	_, dir := mountTerms(t, origin, "batch = 20\nby_directory = true\n", settings{})
	const one = "00007.pdf"
	requireSame(t, contentOf(t, first[one]), read(t, filepath.Join(dir, "first message", one)))
	assert.Equal(t, 1, origin.Counts().LinkCalls)
	assert.Equal(t, 15, origin.Counts().LinksIssued, "the others of the message came along, no others")
	requireAll(t, filepath.Join(dir, "first message"), first)
	assert.Equal(t, 1, origin.Counts().LinkCalls)
	requireAll(t, filepath.Join(dir, "second message"), second)
	assert.Equal(t, 2, origin.Counts().LinkCalls)
	assert.Equal(t, 30, origin.Counts().LinksIssued)
}

// An answer has everything that can be wrong with it, and always comes in
// another order.
func TestPartialBatch_OthersAreServed(t *testing.T) {
	t.Parallel()
	verdicts := map[linksim.Refusal][]unix.Errno{
		linksim.Missing:     {unix.ESTALE},
		linksim.Stranger:    {unix.ESTALE},
		linksim.Forbidden:   {unix.EACCES},
		linksim.Unsupported: {unix.EOPNOTSUPP},
		linksim.NoURL:       {unix.EIO, unix.ETIMEDOUT},
		linksim.Twice:       nil, // the same link twice is a link
	}
	origin := trapOrigin(t)
	files := putMany(origin, "d", 20, 30_000, linksim.Object{})
	for refusal := range verdicts {
		name := string(refusal)
		files[name] = linksim.Pattern(61, 30_000)
		origin.Put(linksim.Object{Path: "d/" + name, Content: files[name], Terms: linksim.Terms{Refusal: refusal}})
	}
	_, dir := mountOrigin(t, origin, settings{read: "deadline = \"3s\"\nstall = \"2s\""})
	dir = filepath.Join(dir, "d")
	for name, got := range readTogether(dir, names(dir)) {
		if errnos := verdicts[linksim.Refusal(name)]; errnos != nil {
			require.Error(t, got.err, name)
			requireErrno(t, got.err, errnos...)
			continue
		}
		require.NoError(t, got.err, name)
		requireSame(t, contentOf(t, files[name]), got.bytes)
	}
	// The one without a URL is asked for again, with pauses that double, and once
	// more by the kernel.
	assert.LessOrEqual(t, origin.Counts().LinkCalls, 24)
}

func TestBadApple_OthersAreServed(t *testing.T) {
	origin := trapOrigin(t, linksim.WithBatch(32))
	files := putMany(origin, "d", 32, 30_000, linksim.Object{})
	const bad = "00013.pdf"
	origin.Put(linksim.Object{Path: "d/" + bad, Content: files[bad], Terms: linksim.Terms{Refusal: linksim.Spoils}})
	_, dir := mountTerms(t, origin, "batch = 32\n", settings{})
	dir = filepath.Join(dir, "d")
	for name, got := range readTogether(dir, names(dir)) {
		if name == bad {
			require.Error(t, got.err)
			requireErrno(t, got.err, unix.EACCES)
			continue
		}
		require.NoError(t, got.err, name)
		requireSame(t, contentOf(t, files[name]), got.bytes)
	}
	// Halves of halves; those who come to want their files in the meantime
	// may cost another search or two, and one by one would cost 32 each.
	assert.LessOrEqual(t, origin.Counts().LinkCalls, 30)
}

// The program that began a call for links is killed. Those who wait for other
// files of that call are served by it.
func TestFirstCallerLeaves_OthersOfItsCallAreServed(t *testing.T) {
	t.Parallel()
	needTool(t, "cat")
	origin := trapOrigin(t)
	files := putMany(origin, "d", 6, 30_000, linksim.Object{})
	_, dir := mountOrigin(t, origin, settings{})
	dir = filepath.Join(dir, "d")
	all := names(dir)
	require.Len(t, all, len(files))
	origin.InjectAPI(linksim.LinkCall, linksim.Fault{Kind: linksim.Late, Delay: 3 * time.Second, Times: 1})
	first := exec.Command("cat", filepath.Join(dir, all[0]))
	require.NoError(t, first.Start())
	require.Eventually(t, func() bool { return origin.Counts().LinkCalls == 1 }, patience, time.Millisecond)
	served := make(chan map[string]finding, 1)
	go func() { served <- readTogether(dir, all[1:]) }()
	require.NoError(t, first.Process.Kill())
	require.Error(t, first.Wait(), "killed in the middle")
	assert.Empty(t, served, "the call is still under way")
	for name, got := range <-served {
		require.NoError(t, got.err, name)
		requireSame(t, contentOf(t, files[name]), got.bytes)
	}
	assert.Equal(t, 1, origin.Counts().LinkCalls)
}
