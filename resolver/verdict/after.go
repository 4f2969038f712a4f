package verdict

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// maxAfter bounds every wait that another side asks for.
const maxAfter = time.Hour

// RetryAfter returns how long the headers ask to wait before the next request,
// at most an hour, 0 if they do not. It reads Retry-After in seconds or as a
// date, by the clock of the same reply, and the ends of rate limits that have
// nothing left.
func RetryAfter(h http.Header) time.Duration {
	if d := inSeconds(h.Get("X-Ogw-Ratelimit-Reset")); d > 0 {
		return d
	}
	if d := asked(h); d > 0 {
		return d
	}
	if d := inSeconds(h.Get("X-Ratelimit-Reset-After")); d > 0 {
		return d
	}
	for _, prefix := range []string{"X-Ratelimit-", "X-Rate-Limit-", "Ratelimit-"} {
		if left := strings.TrimSpace(h.Get(prefix + "Remaining")); left != "" && left != "0" {
			continue
		}
		if d := reset(h, prefix+"Reset"); d > 0 {
			return d
		}
	}
	return 0
}

// asked reads the headers that ask to wait whatever the reason.
func asked(h http.Header) time.Duration {
	if d := inSeconds(h.Get("Retry-After")); d > 0 {
		return d
	}
	if t, err := http.ParseTime(h.Get("Retry-After")); err == nil {
		return bounded(t.Sub(clock(h)))
	}
	for _, name := range []string{"Retry-After-Ms", "X-Ms-Retry-After-Ms"} {
		if d := inSeconds(h.Get(name)) / 1000; d > 0 {
			return d
		}
	}
	return 0
}

// reset reads the end of a limit: seconds from now on, or Unix time.
func reset(h http.Header, name string) time.Duration {
	n, err := strconv.ParseInt(strings.TrimSpace(h.Get(name)), 10, 64)
	switch {
	case err != nil || n <= 0:
		return 0
	case n > 1e12: // milliseconds
		return bounded(time.UnixMilli(n).Sub(clock(h)))
	case n > 1e9:
		return bounded(time.Unix(n, 0).Sub(clock(h)))
	default:
		return inSeconds(h.Get(name))
	}
}

// inSeconds reads seconds, fractions of them too.
func inSeconds(s string) time.Duration {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || !(f > 0) {
		return 0
	}
	return bounded(time.Duration(min(f, maxAfter.Seconds()) * float64(time.Second)))
}

func bounded(d time.Duration) time.Duration { return min(max(0, d), maxAfter) }

// clock is the other side's, if it tells it, else ours.
func clock(h http.Header) time.Time {
	if t, err := http.ParseTime(h.Get("Date")); err == nil {
		return t
	}
	return time.Now()
}
