package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// fuseAvailable says in one sentence why this user cannot mount, or nil.
func fuseAvailable() error { return probeFUSE("/dev/fuse", os.Geteuid(), exec.LookPath) }

func probeFUSE(device string, uid int, lookPath func(string) (string, error)) error {
	f, err := os.OpenFile(device, os.O_RDWR, 0)
	if err == nil {
		f.Close()
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s is missing: load the kernel module with modprobe fuse, or start the container with --device %[1]s --cap-add SYS_ADMIN", device)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("this user may not open %s: %s", device, permissionRemedy(device))
	case err != nil:
		return fmt.Errorf("FUSE does not work here: %w", err)
	}
	if uid == 0 {
		return nil
	}
	if _, err := lookPath("fusermount3"); err != nil {
		return errors.New("fusermount3 is missing, which ordinary users need to mount: install the package fuse3")
	}
	return nil
}

// fuseConf is where an administrator says what ordinary users may mount.
const fuseConf = "/etc/fuse.conf"

// mayMount says in one sentence what fusermount3 would refuse the user, or nil:
// its own words do not reach us.
func mayMount(uid int, mountpoint string, allowOther bool, conf string) error {
	if uid == 0 {
		return nil
	}
	if err := unix.Access(mountpoint, unix.W_OK); err != nil {
		return mountpointErrorf("this user may not write to %s (%v), and so not mount there; choose a directory of his own", mountpoint, err)
	}
	if !allowOther {
		return nil
	}
	text, err := os.ReadFile(conf)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil // it may be there
	}
	for line := range strings.Lines(string(text)) {
		if strings.TrimSpace(line) == "user_allow_other" {
			return nil
		}
	}
	return fmt.Errorf("allow_other is for users only if %s has the line user_allow_other: add it, or set mount.allow_other = false", conf)
}

// permissionRemedy suggests the group of the device where that would help.
func permissionRemedy(device string) string {
	var st unix.Stat_t
	if err := unix.Stat(device, &st); err == nil && st.Gid != 0 && st.Mode&0o060 == 0o060 {
		if g, err := user.LookupGroupId(strconv.Itoa(int(st.Gid))); err == nil {
			return fmt.Sprintf("as root run usermod -aG %s USER and log in again", g.Name)
		}
	}
	return "as root run chmod 666 " + device
}
