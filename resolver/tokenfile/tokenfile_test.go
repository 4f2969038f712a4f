package tokenfile_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/tokenfile"
)

const marker = "c2VjcmV0"

func tokens(access, refresh string, life time.Duration) tokenfile.Tokens {
	return tokenfile.Tokens{
		Access: resolver.NewSecret(marker + access), Refresh: resolver.NewSecret(marker + refresh),
		Expires: time.Now().Add(life), RefreshExpires: time.Now().Add(90 * 24 * time.Hour), Scope: "a,b",
	}
}

// newFile is one that has tokens.
func newFile(t *testing.T, held tokenfile.Tokens) *tokenfile.File {
	t.Helper()
	f := tokenfile.At(filepath.Join(t.TempDir(), "dir", "tokens.json"))
	require.NoError(t, f.Save(t.Context(), held))
	return f
}

// never is for renewals that need no call.
func never(context.Context, tokenfile.Tokens) (tokenfile.Tokens, error) {
	return tokenfile.Tokens{}, errors.New("was called")
}

func TestFile(t *testing.T) {
	held := tokens("a1", "r1", time.Hour)
	f := newFile(t, held)
	info, err := os.Stat(f.Path())
	require.NoError(t, err)
	assert.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	text, err := os.ReadFile(f.Path())
	require.NoError(t, err)
	assert.Regexp(t, `(?s)^\{\n  "access_token": "c2VjcmV0a1",\n  "refresh_token": "c2VjcmV0r1",\n`+
		`  "expires_at": "20..-..-..T..:..:..Z",\n  "refresh_expires_at": ".{20}",\n  "scope": "a,b"\n\}\n$`, string(text))

	got, err := f.Load()
	require.NoError(t, err)
	assert.Equal(t, []string{marker + "a1", marker + "r1", "a,b"}, []string{got.Access.Reveal(), got.Refresh.Reveal(), got.Scope})
	assert.WithinDuration(t, held.Expires, got.Expires, time.Second)
	assert.WithinDuration(t, held.RefreshExpires, got.RefreshExpires, time.Second)
	assert.NotContains(t, fmt.Sprintf("%v %+v %#v", got, got, got), marker)
	left, err := filepath.Glob(filepath.Join(filepath.Dir(f.Path()), "*"))
	require.NoError(t, err)
	assert.Equal(t, []string{f.Path(), f.Path() + ".lock"}, left)
}

func TestLoad_NobodyIsLoggedIn(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON": marker, "half of it": `{"access_token":"` + marker, "nothing": "", "another file": `{"files":[]}`,
		"a bad time":   `{"access_token":"` + marker + `","expires_at":"` + marker + `"}`,
		"far too long": `{"access_token":"` + strings.Repeat("x", 70<<10) + `"}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "tokens.json")
			require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
			_, err := tokenfile.At(path).Load()
			require.ErrorIs(t, err, tokenfile.ErrNone)
			require.ErrorIs(t, err, resolver.ErrCredentials)
			assert.NotContains(t, err.Error(), marker)
		})
	}
	_, err := tokenfile.At(filepath.Join(t.TempDir(), "none")).Load()
	require.ErrorIs(t, err, tokenfile.ErrNone)
	_, err = tokenfile.At(t.TempDir()).Load()
	assert.ErrorContains(t, err, "not a regular file")
}

func TestRenew_WhatIsAtHand(t *testing.T) {
	f := newFile(t, tokens("a1", "r1", time.Hour))
	got, err := f.Renew(t.Context(), resolver.Secret{}, time.Minute, never)
	require.NoError(t, err)
	assert.Equal(t, marker+"a1", got.Access.Reveal())
	require.NoError(t, os.Remove(f.Path()+".lock"))
	require.NoError(t, os.Chmod(filepath.Dir(f.Path()), 0o500))
	defer func() { _ = os.Chmod(filepath.Dir(f.Path()), 0o700) }()
	_, err = f.Renew(t.Context(), resolver.NewSecret("another"), time.Minute, never)
	require.NoError(t, err, "it needs no lock")
	_, err = os.Stat(f.Path() + ".lock")
	assert.ErrorIs(t, err, os.ErrNotExist)
}

