package feishusim

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
)

// Call names a call of the API.
type Call string

// The calls.
const (
	TenantToken         Call = "tenant_access_token"
	UserToken           Call = "oauth_token"
	AccessibleMailboxes Call = "accessible_mailboxes"
	Folders             Call = "folders"
	Messages            Call = "messages"
	GetMessage          Call = "message"
	BatchGet            Call = "batch_get"
	DownloadURL         Call = "download_url"

	RootFolder    Call = "root_folder"
	DriveFiles    Call = "drive_files"
	Metas         Call = "metas"
	FileDownload  Call = "file_download"
	MediaLinks    Call = "media_links"
	MediaDownload Call = "media_download"
	Document      Call = "document"
	Blocks        Call = "blocks"
	Spreadsheets  Call = "spreadsheet"
	SheetsQuery   Call = "sheets_query"
	Values        Call = "values"
	ValuesBatch   Call = "values_batch_get"
	FloatImages   Call = "float_images"
	BaseApp       Call = "base_app"
	BaseTables    Call = "base_tables"
	BaseFields    Call = "base_fields"
	BaseSearch    Call = "base_search"
	WikiSpaces    Call = "wiki_spaces"
	WikiSpace     Call = "wiki_space"
	WikiNodes     Call = "wiki_nodes"
	WikiNodeInfo  Call = "wiki_node"
)

// endpoint is how a call is reached and what it needs.
type endpoint struct {
	call    Call
	pattern string   // of http.ServeMux
	open    bool     // takes no token
	scopes  []string // any of them
	rates   []Rate
	perDay  int      // calls of an app, by the clock of Beijing; 0 is any number
	over    *refusal // instead of the gateway's, to who exceeds a rate
	refuses refusals
	handle  func(*Server, *request) *answer // s.mu is held
}

// endpoints are all that there are.
func endpoints() []*endpoint {
	return slices.Concat(authEndpoints, mailEndpoints, driveEndpoints, docxEndpoints, sheetEndpoints, baseEndpoints, wikiEndpoints)
}

// refusal is one line of a table of errors.
type refusal struct {
	status, code int
	msg          string
}

// refusals are the table of errors of one call.
type refusals struct {
	bad, denied, internal refusal
	noMailbox, noMessage  refusal // of mail
	missing, deleted      refusal // of documents
	pageToken             refusal // of documents
}

// request is a call with its body read.
type request struct {
	*http.Request
	endpoint *endpoint
	body     []byte
	token    *token // nil for open calls
}

// answer is what a call says.
type answer struct {
	status int
	header http.Header
	body   map[string]any
	file   *download // instead of a body
}

func success(v any) *answer {
	return flat(http.StatusOK, map[string]any{"code": 0, "msg": "success", "data": v})
}

func refuse(status, code int, msg string) *answer {
	return flat(status, map[string]any{"code": code, "msg": msg})
}

// answer refuses; without a code the body is empty.
func (r refusal) answer() *answer {
	if r.code == 0 {
		return flat(r.status, nil)
	}
	return refuse(r.status, r.code, r.msg)
}

// flat answers without the envelope.
func flat(status int, body map[string]any) *answer {
	return &answer{status: status, header: http.Header{}, body: body}
}

// gate is how the gateway behaves. It is guarded by Server.mu.
type gate struct {
	status  int          // of its own codes
	broken  map[Call]int // calls still to fail
	refused map[Call]*refusedCalls
}

// refusedCalls are the next calls of one kind.
type refusedCalls struct {
	refusal
	times int
}

func newGate() gate {
	return gate{status: http.StatusBadRequest, broken: make(map[Call]int), refused: make(map[Call]*refusedCalls)}
}

// SetGatewayStatus says which HTTP status comes with the gateway's own codes
// (tokens, scopes, quota) and with refused secrets: 400 until told otherwise.
func (s *Server) SetGatewayStatus(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate.status = status
}

// Break makes the next calls of one kind fail with their internal error.
func (s *Server) Break(call Call, times int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate.broken[call] = times
}

// Refuse makes the next calls of one kind fail with a status and a code. Which
// of them a call can meet its page tells; with code 0 the body is empty.
func (s *Server) Refuse(call Call, times, status, code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.gate.refused[call] = &refusedCalls{refusal{status, code, "refused"}, times}
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
	a := e.refuses.bad.answer()
	if err == nil {
		a = s.answer(&request{Request: r, endpoint: e, body: body})
	}
	logged := s.record(r, a.status)
	logID := fmt.Sprintf("%s%020X", s.now().UTC().Format("20060102150405"), s.next())
	s.mu.Unlock()
	if a.file != nil {
		w.Header().Set("X-Tt-Logid", logID)
		s.sendFile(w, r, a.file, logged)
		return
	}
	a.send(w, logID)
}

func (a *answer) send(w http.ResponseWriter, logID string) {
	for name, values := range a.header {
		w.Header()[name] = values
	}
	w.Header().Set("X-Tt-Logid", logID)
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a.body)
}

// answer is what the gateway says to q: token, scopes and limits come before the
// call itself. s.mu is held.
func (s *Server) answer(q *request) *answer {
	call := q.endpoint.call
	s.counts(call).Calls++
	appID := ""
	if !q.endpoint.open {
		var refused *answer
		if q.token, refused = s.authorize(q.Header.Get("Authorization")); refused != nil {
			return refused
		}
		if refused = s.permit(q.token, q.endpoint.scopes); refused != nil {
			return refused
		}
		appID = q.token.app.ID
	}
	if refused := s.limit(appID, q.endpoint); refused != nil {
		return refused
	}
	if s.gate.broken[call] > 0 {
		s.gate.broken[call]--
		return s.refusals(q.endpoint).internal.answer()
	}
	if next := s.gate.refused[call]; next != nil && next.times > 0 {
		next.times--
		return next.answer()
	}
	return q.endpoint.handle(s, q)
}

// refused answers with one of the gateway's own codes. s.mu is held.
func (s *Server) refused(code int, msg string) *answer { return refuse(s.gate.status, code, msg) }

// permit refuses a token that has none of the scopes. s.mu is held.
func (s *Server) permit(t *token, scopes []string) *answer {
	lacks := func(granted []string) bool {
		return !slices.ContainsFunc(scopes, func(scope string) bool { return slices.Contains(granted, scope) })
	}
	var a *answer
	switch {
	case lacks(t.app.Scopes):
		a = s.refused(99991672, fmt.Sprintf("Access denied. One of the following scopes is required: %v.", scopes))
	case t.user != "" && lacks(t.scopes):
		a = s.refused(99991679, fmt.Sprintf("Unauthorized. The user has not granted one of the scopes: %v.", scopes))
	default:
		return nil
	}
	violations := make([]map[string]string, len(scopes))
	for i, scope := range scopes {
		violations[i] = map[string]string{"type": "action_scope_required", "subject": scope}
	}
	a.body["error"] = map[string]any{"permission_violations": violations}
	return a
}
