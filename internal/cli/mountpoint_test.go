package cli

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var quiet = slog.New(slog.DiscardHandler)

// mountSilent mounts a FUSE file system of the given type that never answers,
// and returns what makes it a dead one.
func mountSilent(t *testing.T, dir, kind string) (kill func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root mounts without a helper")
	}
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no FUSE here: ", err)
	}
	kill = func() {
		if fd >= 0 {
			assert.NoError(t, unix.Close(fd))
			fd = -1
		}
	}
	t.Cleanup(kill)
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0", fd)
	require.NoError(t, unix.Mount("silent", dir, kind, unix.MS_NOSUID|unix.MS_NODEV, options))
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) }) // most tests did it
	return kill
}

func isMounted(t *testing.T, path string) bool {
	t.Helper()
	_, here, err := mountAt(path)
	require.NoError(t, err)
	return here
}

// realTemp is a temporary directory under its real name.
func realTemp(t *testing.T) string {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	require.NoError(t, err)
	return dir
}

func TestParseMounts(t *testing.T) {
	got, err := parseMounts(strings.NewReader(
		"22 27 0:21 / /proc rw,relatime - proc proc rw\n" +
			`90 27 0:50 / /mnt/a\040b\134c ro,nosuid shared:5 master:1 - fuse.attachfs attach\011fs ro,user_id=7,group_id=0` + "\n" +
			"91 27 0:51 / /odd\\9 rw - fuseblk  \n" +
			"92 27 0:52 / /x rw - ext4 /dev/sda1 rw\n"))
	require.ErrorContains(t, err, "unexpected line")
	assert.Empty(t, got)

	got, err = parseMounts(strings.NewReader(
		`90 27 0:50 / /mnt/a\040b\134c ro,nosuid shared:5 master:1 - fuse.attachfs attach\011fs ro,user_id=7` + "\n" +
			"92 27 0:52 / /odd\\9\\ rw - ext4 /dev/sda1 rw\n"))
	require.NoError(t, err)
	assert.Equal(t, []mounted{
		{Path: `/mnt/a b\c`, Type: "fuse.attachfs", Source: "attach\tfs", Options: []string{"ro", "user_id=7"}},
		{Path: `/odd\9\`, Type: "ext4", Source: "/dev/sda1", Options: []string{"rw"}},
	}, got)
	assert.True(t, got[0].fuse())
	assert.False(t, got[1].fuse())
}

func TestMounts_ThisMachine(t *testing.T) {
	all, err := mounts()
	require.NoError(t, err)
	assert.NotEmpty(t, all)
	assert.True(t, isMounted(t, "/proc"))
	assert.False(t, isMounted(t, "/proc/self"))
}

func TestBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		stuck := make(chan struct{})
		start := time.Now()
		_, err := bounded(statPatience, func() (int, error) { <-stuck; return 1, nil })
		assert.ErrorIs(t, err, errNoAnswer)
		assert.Equal(t, statPatience, time.Since(start))
		close(stuck)

		n, err := bounded(statPatience, func() (int, error) { return 2, os.ErrClosed })
		assert.Equal(t, 2, n)
		assert.ErrorIs(t, err, os.ErrClosed)
	})
}

func TestCheckMountpoint(t *testing.T) {
	dir := realTemp(t)
	at := func(parts ...string) string { return filepath.Join(append([]string{dir}, parts...)...) }
	for _, name := range []string{"empty", "full/sub", "cache/inner"} {
		require.NoError(t, os.MkdirAll(at(name), 0o700))
	}
	require.NoError(t, os.WriteFile(at("file"), nil, 0o600))
	require.NoError(t, os.Symlink("cache", at("tocache")))
	require.NoError(t, os.Symlink("empty", at("toempty")))
	require.NoError(t, os.Symlink("loop", at("loop")))

	for name, tc := range map[string]struct{ path, cache, want string }{
		"empty":                 {at("empty"), at("cache"), ""},
		"symlink":               {at("toempty"), at("cache"), ""},
		"cache yet to be made":  {at("empty"), at("new", "er"), ""},
		"neighbour by prefix":   {at("empty"), at("emptyish"), ""},
		"missing":               {at("missing"), at("cache"), "does not exist; make it with: mkdir -p " + at("missing")},
		"missing parent":        {at("missing", "x"), at("cache"), "does not exist"},
		"file":                  {at("file"), at("cache"), "is not a directory"},
		"below a file":          {at("file", "x"), at("cache"), "is not a directory"},
		"loop":                  {at("loop"), at("cache"), "cannot be mounted on"},
		"full":                  {at("full"), at("cache"), `is not empty (it has "sub")`},
		"is the cache":          {at("cache"), at("cache"), "lies in the cache directory"},
		"in the cache":          {at("cache", "inner"), at("cache"), "lies in the cache directory"},
		"in the cache, symlink": {at("tocache", "inner"), at("cache"), "lies in the cache directory"},
		"in the linked cache":   {at("cache", "inner"), at("tocache"), "lies in the cache directory"},
		"cache inside":          {at("empty"), at("empty", "a", "b"), "where the mount would hide it"},
		"cache inside, symlink": {at("empty"), at("toempty", "a"), "where the mount would hide it"},
	} {
		t.Run(name, func(t *testing.T) {
			abs, err := checkMountpoint(tc.path, tc.cache, quiet)
			if tc.want == "" {
				require.NoError(t, err)
				assert.Equal(t, at("empty"), abs)
				return
			}
			require.ErrorIs(t, err, ErrMountpoint)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

func TestCheckMountpoint_Relative(t *testing.T) {
	t.Chdir(realTemp(t))
	require.NoError(t, os.Mkdir("here", 0o700))
	abs, err := checkMountpoint("here", "", quiet)
	require.NoError(t, err)
	assert.True(t, filepath.IsAbs(abs))
}

func TestCheckMountpoint_RemovesDeadMounts(t *testing.T) {
	var log bytes.Buffer
	dir := realTemp(t)
	link := filepath.Join(realTemp(t), "link")
	require.NoError(t, os.Symlink(dir, link))
	mountSilent(t, dir, mountType)()
	_, err := os.Lstat(dir)
	require.ErrorIs(t, err, unix.ENOTCONN, "the mount under test must be dead")

	abs, err := checkMountpoint(link, "", slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, err)
	assert.Equal(t, dir, abs)
	assert.False(t, isMounted(t, dir))
	assert.Contains(t, log.String(), "removed a dead attachfs mount")
	assert.Contains(t, log.String(), dir)
}

func TestCheckMountpoint_DeadMountOfOthers(t *testing.T) {
	dir := realTemp(t)
	mountSilent(t, dir, "fuse.sshfs")()
	_, err := checkMountpoint(dir, "", quiet)
	require.ErrorIs(t, err, ErrMountpoint)
	assert.ErrorContains(t, err, "is a dead mount of silent (fuse.sshfs); remove it with: fusermount3 -uz "+dir)
	assert.True(t, isMounted(t, dir))

	_, err = checkMountpoint(filepath.Join(dir, "sub"), "", quiet)
	assert.ErrorContains(t, err, "lies in a mount that does not answer")
}

func TestCheckMountpoint_SilentMount(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for statPatience")
	}
	dir := realTemp(t)
	mountSilent(t, dir, mountType)
	start := time.Now()
	_, err := checkMountpoint(dir, "", quiet)
	require.ErrorIs(t, err, ErrMountpoint)
	assert.ErrorContains(t, err, "does not answer; remove it with: attachfs umount --lazy "+dir)
	assert.Less(t, time.Since(start), 2*statPatience)
	assert.NoError(t, unmount(dir, true))
}

func TestClearMount_InUse(t *testing.T) {
	dir := t.TempDir() // answers, as a living mount does
	err := clearMount(dir, mounted{Path: dir, Type: mountType})
	assert.ErrorContains(t, err, "attachfs is already mounted on "+dir)
	err = clearMount(dir, mounted{Path: dir, Type: "fuse.sshfs", Source: "host:"})
	assert.ErrorContains(t, err, "is in use: host: (fuse.sshfs) is mounted there")
}

func TestUnmount(t *testing.T) {
	dir := realTemp(t)
	err := unmount(dir, false)
	require.ErrorIs(t, err, ErrMountpoint)
	assert.ErrorContains(t, err, "nothing is mounted on "+dir)
	assert.ErrorContains(t, unmount(filepath.Join(dir, "missing"), false), "nothing is mounted")
	assert.ErrorContains(t, unmount("/proc", true), "is not attachfs; use umount")

	mountSilent(t, dir, mountType)()
	require.NoError(t, unmount(dir, false))
	assert.False(t, isMounted(t, dir))
}

// hold starts a process that has path open, without asking its file system.
func hold(t *testing.T, path string) *exec.Cmd {
	t.Helper()
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	f := os.NewFile(uintptr(fd), path)
	defer f.Close()
	holder := exec.Command("sleep", "60")
	holder.ExtraFiles = []*os.File{f}
	require.NoError(t, holder.Start())
	t.Cleanup(func() {
		_ = holder.Process.Kill()
		_ = holder.Wait()
	})
	return holder
}

func TestUnmount_Busy(t *testing.T) {
	dir := realTemp(t)
	mountSilent(t, dir, mountType)()
	holder := hold(t, dir)
	who := fmt.Sprintf("sleep (pid %d)", holder.Process.Pid)

	err := unmount(dir, false)
	require.ErrorIs(t, err, ErrMountpoint)
	assert.ErrorContains(t, err, "is in use by "+who)
	assert.ErrorContains(t, err, "attachfs umount --lazy "+dir)
	assert.True(t, isMounted(t, dir))

	require.NoError(t, unmount(dir, true))
	assert.False(t, isMounted(t, dir))
}

func TestUnmount_ByUser(t *testing.T) {
	dir := realTemp(t)
	err := fusermount(dir, false)
	require.Error(t, err)
	if !errors.Is(err, exec.ErrNotFound) {
		assert.ErrorContains(t, err, dir, "fusermount3's own words")
	}
}

func TestProbeFUSE(t *testing.T) {
	device := filepath.Join(t.TempDir(), "fuse")
	found := func(string) (string, error) { return "/bin/fusermount3", nil }
	missing := func(string) (string, error) { return "", exec.ErrNotFound }

	assert.ErrorContains(t, probeFUSE(device, 0, missing), "is missing: load the kernel module")
	require.NoError(t, os.WriteFile(device, nil, 0o600))
	assert.NoError(t, probeFUSE(device, 0, missing), "root needs no helper")
	assert.NoError(t, probeFUSE(device, 1000, found))
	assert.ErrorContains(t, probeFUSE(device, 1000, missing), "install the package fuse3")
}

func TestPermissionRemedy(t *testing.T) {
	device := filepath.Join(t.TempDir(), "fuse")
	require.NoError(t, os.WriteFile(device, nil, 0o600))
	assert.Equal(t, "as root run chmod 666 "+device, permissionRemedy(device))
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	require.NoError(t, os.Chown(device, 0, 1))
	require.NoError(t, os.Chmod(device, 0o660))
	assert.Regexp(t, "^as root run usermod -aG [a-z]+ USER", permissionRemedy(device))
}

func TestMayMount(t *testing.T) {
	dir := t.TempDir()
	conf := func(text string) string {
		path := filepath.Join(t.TempDir(), "fuse.conf")
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
		return path
	}
	for _, c := range []struct {
		name, conf string
		uid        int
		allow      bool
		want       string
	}{
		{"alone", "/nowhere", 1000, false, ""},
		{"root", "/nowhere", 0, true, ""},
		{"allowed", conf("# comment\n user_allow_other\n"), 1000, true, ""},
		{"not allowed", conf("#user_allow_other\n"), 1000, true, "has the line user_allow_other: add it"},
		{"no such file", "/nowhere", 1000, true, "if /nowhere has the line"},
	} {
		err := mayMount(c.uid, dir, c.allow, c.conf)
		if c.want == "" {
			assert.NoError(t, err, c.name)
			continue
		}
		assert.ErrorContains(t, err, c.want, c.name)
	}
	err := mayMount(1000, filepath.Join(dir, "gone"), false, "/nowhere")
	require.ErrorIs(t, err, ErrMountpoint)
	assert.ErrorContains(t, err, "may not write to")
}
