package kdocssim

import (
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Call names a call of the API, or the page that asks for consent.
type Call string

// The calls.
const (
	AuthPage       Call = "auth_page"
	AccessToken    Call = "access_token"
	RefreshToken   Call = "refresh_token"
	UserBasic      Call = "user_basic"
	Files          Call = "files"
	FlatFiles      Call = "files_flat"
	Schemas        Call = "schemas"
	Records        Call = "records"
	AttachmentURLs Call = "attachment_urls"
)

// The scopes.
const (
	ScopeUser     = "user_basic"
	ScopeFiles    = "access_personal_files"
	ScopeDownload = "download_personal_files"
)

// The codes of errors that the server knows.
const (
	badCode      = 20001
	badRefresh   = 20002
	badToken     = 20007
	noPermission = 40001
	badApp       = 40002
	badParameter = 40003
	noSuchThing  = 40004
	internal     = 50001
)

// endpoint is how a call is reached and what it needs.
type endpoint struct {
	call    Call
	pattern string // of http.ServeMux
	scope   string // empty for calls that take no token
	// Calls a day, of an app that is tested and of one that is released; 0 for
	// any number.
	test, released int
	handle         func(*Server, *request) *answer // s.mu is held
}

// endpoints are all that there are.
func endpoints() []*endpoint { return slices.Concat(authEndpoints, fileEndpoints, tableEndpoints) }

// request is a call with its body read.
type request struct {
	*http.Request
	endpoint *endpoint
	body     []byte
	app      *App // whose token it came with
}

// answer is what a call says.
type answer struct {
	status int
	header http.Header
	body   any    // JSON
	text   string // instead of it
	drop   bool   // the connection is closed without an answer
}

func success(data any) *answer {
	return &answer{status: http.StatusOK, body: map[string]any{"code": 0, "data": data, "result": "ok"}}
}

// Errors is how the API says that something is wrong.
type Errors struct {
	// Status is the HTTP status of all of them: 200, or one of 4xx. 0 is that of
	// each code.
	Status int
	// Field has the text: "result" if empty. "msg", "message", "hint" and "debug"
	// were seen, too.
	Field string
}

// Failure is something that goes wrong with calls.
type Failure struct {
	// Skip calls pass before the first that fails, and Times fail; once if 0.
	Skip, Times int
	// After lets the call have its effect before the answer is replaced or lost.
	After bool
	// Drop closes the connection instead of answering.
	Drop bool
	// Status, Header and Body are the answer: 500 if Status is 0, and an error
	// of the API with Code if Body is empty; 50001 if Code is 0.
	Status int
	Header http.Header
	Body   string
	Code   int
}

// gate is how the API behaves. It is guarded by Server.mu.
type gate struct {
	errors   Errors
	failures map[Call]*Failure
}

func newGate() gate {
	return gate{errors: Errors{Status: http.StatusOK}, failures: make(map[Call]*Failure)}
}

// SetErrors says how errors look: HTTP status 200 and the text in "result" until
// told otherwise.
func (s *Server) SetErrors(e Errors) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate.errors = e
}

// Fail lets f befall the next calls of a kind that may be made. It takes the
// place of a former one.
func (s *Server) Fail(call Call, f Failure) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.Times = max(1, f.Times)
	s.gate.failures[call] = &f
}

// failing is the failure whose turn it is, or nil. s.mu is held.
func (s *Server) failing(call Call) *Failure {
	f := s.gate.failures[call]
	switch {
	case f == nil || f.Times == 0:
		return nil
	case f.Skip > 0:
		f.Skip--
		return nil
	}
	f.Times--
	s.counts(call).Failed++
	return f
}

// answer is what comes instead of the right one.
func (f *Failure) answer(s *Server) *answer {
	a := s.refuse(orDefault(f.Code, internal), "internal error")
	a.status = orDefault(f.Status, http.StatusInternalServerError)
	a.header, a.text, a.drop = f.Header, f.Body, f.Drop
	return a
}

func orDefault(n, otherwise int) int {
	if n == 0 {
		return otherwise
	}
	return n
}

// refuse answers with a code. s.mu is held.
func (s *Server) refuse(code int, text string) *answer {
	field := s.gate.errors.Field
	body := map[string]any{"code": code, "result": "error"}
	if field == "" {
		field = "result"
	}
	body[field] = text
	return &answer{status: orDefault(s.gate.errors.Status, statusOf(code)), body: body}
}

func statusOf(code int) int {
	switch code {
	case badToken, badRefresh:
		return http.StatusUnauthorized
	case noPermission, badApp:
		return http.StatusForbidden
	case noSuchThing:
		return http.StatusNotFound
	default:
		return http.StatusBadRequest
	}
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	for _, e := range endpoints() {
		mux.HandleFunc(e.pattern, func(w http.ResponseWriter, r *http.Request) { s.serve(w, r, e) })
	}
	mux.HandleFunc("/", s.serveUnknown)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.EscapedPath(), "//") { // or the mux would redirect
			s.serveUnknown(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

func (s *Server) serveUnknown(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.record(r, http.StatusNotFound)
	s.mu.Unlock()
	http.NotFound(w, r)
}

// mostBody bounds the body of a call.
const mostBody = 1 << 20

func (s *Server) serve(w http.ResponseWriter, r *http.Request, e *endpoint) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, mostBody))
	s.mu.Lock()
	a := s.refuse(badParameter, "invalid body")
	if err == nil && r.Method != http.MethodHead {
		a = s.answer(&request{Request: r, endpoint: e, body: body})
	}
	status := a.status
	if a.drop {
		status = 0
	}
	s.record(r, status)
	s.mu.Unlock()
	a.send(w)
}

func (a *answer) send(w http.ResponseWriter) {
	if a.drop {
		panic(http.ErrAbortHandler)
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	if a.text != "" || a.body == nil {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	for name, values := range a.header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(a.status)
	if a.text != "" || a.body == nil {
		_, _ = io.WriteString(w, a.text)
		return
	}
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(a.body)
}

// answer is what the API says to q: token, scope and the calls of the day come
// before the call itself. s.mu is held.
func (s *Server) answer(q *request) *answer {
	e := q.endpoint
	s.counts(e.call).Calls++
	if e.scope != "" {
		var refused *answer
		if q.app, refused = s.authorize(q); refused != nil {
			s.counts(e.call).Refused++
			return refused
		}
		if refused = s.spend(q.app, e); refused != nil {
			return refused
		}
	}
	f := s.failing(e.call)
	if f != nil && !f.After {
		return f.answer(s)
	}
	a := e.handle(s, q)
	if f != nil {
		return f.answer(s)
	}
	return a
}
