package ekuaibaosim

import (
	"net/http"
	"time"
)

// Call names a call of the API.
type Call string

// The calls.
const (
	LocationCall    Call = "location"
	TokenCall       Call = "token"
	ListCall        Call = "list"
	DocumentCall    Call = "document"
	AttachmentsCall Call = "attachments"
	ReceiptsCall    Call = "receipts"
	SearchCall      Call = "invoice search"
	InvoicesCall    Call = "invoices"
	LinksCall       Call = "links"
)

// Fault is an answer instead of the right one.
type Fault struct {
	Status int
	// Body is sent as it is; Type is text/plain if empty.
	Body, Type string
	Header     http.Header
	// Skip is how many calls pass before the first that is hit, Times how many are
	// hit; 0 is all.
	Skip, Times int

	seen int
}

// The bodies of faults that this API is known for, none of them JSON.
const (
	PlainWords = "系统繁忙，请稍后再试"
	HTMLPage   = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"
)

// Inject lets f befall a call, after the token was looked at.
func (s *Server) Inject(call Call, f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults[call] = append(s.faults[call], &f)
}

// ClearFaults takes back what was injected.
func (s *Server) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.faults)
}

// fault is the one whose turn it is, or nil. s.mu is held.
func (s *Server) fault(call Call) *Fault {
	for _, f := range s.faults[call] {
		f.seen++
		if f.seen > f.Skip && (f.Times == 0 || f.seen <= f.Skip+f.Times) {
			return f
		}
	}
	return nil
}

// Deny refuses the company a call, as one that it has not bought.
func (s *Server) Deny(call Call) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.denied[call] = true
}

// SetTypes says which types of documents the company has: others are refused
// with 400. Until then it has the seven that the pages name.
func (s *Server) SetTypes(types ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.company.types)
	for _, t := range types {
		s.company.types[t] = true
	}
}

// Arrive adds one of the documents before each list call of more than one
// document, so that pages shift while they are read.
func (s *Server) Arrive(documents ...Document) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.company.arrivals = append(s.company.arrivals, documents...)
}

// Refusal is what the call for links does with a file.
type Refusal string

// The refusals. None makes the call right again.
const (
	None Refusal = ""
	// Missing leaves the file out of the answer.
	Missing Refusal = "missing"
	// NoURL answers with an empty address.
	NoURL Refusal = "no url"
	// Spoils makes each call fail that has the file in it.
	Spoils Refusal = "spoils"
)

// Refuse says what the call for links does with a file from now on.
func (s *Server) Refuse(fileID string, r Refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.company.refusals[fileID] = r
}

// DriveOutage is how links to a DingTalk drive fail that may not be had.
type DriveOutage string

// The outages. No page says which is the true one.
const (
	DriveServes  DriveOutage = ""
	DriveMissing DriveOutage = "missing" // items are left out
	DriveNoURL   DriveOutage = "no url"  // their addresses are empty
	DriveFails   DriveOutage = "fails"   // the call fails, whatever else is in it
)

// SetDriveOutage makes all links to the drive fail from now on.
func (s *Server) SetDriveOutage(o DriveOutage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.company.outage = o
}

// SetTokenLife sets how long tokens live that are issued from now on; two hours
// otherwise.
func (s *Server) SetTokenLife(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth.life = d
}

// SetTokenSettle makes the API refuse each token for so long after it was issued.
func (s *Server) SetTokenSettle(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth.settle = d
}

// ExpireTokens ends all tokens issued so far.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.auth.tokens)
}
