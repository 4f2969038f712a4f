package callback

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// path is where the browser comes back to.
const path = "/callback"

// Server waits for one redirect.
type Server struct {
	state   string
	url     string
	server  *http.Server
	serving sync.WaitGroup
	came    chan result // one
}

type result struct {
	code resolver.Secret
	err  error
}

// Listen starts to wait at address, such as "127.0.0.1:7431", for a redirect with
// that state. The caller closes it.
func Listen(address, state string) (*Server, error) {
	if err := Validate(address); err != nil {
		return nil, err
	}
	inner, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("wait for the browser: %w", err)
	}
	c := &Server{state: state, url: URL(inner.Addr().String()), came: make(chan result, 1)}
	c.server = &http.Server{
		Handler: http.HandlerFunc(c.serve), ReadHeaderTimeout: 10 * time.Second, WriteTimeout: 10 * time.Second,
		MaxHeaderBytes: 64 << 10, ErrorLog: log.New(io.Discard, "", 0),
	}
	c.serving.Go(func() { _ = c.server.Serve(inner) }) // until Close
	return c, nil
}

// Validate says what is wrong with an address to wait at. It is one of this
// machine alone: a code must not be received for others.
func Validate(address string) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return fmt.Errorf(`%q is no address of this machine alone; want "127.0.0.1:PORT"`, address)
	}
	return nil
}

// URL is where a browser is sent back to, to be waited for at address.
func URL(address string) string { return "http://" + address + path }

// URL is where the browser is sent back to.
func (c *Server) URL() string { return c.url }

// Wait returns the code that the redirect brings, once it came.
func (c *Server) Wait(ctx context.Context) (resolver.Secret, error) {
	select {
	case r := <-c.came:
		return r.code, r.err
	case <-ctx.Done():
		return resolver.Secret{}, ctx.Err()
	}
}

// Close stops waiting. Who is being answered is answered first, for a moment.
func (c *Server) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := c.server.Shutdown(ctx)
	if err != nil {
		err = c.server.Close()
	}
	c.serving.Wait()
	if err != nil {
		return fmt.Errorf("stop waiting for the browser: %w", err)
	}
	return nil
}

// serve takes the redirect. One that belongs to another login changes nothing.
func (c *Server) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("Connection", "close")
	if r.URL.Path != path || r.Method != http.MethodGet {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	code, err := read(r.URL.Query(), c.state)
	switch {
	case errors.Is(err, ErrState):
		say(w, http.StatusBadRequest, "This page belongs to another login. Open the address that attachfs printed last.")
		return
	case err != nil:
		say(w, http.StatusOK, "Not logged in: the service gave no code. attachfs says more.")
	default:
		say(w, http.StatusOK, "attachfs has its answer. You can close this window.")
	}
	select {
	case c.came <- result{code, err}:
	default: // it came before; a browser may load a page twice
	}
}

func say(w http.ResponseWriter, status int, text string) {
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}
