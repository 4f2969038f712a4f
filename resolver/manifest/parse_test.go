package manifest

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// CheckInvariants fails t unless every file of the tree can be reached from the
// root by exactly one path that is its ID, and has a usable origin.
func (t *tree) CheckInvariants(tb testing.TB) {
	tb.Helper()
	files := 0
	var check func(dir resolver.ID)
	check = func(dir resolver.ID) {
		names := make(map[string]bool)
		for _, e := range t.dirs[dir] {
			require.False(tb, names[e.Name], "%q twice in %q", e.Name, dir)
			names[e.Name] = true
			if e.Dir {
				require.Equal(tb, dir+resolver.ID(e.Name)+"/", e.ID)
				require.NotEmpty(tb, t.dirs[e.ID])
				check(e.ID)
				continue
			}
			files++
			require.Equal(tb, dir+resolver.ID(e.Name), e.ID)
			require.True(tb, fs.ValidPath(string(e.ID)))
			require.GreaterOrEqual(tb, e.Size, resolver.SizeUnknown)
			require.Contains(tb, t.origins, e.ID)
			u, err := url.Parse(t.origins[e.ID].url.Reveal())
			require.NoError(tb, err)
			require.NotEmpty(tb, u.Host)
			require.Contains(tb, []string{"http", "https"}, u.Scheme)
			_, err = json.Marshal(e)
			require.NoError(tb, err)
		}
	}
	check(resolver.Root)
	require.Len(tb, t.origins, files)
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"files": []}`))
	f.Add([]byte(`{"files": [{"path": "a/b", "url": "https://h/x?s=1", "size": 3, "mtime": 1, "headers": {"A": "b"}}]}`))
	f.Add([]byte(`{"files": [{"path": "a", "url": "http://h"}, {"path": "a/b", "url": "http://h", "mtime": "2026-01-31T09:00:00Z"}]}`))
	f.Add([]byte(`{"files": [{"path": "a", "url": "http://h", "sha256": "` + strings.Repeat("0f", 32) + `"}]}`))
	f.Add([]byte(`{"files": [null], "more": {}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		records, err := parse(text)
		if err != nil {
			return
		}
		built, err := newTree(records, "fuzz")
		if err != nil {
			return
		}
		require.Len(t, built.origins, len(records))
		built.CheckInvariants(t)
	})
}

func TestVersion(t *testing.T) {
	const digest = `"sha256": "` + "00000000000000000000000000000000000000000000000000000000000000ff" + `"`
	version := func(fields string) string {
		records, err := parse(fmt.Appendf(nil, `{"files": [{"path": "a", %s}]}`, fields))
		require.NoError(t, err)
		return records[0].version()
	}
	t.Run("only the content's facts count", func(t *testing.T) {
		first := version(`"url": "https://h/a?s=1", "size": 3, "mtime": 7`)
		assert.Equal(t, first, version(`"url": "https://g/b?s=2", "size": 3, "mtime": 7, "headers": {"A": "b"}`))
		assert.Equal(t, first, version(`"url": "https://h/a?s=1", "size": 3, "mtime": "1970-01-01T01:00:07+01:00"`))
	})
	t.Run("none is no version", func(t *testing.T) {
		assert.Empty(t, version(`"url": "https://h/a", "size": null`))
	})
	t.Run("each tells contents apart", func(t *testing.T) {
		seen := make(map[string]string)
		for _, facts := range []string{`"size": 3`, `"size": 4`, `"mtime": 3`, `"size": 3, "mtime": 3`, `"size": 3, "mtime": 4`, digest} {
			v := version(`"url": "https://h/a", ` + facts)
			assert.NotContains(t, seen, v)
			seen[v] = facts
		}
	})
	t.Run("the digest decides alone", func(t *testing.T) {
		assert.Equal(t, version(`"url": "https://h/a", "mtime": 1, `+digest), version(`"url": "https://h/a", "mtime": 2, `+digest))
	})
}
