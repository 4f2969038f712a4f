package feishusim

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// Rate is how many calls are let in within any time of Per.
type Rate struct {
	Calls int
	Per   time.Duration
}

// unlimited is the quota of a tenant that has none.
const unlimited = -1

// throttled is the code of the gateway for calls that exceed a rate.
const throttled = 99991400

// limits are those of calls. They are guarded by Server.mu.
type limits struct {
	rates    map[Call][]Rate
	windows  map[windowKey]*window
	throttle int // status
	quota    int // calls left, or unlimited
	perDay   map[Call]int
	days     map[windowKey]*day
	spent    refusal // to who has none left of the day's
}

type windowKey struct {
	app  string
	call Call
}

func newLimits() limits {
	l := limits{
		rates: make(map[Call][]Rate), windows: make(map[windowKey]*window),
		throttle: http.StatusTooManyRequests, quota: unlimited,
		perDay: make(map[Call]int), days: make(map[windowKey]*day),
		spent: refusal{http.StatusBadRequest, 1061045, "can retry"},
	}
	for _, e := range endpoints() {
		l.rates[e.call], l.perDay[e.call] = e.rates, e.perDay
	}
	return l
}

// SetRate changes the rates of a call, each of which is enforced for each app. A
// call without rates is not limited.
func (s *Server) SetRate(call Call, rates ...Rate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.rates[call] = rates
	maps.DeleteFunc(s.limits.windows, func(k windowKey, _ *window) bool { return k.call == call })
}

// SetThrottleStatus says with which HTTP status a call is refused that exceeds a
// rate: 429 until told otherwise. Those of docx have 400, and bases their own code
// with 200.
func (s *Server) SetThrottleStatus(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.throttle = status
}

// SetQuota lets so many more calls through, those for tokens not counted. Each
// further one is refused because the month's quota is spent, until SetQuota is
// called again. A negative number is no quota.
func (s *Server) SetQuota(calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.quota = max(unlimited, calls)
}

// limit counts a call of an app against its limits. The refusal is nil if the
// call is let in. s.mu is held.
func (s *Server) limit(appID string, e *endpoint) *answer {
	key := windowKey{appID, e.call}
	w, ok := s.limits.windows[key]
	if !ok {
		w = &window{}
		s.limits.windows[key] = w
	}
	rates := slices.Clone(s.limits.rates[e.call])
	for i := range rates {
		rates[i].Per = s.scaled(rates[i].Per)
	}
	wait, exceeded := w.wait(time.Now(), rates)
	if wait > 0 {
		s.counts(e.call).Refused++
		a := refuse(s.limits.throttle, throttled, "request trigger frequency limit")
		if e.over != nil {
			a = e.over.answer()
		}
		if a.body["code"] != throttled {
			return a // a service does not know what the gateway does
		}
		a.header.Set("X-Ogw-Ratelimit-Limit", strconv.Itoa(exceeded.Calls))
		a.header.Set("X-Ogw-Ratelimit-Reset", strconv.FormatInt(wholeSeconds(wait), 10))
		return a
	}
	if s.limits.quota == 0 && !e.open {
		s.counts(e.call).OverQuota++
		return s.refused(99991403, "this month's API call quota has been exceeded")
	}
	if !s.takeOfDay(key) {
		s.counts(e.call).OverDay++
		return s.limits.spent.answer()
	}
	if s.limits.quota > 0 && !e.open {
		s.limits.quota--
	}
	w.take(time.Now(), rates)
	return nil
}

// window remembers the calls that were let in.
type window struct {
	taken []time.Time // as many as the largest rate needs
}

// wait is how long it is until a call would be let in, and the rate that is in
// the way.
func (w *window) wait(now time.Time, rates []Rate) (longest time.Duration, exceeded Rate) {
	for _, r := range rates {
		if r.Calls < 1 || len(w.taken) < r.Calls {
			continue
		}
		if wait := w.taken[len(w.taken)-r.Calls].Add(r.Per).Sub(now); wait > longest {
			longest, exceeded = wait, r
		}
	}
	return longest, exceeded
}

// take lets a call in.
func (w *window) take(now time.Time, rates []Rate) {
	most := 0
	for _, r := range rates {
		most = max(most, r.Calls)
	}
	w.taken = append(w.taken, now)
	w.taken = w.taken[max(0, len(w.taken)-most):]
}
