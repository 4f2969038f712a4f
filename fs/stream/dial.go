package stream

import (
	"context"
	"crypto/tls"
	"net"
	"sync"
	"time"
)

const (
	// handshake bounds the set-up of a connection.
	handshake = 10 * time.Second
	// idle is after how long without a request the connections of a host may be
	// gone. Servers close idle ones after 15 s and more.
	idle = 15 * time.Second
)

// dialer opens the connections of a transport. While a link is being asked for,
// it can open one ahead to where the last file came from: the two or three round
// trips that takes over TLS are not waited for then. Its methods may be called in
// parallel.
type dialer struct {
	dial func(ctx context.Context, network, address string) (net.Conn, error)
	tls  *tls.Config

	mu    sync.Mutex // guards the following
	last  place      // that was connected to
	used  time.Time  // when something came from there
	ahead net.Conn   // to last, nil if there is none
	since time.Time  // when it was opened
}

// place is where a connection leads.
type place struct {
	network, address string
	secure           bool
}

// plain is a [net/http.Transport]'s DialContext.
func (d *dialer) plain(ctx context.Context, network, address string) (net.Conn, error) {
	return d.connect(ctx, place{network, address, false})
}

// secure is a [net/http.Transport]'s DialTLSContext.
func (d *dialer) secure(ctx context.Context, network, address string) (net.Conn, error) {
	return d.connect(ctx, place{network, address, true})
}

func (d *dialer) connect(ctx context.Context, to place) (net.Conn, error) {
	if conn := d.take(to); conn != nil {
		return conn, nil
	}
	return d.open(ctx, to)
}

// take returns the connection that was opened ahead, if it leads there and is
// still good.
func (d *dialer) take(to place) net.Conn {
	d.mu.Lock()
	defer d.mu.Unlock()
	conn, good := d.ahead, d.last == to && time.Since(d.since) < idle
	d.ahead, d.last, d.used = nil, to, time.Now()
	if conn != nil && !good {
		_ = conn.Close() // nothing was sent
		return nil
	}
	return conn
}

func (d *dialer) open(ctx context.Context, to place) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, handshake)
	defer cancel()
	conn, err := d.dial(ctx, to.network, to.address)
	if err != nil || !to.secure {
		return conn, err
	}
	host, _, err := net.SplitHostPort(to.address)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	config := d.tls.Clone()
	config.ServerName = host
	client := tls.Client(conn, config)
	if err := client.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return client, nil
}

// answered notes that something came, so that there are connections.
func (d *dialer) answered() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.used = time.Now()
}

// wants reports whether it is time to open a connection ahead, and takes it that
// the caller does, by openAhead.
func (d *dialer) wants() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.last == (place{}) || time.Since(d.used) < idle {
		return false
	}
	d.used = time.Now()
	return true
}

// openAhead opens a connection to where the last one led.
func (d *dialer) openAhead(ctx context.Context) {
	d.mu.Lock()
	to := d.last
	d.mu.Unlock()
	conn, err := d.open(ctx, to)
	if err != nil {
		return // whoever needs one will be told
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	surplus := conn
	if d.last == to {
		surplus, d.ahead, d.since = d.ahead, conn, time.Now()
	}
	if surplus != nil {
		_ = surplus.Close() // nothing was sent
	}
}

func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ahead != nil {
		_ = d.ahead.Close() // nothing was sent
		d.ahead = nil
	}
}
