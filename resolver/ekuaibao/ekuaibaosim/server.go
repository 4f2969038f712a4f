package ekuaibaosim

import (
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// Server is a running company. All its methods may be called in parallel.
type Server struct {
	urls    [2]string // of the API; SetMoved says which is in use
	stores  map[Store]string
	servers []*http.Server
	running sync.WaitGroup // servers, and handlers, which are added under mu while not closed

	mu       sync.Mutex // guards the following; not held while a client is waited for
	closed   bool
	moved    bool
	ahead    time.Duration // of the server's clock
	serial   int           // of what has ids
	auth     auth
	company  company
	links    links
	faults   map[Call][]*Fault
	denied   map[Call]bool
	requests []Request
}

// Start starts a company without documents on free ports of 127.0.0.1. The
// caller closes it.
func Start() (*Server, error) {
	s := &Server{
		stores: make(map[Store]string), auth: newAuth(), company: newCompany(), links: newLinks(),
		faults: make(map[Call][]*Fault), denied: make(map[Call]bool),
	}
	var err error
	for i := range s.urls {
		if s.urls[i], err = s.listen(s.api(i)); err != nil {
			return nil, errors.Join(fmt.Errorf("start simulator: %w", err), s.Close())
		}
	}
	for _, store := range Stores() {
		if s.stores[store], err = s.listen(s.store(store)); err != nil {
			return nil, errors.Join(fmt.Errorf("start simulator: %w", err), s.Close())
		}
	}
	return s, nil
}

// listen serves handler until Close, and returns the address.
func (s *Server) listen(handler http.Handler) (string, error) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	server := &http.Server{
		Handler: s.guard(handler), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	s.servers = append(s.servers, server)
	s.running.Go(func() { _ = server.Serve(inner) }) // until Close, which the error says
	return "http://" + inner.Addr().String(), nil
}

// guard lets requests in until the server closes, and out before Close returns.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			panic(http.ErrAbortHandler)
		}
		s.running.Add(1)
		now := s.now()
		s.mu.Unlock()
		defer s.running.Done()
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		next.ServeHTTP(w, r)
	})
}

// Close breaks all connections and waits for the handlers. Closing twice is
// harmless.
func (s *Server) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	var err error
	for _, server := range s.servers {
		err = errors.Join(err, server.Close())
	}
	s.running.Wait()
	return err
}

// URL is the address of the API until [Server.Move] is called. It tells for ever
// where the API is.
func (s *Server) URL() string { return s.urls[0] }

// StoreURL is the address of a store, with which its links begin.
func (s *Server) StoreURL(store Store) string { return s.stores[store] }

// Move takes the API to another host: the old one goes on to tell the location,
// and refuses all other calls with 403. Moving twice does nothing.
func (s *Server) Move() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.moved = true
}

// SetClock sets the servers' clocks ahead of the true one. Tokens and links end
// by it, and Date headers and the times in links tell it.
func (s *Server) SetClock(ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = ahead
}

// now is the time by the servers' clocks. s.mu is held.
func (s *Server) now() time.Time { return time.Now().Add(s.ahead) }

// next numbers what is added. s.mu is held.
func (s *Server) next() int {
	s.serial++
	return s.serial
}
