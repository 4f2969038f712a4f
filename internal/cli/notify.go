package cli

import (
	"log/slog"
	"strings"

	"github.com/coreos/go-systemd/v22/daemon"
)

// notifyReady tells systemd that the mount answers, with a line for its status.
func notifyReady(status string) { notify(daemon.SdNotifyReady + "\nSTATUS=" + firstLine(status)) }

// notifyStopping tells systemd that the mount is going away.
func notifyStopping() { notify(daemon.SdNotifyStopping) }

// notifyStatus shows a line in systemctl status.
func notifyStatus(status string) { notify("STATUS=" + firstLine(status)) }

// notify does nothing when no service manager listens.
func notify(state string) {
	if _, err := daemon.SdNotify(false, state); err != nil {
		slog.Warn("cannot notify systemd", "error", err)
	}
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
