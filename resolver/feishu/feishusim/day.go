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

// SpendToday takes so many of today's calls of one kind from each app that was
// added, as if others had made them.
func (s *Server) SpendToday(call Call, calls int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for id := range s.apps {
		s.today(windowKey{id, call}).calls += calls
	}
}

// takeOfDay takes one of today's calls, if there is one. s.mu is held.
func (s *Server) takeOfDay(key windowKey) bool {
	most := s.limits.perDay[key.call]
	if most == 0 {
		return true
	}
	d := s.today(key)
	if d.calls >= most {
		return false
	}
	d.calls++
	return true
}

// today counts the calls of today. s.mu is held.
func (s *Server) today(key windowKey) *day {
	date := s.now().In(beijing).Format(time.DateOnly)
	d := s.limits.days[key]
	if d == nil || d.date != date {
		d = &day{date: date}
		s.limits.days[key] = d
	}
	return d
}
