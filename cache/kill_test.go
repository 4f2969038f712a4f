package cache_test

import (
	"bufio"
	"os"
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/cache"
	"github.com/attachfs/attachfs/cache/cachetest"
)

const killDir = "ATTACHFS_TEST_KILL_DIR"

var killed = cache.NewObject(12<<20, "killed")

// TestDisk_WritesUntilKilled is the process that TestDisk_SurvivesAKill kills.
func TestDisk_WritesUntilKilled(t *testing.T) {
	dir := os.Getenv(killDir)
	if dir == "" {
		t.Skip("run by TestDisk_SurvivesAKill")
	}
	d := openDisk(t, cache.DiskConfig{Dir: dir})
	for {
		for page := range killed.Pages() {
			cachetest.Put(d, d.NewPage, killed, page, cache.PageSize)
			if page == 40 {
				_, _ = os.Stdout.WriteString("going\n")
			}
		}
		d.Drop(killed)
	}
}

func TestDisk_SurvivesAKill(t *testing.T) {
	dir := t.TempDir()
	for round := range 3 {
		child := exec.Command(os.Args[0], "-test.run=^TestDisk_WritesUntilKilled$", "-test.timeout=30s")
		child.Env = append(os.Environ(), killDir+"="+dir)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewScanner(out)
		for range round + 1 {
			require.True(t, lines.Scan(), "the child ended by itself")
		}
		require.NoError(t, child.Process.Kill())
		require.Error(t, child.Wait())

		d := openDisk(t, cache.DiskConfig{Dir: dir})
		t.Logf("%d pages survived", len(hits(t, d, killed)))
		cachetest.Put(d, d.NewPage, killed, 0, cache.PageSize)
		assert.True(t, cachetest.Hit(t, d, killed, 0))
		require.NoError(t, d.Close())
	}
}
