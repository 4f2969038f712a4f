package main_test

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const (
	module = "github.com/attachfs/attachfs"
	goFUSE = "github.com/hanwen/go-fuse"
)

// room is what the packages of one place may import.
type room struct {
	place string   // a directory, as path.Match knows it
	ours  []string // places of ours; "!" before one forbids it
	http  bool
	fuse  bool
}

// house is the table of packages, with one direction: down. The first match of
// a place counts, in rooms and in what they may import.
var house = []room{
	{place: ".", ours: []string{"internal/cli"}},
	{place: "internal/cli", ours: []string{
		"!resolver/resolvertest", "!cache/cachetest", "!.",
		"fs", "fs/stream", "cache", "resolver", "resolver/*", "resolver/*/*sim", "internal/*",
	}},
	{place: "internal/demo"},
	{place: "internal/e2e"},
	{place: "internal/linksim", http: true},
	{place: "internal/callback", ours: []string{"resolver"}, http: true},
	{place: "fs", ours: []string{"fs/stream", "resolver"}, fuse: true},
	{place: "fs/stream", ours: []string{"cache", "resolver", "resolver/verdict"}, http: true},
	{place: "cache"},
	{place: "cache/cachetest", ours: []string{"cache"}},
	{place: "resolver"},
	{place: "resolver/resolvertest", ours: []string{"resolver"}},
	{place: "resolver/tokenfile", ours: []string{"resolver"}},
	{place: "resolver/limit", ours: []string{"resolver"}},
	{place: "resolver/expiry", ours: []string{"resolver"}},
	{place: "resolver/verdict", ours: []string{"resolver"}, http: true},
	{place: "resolver/broker", ours: []string{"resolver", "resolver/expiry", "resolver/limit"}},
	{place: "resolver/catalog", ours: []string{"resolver", "resolver/limit"}},
	{place: "resolver/api", ours: []string{"resolver", "resolver/limit", "resolver/verdict"}, http: true},
	{place: "resolver/feishudocs", ours: []string{"resolver", "resolver/api", "resolver/limit", "resolver/feishu"}, http: true},
	{place: "resolver/feishumail", ours: []string{"resolver", "resolver/api", "resolver/limit", "resolver/feishu"}, http: true},
	{place: "resolver/*", ours: []string{"resolver", "resolver/api", "resolver/limit", "resolver/tokenfile"}, http: true}, // a provider
	{place: "resolver/*/*sim", ours: []string{"internal/linksim"}, http: true},
}

func TestImports(t *testing.T) {
	seen, wrong := checkImports(t, os.DirFS("."))
	assert.Empty(t, wrong)
	assert.Subset(t, seen, []string{".", "fs", "fs/stream", "cache", "resolver", "resolver/broker", "internal/cli"},
		"a test that sees no files proves nothing")
}

// checkImports parses the imports of every file that is not a test, whatever
// its build constraints, and returns the packages and what they may not import.
func checkImports(t *testing.T, tree fs.FS) (seen, wrong []string) {
	t.Helper()
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := path.Base(name)
		if d.IsDir() {
			if name != "." && (strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_") || base == "testdata" || base == "vendor") {
				return fs.SkipDir
			}
			return nil
		}
		if path.Ext(base) != ".go" || strings.HasSuffix(base, "_test.go") {
			return nil
		}
		dir := path.Dir(name)
		if !slices.Contains(seen, dir) {
			seen = append(seen, dir)
		}
		imports, err := importsOf(tree, name)
		if err != nil {
			return err
		}
		wrong = append(wrong, judge(dir, name, imports)...)
		return nil
	})
	require.NoError(t, err)
	return seen, wrong
}

func importsOf(tree fs.FS, name string) ([]string, error) {
	text, err := fs.ReadFile(tree, name)
	if err != nil {
		return nil, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), name, text, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		imports = append(imports, p)
	}
	return imports, nil
}

// judge says what is wrong with the imports of a file in dir.
func judge(dir, name string, imports []string) []string {
	at := slices.IndexFunc(house, func(r room) bool { return match(r.place, dir) })
	if at < 0 {
		return []string{name + " is in a package that is not in the table"}
	}
	var wrong []string
	for _, p := range imports {
		if !house[at].mayImport(p) {
			wrong = append(wrong, name+" imports "+p)
		}
	}
	return wrong
}

func (r room) mayImport(p string) bool {
	switch {
	case within(p, "net/http"):
		return r.http
	case within(p, goFUSE):
		return r.fuse
	case !within(p, module):
		return true
	}
	place := "."
	if p != module {
		place = strings.TrimPrefix(p, module+"/")
	}
	for _, ours := range r.ours {
		if forbidden, ok := strings.CutPrefix(ours, "!"); ok && match(forbidden, place) {
			return false
		}
		if match(ours, place) {
			return true
		}
	}
	return false
}

