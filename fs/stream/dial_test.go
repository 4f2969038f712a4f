package stream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// dialRig is a dialer with a server that counts its connections.
type dialRig struct {
	*dialer
	client      *http.Client
	server      *httptest.Server
	connections atomic.Int32
}

func newDialRig(t *testing.T, secure bool) *dialRig {
	t.Helper()
	r := &dialRig{}
	r.server = httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "hello")
	}))
	r.server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			r.connections.Add(1)
		}
	}
	config := &tls.Config{RootCAs: x509.NewCertPool()}
	if secure {
		r.server.StartTLS()
		config.RootCAs.AddCert(r.server.Certificate())
	} else {
		r.server.Start()
	}
	t.Cleanup(r.server.Close)
	r.dialer = &dialer{dial: (&net.Dialer{}).DialContext, tls: config}
	t.Cleanup(r.close)
	transport := &http.Transport{DialContext: r.plain, DialTLSContext: r.secure}
	t.Cleanup(transport.CloseIdleConnections)
	r.client = &http.Client{Transport: transport}
	return r
}

func (r *dialRig) get(t *testing.T) {
	t.Helper()
	resp, err := r.client.Get(r.server.URL)
	require.NoError(t, err)
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, "hello", string(body))
	r.answered()
}

// rest makes the dialer believe that nothing came for a while.
func (r *dialRig) rest(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.used, r.since = r.used.Add(-d), r.since.Add(-d)
}

func TestDialer_OpensOneAhead(t *testing.T) {
	for name, secure := range map[string]bool{"plain": false, "TLS": true} {
		t.Run(name, func(t *testing.T) {
			r := newDialRig(t, secure)
			assert.False(t, r.wants(), "nobody knows where to")
			r.get(t)
			assert.False(t, r.wants(), "there is one")
			r.rest(idle)
			require.True(t, r.wants())
			assert.False(t, r.wants(), "somebody is at it")
			r.openAhead(context.Background())
			require.Eventually(t, func() bool { return r.connections.Load() == 2 }, 10*time.Second, time.Millisecond)

			r.client.CloseIdleConnections() // as the server may have done
			r.get(t)
			assert.EqualValues(t, 2, r.connections.Load(), "the one that was opened ahead")
		})
	}
}

func TestDialer_LeavesWhatIsOld(t *testing.T) {
	r := newDialRig(t, true)
	r.get(t)
	r.rest(idle)
	require.True(t, r.wants())
	r.openAhead(context.Background())
	r.rest(idle)
	r.client.CloseIdleConnections()
	r.get(t)
	assert.EqualValues(t, 3, r.connections.Load())
}

func TestDialer_RefusesOtherCertificates(t *testing.T) {
	r := newDialRig(t, true)
	r.tls.RootCAs = x509.NewCertPool()
	_, err := r.client.Get(r.server.URL)
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)
}

// While a link is being asked for, and only then, a connection is opened to where
// the last file came from.
func TestSource_ConnectsAheadOfALink(t *testing.T) {
	inBubble(t, 4*mib, func(t *testing.T, r *rig) {
		var dialed atomic.Int32
		d := r.source.origin.guard.dialer
		d.dial = func(context.Context, string, string) (net.Conn, error) {
			dialed.Add(1)
			here, there := net.Pipe()
			t.Cleanup(func() { _ = there.Close() })
			return here, nil
		}
		_, err := d.plain(t.Context(), "tcp", "files.test:80")
		require.NoError(t, err)
		time.Sleep(idle)
		r.lender.hold = make(chan struct{})
		h := r.open(r.put("a", 5*mib))
		read := make(chan bool)
		go func() { read <- r.read(h, 0, 100) }()
		synctest.Wait()
		assert.EqualValues(t, 2, dialed.Load(), "opened while the link is not there")
		close(r.lender.hold)
		require.True(t, <-read)

		time.Sleep(idle)
		require.True(t, r.read(h, 4*mib, 100))
		assert.EqualValues(t, 2, dialed.Load(), "the link was at hand")
	})
}
