package kdocssim

import (
	"net/http"
	"time"
)

// Over is what comes when the calls of a day are spent.
type Over string

// The shapes, none of which is documented.
const (
	// Over429 is HTTP status 429 with an error of the API.
	Over429 Over = "429"
	// OverBare is HTTP status 429 without a word.
	OverBare Over = "429-bare"
	// OverCode is an error of the API, with the HTTP status of [Server.SetErrors].
	OverCode Over = "code"
	// Over403 is HTTP status 403 with an error of the API.
	Over403 Over = "403"
)

// overQuota is the code of an answer that says so. Nobody knows the true one.
const overQuota = 40000429

// quota is what may be called in a day. It is guarded by Server.mu.
type quota struct {
	shape  Over
	day    string
	shared int          // calls a day of all endpoints together; 0 for any number
	own    map[Call]int // instead of the documented ones; negative for any number
	spent  map[spender]int
}

type spender struct {
	app  string
	call Call // empty for all together
}

func newQuota() quota {
	return quota{shape: Over429, own: make(map[Call]int), spent: make(map[spender]int)}
}

// china is the time zone whose midnight begins a day.
var china = time.FixedZone("CST", 8*60*60)

// SetQuota changes how often a call may be made in a day. A negative number is
// any.
func (s *Server) SetQuota(call Call, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quota.own[call] = calls
}

// SetSharedQuota lets all calls of an app together be made so often in a day; 0,
// as until told otherwise, is any number.
func (s *Server) SetSharedQuota(calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quota.shared = calls
}

// SetOverQuota says what comes when the calls of a day are spent: [Over429] until
// told otherwise.
func (s *Server) SetOverQuota(shape Over) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.quota.shape = shape
}

// Spend counts so many calls of an app as made today.
func (s *Server) Spend(appID string, call Call, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.newDay()
	s.quota.spent[spender{appID, call}] += calls
	s.quota.spent[spender{appID, ""}] += calls
}

// newDay forgets what was spent before today. s.mu is held.
func (s *Server) newDay() {
	if day := s.now().In(china).Format(time.DateOnly); day != s.quota.day {
		s.quota.day = day
		clear(s.quota.spent)
	}
}

// spend counts a call of an app. The refusal is nil if it may be made. s.mu is
// held.
func (s *Server) spend(a *App, e *endpoint) *answer {
	s.newDay()
	most := e.test
	if a.Released {
		most = e.released
	}
	if own, ok := s.quota.own[e.call]; ok {
		most = own
		if own == 0 {
			return s.overQuota(e.call)
		}
	}
	q, one, all := &s.quota, spender{a.ID, e.call}, spender{a.ID, ""}
	if most > 0 && q.spent[one] >= most || q.shared > 0 && q.spent[all] >= q.shared {
		return s.overQuota(e.call)
	}
	q.spent[one]++
	q.spent[all]++
	return nil
}

// overQuota refuses a call. s.mu is held.
func (s *Server) overQuota(call Call) *answer {
	s.counts(call).OverQuota++
	a := s.refuse(overQuota, "api call limit of today exceeded: 今日接口调用次数已达上限")
	switch s.quota.shape {
	case OverBare:
		return &answer{status: http.StatusTooManyRequests}
	case OverCode:
	case Over403:
		a.status = http.StatusForbidden
	default:
		a.status = http.StatusTooManyRequests
	}
	return a
}
