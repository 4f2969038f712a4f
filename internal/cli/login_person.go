package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// maxLine is far beyond any address that is pasted.
const maxLine = 64 << 10

// pollStep is how long a wait for a terminal goes on before it looks whether
// anybody still waits: short enough for ^C.
const pollStep = 200 * time.Millisecond

var errNoLine = errors.New("nothing was pasted")

// readLine reads up to the end of a line, until ctx ends. From a terminal or a
// pipe it takes no more than there is, so that nothing waits when ctx has ended.
func readLine(ctx context.Context, in io.Reader) (string, error) {
	file, isFile := in.(*os.File)
	var line []byte
	one := make([]byte, 1)
	for len(line) < maxLine {
		if isFile {
			if err := readable(ctx, int(file.Fd())); err != nil {
				return "", err
			}
		}
		n, err := in.Read(one)
		if n == 1 && one[0] != '\n' {
			line = append(line, one[0])
			continue
		}
		text := strings.TrimSpace(string(line))
		switch {
		case text != "":
			return text, nil
		case err == io.EOF:
			return "", errNoLine
		case err != nil:
			return "", fmt.Errorf("read what was pasted: %w", err)
		}
		line = line[:0] // a line without anything is passed by
	}
	return "", errors.New("what was pasted is too long")
}

// readable returns when a read would not wait.
func readable(ctx context.Context, fd int) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		ready, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(pollStep.Milliseconds()))
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return fmt.Errorf("wait for what is pasted: %w", err)
		case ready > 0:
			return nil
		}
	}
}

// openBrowser shows a page if there is a screen and a way to. Who has neither
// opens the address that was printed. What it starts may be the browser itself,
// so it lives on when the login is over.
func openBrowser(address string) {
	if os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "" {
		return
	}
	opener, err := exec.LookPath("xdg-open")
	if err != nil {
		return
	}
	cmd := exec.Command(opener, address)
	cmd.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	if cmd.Start() == nil {
		_ = cmd.Process.Release()
	}
}
