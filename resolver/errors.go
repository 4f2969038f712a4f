package resolver

import (
	"errors"
	"fmt"
	"time"
)

// The kinds of error that cross this contract. They are wrapped with what was
// being done and to what, and recognised with errors.Is; fs maps them to errno
// in one table. An error of no kind is handled as ErrUnavailable.
var (
	// ErrNotExist: the file or directory is gone.
	ErrNotExist = errors.New("does not exist")
	// ErrPermission: refused, also with a fresh token and a fresh link.
	ErrPermission = errors.New("permission denied by the provider")
	// ErrUnsupported: the provider never hands out this file.
	ErrUnsupported = errors.New("not supported by the provider")
	// ErrThrottled: asked too often, and still so when the time was up.
	ErrThrottled = errors.New("rate limited by the provider")
	// ErrQuota: the budget of the day or month is spent.
	ErrQuota = errors.New("quota of the provider is spent")
	// ErrChanged: the content is no longer the one that was opened.
	ErrChanged = errors.New("content changed")
	// ErrUnavailable: no usable answer from the network, the provider or the
	// origin, now; later may be different.
	ErrUnavailable = errors.New("unavailable")

	// ErrCredentials is an ErrPermission that concerns the account and not a
	// file: the provider does not let us in, or lacks a scope for the call.
	ErrCredentials = fmt.Errorf("credentials refused: %w", ErrPermission)
	// ErrRejected is an ErrPermission for a call that the provider takes for
	// wrong, whatever it is about (HTTP 400): of several files that were asked
	// for together one may be to blame.
	ErrRejected = fmt.Errorf("request rejected: %w", ErrPermission)
	// ErrDown is an ErrUnavailable of a provider that has not answered for a
	// while and is not asked just now.
	ErrDown = fmt.Errorf("the provider does not answer: %w", ErrUnavailable)
)

// ErrReserved is an ErrQuota for a call that nobody waits for: what is left of
// the budget is kept for those that somebody does.
var ErrReserved = fmt.Errorf("the rest is kept for those who wait: %w", ErrQuota)

// later is an error with the time after which asking again makes sense.
type later struct {
	after time.Duration
	error
}

func (l later) Unwrap() error { return l.error }

// WithRetryAfter says of err that asking again makes no sense before after,
// because the other side said so.
func WithRetryAfter(err error, after time.Duration) error { return later{after, err} }

// RetryAfter returns how long the other side asked to wait, 0 if it did not.
func RetryAfter(err error) time.Duration {
	var l later
	if errors.As(err, &l) {
		return l.after
	}
	return 0
}

// Refused reports whether err is final for a file: asking again will not help
// until something changes at the provider. Credentials that were refused say
// nothing about a file.
func Refused(err error) bool {
	return (errors.Is(err, ErrPermission) || errors.Is(err, ErrUnsupported)) && !errors.Is(err, ErrCredentials)
}
