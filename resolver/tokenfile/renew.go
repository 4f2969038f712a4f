package tokenfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/resolver"
)

// lockStep is how often a lock that another process holds is tried: a renewal is
// one call, which takes longer.
const lockStep = 20 * time.Millisecond

// Refresh trades the refresh token of a login for new tokens. It is called by one
// process at a time.
type Refresh func(ctx context.Context, old Tokens) (Tokens, error)

// Renew returns tokens whose access token is another one than refused, which is
// the empty secret if none was, and lives for margin at least: those of the file,
// if another process renewed them meanwhile, or else those that refresh brings,
// which are in the file by then. What refresh does not tell stays as it is.
//
// New tokens that the disk does not take are kept in memory and not used: the
// next call tries to write them again.
func (f *File) Renew(ctx context.Context, refused resolver.Secret, margin time.Duration, refresh Refresh) (Tokens, error) {
	if t, ok := f.atHand(refused, margin); ok {
		return t, nil
	}
	unlock, err := f.lock(ctx)
	if err != nil {
		return Tokens{}, err
	}
	defer unlock()
	if t, done, err := f.saveUnsaved(); done {
		return t, err
	}
	old, err := f.Load()
	if err != nil {
		return Tokens{}, err
	}
	if old.usable(refused, margin) {
		return old, nil
	}
	if old.Refresh.IsZero() {
		return Tokens{}, fmt.Errorf("%s has no refresh token: %w", f.path, ErrNone)
	}
	w, err := f.prepare()
	if err != nil { // without it the answer might be lost
		return Tokens{}, fmt.Errorf("%w: %w", err, resolver.ErrUnavailable)
	}
	defer w.abandon()
	t, err := refresh(ctx, old)
	if err != nil {
		return Tokens{}, err
	}
	t = t.over(old)
	if err := w.commit(t); err != nil {
		f.mu.Lock()
		f.unsaved = &t
		f.mu.Unlock()
		return Tokens{}, fmt.Errorf("%w: %w", err, resolver.ErrUnavailable)
	}
	return t, nil
}

// atHand is what the file has without a lock, if it will do: as always, but for
// once a day.
func (f *File) atHand(refused resolver.Secret, margin time.Duration) (Tokens, bool) {
	f.mu.Lock()
	unsaved := f.unsaved != nil
	f.mu.Unlock()
	if unsaved {
		return Tokens{}, false
	}
	t, err := f.Load()
	return t, err == nil && t.usable(refused, margin)
}

// usable tells whether tokens need no renewal.
func (t Tokens) usable(refused resolver.Secret, margin time.Duration) bool {
	// The texts are compared here, and shown to nobody.
	return !t.Access.IsZero() && t.Access.Reveal() != refused.Reveal() &&
		(t.Expires.IsZero() || time.Until(t.Expires) > margin)
}

// over is t, with what it does not tell from the tokens that it replaces.
func (t Tokens) over(old Tokens) Tokens {
	if t.Refresh.IsZero() || t.Refresh.Reveal() == old.Refresh.Reveal() {
		t.Refresh, t.RefreshExpires = old.Refresh, old.RefreshExpires
	}
	if t.Scope == "" {
		t.Scope = old.Scope
	}
	return t
}

// saveUnsaved writes what the disk did not take before. Done, there was such a
// thing.
func (f *File) saveUnsaved() (t Tokens, done bool, err error) {
	f.mu.Lock()
	unsaved := f.unsaved
	f.mu.Unlock()
	if unsaved == nil {
		return Tokens{}, false, nil
	}
	if err := f.save(*unsaved); err != nil {
		return Tokens{}, true, fmt.Errorf("%w: %w", err, resolver.ErrUnavailable)
	}
	return *unsaved, true, nil
}

// lock keeps other processes, and other users of the file in this one, from
// renewing. The lock is a file beside the tokens, which are replaced under it; it
// ends with the process, however that ends.
func (f *File) lock(ctx context.Context) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return nil, fmt.Errorf("lock the tokens: %w: %w", err, resolver.ErrUnavailable)
	}
	file, err := os.OpenFile(f.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the tokens: %w: %w", err, resolver.ErrUnavailable)
	}
	for {
		err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case err == nil:
			return func() { _ = file.Close() }, nil
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			_ = file.Close()
			return nil, fmt.Errorf("lock the tokens: %w: %w", err, resolver.ErrUnavailable)
		}
		select {
		case <-time.After(lockStep):
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("wait for another process that renews the tokens: %w", ctx.Err())
		}
	}
}
