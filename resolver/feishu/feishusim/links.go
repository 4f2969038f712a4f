package feishusim

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// streamPath is where links lead.
const streamPath = "/space/api/box/stream/download/authcode/"

// LinkTerms are the conditions of links. Lives are shortened by the time scale.
type LinkTerms struct {
	// Life is how long a link lives; two hours if 0, and a day that of a medium.
	Life time.Duration
	// Told is the life that is written into the link, which may be shorter; Life
	// if 0.
	Told time.Duration
	// Uses is how many requests of any method a link survives; 2 if 0. Those of
	// media survive any number if it is 0.
	Uses int
}

// LinkConduct is how links are answered. The zero value honours Range, sends
// Content-Length and refuses with 403.
type LinkConduct struct {
	// DeadStatus and UsedUpStatus are the statuses of the refusals, which are JSON
	// with a code: 403 if 0; 200, 400, 401, 404 and 410 are as good.
	DeadStatus, UsedUpStatus int
	// NoRanges answers every request with 200 and the whole.
	NoRanges bool
	// Chunked sends bodies without Content-Length.
	Chunked bool
}

// LinkCounts is what links were asked since the server started or since
// [Server.ResetCounts].
type LinkCounts struct {
	// Gets and Heads are requests, refused ones included.
	Gets, Heads int
	// OverUses came when no use was left, DeadUses when the link was dead or was
	// never issued.
	OverUses, DeadUses int
	// Leaks came with an Authorization header.
	Leaks int
	// Bytes is how much of bodies was sent, those of refusals not counted.
	Bytes int64
}

// links is the state of links. It is guarded by Server.mu.
type links struct {
	terms   LinkTerms // of mail
	media   LinkTerms
	conduct LinkConduct
	issued  []*link
	byCode  map[string]*link
	strays  LinkCounts // with codes that were never issued
}

type link struct {
	attachment *attachment
	dies       time.Time
	left       int // uses, or endless
	counts     LinkCounts
}

// endless is the uses of a link that has any number.
const endless = -1

func newLinks() links { return links{byCode: make(map[string]*link)} }

// SetLinkTerms changes the conditions of the links to attachments of mail that
// are issued from now on.
func (s *Server) SetLinkTerms(t LinkTerms) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links.terms = t
}

// SetMediaLinkTerms changes the conditions of the links to media that are issued
// from now on.
func (s *Server) SetMediaLinkTerms(t LinkTerms) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links.media = t
}

// SetLinkConduct changes how links are answered, those that there are included.
func (s *Server) SetLinkConduct(c LinkConduct) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links.conduct = c
}

// ExpireLinks kills all links issued so far.
func (s *Server) ExpireLinks() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.links.issued {
		l.dies = time.Time{}
	}
}

// Links returns what each link to an attachment or medium was asked, in the order in which
// they were issued.
func (s *Server) Links(attachmentID string) []LinkCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	var counts []LinkCounts
	for _, l := range s.links.issued {
		if l.attachment.id == attachmentID {
			counts = append(counts, l.counts)
		}
	}
	return counts
}

// LinkTotals returns what all links were asked together, and what came with
// codes that were never issued.
func (s *Server) LinkTotals() LinkCounts {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := s.links.strays
	for _, l := range s.links.issued {
		total.add(l.counts)
	}
	return total
}

func (c *LinkCounts) add(o LinkCounts) {
	c.Gets += o.Gets
	c.Heads += o.Heads
	c.OverUses += o.OverUses
	c.DeadUses += o.DeadUses
	c.Leaks += o.Leaks
	c.Bytes += o.Bytes
}

// mailLink makes a link to an attachment of a mail. s.mu is held.
func (s *Server) mailLink(a *attachment) string {
	terms := s.links.terms
	terms.Life, terms.Uses = cmp.Or(terms.Life, documentedLife), cmp.Or(terms.Uses, 2)
	return s.issueLink(a, terms)
}

// mediaLink makes a link to a medium. s.mu is held.
func (s *Server) mediaLink(a *attachment) string {
	terms := s.links.media
	terms.Life, terms.Uses = cmp.Or(terms.Life, 24*time.Hour), cmp.Or(terms.Uses, endless)
	return s.issueLink(a, terms)
}