func TestRenew_IsOnTheDiskFirst(t *testing.T) {
	for name, c := range map[string]struct {
		life    time.Duration
		refused string
	}{
		"ends soon": {30 * time.Second, ""}, "is over": {-time.Hour, ""}, "was refused": {time.Hour, marker + "a1"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFile(t, tokens("a1", "r1", c.life))
			got, err := f.Renew(t.Context(), resolver.NewSecret(c.refused), time.Minute,
				func(_ context.Context, old tokenfile.Tokens) (tokenfile.Tokens, error) {
					assert.Equal(t, marker+"r1", old.Refresh.Reveal())
					return tokenfile.Tokens{Access: resolver.NewSecret("a2"), Refresh: resolver.NewSecret("r2")}, nil
				})
			require.NoError(t, err)
			assert.Equal(t, "a2", got.Access.Reveal())
			kept, err := tokenfile.At(f.Path()).Load()
			require.NoError(t, err)
			assert.Equal(t, []string{"a2", "r2", "a,b"}, []string{kept.Access.Reveal(), kept.Refresh.Reveal(), kept.Scope})
			assert.True(t, kept.RefreshExpires.IsZero(), "nobody told the end of another refresh token")
		})
	}
}

func TestRenew_TheRefreshTokenStays(t *testing.T) {
	held := tokens("a1", "r1", 0)
	f := newFile(t, held)
	for _, refresh := range []resolver.Secret{{}, held.Refresh} {
		got, err := f.Renew(t.Context(), resolver.Secret{}, time.Minute,
			func(context.Context, tokenfile.Tokens) (tokenfile.Tokens, error) {
				return tokenfile.Tokens{
					Access: resolver.NewSecret("a2"), Refresh: refresh, RefreshExpires: time.Now().Add(999 * time.Hour * 24),
				}, nil
			})
		require.NoError(t, err)
		assert.Equal(t, marker+"r1", got.Refresh.Reveal())
		assert.WithinDuration(t, held.RefreshExpires, got.RefreshExpires, time.Second, "its end stays, too")
	}
}

func TestRenew_Refused(t *testing.T) {
	f := newFile(t, tokens("a1", "r1", 0))
	_, err := f.Renew(t.Context(), resolver.Secret{}, time.Minute, never)
	require.EqualError(t, err, "was called")
	kept, err := f.Load()
	require.NoError(t, err)
	assert.Equal(t, marker+"r1", kept.Refresh.Reveal(), "nothing is lost")
	require.NoError(t, f.Save(t.Context(), tokenfile.Tokens{Access: resolver.NewSecret("a")}))
	_, err = f.Renew(t.Context(), resolver.NewSecret("a"), time.Minute, never)
	assert.ErrorIs(t, err, tokenfile.ErrNone)
	require.NoError(t, os.Remove(f.Path()))
	_, err = f.Renew(t.Context(), resolver.Secret{}, time.Minute, never)
	assert.ErrorIs(t, err, tokenfile.ErrNone)
}

// A directory in the place of the file keeps a rename from working, also for
// root.
func TestRenew_TheDiskDoesNotTakeIt(t *testing.T) {
	f := newFile(t, tokens("a1", "r1", 0))
	aside := f.Path() + ".aside"
	_, err := f.Renew(t.Context(), resolver.Secret{}, time.Minute,
		func(context.Context, tokenfile.Tokens) (tokenfile.Tokens, error) {
			require.NoError(t, os.Rename(f.Path(), aside))
			require.NoError(t, os.Mkdir(f.Path(), 0o700))
			return tokens("a2", "r2", time.Hour), nil
		})
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	assert.NotContains(t, err.Error(), marker)
	_, err = f.Renew(t.Context(), resolver.Secret{}, time.Minute, never)
	require.ErrorIs(t, err, resolver.ErrUnavailable, "still not")

	require.NoError(t, os.Remove(f.Path()))
	require.NoError(t, os.Rename(aside, f.Path()))
	got, err := f.Renew(t.Context(), resolver.Secret{}, time.Minute, never)
	require.NoError(t, err, "what came is not lost, and not asked for again")
	assert.Equal(t, marker+"a2", got.Access.Reveal())
	kept, err := tokenfile.At(f.Path()).Load()
	require.NoError(t, err)
	assert.Equal(t, marker+"r2", kept.Refresh.Reveal())
}

