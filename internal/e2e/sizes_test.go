package e2e_test

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// requireSizes compares the sizes that stat shows with the true ones.
func requireSizes(t *testing.T, dir string, files map[string]linksim.Content) {
	t.Helper()
	for name, content := range files {
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err)
		require.Equal(t, content.Size(), info.Size(), name)
	}
}

// Where links are counted, the request that learns the size is the download.
func TestUnknownSizes_CountedLinksOfAMessage(t *testing.T) {
	origin := trapOrigin(t, linksim.WithBatch(20), linksim.WithGroups())
	model := linksim.Object{HideSize: true, Terms: linksim.Terms{Uses: 2}}
	files := putMany(origin, "message", 20, 200_003, model)
	_, dir := mountTerms(t, origin, "batch = 20\nby_directory = true\n", settings{})
	dir = filepath.Join(dir, "message")
	run(t, "ls", "-l", dir)
	requireSizes(t, dir, files)
	requireAll(t, dir, files)
	counts := origin.Counts()
	assert.Equal(t, 1, counts.LinkCalls)
	assert.Equal(t, 20, counts.Gets, "one for each file, to its end")
	assert.Zero(t, counts.OverUses)
}

func TestUnknownSizes_ListedByHundreds(t *testing.T) {
	const files, head = 200, 64 << 10
	origin := trapOrigin(t)
	all := putMany(origin, "d", files, mib+1, linksim.Object{HideSize: true})
	_, dir := mountOrigin(t, origin, settings{log: `level = "warn"`})
	dir = filepath.Join(dir, "d")
	run(t, "ls", "-l", dir)
	requireSizes(t, dir, all)
	for name := range all {
		assert.LessOrEqual(t, origin.CountsOf("d/"+name).Bytes, int64(head), name)
		assert.Equal(t, 1, origin.CountsOf("d/"+name).Gets, name)
	}
	assert.LessOrEqual(t, origin.Counts().LinkCalls, 4)
}

func TestUnknownSize_OfARefusedFile(t *testing.T) {
	origin := trapOrigin(t)
	files := putMany(origin, "d", 3, 1000, linksim.Object{HideSize: true})
	refused := map[linksim.Refusal]unix.Errno{linksim.Forbidden: unix.EACCES, linksim.Unsupported: unix.EOPNOTSUPP}
	for refusal := range refused {
		origin.Put(linksim.Object{
			Path: "d/" + string(refusal), Content: linksim.Pattern(64, 1000), HideSize: true,
			Terms: linksim.Terms{Refusal: refusal},
		})
	}
	_, dir := mountOrigin(t, origin, settings{})
	dir = filepath.Join(dir, "d")
	for refusal, errno := range refused {
		info, err := os.Stat(filepath.Join(dir, string(refusal)))
		require.NoError(t, err)
		assert.Zero(t, info.Mode().Perm())
		assert.Zero(t, info.Size())
		requireFails(t, filepath.Join(dir, string(refusal)), nil, errno)
	}
	assert.Equal(t, 2, strings.Count(run(t, "ls", "-l", dir), "\n---------- "), "it works, and shows which")
	requireAll(t, dir, files)
}

// A size of 0 would let a backup copy nothing and be content.
func TestUnknownSize_NotToBeHadNow(t *testing.T) {
	t.Parallel()
	needTool(t, "ls")
	origin := trapOrigin(t)
	content := linksim.Pattern(65, 1000)
	origin.Put(linksim.Object{Path: "f", Content: content, HideSize: true})
	_, dir := mountOrigin(t, origin, settings{read: "deadline = \"2s\"\nstall = \"1s\""})
	origin.InjectAPI(linksim.LinkCall, linksim.Fault{
		Kind: linksim.Status, Status: 429, Header: http.Header{"Retry-After": {"1"}},
	})
	_, err := os.Stat(filepath.Join(dir, "f"))
	require.ErrorIs(t, err, unix.EAGAIN)
	require.Error(t, exec.Command("ls", "-l", dir).Run())
	assert.Equal(t, []string{"f"}, names(dir), "a plain listing needs no size")
	origin.ClearFaults()
	requireSame(t, contentOf(t, content), readInTime(t, filepath.Join(dir, "f")))
}
