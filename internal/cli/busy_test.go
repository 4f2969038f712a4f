package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestScanProcesses(t *testing.T) {
	proc := t.TempDir()
	process := func(pid int, name string, links map[string]string, mappings string) {
		dir := filepath.Join(proc, strconv.Itoa(pid))
		require.NoError(t, os.MkdirAll(filepath.Join(dir, "fd"), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "comm"), []byte(name+"\n"), 0o600))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "maps"), []byte(mappings), 0o600))
		for link, target := range links {
			require.NoError(t, os.Symlink(target, filepath.Join(dir, link)))
		}
	}
	process(101, "shell", map[string]string{"cwd": "/mnt/a"}, "")
	process(102, "vim", map[string]string{"cwd": "/", "fd/3": "/mnt/a/x y.txt"}, "")
	process(103, "viewer", nil, "7f00-7f01 r--p 00000000 00:30 5   /mnt/a/b c.pdf\n")
	process(104, "chrooted", map[string]string{"root": "/mnt/a/sub"}, "")
	process(105, "program", map[string]string{"exe": "/mnt/a/bin"}, "")
	process(106, "stranger", map[string]string{"cwd": "/mnt/ab", "fd/0": "pipe:[1]"}, "00-01 r--p 0 00:00 0 [heap]\n")
	require.NoError(t, os.MkdirAll(filepath.Join(proc, "sys"), 0o700))

	assert.Equal(t, []string{
		"shell (pid 101)", "vim (pid 102)", "viewer (pid 103)", "chrooted (pid 104)", "program (pid 105)",
	}, scanProcesses(proc, "/mnt/a"))

	for pid := 201; pid < 211; pid++ {
		process(pid, "cat", map[string]string{"cwd": "/mnt/full"}, "")
	}
	users := scanProcesses(proc, "/mnt/full")
	assert.Len(t, users, maxBusy+1)
	assert.Equal(t, "2 more", users[maxBusy])
}

func TestBusyUsers_RealProcess(t *testing.T) {
	dir := realTemp(t)
	assert.Empty(t, busyUsers(dir))
	sleeper := exec.Command("sleep", "60")
	sleeper.Dir = dir
	require.NoError(t, sleeper.Start())
	defer func() {
		_ = sleeper.Process.Kill()
		_ = sleeper.Wait()
	}()
	assert.Equal(t, []string{fmt.Sprintf("sleep (pid %d)", sleeper.Process.Pid)}, busyUsers(dir))
}
