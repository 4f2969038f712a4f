package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// ErrMountpoint is the kind of the errors that say why a directory cannot be
// mounted on or unmounted.
var ErrMountpoint = errors.New("bad mount point")

// mountpointError is a sentence for the user, of the kind ErrMountpoint.
type mountpointError string

func (e mountpointError) Error() string   { return string(e) }
func (mountpointError) Is(err error) bool { return err == ErrMountpoint }

func mountpointErrorf(format string, args ...any) error {
	return mountpointError(fmt.Sprintf(format, args...))
}

const (
	// mountType is how the kernel names our mounts.
	mountType = "fuse.attachfs"
	// statPatience bounds what may touch a mount that nobody answers.
	statPatience = 5 * time.Second
	// unmountPatience bounds one attempt to unmount.
	unmountPatience = 10 * time.Second
	// maxStacked is how many dead mounts on top of each other are removed.
	maxStacked = 8
)

// realPath makes path absolute and free of symlinks without touching what is
// mounted at its end, which may be dead.
func realPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	for range 40 { // the kernel's own limit on symlinks
		parent, err := bounded(statPatience, func() (string, error) { return filepath.EvalSymlinks(filepath.Dir(abs)) })
		if err != nil {
			return "", err
		}
		abs = filepath.Join(parent, filepath.Base(abs))
		if _, here, err := mountAt(abs); here || err != nil {
			return abs, err
		}
		target, err := bounded(statPatience, func() (string, error) { return os.Readlink(abs) })
		if err != nil {
			return abs, nil // no symlink; whether it exists is for the caller to see
		}
		if !filepath.IsAbs(target) {
			target = filepath.Join(parent, target)
		}
		abs = target
	}
	return "", fmt.Errorf("%s: %w", path, unix.ELOOP)
}

// checkMountpoint returns the real path of the directory to mount on, or a
// sentence that says what is wrong with it. A dead attachfs mount found there
// is removed, which log is told. It does not hang on dead mounts.
func checkMountpoint(path, cacheDir string, log *slog.Logger) (abs string, err error) {
	abs, err = realPath(path)
	if err != nil {
		return "", explainStat(path, err)
	}
	if err := checkOverlap(abs, cacheDir); err != nil {
		return "", err
	}
	for range maxStacked {
		m, here, err := mountAt(abs)
		if err != nil {
			return "", err
		}
		if !here || !m.fuse() {
			return abs, checkDirectory(abs)
		}
		if err := clearMount(abs, m); err != nil {
			return "", err
		}
		log.Warn("removed a dead attachfs mount", "mountpoint", abs)
	}
	return "", mountpointErrorf("dead mounts are piled up on %s; remove them with: umount -l %[1]s", abs)
}

// clearMount removes the FUSE mount m at path if it is a dead one of ours.
func clearMount(path string, m mounted) error {
	// Not by its attributes: the kernel remembers them beyond the end of a process.
	_, err := bounded(statPatience, func() (struct{}, error) { return struct{}{}, unix.Statfs(path, new(unix.Statfs_t)) })
	dead := errors.Is(err, unix.ENOTCONN)
	switch {
	case m.Type != mountType && dead:
		return mountpointErrorf("%s is a dead mount of %s (%s); remove it with: fusermount3 -uz %[1]s", path, m.Source, m.Type)
	case m.Type != mountType:
		return mountpointErrorf("%s is in use: %s (%s) is mounted there; choose another directory", path, m.Source, m.Type)
	case errors.Is(err, errNoAnswer):
		return mountpointErrorf("the attachfs mount on %s does not answer; remove it with: attachfs umount --lazy %[1]s", path)
	case !dead:
		return mountpointErrorf("attachfs is already mounted on %s; unmount it with: attachfs umount %[1]s", path)
	case !m.mine():
		return mountpointErrorf("%s is a dead attachfs mount of another user; as root remove it with: umount -l %[1]s", path)
	}
	if err := detach(path, true); err != nil {
		return mountpointErrorf("%s is a dead attachfs mount, and removing it went wrong: %v", path, err)
	}
	return nil
}

func checkDirectory(path string) error {
	names, err := bounded(statPatience, func() ([]string, error) {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() {
			return nil, unix.ENOTDIR
		}
		return firstName(path)
	})
	if err != nil {
		return explainStat(path, err)
	}
	if len(names) > 0 {
		return mountpointErrorf("%s is not empty (it has %q), and the mount would hide that; use an empty directory", path, names[0])
	}
	return nil
}

