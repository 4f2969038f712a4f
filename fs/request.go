package fs

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/resolver"
)

// lookAgain is how often a caller who was interrupted is looked at, because no
// second interrupt comes (FUSE.md trap 4).
const lookAgain = 100 * time.Millisecond

// request is the context of the work of one kernel request: it ends at the
// deadline, or when the caller is dying. Harmless signals are waited through.
// Most work waits for nothing, so that what ends it is made when somebody does.
type request struct {
	context.Context                 // of values alone
	kernel          context.Context // done when the caller is interrupted
	deadline        time.Time

	mu    sync.Mutex      // guards the following
	work  context.Context // nil as long as nobody waits
	stop  func()
	ended bool // whoever waits now does so in vain
}

// request returns a context for the work of one kernel request. What the work has
// to queue for, it wants as urgently as u for the program that calls. The caller
// of request calls done.
func (m *Mount) request(ctx context.Context, u resolver.Urgency) (work context.Context, done func()) {
	r := &request{Context: context.WithoutCancel(ctx), kernel: ctx, deadline: time.Now().Add(m.cfg.Deadline)}
	if caller, ok := fuse.FromContext(ctx); ok {
		r.Context = resolver.WithDemand(r.Context, resolver.NewDemand(u, func() resolver.Client { return client(caller.Pid) }))
	}
	return r, r.end
}

// Deadline is a [context.Context]'s.
func (r *request) Deadline() (time.Time, bool) { return r.deadline, true }

// Done is a [context.Context]'s.
func (r *request) Done() <-chan struct{} { return r.waiting().Done() }

// Err is a [context.Context]'s.
func (r *request) Err() error { return r.waiting().Err() }

// Value is a [context.Context]'s.
func (r *request) Value(key any) any {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.work != nil { // which knows why it ended
		return r.work.Value(key)
	}
	return r.Context.Value(key)
}

// waiting returns the context that ends.
func (r *request) waiting() context.Context {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.work != nil {
		return r.work
	}
	work, expire := context.WithDeadline(r.Context, r.deadline)
	work, cancel := context.WithCancelCause(work)
	r.work, r.stop = work, func() { cancel(nil); expire() }
	if r.ended {
		r.stop()
		return work
	}
	caller, ok := fuse.FromContext(r.kernel)
	if !ok {
		return work
	}
	calm := context.AfterFunc(r.kernel, func() {
		for work.Err() == nil {
			if dying(caller.Pid) {
				cancel(errDying)
				return
			}
			select {
			case <-time.After(lookAgain):
			case <-work.Done():
			}
		}
	})
	r.stop = func() { calm(); cancel(nil); expire() }
	return work
}

func (r *request) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended = true
	if r.stop != nil {
		r.stop()
	}
}

// dying reports whether thread tid has a fatal signal pending: the kernel turns
// every signal that will kill it into SIGKILL. A thread that is gone is dead;
// callers of other pid namespaces have no number here, and wait.
func dying(tid uint32) bool {
	if tid == 0 {
		return false
	}
	status, err := os.ReadFile("/proc/" + strconv.Itoa(int(tid)) + "/status")
	if err != nil {
		return os.IsNotExist(err)
	}
	return killPending(string(status))
}

// client is the process that thread tid belongs to, and the group of that.
func client(tid uint32) resolver.Client {
	c := resolver.Client{Process: process(tid)}
	c.Job = c.Process
	if group, err := unix.Getpgid(c.Process); err == nil && tid != 0 {
		c.Job = group
	}
	return c
}

// process is the one that thread tid belongs to, or tid itself if that cannot be
// told.
func process(tid uint32) int {
	status, err := os.ReadFile("/proc/" + strconv.Itoa(int(tid)) + "/status")
	if err != nil {
		return int(tid)
	}
	for line := range strings.Lines(string(status)) {
		if id, ok := strings.CutPrefix(line, "Tgid:"); ok {
			if n, err := strconv.Atoi(strings.TrimSpace(id)); err == nil {
				return n
			}
		}
	}
	return int(tid)
}

// killPending looks for SIGKILL among the pending signals in the text of a
// status file of /proc.
func killPending(status string) bool {
	for line := range strings.Lines(status) {
		name, mask, ok := strings.Cut(line, ":")
		if !ok || (name != "SigPnd" && name != "ShdPnd") {
			continue
		}
		bits, err := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
		if err == nil && bits&(1<<8) != 0 { // signal 9
			return true
		}
	}
	return false
}