func within(p, parent string) bool { return p == parent || strings.HasPrefix(p, parent+"/") }

func match(pattern, place string) bool {
	ok, err := path.Match(pattern, place)
	return ok && err == nil
}

func TestImports_CanFail(t *testing.T) {
	ours := module + "/"
	for _, c := range []struct {
		file, imports string
		ok            bool
	}{
		{"main.go", ours + "internal/cli", true},
		{"main.go", ours + "fs", false},
		{"internal/cli/wire.go", ours + "resolver/manifest", true},
		{"internal/cli/wire.go", ours + "resolver/feishu/feishusim", true},
		{"internal/cli/wire.go", ours + "internal/linksim", true},
		{"internal/cli/wire.go", ours + "resolver/resolvertest", false},
		{"internal/cli/wire.go", ours + "cache/cachetest", false},
		{"internal/cli/wire.go", module, false},
		{"internal/cli/wire.go", goFUSE + "/v2/fs", false},
		{"internal/cli/wire.go", "net/http", false},
		{"fs/file.go", ours + "fs/stream", true},
		{"fs/file.go", ours + "resolver", true},
		{"fs/file.go", ours + "resolver/broker", false},
		{"fs/file.go", ours + "cache", false},
		{"fs/file.go", goFUSE + "/v2/fs", true},
		{"fs/file.go", "net/http", false},
		{"fs/stream/file.go", ours + "cache", true},
		{"fs/stream/file.go", ours + "fs", false},
		{"fs/stream/file.go", ours + "resolver/broker", false},
		{"fs/stream/file.go", goFUSE + "/v2/fuse", false},
		{"fs/stream/file.go", "net/http/httptrace", true},
		{"cache/disk.go", ours + "resolver", false},
		{"cache/disk.go", "golang.org/x/sys/unix", true},
		{"cache/slab_windows.go", "net/http", false},
		{"cache/cachetest/suite.go", ours + "cache", true},
		{"resolver/link.go", "net/http", false},
		{"resolver/link.go", "net/url", true},
		{"resolver/link.go", ours + "resolver/api", false},
		{"resolver/broker/broker.go", ours + "resolver", true},
		{"resolver/broker/broker.go", ours + "resolver/api", false},
		{"resolver/broker/broker.go", "net/http", false},
		{"resolver/catalog/catalog.go", ours + "resolver/broker", false},
		{"resolver/resolvertest/fake.go", "net/http", false},
		{"resolver/feishu/client.go", ours + "resolver/api", true},
		{"resolver/feishu/client.go", "net/http", true},
		{"resolver/feishu/client.go", ours + "resolver/broker", false},
		{"resolver/feishu/client.go", ours + "cache", false},
		{"resolver/ekuaibao/client.go", ours + "resolver/api", true},
		{"resolver/ekuaibao/client.go", ours + "resolver/catalog", false},
		{"resolver/ekuaibao/ekuaibaosim/server.go", ours + "resolver/ekuaibao", false},
		{"resolver/feishu/feishusim/server.go", ours + "internal/linksim", true},
		{"resolver/feishu/feishusim/server.go", ours + "resolver/feishu", false},
		{"internal/linksim/origin.go", "net/http", true},
		{"internal/linksim/origin.go", ours + "resolver", false},
		{"internal/demo/set.go", ours + "internal/linksim", false},
		{"internal/demo/set.go", "net/http", false},
		{"internal/e2e/doc.go", ours + "internal/cli", false},
		{"util/strings.go", "strings", false},
		{"fs/stream/deep/x.go", "strings", false},
	} {
		t.Run(c.file+" "+c.imports, func(t *testing.T) {
			text := fmt.Sprintf("//go:build never\n\npackage x\n\nimport _ %q\n", c.imports)
			_, wrong := checkImports(t, fstest.MapFS{c.file: &fstest.MapFile{Data: []byte(text)}})
			if c.ok {
				assert.Empty(t, wrong)
				return
			}
			require.Len(t, wrong, 1)
			assert.Contains(t, wrong[0], c.file)
		})
	}
}

func TestImports_SkipsWhatIsNotBuilt(t *testing.T) {
	bad := &fstest.MapFile{Data: []byte("package x\n\nimport _ \"net/http\"\n")}
	seen, wrong := checkImports(t, fstest.MapFS{
		"cache/disk_test.go": bad, "testdata/x.go": bad, ".git/x.go": bad, "cache/note.txt": bad,
	})
	assert.Empty(t, seen)
	assert.Empty(t, wrong)
}
