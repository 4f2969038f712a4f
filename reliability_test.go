package main_test

import (
	"io/fs"
	"os"
	"path"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// traps are what docs/reliability.md has to have a row for, by the beginning of
// the row.
var traps = []string{
	"last-second-link", "early-death", "third-use", "head-counts", "herd", "poisoned-refresh", "new-url-old-headers",
	"redirect-with-secret", "link-to-intranet",
	"200-to-range", "short-200", "wrong-start", "wrong-total", "missing Content-Range", "length-lies", "gzip-unasked",
	"out-of-range", "unknown-length", "swapped-content", "weak-etag", "etag-per-signature", "file-deleted",
	"stall", "trickle", "reset", "every n-th answer 503", "connection refused", "DNS gone",
	"throttle", "quota", "partial-batch", "bad-apple", "page-3-fails", "empty-page-with-more", "repeated cursor",
	"token-revoked", "token-rotated", "clock off", "first-caller-leaves", "provider down at start", "name-war",
	"kill -9", "flipped bit", "disk full", "vanished disk", "scanner",
}

var (
	// testName is a test with the last element of its package's path.
	testName = regexp.MustCompile(`\b([a-z0-9]+)\.((?:Test|Fuzz)\w+)`)
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
)

func TestReliability_EveryTrapIsPlayed(t *testing.T) {
	text, err := os.ReadFile("docs/reliability.md")
	require.NoError(t, err)
	there := testsOf(t, os.DirFS("."))
	require.NotEmpty(t, there)
	played := make(map[string]bool)
	for line := range strings.Lines(string(text)) {
		named := testName.FindAllString(line, -1)
		for _, name := range named {
			assert.Contains(t, there, name, "is not a test")
		}
		for _, trap := range traps {
			if strings.HasPrefix(line, "| "+trap) {
				assert.False(t, played[trap], "%s has two rows", trap)
				played[trap] = true
				assert.Contains(t, strings.Join(named, " "), "e2e.", "%s is not played on a mount", trap)
			}
		}
	}
	for _, trap := range traps {
		assert.True(t, played[trap], "%s has no row", trap)
	}
}

// testsOf are the tests of the tree as the page names them.
func testsOf(t *testing.T, tree fs.FS) map[string]bool {
	t.Helper()
	all := make(map[string]bool)
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, "_test.go") {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		for _, match := range testFunc.FindAllSubmatch(text, -1) {
			all[path.Base(path.Dir(name))+"."+string(match[1])] = true
		}
		return nil
	})
	require.NoError(t, err)
	return all
}