// issueLink makes a link of the form <hex>_<hex>_ID:<digits>_<start>:<end>_V3 in
// base64. The first hex begins with what is Marker in base64. s.mu is held.
func (s *Server) issueLink(a *attachment, terms LinkTerms) string {
	const lead = "5ec2e75ec2e7"
	var random [26]byte
	_, _ = rand.Read(random[:])
	key := lead + hex.EncodeToString(random[:])
	now := s.now()
	end := now.Add(s.scaled(cmp.Or(terms.Told, terms.Life))).Add(time.Second - 1) // rounded up
	code := base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil,
		"%s_%s_ID:%s_%d:%d_V3", key[:32], key[32:], s.digits(), now.Unix(), end.Unix()))
	l := &link{attachment: a, dies: now.Add(s.scaled(terms.Life)), left: terms.Uses}
	s.links.issued = append(s.links.issued, l)
	s.links.byCode[code] = l
	return s.streamURL + streamPath + "?code=" + code
}

func (s *Server) serveLink(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	l, refused := s.present(r)
	conduct := s.links.conduct
	logged := s.record(r, 0)
	if refused != nil {
		logged.Status = refused.status
	}
	s.mu.Unlock()
	if refused != nil {
		refused.send(w)
		return
	}
	b := &body{
		ResponseWriter: w, server: s, attachment: l.attachment, bytes: &l.counts.Bytes, logged: logged, chunked: conduct.Chunked,
	}
	content := l.attachment.Content
	w.Header().Set("Content-Type", cmp.Or(l.attachment.ContentType, "application/octet-stream"))
	if conduct.NoRanges {
		r.Header.Del("Range")
	}
	http.ServeContent(b, r, "", time.Time{}, io.NewSectionReader(content, 0, content.Size()))
}

// linkRefusal is what comes instead of an attachment.
type linkRefusal struct {
	status int
	msg    string
}

func (f *linkRefusal) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(f.status)
	_ = json.NewEncoder(w).Encode(map[string]any{"code": 1061004, "message": f.msg})
}

// present takes one use of the link that r came with. The refusal is nil if the
// link serves. s.mu is held.
func (s *Server) present(r *http.Request) (*link, *linkRefusal) {
	if r.URL.Path != streamPath {
		return nil, &linkRefusal{http.StatusNotFound, "not found"}
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return nil, &linkRefusal{http.StatusMethodNotAllowed, "method not allowed"}
	}
	l, counts := s.links.byCode[r.URL.Query().Get("code")], &s.links.strays
	if l != nil {
		counts = &l.counts
	}
	if r.Method == http.MethodHead {
		counts.Heads++
	} else {
		counts.Gets++
	}
	conduct := s.links.conduct
	switch {
	case len(r.Header.Values("Authorization")) > 0:
		counts.Leaks++
		return nil, &linkRefusal{http.StatusBadRequest, "a link takes no token"}
	case l == nil || !s.now().Before(l.dies):
		counts.DeadUses++
		return nil, &linkRefusal{cmp.Or(conduct.DeadStatus, http.StatusForbidden), "the code has expired"}
	case l.left == 0:
		counts.OverUses++
		return nil, &linkRefusal{cmp.Or(conduct.UsedUpStatus, http.StatusForbidden), "the code has been used up"}
	}
	if l.left != endless {
		l.left--
	}
	return l, nil
}

// body is the way out of the bytes of a file: counted, and as conduct and cuts
// want it. Bytes count before they are sent, so that who has them finds them
// counted.
type body struct {
	http.ResponseWriter
	server     *Server
	attachment *attachment
	bytes      *int64 // guarded by server.mu
	logged     *Request
	chunked    bool
	longest    int64 // 0 is any number
	sent       int64
}

func (b *body) WriteHeader(status int) {
	b.server.mu.Lock()
	b.logged.Status = status
	b.server.mu.Unlock()
	if b.chunked {
		b.Header().Del("Content-Length")
	}
	b.ResponseWriter.WriteHeader(status)
	if b.chunked {
		b.flush()
	}
}

// flush ignores errors: those who write next see them.
func (b *body) flush() { _ = http.NewResponseController(b.ResponseWriter).Flush() }

func (b *body) Write(p []byte) (int, error) {
	n, cut := b.take(int64(len(p)))
	written, err := b.ResponseWriter.Write(p[:n])
	if cut {
		b.flush()
		panic(http.ErrAbortHandler)
	}
	return written, err
}

// take counts what may be sent of n more bytes, and tells whether the body is
// cut after them.
func (b *body) take(n int64) (may int64, cut bool) {
	b.server.mu.Lock()
	defer b.server.mu.Unlock()
	a := b.attachment
	if a.cut != uncut && b.sent+n > a.cut {
		n, cut = max(0, a.cut-b.sent), true
		a.cut = uncut
	}
	if b.longest > 0 && b.sent+n > b.longest {
		n, cut = max(0, b.longest-b.sent), true
	}
	b.sent += n
	*b.bytes += n
	return n, cut
}
