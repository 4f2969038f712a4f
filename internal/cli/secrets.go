package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/resolver"
)

// maxSecret is far beyond any token; a longer file is not one.
const maxSecret = 64 << 10

// places is what texts in the configuration are relative to.
type places struct {
	dir    string // of the configuration file
	getenv func(string) string
}

// secret returns what text stands for: env:NAME, file:PATH, or the secret
// itself. The warning is empty when nobody else can read it.
func (p places) secret(text string) (s resolver.Secret, warning string, err error) {
	if name, ok := strings.CutPrefix(text, "env:"); ok {
		value := p.getenv(name)
		if value == "" {
			return s, "", fmt.Errorf("the environment variable %q is not set or empty", name)
		}
		return resolver.NewSecret(value), "", nil
	}
	if name, ok := strings.CutPrefix(text, "file:"); ok {
		path, err := p.path(name)
		if err != nil {
			return s, "", err
		}
		return secretFile(path)
	}
	if text == "" {
		return s, "", errors.New("is empty; want env:NAME or file:PATH")
	}
	return resolver.NewSecret(text), "the secret stands in the file itself; env:NAME or file:PATH keeps it out", nil
}

func secretFile(path string) (s resolver.Secret, warning string, err error) {
	// Without blocking: opening a pipe would wait for its writer.
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return s, "", fmt.Errorf("read the secret: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return s, "", fmt.Errorf("read the secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return s, "", fmt.Errorf("read the secret: %s is not a regular file", path)
	}
	text, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	if err != nil {
		return s, "", fmt.Errorf("read the secret: %w", err)
	}
	text = bytes.TrimRight(text, "\r\n")
	if len(text) == 0 || len(text) > maxSecret {
		return s, "", fmt.Errorf("read the secret: %s is empty or longer than %d bytes", path, maxSecret)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		warning = fmt.Sprintf("others may open %s (mode %04o); chmod 600 it", path, mode)
	}
	return resolver.NewSecret(string(text)), warning, nil
}

// path makes an absolute path of text: ~ is the home directory, and relative
// ones start at the configuration file.
func (p places) path(text string) (string, error) {
	if text == "" {
		return "", errors.New("is empty; want a path")
	}
	if text == "~" || strings.HasPrefix(text, "~/") {
		home, err := homeDir(p.getenv)
		if err != nil {
			return "", err
		}
		return filepath.Join(home, text[1:]), nil
	}
	if filepath.IsAbs(text) {
		return filepath.Clean(text), nil
	}
	return filepath.Join(p.dir, text), nil
}

// homeDir asks the user database where HOME is not set, as under fstab.
func homeDir(getenv func(string) string) (string, error) {
	if home := getenv("HOME"); home != "" {
		return home, nil
	}
	u, err := user.Current()
	if err != nil || u.HomeDir == "" {
		return "", errors.New("no home directory is known (HOME is not set); give an absolute path")
	}
	return u.HomeDir, nil
}
