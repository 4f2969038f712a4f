package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// roleEnv makes this test binary play a daemon's child instead of running
// tests.
const roleEnv = "ATTACHFS_TEST_DAEMON"

func init() {
	role := os.Getenv(roleEnv)
	if role == "" {
		return
	}
	s := readiness()
	fmt.Println("pid", os.Getpid(), "args", os.Args[1:], "marked", os.Getenv(daemonEnv) != "")
	switch role {
	case "ready":
		s.Ready("mounted /mnt (1 providers)")
		s.Failed(errors.New("too late"), 2)
		wd, _ := os.Getwd()
		fmt.Println("works in", wd)
		time.Sleep(time.Minute)
	case "fail":
		s.Failed(errors.New("config.toml:1: bad"), 2)
	case "hang":
		time.Sleep(time.Minute)
	}
	os.Exit(3)
}

func daemonLog(t *testing.T, role string) string {
	t.Setenv(roleEnv, role)
	return filepath.Join(t.TempDir(), "logs", "daemon.log")
}

// childPID waits for the child to write its number into the log.
func childPID(t *testing.T, log string) int {
	t.Helper()
	pid := 0
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(log)
		words := strings.Fields(string(text))
		if len(words) < 2 {
			return false
		}
		pid, _ = strconv.Atoi(words[1])
		return pid != 0
	}, 10*time.Second, 10*time.Millisecond)
	return pid
}

func TestDaemonize_Ready(t *testing.T) {
	log := daemonLog(t, "ready")
	var stdout, stderr bytes.Buffer
	code := daemonize(t.Context(), log, []string{"mount", "--daemon"}, &stdout, &stderr)
	pid := childPID(t, log)
	defer func() {
		assert.NoError(t, unix.Kill(pid, unix.SIGKILL))
		_, err := unix.Wait4(pid, nil, 0, nil)
		assert.NoError(t, err)
	}()
	assert.Equal(t, 0, code)
	assert.Equal(t, "mounted /mnt (1 providers)\n", stdout.String())
	assert.Empty(t, stderr.String())

	session, err := unix.Getsid(pid)
	require.NoError(t, err)
	assert.Equal(t, pid, session, "a session of its own")
	stdin, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/0", pid))
	require.NoError(t, err)
	assert.Equal(t, "/dev/null", stdin)
	require.Eventually(t, func() bool {
		text, _ := os.ReadFile(log)
		return strings.Contains(string(text), "works in /\n")
	}, 10*time.Second, 10*time.Millisecond)
	text, err := os.ReadFile(log)
	require.NoError(t, err)
	assert.Contains(t, string(text), "args [mount --daemon] marked false")
	info, err := os.Stat(log)
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode())
}

func TestDaemonize_Failed(t *testing.T) {
	var stdout, stderr bytes.Buffer
	code := daemonize(t.Context(), daemonLog(t, "fail"), nil, &stdout, &stderr)
	assert.Equal(t, 2, code)
	assert.Empty(t, stdout.String())
	assert.Equal(t, "attachfs: config.toml:1: bad\n", stderr.String())
}

func TestDaemonize_Died(t *testing.T) {
	var stdout, stderr bytes.Buffer
	log := daemonLog(t, "exit")
	code := daemonize(t.Context(), log, nil, &stdout, &stderr)
	assert.Equal(t, 3, code)
	assert.Empty(t, stdout.String())
	assert.Contains(t, stderr.String(), "ended before it was ready (exit status 3); see "+log)
}

func TestDaemonize_Interrupted(t *testing.T) {
	log := daemonLog(t, "hang")
	ctx, cancel := context.WithCancel(t.Context())
	var stdout, stderr bytes.Buffer
	code := make(chan int, 1)
	go func() { code <- daemonize(ctx, log, nil, &stdout, &stderr) }()
	pid := childPID(t, log)
	start := time.Now()
	cancel()
	assert.Equal(t, 1, <-code)
	assert.Less(t, time.Since(start), stopPatience, "it was told to end, not waited out")
	assert.Contains(t, stderr.String(), "stopped before it was ready")
	assert.ErrorIs(t, unix.Kill(pid, 0), unix.ESRCH, "the child is gone")
}

func TestDaemonize_NoLog(t *testing.T) {
	var stdout, stderr bytes.Buffer
	assert.Equal(t, 1, daemonize(t.Context(), t.TempDir(), nil, &stdout, &stderr))
	assert.Contains(t, stderr.String(), "open the log")
}

func TestOpenLog_Rotates(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	appendLog := func(text string) {
		f, err := openLog(path)
		require.NoError(t, err)
		defer f.Close()
		_, err = f.WriteString(text)
		require.NoError(t, err)
	}
	appendLog("one ")
	appendLog("two ")
	require.NoError(t, os.Truncate(path, maxLog))
	appendLog("three")
	assert.NoFileExists(t, path+".1")
	appendLog("four")

	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "four", string(text))
	old, err := os.ReadFile(path + ".1")
	require.NoError(t, err)
	assert.True(t, bytes.HasPrefix(old, []byte("one two ")) && bytes.HasSuffix(old, []byte("three")))
}

func TestReadiness_OutsideOfDaemon(t *testing.T) {
	t.Setenv(daemonEnv, "")
	s := readiness()
	assert.Nil(t, s)
	s.Ready("mounted")
	s.Failed(errors.New("no"), 1)
}
