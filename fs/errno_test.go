package fs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/attachfs/attachfs/resolver"
)

func TestToErrno(t *testing.T) {
	kinds := map[error]syscall.Errno{
		errDying:                 syscall.EINTR,
		context.DeadlineExceeded: syscall.ETIMEDOUT,
		resolver.ErrNotExist:     syscall.ENOENT,
		resolver.ErrPermission:   syscall.EACCES,
		resolver.ErrUnsupported:  syscall.EOPNOTSUPP,
		resolver.ErrThrottled:    syscall.EAGAIN,
		resolver.ErrQuota:        syscall.EDQUOT,
		resolver.ErrChanged:      syscall.ESTALE,
		resolver.ErrUnavailable:  syscall.EIO,
	}
	assert.Len(t, errnos, len(kinds), "the table has kinds that this test does not know")
	for kind, want := range kinds {
		t.Run(kind.Error(), func(t *testing.T) {
			wantOpen := want
			switch kind {
			case resolver.ErrNotExist:
				wantOpen = syscall.ESTALE
			case resolver.ErrThrottled:
				wantOpen = syscall.ETIMEDOUT
			}
			for _, err := range []error{
				kind,
				fmt.Errorf("read a.pdf: %w", kind),
				fmt.Errorf("provider mail: %w", fmt.Errorf("lease: %w", kind)),
				errors.Join(kind),
				errors.Join(errors.New("closing"), fmt.Errorf("read: %w", kind)),
				fmt.Errorf("%w, after %w", errors.New("closing"), kind),
			} {
				assert.Equal(t, want, toErrno(err), "%v", err)
				assert.Equal(t, wantOpen, openErrno(err), "%v on an open handle", err)
			}
		})
	}
}

func TestToErrno_OfNoKind(t *testing.T) {
	assert.Zero(t, toErrno(nil))
	assert.Zero(t, openErrno(nil))
	for _, err := range []error{
		errors.New("anything"),
		errors.New(resolver.ErrNotExist.Error()), // never by text
		fmt.Errorf("read: %v", resolver.ErrPermission),
		context.Canceled,
		os.ErrNotExist, os.ErrPermission, // trouble of ours, not of the file
		syscall.ENOSYS, syscall.ENOTSUP,
	} {
		assert.Equal(t, syscall.EIO, toErrno(err), "%v", err)
		assert.Equal(t, syscall.EIO, openErrno(err), "%v", err)
	}
}

// Of two kinds the one that says more about what to do counts.
func TestToErrno_OfTwoKinds(t *testing.T) {
	for _, c := range []struct {
		kinds [2]error
		want  syscall.Errno
	}{
		{[2]error{resolver.ErrUnavailable, resolver.ErrPermission}, syscall.EACCES},
		{[2]error{resolver.ErrUnavailable, resolver.ErrChanged}, syscall.ESTALE},
		{[2]error{resolver.ErrUnavailable, resolver.ErrThrottled}, syscall.EAGAIN},
		{[2]error{context.DeadlineExceeded, resolver.ErrThrottled}, syscall.EAGAIN},
		{[2]error{resolver.ErrUnavailable, context.DeadlineExceeded}, syscall.ETIMEDOUT},
		{[2]error{context.DeadlineExceeded, errDying}, syscall.EINTR},
	} {
		a, b := c.kinds[0], c.kinds[1]
		assert.Equal(t, c.want, toErrno(errors.Join(a, b)))
		assert.Equal(t, c.want, toErrno(fmt.Errorf("%w: %w", b, a)))
	}
}
