package ekuaibaosim

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/internal/linksim"
)

// Store is a kind of store that links lead to, with a host of its own.
type Store string

// The stores.
const (
	// OSS is Alibaba's, signed in the query, and Domain the same behind a domain
	// of the company.
	OSS    Store = "oss"
	Domain Store = "domain"
	// Qiniu has an end and a token at the end of its addresses.
	Qiniu Store = "qiniu"
	// Drive is a DingTalk drive, signed in headers.
	Drive Store = "drive"
)

// Stores are all stores.
func Stores() []Store { return []Store{OSS, Domain, Qiniu, Drive} }

// accessKey is the secret of the stores.
const accessKey = linksim.Marker + "-access-key"

// isoDate is the format of dates of newer signatures.
const isoDate = "20060102T150405Z"

// terms are those of one link.
type terms struct {
	life        time.Duration
	thumb, crop bool
}

type link struct {
	store         Store
	file          *File
	thumb, crop   bool
	url           string // as issued
	expires       string // as the signature has it
	authorization string // of the drive
	date          string
	dies          time.Time
	counts        LinkCounts
}

// issue makes a link to a file. s.mu is held.
func (s *Server) issue(f *File, t terms) *link {
	now, told := s.now(), s.links.terms
	l := &link{store: f.Store, file: f, thumb: t.thumb, crop: t.crop, dies: now.Add(t.life - told.Early)}
	// An end is of whole seconds, and rounded up: a link lives no shorter than
	// it tells.
	l.expires = fmt.Sprint(now.Add(t.life + time.Second - 1).Unix())
	var uri string
	switch f.Store {
	case Drive:
		uri = s.signDrive(l, now.Add(t.life-driveWindow))
	case Qiniu:
		uri = "/" + url.PathEscape(f.Key) + "?" + l.process("&") + "e=" + l.expires
		uri += "&token=" + linksim.Marker + ":" + mac(uri)
	default:
		uri = s.signQuery(l)
	}
	l.url = s.stores[f.Store] + uri
	s.links.byURI[string(f.Store)+" "+uri] = l
	s.links.issued = append(s.links.issued, l)
	return l
}

// process is the parameter of what is generated, or nothing.
func (l *link) process(end string) string {
	switch {
	case l.thumb:
		return "x-oss-process=image%2Fresize%2Cw_120%2Ch_120" + end
	case l.crop:
		return "x-oss-process=image%2Fcrop%2Cx_10%2Cy_10%2Cw_400%2Ch_300" + end
	}
	return ""
}

// signQuery is V1 in a query: the address has slashes and plus signs escaped that
// a client would not escape by itself.
func (s *Server) signQuery(l *link) string {
	path := "/" + strings.ReplaceAll(url.PathEscape(l.file.Key), "+", "%2B")
	sts := linksim.Marker + rand.Text() + "%2F%2B%3D%3D"
	signature := url.QueryEscape(mac(l.toSign(http.MethodGet, http.Header{}, path+"?"+l.process("&")+"security-token="+sts)))
	return path + "?Expires=" + l.expires + "&OSSAccessKeyId=STS." + linksim.Marker + "&Signature=" + signature +
		"&" + l.process("&") + "security-token=" + sts
}

// signDrive is V1 in headers. The name in the address says nothing.
func (s *Server) signDrive(l *link, date time.Time) string {
	l.date = date.UTC().Format(http.TimeFormat)
	if s.links.terms.ISODate {
		l.date = date.UTC().Format(isoDate)
	}
	uri := fmt.Sprintf("/yundisk0/iAEIAq%s.file", rand.Text())
	l.expires = ""
	header := http.Header{"X-Oss-Date": {l.date}}
	l.authorization = "OSS LTAI" + linksim.Marker + ":" + mac(l.toSign(http.MethodGet, header, uri))
	return uri
}

// toSign is what a signature is over: method, Content-MD5, Content-Type, end,
// all x-oss headers, resource.
func (l *link) toSign(method string, header http.Header, resource string) string {
	lines := []string{method, header.Get("Content-Md5"), header.Get("Content-Type"), l.expires}
	var oss []string
	for name, values := range header {
		if name = strings.ToLower(name); strings.HasPrefix(name, "x-oss-") {
			oss = append(oss, name+":"+strings.Join(values, ","))
		}
	}
	slices.Sort(oss)
	return strings.Join(append(append(lines, oss...), "/bucket"+resource), "\n")
}

// mac signs a text.
func mac(text string) string {
	h := hmac.New(sha1.New, []byte(accessKey))
	h.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(h.Sum(nil))
}

// signed reports whether a request is what was signed for the link. Its address
// is the one that was issued, or it would not have been found.
func (l *link) signed(r *http.Request) bool {
	if l.store == Qiniu {
		return r.Method == http.MethodGet || r.Method == http.MethodHead
	}
	if l.store == Drive && (r.Header.Get("Authorization") != l.authorization || r.Header.Get("X-Oss-Date") != l.date) {
		return false
	}
	was := http.Header{}
	if l.store == Drive {
		was.Set("X-Oss-Date", l.date)
	}
	return l.toSign(r.Method, r.Header, "") == l.toSign(http.MethodGet, was, "")
}

// leaks reports whether a request has a credential that is of another host.
func (l *link) leaks(r *http.Request) bool {
	if r.URL.Query().Has("accessToken") || len(r.Header.Values("Cookie")) > 0 {
		return true
	}
	return (l == nil || l.store != Drive) && (r.Header.Get("Authorization") != "" || r.Header.Get("X-Oss-Date") != "")
}
