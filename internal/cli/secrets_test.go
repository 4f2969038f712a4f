package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func environment(values map[string]string) func(string) string {
	return func(name string) string { return values[name] }
}

func TestSecret(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		require.NoError(t, os.Chmod(path, mode))
	}
	write("good", "s3cret\r\n", 0o600)
	write("open", "s3cret\n", 0o640)
	write("empty", "\n", 0o600)
	write("huge", strings.Repeat("x", maxSecret+1), 0o600)
	p := places{dir: dir, getenv: environment(map[string]string{"TOKEN": "s3cret", "EMPTY": "", "HOME": dir})}

	for _, tc := range []struct{ text, warning, problem string }{
		{"env:TOKEN", "", ""},
		{"file:good", "", ""},
		{"file:~/good", "", ""},
		{"file:" + dir + "/good", "", ""},
		{"file:open", "chmod 600", ""},
		{"s3cret", "keeps it out", ""},
		{"env:MISSING", "", `"MISSING" is not set`},
		{"env:EMPTY", "", "not set or empty"},
		{"env:", "", "not set or empty"},
		{"file:missing", "", "no such file"},
		{"file:empty", "", "is empty"},
		{"file:huge", "", "longer than"},
		{"file:.", "", "not a regular file"},
		{"file:", "", "want a path"},
		{"", "", "is empty"},
	} {
		t.Run(tc.text, func(t *testing.T) {
			secret, warning, err := p.secret(tc.text)
			if tc.problem != "" {
				require.ErrorContains(t, err, tc.problem)
				return
			}
			require.NoError(t, err)
			assert.Equal(t, "s3cret", secret.Reveal())
			assert.NotContains(t, warning, "s3cret")
			if tc.warning == "" {
				assert.Empty(t, warning)
			}
			assert.Contains(t, warning, tc.warning)
		})
	}
}

func TestPath(t *testing.T) {
	p := places{dir: "/etc/attachfs", getenv: environment(map[string]string{"HOME": "/home/me"})}
	for text, want := range map[string]string{
		"list.json":    "/etc/attachfs/list.json",
		"../list.json": "/etc/list.json",
		"~":            "/home/me",
		"~/a/b":        "/home/me/a/b",
		"~other":       "/etc/attachfs/~other",
		"/var//x/":     "/var/x",
	} {
		got, err := p.path(text)
		require.NoError(t, err)
		assert.Equal(t, want, got, text)
	}
	_, err := p.path("")
	assert.Error(t, err)
}
