package manifest_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver/manifest"
)

func TestConfig_Validate(t *testing.T) {
	require.ErrorContains(t, manifest.Config{}.Validate(), "file: is missing")
	require.NoError(t, manifest.Config{File: "list.json"}.Validate())
	_, err := manifest.New(manifest.Config{})
	require.ErrorContains(t, err, "file: is missing")
}

func TestNew_Refuses(t *testing.T) {
	one := func(fields string) string {
		return `{"files": [{"path": "a/b", "url": "https://h/SECRET"` + fields + `}]}`
	}
	two := func(first, second string) string {
		return `{"files": [{"path": "` + first + `", "url": "https://h/SECRET"}, {"path": "` + second + `", "url": "https://h/SECRET"}]}`
	}
	path := func(p string) string { return `{"files": [{"url": "https://h/SECRET", "path": "` + p + `"}]}` }
	address := func(u string) string { return `{"files": [{"path": "a/b", "url": "` + u + `"}]}` }
	for _, c := range []struct {
		name, text string
		says       []string
	}{
		{"empty", "", []string{"line 1"}},
		{"half written", "{\n\"files\": [\n{\"path\": \"SEC", []string{"line 3"}},
		{"not an object", `[]`, []string{`{"files": [...]}`}},
		{"no files", `{}`, []string{"files: must be a list"}},
		{"files no list", `{"files": {}}`, []string{"files: must be a list"}},
		{"unknown top key", `{"files": [], "flies": []}`, []string{`"flies"`, "files"}},
		{"unknown key", one(`, "siez": 1`), []string{"files[0]", `"a/b"`, `"siez"`, "size"}},
		{"null element", `{"files": [null]}`, []string{"files[0]", "path: is missing"}},
		{"no path", `{"files": [{"url": "https://h/SECRET"}]}`, []string{"files[0]", "path: is missing"}},
		{"no url", `{"files": [{"path": "a/b"}]}`, []string{"files[0]", `"a/b"`, "url: is missing"}},
		{"absolute path", path("/a"), []string{"path: must be relative"}},
		{"dot dot", path("a/../b"), []string{"path: must be relative"}},
		{"dot", path("."), []string{"path: must be relative"}},
		{"empty part", path("a//b"), []string{"path: must be relative"}},
		{"trailing slash", path("a/"), []string{"path: must be relative"}},
		{"url as path", path("https://h/SECRET"), []string{"path: must be relative"}},
		{"long path", path(strings.Repeat("a/", 2048) + "b"), []string{"4097 bytes", "at most 4096"}},
		{"path no text", `{"files": [{"path": 1}]}`, []string{"path: must be a text"}},
		{"relative url", address("/SECRET"), []string{"url: must be an absolute http or https"}},
		{"no host", address("https:///SECRET"), []string{"url: must be an absolute http or https"}},
		{"other scheme", address("ftp://h/SECRET"), []string{"url: must be an absolute http or https"}},
		{"broken url", address("https://h/%zzSECRET"), []string{"url: must be an absolute http or https"}},
		{"user in url", address("https://SECRET@h/"), []string{"url: must not hold a user"}},
		{"url no text", `{"files": [{"path": "a", "url": ["SECRET"]}]}`, []string{"url: must be a text"}},
		{"negative size", one(`, "size": -1`), []string{"size: must be a number of bytes"}},
		{"size no number", one(`, "size": "1"`), []string{"size: must be a number of bytes"}},
		{"bad mtime", one(`, "mtime": "yesterday"`), []string{"mtime: must be RFC 3339"}},
		{"negative mtime", one(`, "mtime": -1`), []string{"mtime: must be RFC 3339"}},
		{"mtime beyond time", one(`, "mtime": 253402300800`), []string{"mtime: must be RFC 3339"}},
		{"short digest", one(`, "sha256": "00"`), []string{"sha256: must be 64 hex digits"}},
		{"digest no hex", one(`, "sha256": "` + strings.Repeat("g", 64) + `"`), []string{"sha256: must be 64 hex digits"}},
		{"headers no texts", one(`, "headers": {"A": 1}`), []string{"headers: must be an object of texts"}},
		{"header name", one(`, "headers": {"A b": "SECRET"}`), []string{`headers: "A b"`}},
		{"header value", one(`, "headers": {"A": "SECRET\r\nB: c"}`), []string{"headers: the value of A"}},
		{"reserved header", one(`, "headers": {"range": "SECRET"}`), []string{"headers: Range", "remove it"}},
		{"reserved host", one(`, "headers": {"Host": "SECRET"}`), []string{"headers: Host", "remove it"}},
		{"header twice", one(`, "headers": {"A": "SECRET", "a": "SECRET"}`), []string{"headers: A is there twice"}},
		{"same path", two("a/b", "a/b"), []string{"files[0] and files[1]", `"a/b"`}},
		{"directory in file", two("a", "a/b"), []string{"files[1]", "files[0]", `"a" is a directory here and a file`}},
		{"file on directory", two("a/b/c", "a/b"), []string{"files[1]", "files[0]", `"a/b" is a file here and a directory`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "list.json")
			write(t, file, c.text)
			_, err := manifest.New(manifest.Config{File: file})
			require.Error(t, err)
			for _, part := range append(c.says, file) {
				assert.ErrorContains(t, err, part)
			}
			assert.NotContains(t, err.Error(), "SECRET")
		})
	}
}

func TestNew_NoFile(t *testing.T) {
	dir := t.TempDir()
	_, err := manifest.New(manifest.Config{File: dir + "/missing.json"})
	require.ErrorContains(t, err, dir+"/missing.json")
	_, err = manifest.New(manifest.Config{File: dir})
	require.ErrorContains(t, err, "must be a regular file")
}
