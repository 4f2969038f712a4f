package linksim

import (
	"context"
	"crypto/tls"
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

// Origin is a running server. All its methods may be called in parallel.
type Origin struct {
	pageSize, batch int
	grouped         bool // one call takes ids of one directory only
	app             app
	certificate     *certificate // nil for plain http
	tally           tally
	objectFaults    script
	apiFaults       script

	ctx       context.Context // ends with Close
	cancel    context.CancelFunc
	handlers  sync.WaitGroup // added to under mu, while not closed
	front     *listener
	elsewhere *listener

	mu           sync.Mutex // guards the following; taken before those of tally and listeners
	closed       bool
	token        string
	tokens       map[string]time.Time // when those of the app end, by the header that brings them
	rates        map[Call]*window
	quota        int // link calls left, or unlimited
	throttled    LimitShape
	spent        LimitShape
	behaviour    Behaviour // of objects without their own
	objects      map[string]*object
	addressed    map[string]string // ids by the hash in addresses
	tree         map[string][]listed
	links        map[string]*link // alive as far as is known, by signature
	latest       map[string]*link // last issued, by id
	sweepAt      int
	deadStatus   int
	usedUpStatus int
	ahead        time.Duration
	apiDelay     time.Duration
	redirected   []http.Header // what came to elsewhere
}

// Option changes what [Start] starts.
type Option func(*Origin) error

// WithToken makes the API ask for "Authorization: Bearer <token>". A test that
// looks for leaks gives a token that contains [Marker].
func WithToken(token string) Option {
	return func(o *Origin) error {
		o.token = token
		return nil
	}
}

// WithTLS serves https, with a certificate made for the purpose; see
// [Origin.CertPEM].
func WithTLS() Option {
	return func(o *Origin) (err error) {
		o.certificate, err = newCertificate()
		return err
	}
}

// WithPageSize sets how many entries a page of a listing has; 1000 otherwise.
func WithPageSize(n int) Option {
	return func(o *Origin) error {
		o.pageSize = n
		return nil
	}
}

// WithBatch sets how many ids one call may ask links for; 100 otherwise.
func WithBatch(n int) Option {
	return func(o *Origin) error {
		o.batch = n
		return nil
	}
}

// WithGroups makes one call take ids of one directory only, as a service does
// that asks for the attachments of one message.
func WithGroups() Option {
	return func(o *Origin) error {
		o.grouped = true
		return nil
	}
}

// Start starts an origin without objects on a free port of 127.0.0.1. The
// caller closes it.
func Start(opts ...Option) (*Origin, error) {
	o := &Origin{
		pageSize: 1000, batch: 100,
		tokens: make(map[string]time.Time), rates: make(map[Call]*window), quota: unlimited,
		throttled: Limit429, spent: Limit403,
		objects: make(map[string]*object), addressed: make(map[string]string),
		links: make(map[string]*link), latest: make(map[string]*link), sweepAt: firstSweep,
		deadStatus: http.StatusForbidden, usedUpStatus: http.StatusForbidden,
	}
	for _, opt := range opts {
		if err := opt(o); err != nil {
			return nil, fmt.Errorf("start origin: %w", err)
		}
	}
	if o.pageSize < 1 || o.batch < 1 {
		return nil, fmt.Errorf("start origin: page size %d and batch %d must be at least 1", o.pageSize, o.batch)
	}
	o.ctx, o.cancel = context.WithCancel(context.Background())
	o.front = &listener{handler: o.guard(o.serve), origin: o, address: "127.0.0.1:0"}
	o.elsewhere = &listener{handler: o.guard(o.serveElsewhere), origin: o, address: "127.0.0.1:0"}
	if err := errors.Join(o.front.open(), o.elsewhere.open()); err != nil {
		return nil, errors.Join(fmt.Errorf("start origin: %w", err), o.Close())
	}
	return o, nil
}

// Close ends all answers under way, stalled ones too, and waits for them.
// Closing twice is harmless.
func (o *Origin) Close() error {
	o.mu.Lock()
	o.closed = true
	o.mu.Unlock()
	o.cancel()
	err := errors.Join(o.front.close(), o.elsewhere.close())
	o.handlers.Wait()
	return err
}

// URL is the address of the API and the beginning of every link.
func (o *Origin) URL() string { return o.front.url() }

// Elsewhere is the address of a second server, for redirects: another host, as
// far as headers are concerned. It serves the same paths, without faults, and
// remembers the headers that it was sent.
func (o *Origin) Elsewhere() string { return o.elsewhere.url() }

// ElsewhereHeaders returns what the second server was sent, in order.
func (o *Origin) ElsewhereHeaders() []http.Header {
	o.mu.Lock()
	defer o.mu.Unlock()
	return append([]http.Header(nil), o.redirected...)
}

// CertPEM is the certificate to trust, or nil without [WithTLS].
func (o *Origin) CertPEM() []byte {
	if o.certificate == nil {
		return nil
	}
	return append([]byte(nil), o.certificate.pem...)
}

// Down makes connections to the origin be refused, and breaks those that
// there are. The second server stays. Down when down does nothing.
func (o *Origin) Down() error { return o.front.close() }

// Up ends [Origin.Down]: the origin is there again at the same address. Up
// when up does nothing.
func (o *Origin) Up() error { return o.front.open() }

// SetClock makes the clock that the origin tells (in the Date headers of all its
// answers and the ends of new links) go wrong by ahead. Links die on time all
// the same.
func (o *Origin) SetClock(ahead time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ahead = ahead
}

// guard lets requests in until the origin closes, and out before Close
// returns.
func (o *Origin) guard(next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		o.mu.Lock()
		if o.closed {
			o.mu.Unlock()
			panic(http.ErrAbortHandler)
		}
		o.handlers.Add(1)
		now := time.Now().Add(o.ahead)
		o.mu.Unlock()
		defer o.handlers.Done()
		w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
		next(w, r)
	})
}

