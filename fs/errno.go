package fs

import (
	"context"
	"errors"
	"syscall"

	"github.com/attachfs/attachfs/resolver"
)

// errDying ends a request whose caller has a fatal signal pending.
var errDying = errors.New("caller is dying")

// errnos is the one table from kinds of error to what programs see; the first
// match counts. docs/semantics.md shows it to users.
var errnos = []struct {
	kind  error
	errno syscall.Errno
}{
	{errDying, syscall.EINTR},
	{resolver.ErrThrottled, syscall.EAGAIN}, // also when it was so until the deadline
	{context.DeadlineExceeded, syscall.ETIMEDOUT},
	{resolver.ErrNotExist, syscall.ENOENT},
	{resolver.ErrPermission, syscall.EACCES},
	{resolver.ErrUnsupported, syscall.EOPNOTSUPP},
	{resolver.ErrQuota, syscall.EDQUOT},
	{resolver.ErrChanged, syscall.ESTALE},
	{resolver.ErrUnavailable, syscall.EIO},
}

// toErrno maps an error to errno; one of no kind is EIO.
func toErrno(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	for _, e := range errnos {
		if errors.Is(err, e.kind) {
			return e.errno
		}
	}
	return syscall.EIO
}

// openErrno maps an error of an open handle, where a file that is gone is not a
// missing name, and EAGAIN would mean that the file becomes readable later:
// programs with an event loop, those in Go too, then wait for ever.
func openErrno(err error) syscall.Errno {
	switch errno := toErrno(err); errno {
	case syscall.ENOENT:
		return syscall.ESTALE
	case syscall.EAGAIN:
		return syscall.ETIMEDOUT
	default:
		return errno
	}
}
