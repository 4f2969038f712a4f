package stream

import (
	"context"
	"io"
	"net/http"

	"github.com/attachfs/attachfs/resolver"
)

// probed is how much of a file is looked at to tell its type: all that
// http.DetectContentType wants.
const probed = 512

// Probe looks at what is behind a link by a GET of its first bytes, of which
// nothing is kept. It returns the type that they show, or else that the origin
// tells, and the length of the file, or resolver.SizeUnknown. A reply that is not
// the file's is an error.
func (s *Source) Probe(ctx context.Context, link resolver.Link) (kind string, size int64, err error) {
	watch := newWatchdog(ctx, s.cfg.Stall)
	defer watch.stop()
	want := byteRange{0, probed}
	resp, err := s.origin.get(watch.ctx, link, want, 0)
	if err != nil {
		return "", unknown, err
	}
	defer func() { _ = resp.Body.Close() }()
	r, err := check(resp, want, unknown, "")
	if err != nil {
		return "", unknown, err
	}
	start, err := io.ReadAll(io.LimitReader(resp.Body, probed))
	if err != nil {
		return "", unknown, asFailure(watch.ctx, err)
	}
	told := mediaType(resp.Header.Get("Content-Type"))
	if seen := mediaType(http.DetectContentType(start)); seen != "application/octet-stream" && seen != "text/plain" && seen != "text/xml" {
		told = seen
	}
	return told, r.total, nil
}
