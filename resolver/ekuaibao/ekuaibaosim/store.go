package ekuaibaosim

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash/crc64"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/attachfs/attachfs/internal/linksim"
)

// Conduct is how a store answers. The zero value does as the pages say: what is
// not wholly within the object is answered with 200 and all of it.
type Conduct struct {
	// Clamps answers ranges as HTTP would: those that go beyond the end as far as
	// there are bytes, those that begin there with 416.
	Clamps bool
	// NoRanges answers every request with 200 and the whole.
	NoRanges bool
	// NoETag and NoCRC leave the header out.
	NoETag, NoCRC bool
	// WrongCRC tells a CRC that is not that of the object.
	WrongCRC bool
	// BytesPerSecond is the speed of one connection; 0 is as fast as can be.
	BytesPerSecond int64
}

// SetConduct changes how a store answers from the next request on.
func (s *Server) SetConduct(store Store, c Conduct) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links.conduct[store] = c
}

// stall is a body that goes no further.
type stall struct {
	after int64
	times int
}

// Stall makes the next bodies of a file end after that many bytes in silence,
// until the client leaves.
func (s *Server) Stall(fileID string, after int64, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links.stalls[fileID] = &stall{after, times}
}

// denial is what comes instead of an object.
type denial struct {
	status      int
	kind, words string
}

func xmlDenial(status int, code, message string) *denial {
	return &denial{status, "application/xml", fmt.Sprintf(
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>\n  <Code>%s</Code>\n  <Message>%s</Message>\n  <EC>0002-00000069</EC>\n</Error>\n", code, message)}
}

func jsonDenial(status int, message string) *denial {
	return &denial{status, "application/json", fmt.Sprintf("{\"error\":%q}\n", message)}
}

// store answers as one of the stores.
func (s *Server) store(store Store) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		l, no := s.present(store, r)
		b := &body{ResponseWriter: w, server: s, link: l, left: math.MaxInt64}
		if no == nil {
			b.prepare(r, s.links.conduct[store])
			no = b.choose()
		}
		s.mu.Unlock()
		if no == nil {
			b.serve()
			return
		}
		w.Header().Set("Content-Type", no.kind)
		w.WriteHeader(no.status)
		if r.Method != http.MethodHead {
			_, _ = io.WriteString(w, no.words)
		}
	})
}

// present counts a request and finds its link. s.mu is held.
func (s *Server) present(store Store, r *http.Request) (*link, *denial) {
	l := s.links.byURI[string(store)+" "+r.RequestURI]
	no, c := s.judge(store, l, r)
	if r.Method == http.MethodHead {
		c.Heads++
	} else {
		c.Gets++
	}
	s.count(store, l, c)
	return l, no
}

// count adds to the counts of a store, and of a link if it is known. s.mu is held.
func (s *Server) count(store Store, l *link, c LinkCounts) {
	total := s.links.totals[store]
	total.add(c)
	s.links.totals[store] = total
	if l != nil {
		l.counts.add(c)
	}
}

// judge says whether a request is served. s.mu is held.
func (s *Server) judge(store Store, l *link, r *http.Request) (no *denial, c LinkCounts) {
	dead := l != nil && !s.now().Before(l.dies)
	if l.leaks(r) {
		c.Leaks++
	}
	switch {
	case l == nil || !l.signed(r):
		c.Unsigned++
		no = xmlDenial(http.StatusForbidden, "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided.")
		if store == Qiniu {
			no = jsonDenial(http.StatusUnauthorized, "download token auth failed")
		}
	case c.Leaks > 0:
		no = xmlDenial(http.StatusBadRequest, "InvalidArgument", "Only one auth mechanism allowed.")
	case dead && store == Qiniu:
		no = jsonDenial(http.StatusUnauthorized, "token out of date")
	case dead && store == Drive:
		no = xmlDenial(http.StatusForbidden, "RequestTimeTooSkewed", "The difference between the request time and the current time is too large.")
	case dead:
		no = xmlDenial(http.StatusForbidden, "AccessDenied", "Request has expired.")
	}
	if dead {
		c.Dead++
	}
	return no, c
}

// body is one answer of a store, counted, and as slow as it has to be. Bytes
// count before they are sent, so that who has them finds them counted.
type body struct {
	http.ResponseWriter
	server    *Server
	link      *link
	request   *http.Request
	conduct   Conduct
	content   linksim.Content
	swaps     int // of the content, before this one
	generated bool
	left      int64 // bytes until it stalls
	sent      int64
	began     time.Time
}

// prepare remembers what the answer is like. Server.mu is held.
func (b *body) prepare(r *http.Request, c Conduct) {
	b.request, b.conduct, b.began = r, c, time.Now()
	b.content, b.swaps, b.generated = b.link.file.Content, b.link.file.swaps, b.link.crop
	if b.link.thumb && b.link.store != Drive {
		b.content, b.generated = b.link.file.Thumb, true
	}
	if st := b.server.links.stalls[b.link.file.ID]; st != nil && st.times > 0 {
		st.times--
		b.left = st.after
	}
}

