package feishusim

import "time"

// beijing is where the provider's days begin.
var beijing = time.FixedZone("Beijing", 8*60*60)

// day is how many calls were let in on one.
type day struct {
	date  string
	calls int
}

// SetDailyLimit says how many calls of one kind an app has on each day by the
// server's clock, which begins at midnight in Beijing; 0 is any number. Those of
// today count.
func (s *Server) SetDailyLimit(call Call, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.perDay[call] = calls
}

// SetSpentDay says with which status and code calls are refused when the day's
// are spent: 400 with 1061045, which says that one may try again, until told
// otherwise; 429 with 99991400 is as good.
func (s *Server) SetSpentDay(status, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.spent = refusal{status, code, "can retry"}
}

// takeOfDay takes one of today's calls, if there is one. s.mu is held.
func (s *Server) takeOfDay(key windowKey) bool {
	most := s.limits.perDay[key.call]
	if most == 0 {
		return true
	}
	today := s.now().In(beijing).Format(time.DateOnly)
	d := s.limits.days[key]
	if d == nil || d.date != today {
		d = &day{date: today}
		s.limits.days[key] = d
	}
	if d.calls >= most {
		return false
	}
	d.calls++
	return true
}
