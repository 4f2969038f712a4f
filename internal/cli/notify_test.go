package cli

import (
	"bytes"
	"log/slog"
	"net"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// logged collects what goes to the default logger during the test.
func logged(t *testing.T) *bytes.Buffer {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
	return &log
}

func TestNotify(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	require.NoError(t, err)
	defer conn.Close()
	t.Setenv("NOTIFY_SOCKET", socket)
	for _, tc := range []struct {
		send func()
		want string
	}{
		{func() { notifyReady("mounted /mnt\nREADY=0") }, "READY=1\nSTATUS=mounted /mnt"},
		{func() { notifyStatus("busy") }, "STATUS=busy"},
		{notifyStopping, "STOPPING=1"},
	} {
		tc.send()
		require.NoError(t, conn.SetReadDeadline(time.Now().Add(5*time.Second)))
		buf := make([]byte, 256)
		n, err := conn.Read(buf)
		require.NoError(t, err)
		assert.Equal(t, tc.want, string(buf[:n]))
	}
}

func TestNotify_NobodyListens(t *testing.T) {
	log := logged(t)
	t.Setenv("NOTIFY_SOCKET", "")
	notifyReady("mounted")
	assert.Empty(t, log.String())

	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "missing"))
	notifyReady("mounted")
	assert.Contains(t, log.String(), "cannot notify systemd")
}