func (o *Origin) serve(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		o.serveAPI(w, r)
		return
	}
	o.serveObject(w, r, false)
}

// mostRedirected bounds what is remembered of requests to elsewhere.
const mostRedirected = 1000

func (o *Origin) serveElsewhere(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	if len(o.redirected) < mostRedirected {
		o.redirected = append(o.redirected, r.Header.Clone())
	}
	o.mu.Unlock()
	o.serveObject(w, r, true)
}

// listener is a server that can be closed and opened again at its address.
type listener struct {
	handler http.Handler
	origin  *Origin

	mu      sync.Mutex // guards the following
	address string     // with the real port once it was open
	server  *http.Server
	served  chan error
}

func (l *listener) url() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.origin.certificate != nil {
		return "https://" + l.address
	}
	return "http://" + l.address
}

func (l *listener) open() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server != nil || l.origin.ctx.Err() != nil {
		return l.origin.ctx.Err()
	}
	inner, err := net.Listen("tcp", l.address)
	if err != nil {
		return fmt.Errorf("open listener: %w", err)
	}
	l.address = inner.Addr().String()
	if c := l.origin.certificate; c != nil {
		inner = tls.NewListener(inner, &tls.Config{Certificates: []tls.Certificate{c.pair}})
	}
	server := &http.Server{
		Handler:           l.handler,
		BaseContext:       func(net.Listener) context.Context { return l.origin.ctx },
		ReadHeaderTimeout: time.Minute,
		ErrorLog:          log.New(io.Discard, "", 0),
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(inner) }()
	l.server, l.served = server, served
	return nil
}

func (l *listener) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.server == nil {
		return nil
	}
	err := l.server.Close()
	if serveErr := <-l.served; !errors.Is(serveErr, http.ErrServerClosed) {
		err = errors.Join(err, serveErr)
	}
	l.server = nil
	if err != nil {
		return fmt.Errorf("close listener: %w", err)
	}
	return nil
}
