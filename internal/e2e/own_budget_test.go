package e2e_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// A budget of the day is kept by attachfs itself: what is over it is not asked
// for, everybody can see it, and a restart does not forget it.
func TestBudget_OfTheDay(t *testing.T) {
	origin := startOrigin(t)
	for i := range 5 {
		origin.Put(linksim.Object{Path: fmt.Sprintf("f%d", i), Content: linksim.Pattern(uint64(i), 1000)})
	}
	s := settings{cacheDir: t.TempDir(), sim: "batch = 1\ndaily_calls = 3\n", mount: "xattrs = true"}
	p, dir := mountOrigin(t, origin, s)
	budget := func() string {
		value := make([]byte, 200)
		n, err := unix.Getxattr(dir, "user.attachfs.budget", value)
		require.NoError(t, err)
		return string(value[:n])
	}
	for i := range 3 {
		requireSame(t, contentOf(t, linksim.Pattern(uint64(i), 1000)), read(t, filepath.Join(dir, fmt.Sprintf("f%d", i))))
		assert.Contains(t, budget(), fmt.Sprintf("%d of 3 calls used, until ", i+1))
	}
	requireFails(t, filepath.Join(dir, "f3"), nil, unix.EDQUOT)
	requireSame(t, contentOf(t, linksim.Pattern(0, 1000)), read(t, filepath.Join(dir, "f0")))
	require.NoError(t, p.stop(t, unix.SIGTERM))

	_, dir = mountOrigin(t, origin, s)
	requireFails(t, filepath.Join(dir, "f4"), nil, unix.EDQUOT)
	requireSame(t, contentOf(t, linksim.Pattern(1, 1000)), read(t, filepath.Join(dir, "f1")))
	assert.Contains(t, budget(), "3 of 3 calls used")
	assert.Equal(t, 3, origin.Counts().LinkCalls)

	cmd := attachfs("check", "--config", writeConfig(t, settings{
		providers: []string{simProvider("sim", origin) + s.sim},
	}, s.cacheDir))
	out, err := cmd.CombinedOutput()
	assert.Error(t, err, "there is no call left for a link")
	assert.Contains(t, string(out), "3 of 3 calls used")
	assert.Contains(t, string(out), "quota")
	assert.NotContains(t, string(out), linksim.Marker)
	assert.Equal(t, 3, origin.Counts().LinkCalls)
}
