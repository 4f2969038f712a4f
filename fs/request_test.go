package fs

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/resolver"
)

func TestKillPending(t *testing.T) {
	status := func(sigPnd, shdPnd string) string {
		return "Name:\tcat\nState:\tS (sleeping)\nSigQ:\t1/63441\nSigPnd:\t" + sigPnd + "\nShdPnd:\t" + shdPnd +
			"\nSigBlk:\t0000000000000100\nSigIgn:\t0000000000000100\nSigCgt:\tffffffffffffffff\n"
	}
	const none, kill = "0000000000000000", "0000000000000100"
	for _, c := range []struct {
		name, status string
		want         bool
	}{
		{"nothing pending", status(none, none), false},
		{"of the thread", status(kill, none), true},
		{"of the process", status(none, kill), true},
		{"both", status(kill, kill), true},
		{"among others", status("0000000180014103", none), true},
		{"all others", status("fffffffffffffeff", "fffffffffffffeff"), false},
		{"SIGTERM", status("0000000000004000", none), false},
		{"signals 8 and 10", status("0000000000000280", none), false},
		{"real-time signal 41", status("0000010000000000", none), false},
		{"only blocked and ignored", "SigBlk:\t" + kill + "\nSigIgn:\t" + kill + "\nSigCgt:\t" + kill + "\n", false},
		{"a program named like a field", "Name:\tShdPnd:\nSigPnd:\t" + none + "\n", false},
		{"a program named like a pending kill", "Name:\tx\\nSigPnd:\t" + kill + "\n", false},
		{"no newline at the end", "ShdPnd:\t" + kill, true},
		{"not a number", status("killed", "0x100"), false},
		{"no mask", "SigPnd:\nShdPnd", false},
		{"empty", "", false},
	} {
		t.Run(c.name, func(t *testing.T) { assert.Equal(t, c.want, killPending(c.status)) })
	}
}

// The fields are there in the kernel's own text.
func TestKillPending_OfThisKernel(t *testing.T) {
	status, err := os.ReadFile("/proc/thread-self/status")
	require.NoError(t, err)
	assert.Contains(t, string(status), "\nSigPnd:\t0")
	assert.Contains(t, string(status), "\nShdPnd:\t0")
	assert.False(t, killPending(string(status)))
}

// gone is the number of a thread that is no more.
func gone(t *testing.T) uint32 {
	t.Helper()
	cmd := exec.Command("true")
	require.NoError(t, cmd.Run())
	return uint32(cmd.Process.Pid)
}

func TestDying(t *testing.T) {
	assert.False(t, dying(0), "a caller of another pid namespace has no number")
	assert.False(t, dying(uint32(unix.Getpid())))
	assert.True(t, dying(gone(t)), "a thread that is gone is dead")
}

func interrupted(t *testing.T, m *Mount, tid uint32) (work context.Context, interrupt func()) {
	t.Helper()
	ctx, interrupt := context.WithCancel(fuse.NewContext(t.Context(), &fuse.Caller{Pid: tid}))
	work, done := m.request(ctx, resolver.Read)
	t.Cleanup(done)
	return work, interrupt
}

func TestRequest_DyingCallerEndsIt(t *testing.T) {
	work, interrupt := interrupted(t, &Mount{cfg: Config{Deadline: time.Hour}}, gone(t))
	require.NoError(t, work.Err(), "only an interrupt makes us look")
	interrupt()
	<-work.Done()
	assert.ErrorIs(t, context.Cause(work), errDying)
}

func TestRequest_HarmlessSignalDoesNot(t *testing.T) {
	for _, tid := range []uint32{uint32(unix.Getpid()), 0} {
		t.Run(fmt.Sprint(tid), func(t *testing.T) {
			const deadline = 3 * lookAgain // so that the caller is looked at again, too
			start := time.Now()
			work, interrupt := interrupted(t, &Mount{cfg: Config{Deadline: deadline}}, tid)
			interrupt()
			<-work.Done()
			assert.GreaterOrEqual(t, time.Since(start), deadline)
			assert.ErrorIs(t, context.Cause(work), context.DeadlineExceeded)
		})
	}
}

func TestRequest_Done(t *testing.T) {
	m := &Mount{cfg: Config{Deadline: time.Hour}}
	for name, ctx := range map[string]context.Context{
		"of the kernel": fuse.NewContext(t.Context(), &fuse.Caller{Pid: 1}),
		"of nobody":     t.Context(),
	} {
		t.Run(name, func(t *testing.T) {
			work, done := m.request(ctx, resolver.Read)
			deadline, ok := work.Deadline()
			require.True(t, ok)
			assert.WithinDuration(t, time.Now().Add(time.Hour), deadline, time.Minute)
			require.NoError(t, work.Err())
			done()
			assert.ErrorIs(t, context.Cause(work), context.Canceled)
		})
	}
}

// All threads of a process are one program, and those that were started together
// one job.
func TestClient(t *testing.T) {
	self := resolver.Client{Job: unix.Getpgrp(), Process: os.Getpid()}
	assert.Equal(t, self, client(uint32(unix.Gettid())))
	assert.Equal(t, self, client(uint32(self.Process)))
	alone := int(gone(t))
	assert.Equal(t, resolver.Client{Job: alone, Process: alone}, client(uint32(alone)), "who is gone stands for himself")
	assert.Zero(t, client(0), "a caller of another pid namespace has no number")
}

// Who waits for work that is over does so in vain, and leaves nothing behind.
func TestRequest_WaitedForTooLate(t *testing.T) {
	m := &Mount{cfg: Config{Deadline: time.Hour}}
	ctx, interrupt := context.WithCancel(fuse.NewContext(t.Context(), &fuse.Caller{Pid: gone(t)}))
	defer interrupt()
	work, done := m.request(ctx, resolver.Read)
	done()
	require.ErrorIs(t, work.Err(), context.Canceled)
	<-work.Done()
	interrupt()
	assert.ErrorIs(t, context.Cause(work), context.Canceled)
}
