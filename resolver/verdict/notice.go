package verdict

import (
	"bytes"
	"cmp"
	"encoding/xml"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// notice is what an answer says of itself besides the status.
type notice struct {
	code   string // as it came
	detail string // a finer code
	text   string // in words, lower case
	wait   time.Duration
	// clear says that it can hardly be a file: an error document that is
	// whole as far as it is there.
	clear     bool
	login     bool // a page to log in at
	challenge bool // a page of a firewall in front
}

const (
	// maxStart bounds what is looked at of a body, maxText the words in it.
	maxStart = 16 << 10
	maxText  = 1 << 10
)

// read looks for a notice in the headers and the start of the body.
func read(r Reply) notice {
	body := bytes.TrimPrefix(r.Start[:min(len(r.Start), maxStart)], []byte("\xef\xbb\xbf"))
	body = bytes.TrimLeft(body, " \t\r\n")
	var n notice
	switch {
	case len(body) == 0:
	case body[0] == '{':
		n = readJSON(body)
	case isHTML(body):
		n = readHTML(body)
	case body[0] == '<':
		n = readXML(body)
	default:
		n = readText(r, body)
	}
	n.code = cmp.Or(n.code, r.Header.Get("X-Ms-Error-Code"), r.Header.Get("X-Amz-Error-Code"))
	n.detail = cmp.Or(n.detail, r.Header.Get("X-Oss-Ec"))
	if r.Header.Get("Cf-Mitigated") != "" || r.Header.Get("X-Amzn-Waf-Action") != "" {
		n.challenge = true
	}
	n.text = strings.ToLower(n.text[:min(len(n.text), maxText)])
	return n
}

// attached reports whether the reply is meant to be saved as a file.
func attached(h http.Header) bool {
	kind, _, _ := mime.ParseMediaType(h.Get("Content-Disposition"))
	return kind == "attachment"
}

// longer reports whether the reply announces a body of more than limit.
func longer(h http.Header, limit int64) bool {
	n, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	return err == nil && n > limit
}

// readXML reads an <Error> document of an object store, with its fields at any
// depth.
func readXML(body []byte) notice {
	d := xml.NewDecoder(bytes.NewReader(body))
	d.Strict = false
	d.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	var n notice
	var root, field string
	for {
		t, err := d.Token()
		if err != nil {
			return n // cut, or at its end
		}
		switch t := t.(type) {
		case xml.StartElement:
			field = t.Name.Local
			if root == "" {
				root = field
			}
			if root != "Error" && root != "ErrorResponse" {
				return notice{}
			}
		case xml.EndElement:
			field = ""
		case xml.CharData:
			n.field(field, strings.TrimSpace(string(t)))
		}
	}
}

// field takes one field of an <Error> document.
func (n *notice) field(name, value string) {
	switch name {
	case "Code":
		n.code, n.clear = value, true
	case "EC":
		n.detail = value
	case "Message", "Details", "AuthenticationErrorDetail":
		n.text += value + "\n"
	}
}

// readText reads a few words. Under success they have to be all there is, and
// be known.
func readText(r Reply, body []byte) notice {
	text := body[:min(len(body), maxText)]
	if !utf8.Valid(text) && len(body) <= maxText || bytes.IndexByte(text, 0) >= 0 {
		return notice{}
	}
	n := notice{text: string(text)}
	n.clear = !longer(r.Header, maxComplaint) && complaint(strings.ToLower(strings.TrimSpace(n.text)))
	return n
}
