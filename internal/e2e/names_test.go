package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/internal/linksim"
)

// hostile are names that services let people give to files.
var hostile = []string{
	".", "..", "/", "a/b.pdf", "../../etc/passwd", "a\x00b", "line\nfeed", "tab\tand\rreturn", "\x1b[31mred", " ", " \t\u3000",
	"invoice\u202efdp.exe", "\u200b", "Re\u0301sume\u0301.pdf", "Résumé.pdf", ".go-fuse-epoll-hack", "README-attachfs.txt",
	strings.Repeat("发", 100) + ".xlsx", strings.Repeat("发", 101) + ".xlsx", strings.Repeat("x", 300),
}

func TestNameWar_EveryFileIsReachable(t *testing.T) {
	const equal = 3000
	origin := trapOrigin(t, linksim.WithPageSize(1000))
	put := func(dir, name string, size int) {
		id := fmt.Sprintf("%s-%05d", dir, size)
		origin.Put(linksim.Object{ID: id, Path: dir + "/x", Name: name, Content: linksim.Pattern(uint64(size), int64(size))})
	}
	for i, name := range hostile {
		put("hostile", name, i)
	}
	for i := range equal {
		put("equal", "scan.pdf", i)
	}
	p, dir := mountOrigin(t, origin, settings{})
	seen := make(map[string]map[int]string)
	for _, name := range []string{"hostile", "equal"} {
		seen[name] = requireApart(t, filepath.Join(dir, name))
	}
	require.Len(t, seen["hostile"], len(hostile))
	require.Len(t, seen["equal"], equal)
	for size, name := range seen["hostile"] {
		requireSame(t, contentOf(t, linksim.Pattern(uint64(size), int64(size))), read(t, filepath.Join(dir, "hostile", name)))
	}
	require.NoError(t, p.stop(t, unix.SIGTERM))

	_, dir = mountOrigin(t, origin, settings{}) // which remembers nothing
	for name := range seen {
		assert.Equal(t, seen[name], requireApart(t, filepath.Join(dir, name)), "names stay with their files")
	}
}

// requireApart lists a directory of files that all differ in size, and returns
// their names by it.
func requireApart(t *testing.T, dir string) map[int]string {
	t.Helper()
	bySize := make(map[int]string)
	for _, name := range names(dir) {
		require.True(t, utf8.ValidString(name), "%q", name)
		require.LessOrEqual(t, len(name), 255)
		require.False(t, strings.ContainsAny(name, "\x00\n\r\t\x1b\u202e"), "%q", name)
		info, err := os.Stat(filepath.Join(dir, name))
		require.NoError(t, err, "%q", name)
		bySize[int(info.Size())] = name
	}
	return bySize
}
