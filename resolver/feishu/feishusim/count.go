package feishusim

import (
	"net/http"
	"net/url"
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
	// Refused exceeded a rate, OverQuota came when the month's quota was spent,
	// OverDay when the day's was.
	Refused, OverQuota, OverDay int
	// Bytes is how much of files was sent.
	Bytes int64
}

// Request is one that the server was sent.
type Request struct {
	Time   time.Time
	Method string
	// Path is as it came, escaped.
	Path string
	// Query has "-" instead of the code of a link.
	Query string
	// Status is 0 until the answer began.
	Status int
}

// Counts returns what came of a call.
func (s *Server) Counts(call Call) CallCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return *s.counts(call)
}

// Requests returns what the API and the links were sent, in order.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := make([]Request, len(s.requests))
	for i, r := range s.requests {
		requests[i] = *r
	}
	return requests
}

// ResetCounts forgets the counts and the requests, but no link.
func (s *Server) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.calls)
	s.requests = nil
	s.links.strays = LinkCounts{}
	for _, l := range s.links.issued {
		l.counts = LinkCounts{}
	}
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

// record remembers a request. What it returns changes under s.mu, which is held.
func (s *Server) record(r *http.Request, status int) *Request {
	query := r.URL.RawQuery
	if r.URL.Query().Has("code") {
		query = url.Values{"code": {"-"}}.Encode()
	}
	if len(s.requests) == 2*mostRequests {
		s.requests = slices.Delete(s.requests, 0, mostRequests)
	}
	q := &Request{Time: time.Now(), Method: r.Method, Path: r.URL.EscapedPath(), Query: query, Status: status}
	s.requests = append(s.requests, q)
	return q
}
