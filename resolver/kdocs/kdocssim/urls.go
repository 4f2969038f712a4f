package kdocssim

import (
	"cmp"
	"encoding/json"
	"mime"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/internal/linksim"
)

// linkLife is what the documents tell of links.
const linkLife = 10 * time.Minute

// mostAsked is how many attachments a call for links takes.
const mostAsked = 100

// LinkTerms are the conditions of links.
type LinkTerms struct {
	// Life is ten minutes if 0. The time scale shortens it.
	Life time.Duration
	// Told writes the end into the link.
	Told bool
}

// links is how links are issued. It is guarded by Server.mu.
type links struct {
	terms    LinkTerms
	reversed bool
}

// SetLinkTerms changes the conditions of the links issued from now on.
func (s *Server) SetLinkTerms(t LinkTerms) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links.terms = t
}

// SetLinksReversed answers a call for links from its last attachment to its
// first: nobody promised another order.
func (s *Server) SetLinksReversed(reversed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.links.reversed = reversed
}

// ExpireLinks kills all links issued so far.
func (s *Server) ExpireLinks() { s.origin.ExpireLinks() }

// asked is one attachment of a call for links.
type asked struct {
	Source string `json:"source"`
	Type   string `json:"mime_type"`
	Key    string `json:"key"`
}

func (s *Server) issueURLs(q *request) *answer {
	d, refused := s.opened(q, false)
	if refused != nil {
		return refused
	}
	var body struct {
		Attachments []asked `json:"attachments"`
	}
	if json.Unmarshal(q.body, &body) != nil || len(body.Attachments) < 1 || len(body.Attachments) > mostAsked {
		return s.refuse(badParameter, "attachments must be a list of 1 to 100")
	}
	urls := []map[string]any{}
	for _, a := range body.Attachments {
		urls = append(urls, map[string]any{
			"key": a.Key, "source": a.Source, "mime_type": a.Type, "url": s.issueURL(d, a),
		})
	}
	if s.links.reversed {
		slices.Reverse(urls)
	}
	return success(map[string]any{"urls": urls})
}

// issueURL makes a link to an attachment of d, empty if there is none. s.mu is
// held.
func (s *Server) issueURL(d *document, asked asked) string {
	counts := s.counts(AttachmentURLs)
	counts.Items++
	a := d.attachments[asked.Key]
	if a == nil || a.Source != asked.Source || a.Type != asked.Type {
		counts.Mistaken++
		counts.Empty++
		return ""
	}
	if !a.resolves() {
		counts.Empty++
		return ""
	}
	address, _ := s.origin.Link(ObjectID(d.Token, a.UploadID), linksim.Terms{
		Lifetime: s.scaled(cmp.Or(s.links.terms.Life, linkLife)), HideExpires: !s.links.terms.Told,
	})
	return address
}

// resolves tells what has a link: cloud documents that can be read, and uploads
// that are pictures of a common type.
func (a *Attachment) resolves() bool {
	if strings.EqualFold(a.Source, Cloud) {
		return !a.Unreadable
	}
	switch strings.TrimPrefix(strings.ToLower(a.Type), "image/") {
	case "jpg", "jpeg", "png", "gif", "bmp", "webp":
		return true
	}
	return false
}

// contentType is what the origin says of an attachment of that type.
func contentType(kind string) string {
	if strings.Contains(kind, "/") {
		return kind
	}
	return cmp.Or(mime.TypeByExtension("."+kind), "application/octet-stream")
}