// choose says why there is no object. Server.mu is held.
func (b *body) choose() *denial {
	if b.server.company.files[b.link.file.ID] == nil {
		return xmlDenial(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.")
	}
	if b.content == nil {
		return xmlDenial(http.StatusBadRequest, "BadRequest", "The image format is not supported.")
	}
	return nil
}

func (b *body) serve() {
	size, h := b.content.Size(), b.Header()
	h.Set("Content-Type", "application/octet-stream")
	if b.generated {
		// What is generated has no length and no tag.
		b.WriteHeader(http.StatusOK)
		_ = http.NewResponseController(b.ResponseWriter).Flush()
		_, _ = io.Copy(b, io.NewSectionReader(b.content, 0, size))
		return
	}
	h.Set("Last-Modified", time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC).Format(http.TimeFormat))
	if !b.conduct.NoETag {
		h.Set("ETag", tag(b.link.file.Key, b.content))
	}
	if b.link.store != Qiniu && !b.conduct.NoCRC {
		sum := b.crc()
		if b.conduct.WrongCRC {
			sum++
		}
		h.Set("X-Oss-Hash-Crc64ecma", strconv.FormatUint(sum, 10))
	}
	start, limit, status := b.span(size)
	if status == http.StatusPartialContent {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", start, limit-1, size))
	}
	if status == http.StatusRequestedRangeNotSatisfiable {
		h.Set("Content-Range", fmt.Sprintf("bytes */%d", size))
	}
	h.Set("Content-Length", strconv.FormatInt(limit-start, 10))
	b.WriteHeader(status)
	if b.request.Method == http.MethodHead {
		return
	}
	_, _ = io.Copy(b, io.NewSectionReader(b.content, start, limit-start))
}

// tag is a strong entity tag that changes with the content.
func tag(key string, content linksim.Content) string {
	var first [512]byte
	n, _ := content.ReadAt(first[:], 0)
	sum := sha256.Sum256(fmt.Appendf(first[:n], "%s %d", key, content.Size()))
	return fmt.Sprintf("\"%X\"", sum[:16])
}

// span is what of the object is sent, and with which status.
func (b *body) span(size int64) (start, limit int64, status int) {
	start, limit, asked := parseRange(b.request.Header.Get("Range"))
	switch {
	case !asked || b.conduct.NoRanges:
		return 0, size, http.StatusOK
	case start < size && limit <= size:
		return start, limit, http.StatusPartialContent
	case !b.conduct.Clamps:
		return 0, size, http.StatusOK
	case start >= size:
		return 0, 0, http.StatusRequestedRangeNotSatisfiable
	}
	return start, size, http.StatusPartialContent
}

// parseRange reads "bytes=a-b". What is another form is not asked for; "bytes=a-"
// ends nowhere.
func parseRange(text string) (start, limit int64, ok bool) {
	first, last, found := strings.Cut(strings.TrimPrefix(text, "bytes="), "-")
	if !found || !strings.HasPrefix(text, "bytes=") {
		return 0, 0, false
	}
	start, err := strconv.ParseInt(first, 10, 64)
	end, err2 := strconv.ParseInt(last, 10, 64)
	return start, end + 1, errors.Join(err, err2) == nil && start >= 0 && start <= end
}

// sumOf is the CRC of a content, after so many swaps.
type sumOf struct {
	crc   uint64
	swaps int
}

var ecma = crc64.MakeTable(crc64.ECMA)

// crc is that of the whole object, reckoned once or, by requests that come
// together, a few times.
func (b *body) crc() uint64 {
	s, file := b.server, b.link.file
	s.mu.Lock()
	sum, known := s.links.sums[file]
	s.mu.Unlock()
	if known && sum.swaps == b.swaps {
		return sum.crc
	}
	h := crc64.New(ecma)
	_, _ = io.Copy(h, io.NewSectionReader(b.content, 0, b.content.Size()))
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links.sums[file] = sumOf{h.Sum64(), b.swaps}
	return h.Sum64()
}

// Write sends a part of the body.
func (b *body) Write(p []byte) (int, error) {
	written := 0
	for len(p) > 0 {
		if b.left == 0 {
			_ = http.NewResponseController(b.ResponseWriter).Flush()
			<-b.request.Context().Done()
			return written, b.request.Context().Err()
		}
		n := int64(len(p))
		if rate := b.conduct.BytesPerSecond; rate > 0 {
			n = min(n, max(1, rate/100))
		}
		n = min(n, b.left)
		b.left -= n
		if err := b.wait(n); err != nil {
			return written, err
		}
		b.server.mu.Lock()
		b.server.count(b.link.store, b.link, LinkCounts{Bytes: n})
		b.server.mu.Unlock()
		m, err := b.ResponseWriter.Write(p[:n])
		written += m
		if err != nil {
			return written, err
		}
		p = p[n:]
	}
	return written, nil
}

// wait returns when n more bytes are not above the speed.
func (b *body) wait(n int64) error {
	b.sent += n
	rate := b.conduct.BytesPerSecond
	if rate <= 0 {
		return nil
	}
	due := b.began.Add(time.Duration(float64(b.sent) / float64(rate) * float64(time.Second)))
	t := time.NewTimer(time.Until(due))
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-b.request.Context().Done():
		return b.request.Context().Err()
	}
}
