package manifest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
)

// maxPath is the kernel's limit on the path of one system call.
const maxPath = 4096

// lastSecond is the end of the year 9999, beyond which RFC 3339 cannot go.
const lastSecond = 253402300799

// reserved headers belong to the connection or to the ranges that are asked for.
var reserved = []string{
	"Accept-Encoding", "Connection", "Content-Length", "Expect", "Host", "If-Match", "If-Modified-Since",
	"If-None-Match", "If-Range", "If-Unmodified-Since", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection",
	"Range", "Te", "Trailer", "Transfer-Encoding", "Upgrade",
}

// readPath keeps a bad path out of messages: it may be a URL in the wrong place.
func (r *record) readPath(raw json.RawMessage) error {
	var path string
	if err := json.Unmarshal(raw, &path); err != nil {
		return errors.New("must be a text")
	}
	if !fs.ValidPath(path) || path == "." {
		return errors.New(`must be relative, with single slashes and no "." or ".." in it, such as "reports/2026.pdf"`)
	}
	if len(path) > maxPath {
		return fmt.Errorf("is %d bytes long, must be at most %d", len(path), maxPath)
	}
	r.path = path
	return nil
}

// readURL says nothing of the URL in its errors: the query signs it.
func (r *record) readURL(raw json.RawMessage) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return errors.New("must be a text")
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("must be an absolute http or https address")
	case u.User != nil:
		return errors.New("must not hold a user or password; send them in headers")
	}
	r.url = resolver.NewSecret(text)
	return nil
}

func (r *record) readSize(raw json.RawMessage) error {
	if err := json.Unmarshal(raw, &r.size); err != nil || r.size < 0 {
		return errors.New("must be a number of bytes, 0 or more")
	}
	return nil
}

func (r *record) readModTime(raw json.RawMessage) error {
	var seconds int64
	if err := json.Unmarshal(raw, &seconds); err == nil && seconds >= 0 && seconds <= lastSecond {
		r.modTime = time.Unix(seconds, 0).UTC()
		return nil
	}
	if err := json.Unmarshal(raw, &r.modTime); err != nil {
		return errors.New(`must be RFC 3339, such as "2026-01-31T09:00:00Z", or whole seconds since 1970`)
	}
	r.modTime = r.modTime.UTC()
	return nil
}

func (r *record) readSHA256(raw json.RawMessage) error {
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return errors.New("must be a text")
	}
	digest, err := hex.DecodeString(text)
	if err != nil || len(digest) != sha256.Size {
		return fmt.Errorf("must be %d hex digits", 2*sha256.Size)
	}
	r.sha256 = digest
	return nil
}

// readHeaders says nothing of the values in its errors.
func (r *record) readHeaders(raw json.RawMessage) error {
	var fields map[string]string
	if err := json.Unmarshal(raw, &fields); err != nil {
		return errors.New("must be an object of texts")
	}
	for _, field := range slices.Sorted(maps.Keys(fields)) {
		name := textproto.CanonicalMIMEHeaderKey(field)
		_, twice := r.header[name]
		switch {
		case !validName(field):
			return fmt.Errorf("%q is not the name of a header", field)
		case !validValue(fields[field]):
			return fmt.Errorf("the value of %s must not hold control characters", name)
		case slices.Contains(reserved, name):
			return fmt.Errorf("%s is set by attachfs itself, remove it", name)
		case twice:
			return fmt.Errorf("%s is there twice", name)
		}
		if r.header == nil {
			r.header = make(map[string]resolver.Secret, len(fields))
		}
		r.header[name] = resolver.NewSecret(fields[field])
	}
	return nil
}

// validName reports whether s is a token of RFC 9110.
func validName(s string) bool {
	const punctuation = "!#$%&'*+-.^_`|~"
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.ContainsRune(punctuation, c))
	})
}

func validValue(s string) bool {
	return !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f })
}
