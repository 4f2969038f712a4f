package kdocssim

import (
	"net/http"
	"slices"
	"time"
)

// mostRequests is how many requests are remembered at least, once there were as
// many; up to twice as many are.
const mostRequests = 50_000

// CallCounts is what came of a call since the server started or since
// [Server.ResetCounts].
type CallCounts struct {
	// Calls are all that came, refused ones included.
	Calls int
	// Refused came without a token that is taken, OverQuota when the calls of the
	// day were spent. Failed fell to [Server.Fail].
	Refused, OverQuota, Failed int
	// Items are the records or links that were given, empty links included.
	Items int
	// Empty are the links that were given empty.
	Empty int
	// Mistaken are attachments that were asked for as nobody lists them: another
	// source, another type, or not in the document.
	Mistaken int
	// Leaks brought a token in a header.
	Leaks int
}

// Request is one that the API was sent.
type Request struct {
	Time   time.Time
	Method string
	// Path is as it came, escaped.
	Path string
	// Query has "-" instead of tokens, codes and keys.
	Query string
	// Status is 0 if there was no answer.
	Status int
}

// Counts returns what came of a call.
func (s *Server) Counts(call Call) CallCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.counts(call)
}

// Requests returns what the API was sent, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := make([]Request, len(s.requests))
	for i, r := range s.requests {
		requests[i] = *r
	}
	return requests
}

// ResetCounts forgets the counts and the requests, those of the origin included,
// but not what was spent of the day.
func (s *Server) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.calls)
	s.requests = nil
	s.origin.ResetCounts()
}

// counts is where a call is counted. s.mu is held.
func (s *Server) counts(call Call) *CallCounts {
	c, ok := s.calls[call]
	if !ok {
		c = &CallCounts{}
		s.calls[call] = c
	}
	return c
}

// record remembers a request. s.mu is held.
func (s *Server) record(r *http.Request, status int) {
	query := r.URL.Query()
	for _, name := range []string{"access_token", "code", "app_key", "refresh_token"} {
		if query.Has(name) {
			query.Set(name, "-")
		}
	}
	if len(s.requests) == 2*mostRequests {
		s.requests = slices.Delete(s.requests, 0, mostRequests)
	}
	s.requests = append(s.requests, &Request{
		Time: time.Now(), Method: r.Method, Path: r.URL.EscapedPath(), Query: query.Encode(), Status: status,
	})
}
