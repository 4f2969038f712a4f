package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

const (
	// fetchTimeout bounds the renewal of a token, its own turn included.
	fetchTimeout = 30 * time.Second

	// fresh is the age under which a token that is refused is not replaced:
	// another one would fare no better. So it is also the least time between
	// two renewals for that reason, and after one that was refused.
	fresh = 5 * time.Second

	// again is the least time between renewals that fail for other reasons.
	again = time.Second
)

// Token is one that a provider issued.
type Token struct {
	Secret resolver.Secret
	// Life is how long it is valid, from the moment on when it was asked for;
	// 0 for ever.
	Life time.Duration
	// Kept says that it was issued some time ago and kept somewhere, so that a
	// newer one is worth asking for as soon as it is refused.
	Kept bool
}

// Fetch gets a token. Refused is the one that the provider does not take any
// more, the empty secret when there is none: a fetch that keeps its tokens
// somewhere must not bring that one again. What is an ErrPermission means that
// the credentials are refused.
type Fetch func(ctx context.Context, refused resolver.Secret) (Token, error)

// Static is a fetch of a token that somebody configured. It cannot be renewed.
func Static(token resolver.Secret) Fetch {
	return func(context.Context, resolver.Secret) (Token, error) { return Token{Secret: token}, nil }
}

// TokenOptions are what is special about the tokens of a provider.
type TokenOptions struct {
	// Margin is how long before its end a token is renewed, behind the calls
	// that go on with it; half of its life at most.
	Margin time.Duration
	// Settle is for providers that may not know a token yet that they have just
	// issued: a call that is refused in the token's first five seconds is
	// repeated with it after that time. 0 takes them at their word.
	Settle time.Duration
	// Log is told of a fetch that panics; nil means slog.Default.
	Log *slog.Logger
}

// TokenSource holds the token of an account for all its clients and renews it:
// before its end, and when the provider refuses it, once however many calls
// meet that. Its methods may be called in parallel.
type TokenSource struct {
	opts     TokenOptions
	lifetime context.Context
	close    context.CancelFunc
	renewals sync.WaitGroup

	mu      sync.Mutex // guards the following
	fetch   Fetch
	held    *issue // nil before the first one
	dead    bool   // held was refused
	renewal *renewal
	failed  error     // why the last renewal brought nothing; nil if it did
	pause   time.Time // no renewal before, if the last one failed
}

// issue is one token that was obtained.
type issue struct {
	secret resolver.Secret
	got    time.Time
	renew  time.Time // zero is never, as is end
	end    time.Time
}

// renewal is one that is under way; its result may be read when done is closed.
type renewal struct {
	done  chan struct{}
	token *issue
	err   error
}

// NewTokenSource makes a source that fetches when the first call wants a token.
// Close it in the end.
func NewTokenSource(fetch Fetch, opts TokenOptions) *TokenSource {
	opts.Log = cmp.Or(opts.Log, slog.Default())
	t := &TokenSource{fetch: fetch, opts: opts}
	t.lifetime, t.close = context.WithCancel(context.Background())
	return t
}

// Close ends a renewal that is under way and waits for it. There are no more
// afterwards.
func (t *TokenSource) Close() error {
	t.mu.Lock()
	t.close()
	t.mu.Unlock()
	t.renewals.Wait()
	return nil
}

// Replace makes the source use other credentials from now on. The token at hand
// is forgotten; calls under way end with it.
func (t *TokenSource) Replace(fetch Fetch) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.fetch = fetch
	t.held, t.dead, t.renewal, t.failed = nil, false, nil, nil
}