func firstName(dir string) ([]string, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(1)
	if err == io.EOF {
		return nil, nil
	}
	return names, err
}

func explainStat(path string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return mountpointErrorf("%s does not exist; make it with: mkdir -p %[1]s", path)
	case errors.Is(err, fs.ErrPermission):
		return mountpointErrorf("%s may not be opened by this user; use a directory of your own", path)
	case errors.Is(err, unix.ENOTDIR):
		return mountpointErrorf("%s is not a directory; a mount point is an empty directory", path)
	case errors.Is(err, errNoAnswer), errors.Is(err, unix.ENOTCONN):
		return mountpointErrorf("%s lies in a mount that does not answer; unmount that first (findmnt shows it)", path)
	}
	return mountpointErrorf("%s cannot be mounted on: %v", path, err)
}

// checkOverlap refuses a mount that would hide its own cache, or show it.
func checkOverlap(abs, cacheDir string) error {
	if cacheDir == "" {
		return nil
	}
	cache, err := bounded(statPatience, func() (string, error) { return existingPath(cacheDir) })
	switch {
	case err != nil:
		return mountpointErrorf("the cache directory %s cannot be found: %v", cacheDir, err)
	case inside(abs, cache):
		return mountpointErrorf("%s lies in the cache directory %s; mount elsewhere or change cache.dir", abs, cacheDir)
	case inside(cache, abs):
		return mountpointErrorf("the cache directory %s lies in %s, where the mount would hide it; mount elsewhere or change cache.dir", cacheDir, abs)
	}
	return nil
}

// existingPath follows the symlinks in as much of path as exists.
func existingPath(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	rest := ""
	for dir := abs; ; dir = filepath.Dir(dir) {
		if real, err := filepath.EvalSymlinks(dir); err == nil {
			return filepath.Join(real, rest), nil
		} else if dir == "/" {
			return "", err
		}
		rest = filepath.Join(filepath.Base(dir), rest)
	}
}

// unmount removes the attachfs mount at path. A lazy one goes at once from the
// tree and ends when nobody uses it any more.
func unmount(path string, lazy bool) error {
	abs, err := realPath(path)
	if err != nil {
		return explainStat(path, err)
	}
	m, here, err := mountAt(abs)
	switch {
	case err != nil:
		return err
	case !here:
		return mountpointErrorf("nothing is mounted on %s", abs)
	case m.Type != mountType:
		return mountpointErrorf("%s (%s) is mounted on %s, which is not attachfs; use umount", m.Source, m.Type, abs)
	case !m.mine():
		return mountpointErrorf("the mount on %s belongs to another user; root can unmount it", abs)
	}
	err = detach(abs, lazy)
	if err == nil {
		return nil
	}
	if users := busyUsers(abs); len(users) > 0 {
		return mountpointErrorf("%s is in use by %s; end them, or detach it with: attachfs umount --lazy %[1]s", abs, strings.Join(users, ", "))
	}
	if errors.Is(err, unix.EBUSY) {
		return mountpointErrorf("%s is in use, by whom cannot be seen; detach it with: attachfs umount --lazy %[1]s", abs)
	}
	return fmt.Errorf("unmount %s: %w", abs, err)
}

// detach unmounts path: root by itself, others through fusermount3.
func detach(path string, lazy bool) error {
	_, err := bounded(unmountPatience, func() (struct{}, error) {
		if os.Geteuid() == 0 {
			return struct{}{}, unix.Unmount(path, unmountFlags(lazy))
		}
		return struct{}{}, fusermount(path, lazy)
	})
	return err
}

func unmountFlags(lazy bool) int {
	if lazy {
		return unix.UMOUNT_NOFOLLOW | unix.MNT_DETACH
	}
	return unix.UMOUNT_NOFOLLOW
}

func fusermount(path string, lazy bool) error {
	flags := "-u"
	if lazy {
		flags = "-uz"
	}
	ctx, cancel := context.WithTimeout(context.Background(), unmountPatience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "fusermount3", flags, "--", path).CombinedOutput()
	if text := strings.TrimSpace(string(out)); err != nil && text != "" {
		return fmt.Errorf("%w: %s", err, text)
	}
	return err
}
