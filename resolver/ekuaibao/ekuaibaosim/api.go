package ekuaibaosim

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/attachfs/attachfs/internal/linksim"
)

// most is how many items a call takes; more it answers in plain words.
const most = 100

// documentedLife is that of a token.
const documentedLife = 2 * time.Hour

// The credential that the company takes.
const (
	AppKey      = "key-of-the-company"
	AppSecurity = linksim.Marker + "-security-of-the-company"
)

// auth is the state of tokens. It is guarded by Server.mu.
type auth struct {
	life, settle time.Duration
	tokens       map[string]token
}

type token struct{ from, until time.Time }

func newAuth() auth { return auth{life: documentedLife, tokens: make(map[string]token)} }

// reply is an answer of the API; body is JSON, or words if it is a string.
type reply struct {
	status int
	body   any
	items  int // that were asked for
	drive  int // of them, in the drive
}

func ok(body any) reply { return reply{status: http.StatusOK, body: body} }

// refusal is an error as most calls tell it.
func refusal(status int, message string) reply {
	return reply{status: status, body: map[string]any{"errorCode": status, "errorMessage": message}}
}

// tooMany is not JSON, and was taken for success by who looked at the status.
func tooMany(items int) reply {
	return reply{status: http.StatusOK, body: "单次查询数量不能超过100", items: items}
}

// handler answers a call. Server.mu is held.
type handler func(s *Server, r *http.Request, body []byte) reply

// route is a call: a path that ends with a slash or a "$" goes on.
type route struct {
	call         Call
	method, path string
	handle       handler
}

const root = "/api/openapi"

// routes are all that there is: what writes is not.
var routes = []route{
	{LocationCall, http.MethodGet, root + "/v2/location", (*Server).location},
	{TokenCall, http.MethodPost, root + "/v1/auth/getAccessToken", (*Server).issueToken},
	{ListCall, http.MethodGet, root + "/v1.1/docs/getApplyList", (*Server).list},
	{DocumentCall, http.MethodGet, root + "/v1.1/flowDetails", (*Server).documentByID},
	{DocumentCall, http.MethodGet, root + "/v1.1/flowDetails/byCode", (*Server).documentByCode},
	{AttachmentsCall, http.MethodPost, root + "/v1/flowDetails/attachment", (*Server).attachments},
	{ReceiptsCall, http.MethodGet, root + "/v1/flowDetails/getReceipt/$", (*Server).receipts},
	{SearchCall, http.MethodPost, root + "/v2/extension/flow/INVOICE/search", (*Server).searchInvoices},
	{InvoicesCall, http.MethodPost, root + "/v2/extension/INVOICE/url", (*Server).invoiceLinks},
	{LinksCall, http.MethodPost, root + "/v2/attachment/downloadurls", (*Server).downloadURLs},
}

func routeOf(r *http.Request) (route, bool) {
	for _, way := range routes {
		// The path is looked at as it came: "%24" is no "$" here.
		path := r.URL.EscapedPath()
		if way.method == r.Method && (path == way.path || strings.HasSuffix(way.path, "$") && strings.HasPrefix(path, way.path)) {
			return way, true
		}
	}
	return route{}, false
}

// api answers at one of the two addresses.
func (s *Server) api(host int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(io.LimitReader(r.Body, 8<<20))
		way, known := routeOf(r)
		if err != nil || !known {
			http.Error(w, "404 page not found", http.StatusNotFound)
			return
		}
		s.mu.Lock()
		p, f := s.answer(host, way, r, body)
		s.record(Request{Call: way.call, Items: p.items, Drive: p.drive, Status: p.status})
		s.mu.Unlock()
		if f != nil {
			f.send(w)
			return
		}
		p.send(w)
	})
}

// answer finds out whether the call may be made, and makes it. s.mu is held.
func (s *Server) answer(host int, way route, r *http.Request, body []byte) (reply, *Fault) {
	here := host == 0
	if way.call != LocationCall && s.moved == here {
		return refusal(http.StatusForbidden, "密钥无效"), nil
	}
	if way.call != LocationCall && way.call != TokenCall && !s.authorized(r) {
		return refusal(http.StatusForbidden, "accessToken无效或已过期"), nil
	}
	if s.denied[way.call] {
		return refusal(http.StatusForbidden, "不允许调用此接口"), nil
	}
	if f := s.fault(way.call); f != nil {
		return reply{status: f.Status}, f
	}
	return way.handle(s, r, body), nil
}

// authorized looks at the token of the query. s.mu is held.
func (s *Server) authorized(r *http.Request) bool {
	t, known := s.auth.tokens[r.URL.Query().Get("accessToken")]
	now := s.now()
	return known && !now.Before(t.from) && now.Before(t.until)
}

func (s *Server) location(r *http.Request, _ []byte) reply {
	if r.URL.Query().Get("corpId") != CorpID {
		return refusal(http.StatusBadRequest, "企业不存在")
	}
	address := s.urls[0]
	if s.moved {
		address = s.urls[1]
	}
	return ok(map[string]any{"value": address + "/"})
}

func (s *Server) issueToken(_ *http.Request, body []byte) reply {
	var asked struct{ AppKey, AppSecurity string }
	if json.Unmarshal(body, &asked) != nil || asked.AppKey != AppKey || asked.AppSecurity != AppSecurity {
		return refusal(http.StatusForbidden, "密钥无效")
	}
	// Tokens have a colon, and what a query has to escape.
	name := "ID_" + linksim.Marker + "+" + rand.Text() + ":" + CorpID
	now := s.now()
	until := now.Add(s.auth.life)
	s.auth.tokens[name] = token{now.Add(s.auth.settle), until}
	return ok(map[string]any{"value": map[string]any{
		"accessToken": name, "refreshToken": "ID_" + linksim.Marker + rand.Text(),
		"expireTime": until.UnixMilli(), "corporationId": CorpID,
	}})
}

func (p reply) send(w http.ResponseWriter) {
	if words, isText := p.body.(string); isText {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.WriteHeader(p.status)
		_, _ = io.WriteString(w, words)
		return
	}
	w.Header().Set("Content-Type", "application/json;charset=UTF-8")
	w.WriteHeader(p.status)
	_ = json.NewEncoder(w).Encode(p.body)
}

func (f *Fault) send(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if f.Type != "" {
		w.Header().Set("Content-Type", f.Type)
	}
	for name, values := range f.Header {
		w.Header()[http.CanonicalHeaderKey(name)] = values
	}
	w.WriteHeader(f.Status)
	_, _ = io.WriteString(w, f.Body)
}