// current returns the token for a call, and waits for it only if there is none.
func (t *TokenSource) current(ctx context.Context) (*issue, error) {
	t.mu.Lock()
	now := time.Now()
	held := t.held
	if held != nil && !t.dead && !over(held.end, now) {
		if over(held.renew, now) {
			t.renewed(now)
		}
		t.mu.Unlock()
		return held, nil
	}
	r := t.renewed(now)
	t.mu.Unlock()
	select {
	case <-r.done:
		return r.token, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// over reports whether a moment that may never come has passed.
func over(moment, now time.Time) bool { return !moment.IsZero() && !now.Before(moment) }

// instead returns what to repeat a call with whose token was refused: a newer
// token, or the same when the provider needs time to know it; nil if nothing
// is left to try.
func (t *TokenSource) instead(ctx context.Context, refused *issue) (*issue, error) {
	t.mu.Lock()
	if t.held == refused {
		if time.Since(refused.got) < fresh {
			t.mu.Unlock()
			return t.settle(ctx, refused)
		}
		t.dead = true
	}
	t.mu.Unlock()
	newer, err := t.current(ctx)
	// The texts are compared here, and shown to nobody.
	if err != nil || newer.secret.Reveal() == refused.secret.Reveal() {
		return nil, err
	}
	return newer, nil
}

// settle gives the provider time to know a token that it has just issued.
func (t *TokenSource) settle(ctx context.Context, refused *issue) (*issue, error) {
	if t.opts.Settle == 0 {
		return nil, nil
	}
	select {
	case <-time.After(t.opts.Settle):
		return refused, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// renewed returns the renewal that is under way, or starts one, unless the last
// one failed just now. t.mu is held.
func (t *TokenSource) renewed(now time.Time) *renewal {
	if t.renewal != nil {
		return t.renewal
	}
	r := &renewal{done: make(chan struct{})}
	switch {
	case t.lifetime.Err() != nil:
		r.err = fmt.Errorf("no more tokens after close: %w", resolver.ErrUnavailable)
		close(r.done)
	case t.failed != nil && now.Before(t.pause):
		r.err = t.failed
		close(r.done)
	default:
		var refused resolver.Secret
		if t.dead {
			refused = t.held.secret
		}
		t.renewal = r
		fetch := t.fetch
		t.renewals.Go(func() { t.run(r, fetch, refused) })
	}
	return r
}

// run fetches a token on the source's own time, whoever of those who wait for
// it leaves.
func (t *TokenSource) run(r *renewal, fetch Fetch, refused resolver.Secret) {
	ctx, cancel := context.WithTimeout(t.lifetime, fetchTimeout)
	defer cancel()
	ctx = resolver.WithDemand(ctx, resolver.NewDemand(resolver.Read, nil))
	asked := time.Now()
	token, err := t.guarded(ctx, fetch, refused)
	defer close(r.done)
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil {
		r.err = refusal(err)
	} else {
		r.token = t.issued(token, asked)
	}
	if t.renewal != r { // the credentials were replaced meanwhile
		return
	}
	t.renewal, t.failed = nil, r.err
	switch {
	case r.err == nil:
		t.held, t.dead = r.token, false
	case errors.Is(r.err, resolver.ErrCredentials):
		t.pause = time.Now().Add(fresh)
	default:
		t.pause = time.Now().Add(again)
	}
}

// guarded calls fetch. One that panics has failed; the text of a panic may hold
// anything, a secret too, and is left out.
func (t *TokenSource) guarded(ctx context.Context, fetch Fetch, refused resolver.Secret) (token Token, err error) {
	defer func() {
		if p := recover(); p != nil {
			t.opts.Log.Error("panic in a login", "type", fmt.Sprintf("%T", p), "stack", string(debug.Stack()))
			err = fmt.Errorf("panic in a login: %w", resolver.ErrUnavailable)
		}
	}()
	return fetch(ctx, refused)
}

func (t *TokenSource) issued(token Token, asked time.Time) *issue {
	i := &issue{secret: token.Secret, got: time.Now()}
	if token.Kept {
		i.got = i.got.Add(-fresh)
	}
	if token.Life != 0 {
		life := max(token.Life, again) // one that is over at once is a clock that is wrong
		i.end = asked.Add(life)
		i.renew = i.end.Add(-min(t.opts.Margin, life/2))
	}
	return i
}

// refusal is what the error of a fetch means to calls that need the token. It
// is not about what they ask for, whatever kind the API gave it, and the context
// that may have ended is not theirs.
func refusal(err error) error {
	switch {
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("token did not come in time: %w", resolver.ErrUnavailable)
	case errors.Is(err, resolver.ErrCredentials):
		return fmt.Errorf("token: %w", err)
	case errors.Is(err, resolver.ErrPermission), errors.Is(err, resolver.ErrNotExist):
		return fmt.Errorf("token: %v: %w", err, resolver.ErrCredentials)
	default:
		return fmt.Errorf("token: %w", err)
	}
}
