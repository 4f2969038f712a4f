package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// daemonEnv marks the process that --daemon started; its pipe to the
	// parent is daemonPipe, the first descriptor after the standard ones.
	daemonEnv  = "ATTACHFS_DAEMON"
	daemonPipe = 3
	// maxLog is when the log of earlier runs is moved aside.
	maxLog = 8 << 20
	// stopPatience is how long a child that was told to end may unmount.
	stopPatience = 15 * time.Second
)

// report is what the child tells the parent, once.
type report struct {
	Line  string `json:"line,omitempty"`
	Error string `json:"error,omitempty"`
	Code  int    `json:"code,omitempty"`
}

// daemonize runs this program again with args (those after its name) in the
// background, its output appended to the file logPath. It returns the exit
// code for this process once the child is ready, has failed or is gone; the
// child's own bounds end the wait. When ctx ends the child is told to end, too.
func daemonize(ctx context.Context, logPath string, args []string, stdout, stderr io.Writer) int {
	err := startDaemon(ctx, logPath, args, stdout)
	if err == nil {
		return 0
	}
	fmt.Fprintf(stderr, "attachfs: %v\n", err)
	var failed *daemonError
	if errors.As(err, &failed) {
		return failed.code
	}
	return 1
}

// daemonError is the child's word, and the exit code it would have had.
type daemonError struct {
	text string
	code int
}

func (e *daemonError) Error() string { return e.text }

func startDaemon(ctx context.Context, logPath string, args []string, stdout io.Writer) error {
	log, err := openLog(logPath)
	if err != nil {
		return err
	}
	defer log.Close()
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe for the daemon: %w", err)
	}
	defer r.Close()
	child := exec.Command(exe, args...)
	child.Args[0] = os.Args[0] // it may be called mount.attachfs
	child.Env = append(os.Environ(), daemonEnv+"=1")
	child.Stdout, child.Stderr = log, log
	child.ExtraFiles = []*os.File{w}
	child.SysProcAttr = &unix.SysProcAttr{Setsid: true}
	err = child.Start()
	w.Close()
	if err != nil {
		return fmt.Errorf("start the daemon: %w", err)
	}
	stop := context.AfterFunc(ctx, func() {
		_ = child.Process.Signal(unix.SIGTERM)
		_ = r.SetReadDeadline(time.Now().Add(stopPatience))
	})
	var said report
	readErr := json.NewDecoder(r).Decode(&said)
	if ready := stop() && readErr == nil && said.Error == ""; ready {
		fmt.Fprintln(stdout, said.Line)
		return child.Process.Release()
	}
	exit := waitChild(child)
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("the daemon was stopped before it was ready: %w", ctx.Err())
	case readErr == nil:
		return &daemonError{said.Error, max(1, said.Code)}
	default:
		return &daemonError{fmt.Sprintf("the daemon ended before it was ready (%v); see %s", exit, logPath), max(1, child.ProcessState.ExitCode())}
	}
}

// waitChild waits for a child that is about to end, and kills it when it does
// not.
func waitChild(child *exec.Cmd) *os.ProcessState {
	kill := time.AfterFunc(stopPatience, func() { _ = child.Process.Kill() })
	defer kill.Stop()
	_ = child.Wait() // how it went is in the state
	return child.ProcessState
}

// openLog opens the daemon's log for appending. An earlier one that has grown
// beyond maxLog is kept beside it as .1.
func openLog(path string) (*os.File, error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the log: %w", err)
	}
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() && info.Size() > maxLog {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("move the old log aside: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return f, nil
}

// starter is the child's end of the pipe to the process that waits for it. A
// nil starter, outside of a daemon, does nothing.
type starter struct{ pipe *os.File }

// readiness returns the starter of a process that --daemon started, or nil in
// any other. To be called once, before other processes are started.
func readiness() *starter {
	if os.Getenv(daemonEnv) == "" {
		return nil
	}
	_ = os.Unsetenv(daemonEnv) // not for programs that this one runs
	unix.CloseOnExec(daemonPipe)
	return &starter{pipe: os.NewFile(daemonPipe, "daemon pipe")}
}

// Ready lets the waiting process print line and exit with 0. The daemon leaves
// the directory that it was started in, so relative paths end here.
func (s *starter) Ready(line string) {
	if s == nil {
		return
	}
	if err := os.Chdir("/"); err != nil {
		slog.Warn("cannot leave the working directory", "error", err)
	}
	s.send(report{Line: line})
}

// Failed lets the waiting process print err and exit with code. It has no
// effect after Ready.
func (s *starter) Failed(err error, code int) {
	if s != nil {
		s.send(report{Error: err.Error(), Code: code})
	}
}

// send tells the first report. A waiting process that is gone is no error:
// the daemon goes on.
func (s *starter) send(r report) {
	if s.pipe == nil {
		return
	}
	if err := json.NewEncoder(s.pipe).Encode(r); err != nil {
		slog.Warn("nobody waits for the daemon to be ready", "error", err)
	}
	_ = s.pipe.Close()
	s.pipe = nil
}
