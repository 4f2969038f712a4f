package kdocssim

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

	"github.com/attachfs/attachfs/internal/linksim"
)

// Marker is part of every token and every link that the server makes up. A test
// that finds it in a log has found a leak.
const Marker = linksim.Marker

// Server is a running simulator. All its methods may be called in parallel.
type Server struct {
	url     string
	origin  *linksim.Origin
	server  *http.Server
	running sync.WaitGroup // the server, and handlers, which are added under mu while not closed

	mu       sync.Mutex // guards the following; not held while a client is waited for
	closed   bool
	ahead    time.Duration // of the server's clock
	scale    float64
	serial   int // of what has ids
	apps     map[string]*App
	auth     auth
	gate     gate
	quota    quota
	files    files
	tables   tables
	links    links
	calls    map[Call]*CallCounts
	requests []*Request
}

// Start starts a server without apps and documents on free ports of 127.0.0.1.
// The caller closes it.
func Start() (*Server, error) {
	s := &Server{
		scale: 1, apps: make(map[string]*App), calls: make(map[Call]*CallCounts),
		auth: newAuth(), gate: newGate(), quota: newQuota(), files: newFiles(), tables: newTables(),
	}
	var err error
	if s.origin, err = linksim.Start(); err != nil {
		return nil, fmt.Errorf("start simulator: %w", err)
	}
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start simulator: %w", err), s.origin.Close())
	}
	s.url = "http://" + inner.Addr().String()
	s.server = &http.Server{
		Handler: s.guard(s.routes()), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	s.running.Go(func() { _ = s.server.Serve(inner) }) // until Close, which the error says
	return s, nil
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
	err := errors.Join(s.server.Close(), s.origin.Close())
	s.running.Wait()
	return err
}

// URL is the address of the API and of the page that asks for consent.
func (s *Server) URL() string { return s.url }

// Origin serves the links. Its objects are the attachments, by [ObjectID]; what
// it was asked is counted there. It is the server's: it is not closed alone.
func (s *Server) Origin() *linksim.Origin { return s.origin }

// SetClock sets the server's clock ahead of the true one. Codes and tokens end
// and days begin by it, and Date headers tell it. Links die on time all the same.
func (s *Server) SetClock(ahead time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ahead = ahead
	s.origin.SetClock(ahead)
}

// SetTimeScale makes the lives of the codes, tokens and links issued from now on f
// times as short, so that tests need not wait. What the server tells of times is
// in true seconds, rounded up.
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
