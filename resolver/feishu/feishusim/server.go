package feishusim

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Marker is part of every token and every link that the server makes up. A test
// that finds it in a log has found a leak.
const Marker = "NWVjMmU3NWVjMmU3"

// Server is a running simulator. All its methods may be called in parallel.
type Server struct {
	url, streamURL string
	servers        []*http.Server
	running        sync.WaitGroup // servers, and handlers, which are added under mu while not closed

	mu       sync.Mutex // guards the following; not held while a client is waited for
	closed   bool
	ahead    time.Duration // of the server's clock
	scale    float64
	serial   int // of what has ids
	apps     map[string]*app
	gate     gate
	limits   limits
	auth     auth
	mail     mail
	links    links
	docs     docs
	calls    map[Call]*CallCounts
	requests []*Request
}

// Start starts a server without apps and mailboxes on free ports of 127.0.0.1.
// The caller closes it.
func Start() (*Server, error) {
	s := &Server{
		scale: 1, apps: make(map[string]*app), calls: make(map[Call]*CallCounts),
		gate: newGate(), limits: newLimits(), auth: newAuth(), mail: newMail(), links: newLinks(),
		docs: newDocs(),
	}
	api, err := s.listen(s.routes())
	if err == nil {
		s.url = api
		s.streamURL, err = s.listen(http.HandlerFunc(s.serveLink))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start simulator: %w", err), s.Close())
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

// URL is the address of the API.
func (s *Server) URL() string { return s.url }

// StreamURL is the address that links begin with.
func (s *Server) StreamURL() string { return s.streamURL }

// SetClock sets the server's clock ahead of the true one. Tokens and links end
// by it, and Date headers and the times in links tell it. Rates do not depend on
// it.
func (s *Server) SetClock(ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = ahead
}

// SetTimeScale makes rates f times as fast from now on, and the lives of the
// tokens and links issued from now on f times as short, so that tests need not
// wait. What the server tells of times is in true seconds, rounded up.
func (s *Server) SetTimeScale(f float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.scale = f
}

// now is the time by the server's clock. s.mu is held.
func (s *Server) now() time.Time { return time.Now().Add(s.ahead) }

// scaled is how long d takes here. s.mu is held.
func (s *Server) scaled(d time.Duration) time.Duration { return time.Duration(float64(d) / s.scale) }

// next numbers what is added. s.mu is held.
func (s *Server) next() int {
	s.serial++
	return s.serial
}

// wholeSeconds rounds up.
func wholeSeconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// secret makes up a secret of at least n characters.
func secret(prefix string, n int) string {
	var b strings.Builder
	b.WriteString(prefix + Marker)
	for ok := true; ok; ok = b.Len() < n {
		b.WriteString(rand.Text())
	}
	return b.String()
}
