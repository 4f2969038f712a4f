package stream

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

func TestProbe(t *testing.T) {
	const png = "\x89PNG\x0D\x0A\x1A\x0A and so on"
	for name, c := range map[string]struct {
		size     int64
		fault    *fault
		kind     string
		seen     int64
		mistaken bool
	}{
		"nothing that is known": {size: 100 * kib, kind: "", seen: 100 * kib},
		"by its first bytes": {
			fault: &fault{status: http.StatusOK, header: http.Header{"Content-Type": {"application/octet-stream"}}, body: png},
			kind:  "image/png", seen: int64(len(png)),
		},
		"by the origin's word": {
			fault: &fault{status: http.StatusOK, header: http.Header{"Content-Type": {"image/heic; x=y"}}, body: "\x00\x01\x02"},
			kind:  "image/heic", seen: 3,
		},
		"refused": {fault: &fault{status: http.StatusForbidden, body: `{"code":1061004}`}, mistaken: true},
		"a message": {
			fault:    &fault{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: `{"code":99991663,"msg":"Invalid access token"}`},
			mistaken: true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 64*mib, func(t *testing.T, r *rig) {
				f := r.put("f", c.size, func(o *object) { o.always = c.fault })
				lease, err := r.lender.Acquire(t.Context(), f)
				require.NoError(t, err)
				kind, size, err := r.source.Probe(t.Context(), lease.Link())
				assert.Equal(t, []string{"bytes=0-511"}, r.origin.ranges())
				if c.mistaken {
					require.Error(t, err)
					assert.Equal(t, resolver.SizeUnknown, size)
					return
				}
				require.NoError(t, err)
				assert.Equal(t, c.kind, kind)
				assert.Equal(t, c.seen, size)
			})
		})
	}
}
