package feishusim

import (
	"cmp"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"time"
)

// DownloadConduct is how files and media are sent by the API itself. The zero
// value honours Range and sends Content-Length, and an ETag, which is strong,
// with files.
type DownloadConduct struct {
	// NoRanges answers every request with 200 and the whole.
	NoRanges bool
	// NoETag and WeakETag are about files.
	NoETag, WeakETag bool
	// Chunked sends bodies without Content-Length.
	Chunked bool
	// Longest is how many bytes one body has at most before the connection breaks,
	// as long ones did; 0 is any number.
	Longest int64
	// Redirect answers 302 with a link to another host, which takes no token.
	Redirect bool
}

// SetDownloadConduct changes how files and media are sent.
func (s *Server) SetDownloadConduct(c DownloadConduct) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.docs.downloads = c
}

// download is a file on its way.
type download struct {
	attachment *attachment
	etag       string // with quotes, or empty
	conduct    DownloadConduct
	sent       *int64 // guarded by Server.mu
}

func (s *Server) downloadFile(q *request) *answer {
	token := q.PathValue("file")
	if _, ok := s.docs.media[token]; ok { // the families do not mix
		return q.endpoint.refuses.denied.answer()
	}
	i, refused := s.found(q, token, KindFile)
	if refused != nil {
		return refused
	}
	conduct, etag := s.docs.downloads, fmt.Sprintf(`"%s-%d"`, i.token, i.etag)
	switch {
	case conduct.NoETag:
		etag = ""
	case conduct.WeakETag:
		etag = "W/" + etag
	}
	return s.file(q, i.file, etag)
}

func (s *Server) downloadMedium(q *request) *answer {
	m, verdict := s.judge(q.PathValue("medium"), q.URL.Query().Get("extra"))
	if verdict == extraMissing {
		return refusal{status: http.StatusBadRequest}.answer() // with an empty body, as was seen
	}
	if verdict != mediumFound {
		return verdict.refusal().answer()
	}
	return s.file(q, &m.attachment, "")
}

// file answers with the bytes of a, or with a link to them. s.mu is held.
func (s *Server) file(q *request, a *attachment, etag string) *answer {
	if s.docs.downloads.Redirect {
		redirect := flat(http.StatusFound, nil)
		redirect.header.Set("Location", s.issueLink(a, LinkTerms{Life: time.Minute, Uses: endless}))
		return redirect
	}
	return &answer{file: &download{attachment: a, etag: etag, conduct: s.docs.downloads, sent: &s.counts(q.endpoint.call).Bytes}}
}

func (s *Server) sendFile(w http.ResponseWriter, r *http.Request, d *download, logged *Request) {
	b := &body{
		ResponseWriter: w, server: s, attachment: d.attachment, bytes: d.sent, logged: logged, chunked: d.conduct.Chunked,
		longest: d.conduct.Longest,
	}
	h := w.Header()
	h.Set("Content-Type", cmp.Or(d.attachment.ContentType, "application/octet-stream"))
	h.Set("Content-Disposition", disposition(d.attachment.Name))
	if d.etag != "" {
		h.Set("ETag", d.etag)
	}
	if d.conduct.NoRanges {
		r.Header.Del("Range")
	}
	content := d.attachment.Content
	http.ServeContent(b, r, "", time.Time{}, io.NewSectionReader(content, 0, content.Size()))
}

// disposition names a file in both ways.
func disposition(name string) string {
	if name == "" {
		return "attachment"
	}
	plain := mime.FormatMediaType("attachment", map[string]string{"filename": name})
	if plain == "" { // not to be said
		plain = "attachment"
	}
	if url.PathEscape(name) == name {
		return plain
	}
	return "attachment; filename*=UTF-8''" + url.PathEscape(name)
}
