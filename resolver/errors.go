package resolver

import "errors"

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
)

// Refused reports whether err is final for a file: asking again will not help
// until something changes at the provider.
func Refused(err error) bool {
	return errors.Is(err, ErrPermission) || errors.Is(err, ErrUnsupported)
}
