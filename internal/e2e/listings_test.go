package e2e_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// hangUp makes a mount drop its listings, and returns when it asked for dir
// again.
func hangUp(t *testing.T, p *process, origin *linksim.Origin, dir, path string) {
	t.Helper()
	before := origin.CountsOf(dir).Lists
	require.NoError(t, p.cmd.Process.Signal(unix.SIGHUP))
	require.Eventually(t, func() bool {
		_ = names(path)
		return origin.CountsOf(dir).Lists > before
	}, patience, 5*time.Millisecond, "the listing is not renewed")
}

func TestListing_BreaksAtPageThreeOfFive(t *testing.T) {
	t.Parallel()
	origin := trapOrigin(t, linksim.WithPageSize(10))
	files := putMany(origin, "d", 50, 1000, linksim.Object{})
	p, dir := mountOrigin(t, origin, settings{mount: forgetful + `listing_ttl = "1h"`})
	dir = filepath.Join(dir, "d")
	all := names(dir)
	require.Len(t, all, len(files))

	origin.Remove("d/" + all[0])
	origin.Put(linksim.Object{Path: "d/new", Content: linksim.Pattern(66, 1000)})
	_ = names(filepath.Dir(dir))           // a page of its own
	for _, fault := range []linksim.Fault{ // the first page is that of the parent
		{Kind: linksim.Status, Status: 503, Skip: 3},
		{Kind: linksim.CutBody, After: 100, Skip: 3},
	} {
		t.Run(fmt.Sprint(fault.Kind, fault.Status), func(t *testing.T) {
			origin.ClearFaults()
			origin.InjectAPI(linksim.ListCall, fault)
			before := origin.CountsOf("dir:d").Lists
			hangUp(t, p, origin, "dir:d", dir)
			require.Equal(t, all, names(dir), "what was there stays, also what is gone by now")
			// Two pages, and four tries of the third; who looks when that is over
			// may have it tried once more.
			assert.LessOrEqual(t, origin.CountsOf("dir:d").Lists, before+2*6)
		})
	}
	origin.ClearFaults()
	origin.InjectAPI(linksim.ListCall, linksim.Fault{Kind: linksim.Status, Status: 429, Skip: 3, Times: 2})
	require.NoError(t, p.cmd.Process.Signal(unix.SIGHUP)) // a page that fails twice is asked for again
	want := append(slices.Clone(all[1:]), "new")
	require.Eventually(t, func() bool { return slices.Equal(want, names(dir)) }, patience, 20*time.Millisecond)
}

func TestListing_EmptyPageWithMore(t *testing.T) {
	origin := trapOrigin(t, linksim.WithPageSize(10))
	files := putMany(origin, "d", 50, 1000, linksim.Object{})
	_, dir := mountOrigin(t, origin, settings{})
	require.Equal(t, []string{"d"}, names(dir))
	origin.InjectAPI(linksim.ListCall, linksim.Fault{Kind: linksim.EmptyPage, Times: 1})
	assert.Equal(t, slices.Sorted(maps.Keys(files)), names(filepath.Join(dir, "d")))
	assert.Equal(t, 6, origin.CountsOf("dir:d").Lists)
}

func TestListing_RepeatedCursorEnds(t *testing.T) {
	origin := trapOrigin(t, linksim.WithPageSize(10))
	files := putMany(origin, "d", 50, 1000, linksim.Object{})
	p, dir := mountOrigin(t, origin, settings{mount: forgetful + `listing_ttl = "1h"`})
	require.Equal(t, []string{"d"}, names(dir))
	dir = filepath.Join(dir, "d")
	origin.InjectAPI(linksim.ListCall, linksim.Fault{Kind: linksim.RepeatCursor})
	_, err := os.ReadDir(dir)
	require.ErrorIs(t, err, unix.EIO, "an error, and not a part of the directory")
	assert.LessOrEqual(t, origin.CountsOf("dir:d").Lists, 3)

	origin.ClearFaults()
	require.NoError(t, p.cmd.Process.Signal(unix.SIGHUP))
	want := slices.Sorted(maps.Keys(files))
	require.Eventually(t, func() bool { return slices.Equal(want, names(dir)) }, patience, 20*time.Millisecond)

	origin.InjectAPI(linksim.ListCall, linksim.Fault{Kind: linksim.RepeatCursor})
	hangUp(t, p, origin, "dir:d", dir)
	require.Equal(t, want, names(dir), "the old listing")
}

// The listing is old, and the service does not answer: what is known is shown
// at once.
func TestListing_StaleWhileItIsRenewed(t *testing.T) {
	const ttl = 300 * time.Millisecond
	origin := trapOrigin(t)
	files := putMany(origin, "d", 50, 1000, linksim.Object{})
	_, dir := mountOrigin(t, origin, settings{mount: fmt.Sprintf("listing_ttl = %q\n", ttl) + forgetful})
	dir = filepath.Join(dir, "d")
	want := slices.Sorted(maps.Keys(files))
	require.Equal(t, want, names(dir))
	origin.InjectAPI(linksim.ListCall, linksim.Fault{Kind: linksim.Late, Delay: time.Hour})
	before := origin.CountsOf("dir:d").Lists
	time.Sleep(ttl)
	began := time.Now()
	require.Equal(t, want, names(dir))
	_, err := os.Stat(filepath.Join(dir, want[0]))
	require.NoError(t, err)
	assert.Less(t, time.Since(began), atOnce)
	require.Eventually(t, func() bool { return origin.CountsOf("dir:d").Lists > before }, patience, 5*time.Millisecond, "not renewed")
}

// The kernel may remember names for an hour, but is told what changed.
func TestListing_ChangesAreToldToTheKernel(t *testing.T) {
	const long = "entry_timeout = \"1h\"\nattr_timeout = \"1h\"\nnegative_timeout = \"1h\"\n"
	origin := trapOrigin(t)
	putMany(origin, "d", 10, 1000, linksim.Object{})
	origin.Put(linksim.Object{Path: "d/old", Content: linksim.Pattern(67, 1000)})
	origin.Put(linksim.Object{Path: "d/other content", Content: linksim.Pattern(68, 1000)})
	_, dir := mountOrigin(t, origin, settings{mount: long + `listing_ttl = "200ms"`})
	dir = filepath.Join(dir, "d")
	missing := func(name string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return errors.Is(err, unix.ENOENT)
	}
	require.Len(t, names(dir), 12)
	require.False(t, missing("old"))
	require.True(t, missing("new"))
	requireSame(t, contentOf(t, linksim.Pattern(68, 1000)), read(t, filepath.Join(dir, "other content")))

	origin.Remove("d/old")
	origin.Put(linksim.Object{Path: "d/new", Content: linksim.Pattern(69, 1000)})
	origin.Swap("d/other content", linksim.Pattern(70, 2000))
	require.Eventually(t, func() bool { return slices.Contains(names(dir), "new") }, patience, 20*time.Millisecond, "not renewed")
	require.Eventually(t, func() bool { return missing("old") }, patience, 5*time.Millisecond, "the old name stays")
	require.Eventually(t, func() bool { return !missing("new") }, patience, 5*time.Millisecond, "the new name stays away")
	want := contentOf(t, linksim.Pattern(70, 2000))
	require.Eventually(t, func() bool {
		got, err := readRaw(filepath.Join(dir, "other content"))
		return err == nil && slices.Equal(want, got)
	}, patience, 5*time.Millisecond, "the old content stays")
	assert.NotContains(t, names(dir), "old")
}
