package linksim

import (
	"errors"
	"net/http"
	"strconv"
	"time"
)

// LimitShape is how the API refuses a call that is beyond one of its limits.
type LimitShape string

// The shapes of refusals.
const (
	// Limit429 is 429 with Retry-After, in whole seconds, rounded up.
	Limit429 LimitShape = "429"
	// Limit400 is 400 with a code in JSON and x-ogw-ratelimit-reset, which is
	// what Retry-After is.
	Limit400 LimitShape = "400"
	// Limit403 is 403 with a code in JSON.
	Limit403 LimitShape = "403"
	// Limit200 is 200 with a code in JSON.
	Limit200 LimitShape = "200"
	// LimitText is 200 with a sentence that is not JSON.
	LimitText LimitShape = "text"
)

// unlimited is the quota of an origin that has none.
const unlimited = -1

// WithLinkRate makes the API take no more than calls link calls in any window
// of per; see [Origin.SetLinkRate].
func WithLinkRate(calls int, per time.Duration) Option { return withRate(LinkCall, calls, per) }

// WithListRate does for list calls what WithLinkRate does for link calls.
func WithListRate(calls int, per time.Duration) Option { return withRate(ListCall, calls, per) }

func withRate(call Call, calls int, per time.Duration) Option {
	return func(o *Origin) error {
		if calls < 1 || per <= 0 {
			return errors.New("a rate needs at least one call and some time")
		}
		o.setRate(call, calls, per)
		return nil
	}
}

// SetLinkRate makes the API take no more than calls link calls in any window of
// per, measured when they arrive, from now on. More are refused (see
// [Origin.SetLimitShapes]) and count as Throttled, but not as taken: who waits
// as long as he is told is let in. With calls 0 there is no limit.
func (o *Origin) SetLinkRate(calls int, per time.Duration) { o.setRate(LinkCall, calls, per) }

// SetListRate does for list calls what SetLinkRate does for link calls.
func (o *Origin) SetListRate(calls int, per time.Duration) { o.setRate(ListCall, calls, per) }

func (o *Origin) setRate(call Call, calls int, per time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.rates[call] = &window{calls: calls, per: per}
}

// SetQuota lets so many more link calls through. Each further one is refused
// and counts as OverQuota, until SetQuota is called again. A negative number is
// no quota.
func (o *Origin) SetQuota(calls int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.quota = max(unlimited, calls)
}

// SetLimitShapes says how calls are refused that come too soon (Limit429 until
// told otherwise), and those for which the quota is spent (Limit403).
func (o *Origin) SetLimitShapes(throttled, spent LimitShape) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.throttled, o.spent = throttled, spent
}

// admit counts a call against the limits. The refusal is nil if it is let in.
func (o *Origin) admit(call Call) *reply {
	o.mu.Lock()
	defer o.mu.Unlock()
	if wait := o.rates[call].admit(time.Now()); wait > 0 {
		o.tally.add("", func(c *Counts) { c.Throttled++ })
		return o.throttled.tooSoon(wait)
	}
	if call != LinkCall || o.quota == unlimited {
		return nil
	}
	if o.quota == 0 {
		o.tally.add("", func(c *Counts) { c.OverQuota++ })
		return o.spent.refuse(99991403, "the quota of API calls is spent")
	}
	o.quota--
	return nil
}

// window lets no more than calls in within any time of per. A nil one lets in
// all.
type window struct {
	calls int
	per   time.Duration
	taken []time.Time // the last that were let in, calls at most
}

// admit lets a call in, or returns how long it is until one would be.
func (w *window) admit(now time.Time) (wait time.Duration) {
	if w == nil || w.calls < 1 {
		return 0
	}
	if len(w.taken) == w.calls {
		if wait = w.taken[0].Add(w.per).Sub(now); wait > 0 {
			return wait
		}
		w.taken = w.taken[1:]
	}
	w.taken = append(w.taken, now)
	return 0
}

// tooSoon refuses a call that would be let in after wait.
func (s LimitShape) tooSoon(wait time.Duration) *reply {
	code := 99991400
	if s == Limit200 {
		code = 1254290
	}
	p := s.refuse(code, "too many requests")
	seconds := strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
	switch s {
	case Limit429:
		p.header.Set("Retry-After", seconds)
	case Limit400:
		p.header.Set("X-Ogw-Ratelimit-Reset", seconds)
	}
	return p
}

func (s LimitShape) refuse(code int, message string) *reply {
	coded := map[string]any{"code": code, "msg": message}
	switch s {
	case Limit400:
		return jsonReply(http.StatusBadRequest, coded)
	case Limit403:
		return jsonReply(http.StatusForbidden, coded)
	case Limit200:
		return jsonReply(http.StatusOK, coded)
	case LimitText:
		return textReply(http.StatusOK, "text/plain; charset=utf-8", message+", please try again later\n")
	default:
		return errorReply(http.StatusTooManyRequests, message)
	}
}
