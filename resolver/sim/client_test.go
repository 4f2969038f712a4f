package sim

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// silent is a server that never answers.
type silent struct{}

func (silent) RoundTrip(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func TestCall_Ends(t *testing.T) {
	for _, c := range []struct {
		name    string
		patient time.Duration
		after   time.Duration
		want    error
	}{
		{"by itself", time.Hour, callTimeout, resolver.ErrUnavailable},
		{"with its caller", time.Second, time.Second, context.DeadlineExceeded},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := New(Config{BaseURL: "http://127.0.0.1"})
				p.client.Transport = silent{}
				ctx, cancel := context.WithTimeout(t.Context(), c.patient)
				defer cancel()
				start := time.Now()
				_, err := p.List(ctx, resolver.Root, "")
				require.ErrorIs(t, err, c.want)
				assert.Equal(t, c.after, time.Since(start))
			})
		})
	}
}