func TestRenew_NothingIsAskedWhenTheDiskIsNotReady(t *testing.T) {
	f := newFile(t, tokens("a1", "r1", 0))
	require.NoError(t, os.MkdirAll(filepath.Join(f.Path()+".new", "full"), 0o700)) // in the way
	_, err := f.Renew(t.Context(), resolver.Secret{}, time.Minute, never)
	require.ErrorIs(t, err, resolver.ErrUnavailable)
	assert.NotContains(t, err.Error(), "was called")
}

func TestRenew_OneAtATime(t *testing.T) {
	f := newFile(t, tokens("a1", "r1", 0))
	var mu sync.Mutex
	calls := 0
	refresh := func(context.Context, tokenfile.Tokens) (tokenfile.Tokens, error) {
		mu.Lock()
		defer mu.Unlock()
		calls++
		return tokens("a2", "r2", time.Hour), nil
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() { // as eight processes would
			got, err := tokenfile.At(f.Path()).Renew(t.Context(), resolver.Secret{}, time.Minute, refresh)
			assert.NoError(t, err)
			assert.Equal(t, marker+"a2", got.Access.Reveal())
		})
	}
	all.Wait()
	assert.Equal(t, 1, calls)
}

func TestRenew_WaitsNoLongerThanItsCaller(t *testing.T) {
	f := newFile(t, tokens("a1", "r1", 0))
	locked, err := os.Open(f.Path() + ".lock")
	require.NoError(t, err)
	defer locked.Close()
	require.NoError(t, unix.Flock(int(locked.Fd()), unix.LOCK_EX))
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = f.Renew(ctx, resolver.Secret{}, time.Minute, never)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorIs(t, f.Save(ctx, tokens("a2", "r2", 0)), context.DeadlineExceeded)
}

// A process that dies in the middle of a renewal holds no lock and breaks no file.
func TestRenew_AfterACrash(t *testing.T) {
	if path := os.Getenv("TOKENFILE_CRASH"); path != "" {
		_, _ = tokenfile.At(path).Renew(context.Background(), resolver.Secret{}, time.Minute,
			func(context.Context, tokenfile.Tokens) (tokenfile.Tokens, error) {
				fmt.Println("asked")
				select {}
			})
		return
	}
	f := newFile(t, tokens("a1", "r1", 0))
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program, "-test.run=^TestRenew_AfterACrash$")
	cmd.Env = append(os.Environ(), "TOKENFILE_CRASH="+f.Path())
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	require.Equal(t, "asked\n", line)

	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err = f.Renew(ctx, resolver.Secret{}, time.Minute, never)
	require.ErrorIs(t, err, context.DeadlineExceeded, "it holds the lock")
	require.NoError(t, cmd.Process.Kill())
	_ = cmd.Wait()

	got, err := f.Renew(t.Context(), resolver.Secret{}, time.Minute,
		func(_ context.Context, old tokenfile.Tokens) (tokenfile.Tokens, error) {
			assert.Equal(t, marker+"r1", old.Refresh.Reveal())
			return tokens("a2", "r2", time.Hour), nil
		})
	require.NoError(t, err)
	assert.Equal(t, marker+"a2", got.Access.Reveal())
	_, err = os.Stat(f.Path() + ".new")
	assert.ErrorIs(t, err, os.ErrNotExist)
}
