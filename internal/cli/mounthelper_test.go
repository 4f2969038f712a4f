package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ref[T any](v T) *T { return &v }

func TestParseHelper(t *testing.T) {
	call := helperCall{Config: "/etc/a.toml", Mountpoint: "/mnt/a"}
	with := func(change func(*helperCall)) helperCall {
		c := call
		change(&c)
		return c
	}
	for name, tc := range map[string]struct {
		args []string
		want helperCall
	}{
		"bare":         {[]string{"/etc/a.toml", "/mnt/a"}, call},
		"after fstab":  {[]string{"/etc/a.toml", "/mnt/a", "-o", "ro,noatime,noexec,nosuid,nodev,nofail,user,_netdev,x-systemd.automount,comment=x"}, call},
		"flags first":  {[]string{"-n", "-v", "-t", "fuse.attachfs", "/etc/a.toml", "--", "/mnt/a"}, call},
		"fake":         {[]string{"/etc/a.toml", "/mnt/a", "-fv", "-o", "defaults"}, with(func(c *helperCall) { c.Fake = true })},
		"sloppy":       {[]string{"/etc/a.toml", "/mnt/a", "-so", "ro,colour=red"}, call},
		"value joined": {[]string{"/etc/a.toml", "/mnt/a", "-oro,allow_other"}, with(func(c *helperCall) { c.Overrides.AllowOther = ref(true) })},
		"overrides": {[]string{"-o", "uid=1000,gid=0", "/etc/a.toml", "/mnt/a", "-o", "file_mode=0440,dir_mode=550"}, with(func(c *helperCall) {
			c.Overrides = mountOverrides{UID: ref(uint32(1000)), GID: ref(uint32(0)), FileMode: ref(Mode(0o440)), DirMode: ref(Mode(0o550))}
		})},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := parseHelper(tc.args)
			require.NoError(t, err)
			assert.Equal(t, tc.want, got)
		})
	}
}

func TestParseHelper_Refuses(t *testing.T) {
	for name, tc := range map[string]struct {
		args []string
		want string
	}{
		"no mount point": {[]string{"/etc/a.toml"}, "wants a configuration file and a mount point"},
		"too many":       {[]string{"a", "b", "c"}, "wants a configuration file and a mount point"},
		"unknown flag":   {[]string{"a", "b", "-x"}, "does not know the flag -x"},
		"no value":       {[]string{"a", "b", "-o"}, "-o of mount.attachfs wants a value"},
		"namespace":      {[]string{"a", "b", "-N", "/proc/1/ns/mnt"}, "nsenter"},
		"rw":             {[]string{"a", "b", "-o", "rw"}, "mount option rw: attachfs is read-only: mount it with -o ro"},
		"rw sloppy":      {[]string{"a", "b", "-s", "-o", "rw"}, "attachfs is read-only"},
		"unknown":        {[]string{"a", "b", "-o", "alow_other"}, "mount option alow_other: unknown; did you mean allow_other?"},
		"value of ro":    {[]string{"a", "b", "-o", "ro=1"}, "mount option ro=1: unknown"},
		"uid":            {[]string{"a", "b", "-o", "uid=me"}, "mount option uid=me: want a number"},
		"mode":           {[]string{"a", "b", "-o", "file_mode=999"}, "mount option file_mode=999: want octal"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseHelper(tc.args)
			assert.ErrorContains(t, err, tc.want)
		})
	}
}

func TestMountOverrides_Apply(t *testing.T) {
	c := MountConfig{UID: 1, GID: 2, FileMode: 0o444}
	mountOverrides{AllowOther: ref(true), GID: ref(uint32(0)), DirMode: ref(Mode(0o500))}.apply(&c)
	assert.Equal(t, MountConfig{AllowOther: true, UID: 1, FileMode: 0o444, DirMode: 0o500}, c)
}

func TestIsMountHelper(t *testing.T) {
	assert.True(t, isMountHelper("/sbin/mount.attachfs"))
	assert.True(t, isMountHelper("mount.attachfs"))
	assert.False(t, isMountHelper("/usr/bin/attachfs"))
}
