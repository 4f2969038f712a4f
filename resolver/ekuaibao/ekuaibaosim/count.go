package ekuaibaosim

import "slices"

// mostRequests is how many requests are remembered at least, once there were as
// many; up to twice as many are.
const mostRequests = 50_000

// Request is a call of the API.
type Request struct {
	Call Call
	// Items is how many links or documents were asked for.
	Items int
	// Drive is how many of the links were to the drive.
	Drive int
	// Status is that of the answer.
	Status int
}

// LinkCounts is what links were asked.
type LinkCounts struct {
	// Gets and Heads are requests, refused ones included.
	Gets, Heads int
	// Dead came too late, Unsigned with another address, method or headers than
	// were signed.
	Dead, Unsigned int
	// Leaks came with a header or a query that is no business of the store: a
	// credential that is of another host.
	Leaks int
	// Bytes is how much of bodies was sent, those of refusals not counted.
	Bytes int64
}

func (c *LinkCounts) add(o LinkCounts) {
	c.Gets += o.Gets
	c.Heads += o.Heads
	c.Dead += o.Dead
	c.Unsigned += o.Unsigned
	c.Leaks += o.Leaks
	c.Bytes += o.Bytes
}

// Calls returns the calls of one kind in order.
func (s *Server) Calls(call Call) []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	var calls []Request
	for _, r := range s.requests {
		if r.Call == call {
			calls = append(calls, r)
		}
	}
	return calls
}

// Links returns what each link to a file was asked, in the order in which they
// were issued. Those to small pictures are not among them.
func (s *Server) Links(fileID string) []LinkCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	var counts []LinkCounts
	for _, l := range s.links.issued {
		if l.file.ID == fileID && !l.thumb {
			counts = append(counts, l.counts)
		}
	}
	return counts
}

// Counts returns what a store was asked, all links together.
func (s *Server) Counts(store Store) LinkCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.links.totals[store]
}

// Totals returns what all stores were asked.
func (s *Server) Totals() LinkCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	var total LinkCounts
	for _, c := range s.links.totals {
		total.add(c)
	}
	return total
}

// ResetCounts forgets counts and requests, but no link.
func (s *Server) ResetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests = nil
	clear(s.links.totals)
	for _, l := range s.links.issued {
		l.counts = LinkCounts{}
	}
}

// record remembers a call. s.mu is held.
func (s *Server) record(r Request) {
	if len(s.requests) == 2*mostRequests {
		s.requests = slices.Delete(s.requests, 0, mostRequests)
	}
	s.requests = append(s.requests, r)
}
