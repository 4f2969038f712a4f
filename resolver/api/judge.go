package api

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/verdict"
)

// start is how much of an answer is looked at to tell an error from it.
const start = 4 << 10

// Error is an answer of the provider that is not what was asked for. It holds
// nothing secret.
type Error struct {
	// Status is that of HTTP.
	Status int
	// Code is the provider's own, or empty.
	Code string
	// Kind is one of package resolver, which Error wraps.
	Kind error

	after time.Duration // the provider asked to wait that long
}

// Error tells status, code and kind.
func (e *Error) Error() string {
	if e.Code == "" {
		return fmt.Sprintf("status %d: %v", e.Status, e.Kind)
	}
	return fmt.Sprintf("status %d, code %s: %v", e.Status, e.Code, e.Kind)
}

func (e *Error) Unwrap() error { return e.Kind }

// judge says what is wrong with an answer, nil if it is what was asked for.
func (c *Client) judge(e *Endpoint, a *answer) error {
	if a.ok() && a.err != nil {
		return a.err
	}
	code, isJSON := codeOf(a.body)
	var kind error
	if c.cfg.Judge != nil {
		kind = c.cfg.Judge(a.status, code, a.body)
	}
	if kind == nil && a.ok() && isJSON && code == "" {
		return nil
	}
	v := verdict.Judge(verdict.Reply{Status: a.status, Header: a.header, Start: a.body[:min(len(a.body), start)]})
	known := c.known(e, code)
	if kind == nil {
		kind = known
	}
	if kind == nil {
		kind = c.kindOf(e, a, v.Class)
	}
	told := &Error{Status: a.status, Code: v.Code, Kind: kind, after: v.After}
	if known != nil || plainCode.MatchString(code) {
		told.Code = code
	}
	if errors.Is(kind, resolver.ErrThrottled) {
		told.after = cmp.Or(v.After, verdict.RetryAfter(a.header))
	}
	return told
}

// known is the kind that the tables have for a code or status, or nil.
func (c *Client) known(e *Endpoint, code string) error {
	if code == "" {
		return nil
	}
	if kind, ok := e.Kinds[code]; ok {
		return kind
	}
	return c.cfg.Kinds[code]
}

// kindOf judges an answer whose code says nothing.
func (c *Client) kindOf(e *Endpoint, a *answer, class resolver.Class) error {
	if class == resolver.Throttled {
		return resolver.ErrThrottled
	}
	if isPage(a.body) {
		return fmt.Errorf("a web page and no answer of the API: %w", resolver.ErrUnavailable)
	}
	if a.ok() {
		return kindOfClass(class)
	}
	if kind := c.known(e, strconv.Itoa(a.status)); kind != nil {
		return kind
	}
	if class == resolver.Temporary && a.status != http.StatusUnauthorized {
		return resolver.ErrUnavailable
	}
	return kindOfStatus(a.status)
}

func kindOfStatus(status int) error {
	switch status {
	case http.StatusUnauthorized:
		return ErrToken
	case http.StatusTooManyRequests:
		return resolver.ErrThrottled
	case http.StatusForbidden:
		return resolver.ErrPermission
	case http.StatusNotFound, http.StatusGone:
		return resolver.ErrNotExist
	case http.StatusBadRequest, http.StatusPreconditionFailed, http.StatusRequestEntityTooLarge,
		http.StatusRequestURITooLong, http.StatusUnprocessableEntity:
		return resolver.ErrRejected
	default:
		return resolver.ErrUnavailable
	}
}

// kindOfClass is for answers that say 200 and something else.
func kindOfClass(class resolver.Class) error {
	switch class {
	case resolver.Denied:
		return resolver.ErrPermission
	case resolver.Gone:
		return resolver.ErrNotExist
	default:
		return resolver.ErrUnavailable
	}
}

// plainCode is a number or a name, which can be printed. Where letters and
// digits mix it may be anything.
var plainCode = regexp.MustCompile(`^(-?[0-9]{1,20}|[A-Za-z._-]{1,40})$`)

// codeOf finds the provider's own code in the envelopes that are in use; it is
// empty when there is none or it says that all is well.
func codeOf(body []byte) (code string, isJSON bool) {
	var envelope struct {
		Code      json.RawMessage `json:"code"`
		ErrorCode json.RawMessage `json:"errorCode"`
		ErrCode   json.RawMessage `json:"errcode"`
	}
	var notJSON *json.SyntaxError
	if err := json.Unmarshal(body, &envelope); errors.As(err, &notJSON) {
		return "", false
	}
	for _, raw := range []json.RawMessage{envelope.Code, envelope.ErrorCode, envelope.ErrCode} {
		switch code := string(bytes.Trim(raw, `"`)); strings.ToLower(code) {
		case "", "0", "200", "ok", "success", "null":
		default:
			return code, true
		}
	}
	return "", true
}

// isPage tells a page for people, which a gateway or a wrong address answers
// with.
func isPage(body []byte) bool {
	text := bytes.ToLower(bytes.TrimSpace(body[:min(len(body), start)]))
	return bytes.HasPrefix(text, []byte("<!doctype html")) || bytes.HasPrefix(text, []byte("<html"))
}
