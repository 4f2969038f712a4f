package feishusim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// AllMailboxes as the range of an app is every mailbox.
const AllMailboxes = "*"

// OfflineAccess is the scope without which a user gets no refresh token.
const OfflineAccess = "offline_access"

// App is a custom app of the tenant.
type App struct {
	ID, Secret string
	// Scopes are those that the app was given; a user's token has no others.
	Scopes []string
	// DataRange is the addresses of the mailboxes that tenant tokens may read;
	// none if empty, every one with AllMailboxes.
	DataRange []string
}

type app struct {
	App
	tenantToken string // the latest
}

// token is a tenant's, or a user's.
type token struct {
	app     *app
	user    string   // the address; empty for a tenant token
	scopes  []string // of the user
	dies    time.Time
	revoked bool
}

// refreshToken works once.
type refreshToken struct {
	token
	used bool
}

// auth is the state of tokens. It is guarded by Server.mu.
type auth struct {
	life        time.Duration
	wrongSecret int // code
	tokens      map[string]*token
	refresh     map[string]*refreshToken
	person      person
}

func newAuth() auth {
	return auth{
		life: documentedLife, wrongSecret: 10015,
		tokens: make(map[string]*token), refresh: make(map[string]*refreshToken), person: newPerson(),
	}
}

const (
	documentedLife = 2 * time.Hour
	refreshLife    = 7 * 24 * time.Hour
	// keepsFor is how much of its life a tenant token must have left for being
	// handed out again.
	keepsFor = 30 * time.Minute
)

var authEndpoints = []*endpoint{{
	call: TenantToken, pattern: "POST /open-apis/auth/v3/tenant_access_token/internal", open: true,
	refuses: refusals{
		bad:      refusal{http.StatusBadRequest, 10003, "invalid param"},
		internal: refusal{http.StatusInternalServerError, 5000, "internal error"},
	},
	handle: (*Server).issueTenantToken,
}, {
	call: UserToken, pattern: "POST /open-apis/authen/v2/oauth/token", open: true,
	rates: []Rate{{1000, time.Minute}, {50, time.Second}},
	refuses: refusals{
		bad:      refusal{http.StatusBadRequest, 20001, "missing parameter"},
		internal: refusal{http.StatusInternalServerError, 20050, "server error"},
	},
	handle: (*Server).grantUserToken,
}, {
	call: AuthorizePage, pattern: "GET /open-apis/authen/v1/authorize", open: true, handle: (*Server).askPerson,
}, {
	call: DeviceAuthorization, pattern: "POST /oauth/v1/device_authorization", open: true,
	refuses: refusals{bad: refusal{http.StatusBadRequest, 20001, "missing parameter"}},
	handle:  (*Server).startDevice,
}}

// AddApp adds an app, or changes the one of that ID; its tokens stay.
func (s *Server) AddApp(a App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Scopes, a.DataRange = slices.Clone(a.Scopes), slices.Clone(a.DataRange)
	if old, ok := s.apps[a.ID]; ok {
		old.App = a
		return
	}
	s.apps[a.ID] = &app{App: a}
}

// SetTokenLife says how long the tokens live that are issued from now on: two
// hours until told otherwise. The time scale shortens it.
func (s *Server) SetTokenLife(life time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth.life = life
}

// SetWrongSecretCode says with which code a wrong secret is refused: 10015 until
// told otherwise; 10014 was seen, too.
func (s *Server) SetWrongSecretCode(code int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth.wrongSecret = code
}

// IssueUserToken logs a user in to an app that was added: what the browser does
// elsewhere. The user is an address. The refresh token is empty unless scopes
// hold [OfflineAccess].
func (s *Server) IssueUserToken(appID, user string, scopes ...string) (access, refresh string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.issueUserToken(s.apps[appID], user, slices.Clone(scopes))
}

// RevokeTokens ends all tenant and user tokens issued so far. Refresh tokens
// stay.
func (s *Server) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.auth.tokens {
		t.revoked = true
	}
	for _, a := range s.apps {
		a.tenantToken = ""
	}
}

// authorize finds the token that a header brings. s.mu is held.
func (s *Server) authorize(header string) (*token, *answer) {
	given, ok := strings.CutPrefix(header, "Bearer ")
	if !ok || given == "" {
		return nil, s.refused(99991661, "Missing access token for authorization.")
	}
	isUser := strings.HasPrefix(given, "u-") || strings.HasPrefix(given, "eyJ")
	if !isUser && !strings.HasPrefix(given, "t-") {
		return nil, s.refused(99991671, "Invalid access token format.")
	}
	t, known := s.auth.tokens[given]
	switch {
	case known && !t.revoked && s.now().Before(t.dies):
		return t, nil
	case known && !t.revoked && isUser:
		return nil, s.refused(99991677, "Authentication token expired.")
	case isUser:
		return nil, s.refused(99991668, "Invalid access token for authorization.")
	default:
		return nil, s.refused(99991663, "Invalid access token for authorization. Please make a test attempt with the correct token.")
	}
}

func (s *Server) issueTenantToken(q *request) *answer {
	var asked struct {
		ID     string `json:"app_id"`
		Secret string `json:"app_secret"`
	}
	if json.Unmarshal(q.body, &asked) != nil || asked.ID == "" || asked.Secret == "" {
		return q.endpoint.refuses.bad.answer()
	}
	a, ok := s.apps[asked.ID]
	if !ok {
		return s.refused(10014, "app not exist")
	}
	if a.Secret != asked.Secret {
		return s.refused(s.auth.wrongSecret, "app secret invalid")
	}
	t, ok := s.auth.tokens[a.tenantToken]
	if !ok || t.dies.Sub(s.now()) < s.scaled(keepsFor) {
		a.tenantToken = secret("t-", 40)
		t = &token{app: a, dies: s.now().Add(s.scaled(s.auth.life))}
		s.auth.tokens[a.tenantToken] = t
	}
	return flat(http.StatusOK, map[string]any{
		"code": 0, "msg": "ok", "tenant_access_token": a.tenantToken, "expire": wholeSeconds(t.dies.Sub(s.now())),
	})
}

// issueUserToken makes tokens of the size that the documents tell. s.mu is held.
func (s *Server) issueUserToken(a *app, user string, scopes []string) (access, refresh string) {
	access = secret("eyJ", 1200)
	t := token{app: a, user: user, scopes: scopes, dies: s.now().Add(s.scaled(s.auth.life))}
	s.auth.tokens[access] = &t
	if slices.Contains(scopes, OfflineAccess) {
		refresh = secret("eyJ", 1200)
		r := &refreshToken{token: t}
		r.dies = s.now().Add(s.scaled(refreshLife))
		s.auth.refresh[refresh] = r
	}
	return access, refresh
}

// oauthFields reads a body of JSON, or of a form, as Lark's own client sends.
func oauthFields(q *request) map[string]string {
	fields := make(map[string]string)
	if strings.HasPrefix(q.Header.Get("Content-Type"), "application/x-www-form-urlencoded") {
		form, _ := url.ParseQuery(string(q.body)) // what is broken is missing
		for name := range form {
			fields[name] = form.Get(name)
		}
		return fields
	}
	if json.Unmarshal(q.body, &fields) != nil {
		return nil
	}
	return fields
}

// grantUserToken trades what a grant brings for tokens.
func (s *Server) grantUserToken(q *request) *answer {
	fields := oauthFields(q)
	for _, name := range []string{"grant_type", "client_id", "client_secret"} {
		if fields[name] == "" {
			return q.endpoint.refuses.bad.answer()
		}
	}
	grants := map[string]struct {
		needs  string
		handle func(*app, map[string]string) *answer
	}{
		"refresh_token":      {"refresh_token", s.refreshUserToken},
		"authorization_code": {"code", s.exchangeCode},
		deviceGrant:          {"device_code", s.pollDevice},
	}
	grant, ok := grants[fields["grant_type"]]
	switch {
	case !ok:
		return oauthRefusal(20036, "unsupported_grant_type")
	case fields[grant.needs] == "":
		return q.endpoint.refuses.bad.answer()
	}
	a, ok := s.apps[fields["client_id"]]
	switch {
	case !ok:
		return oauthRefusal(20048, "invalid_client")
	case a.Secret != fields["client_secret"]:
		return oauthRefusal(20002, "invalid_client")
	}
	return grant.handle(a, fields)
}

func (s *Server) refreshUserToken(a *app, fields map[string]string) *answer {
	old, ok := s.auth.refresh[fields["refresh_token"]]
	switch {
	case !ok:
		return oauthRefusal(20026, "invalid_grant")
	case old.app != a:
		return oauthRefusal(20024, "invalid_grant")
	case old.used:
		return oauthRefusal(20073, "invalid_grant")
	case !s.now().Before(old.dies):
		return oauthRefusal(20037, "invalid_grant")
	}
	old.used = true
	return s.tellUserTokens(a, old.user, old.scopes)
}

// tellUserTokens answers with new tokens of a user. s.mu is held.
func (s *Server) tellUserTokens(a *app, user string, scopes []string) *answer {
	access, refresh := s.issueUserToken(a, user, scopes)
	body := map[string]any{
		"code": 0, "access_token": access, "expires_in": wholeSeconds(s.scaled(s.auth.life)),
		"token_type": "Bearer", "scope": strings.Join(scopes, " "),
	}
	if refresh != "" {
		body["refresh_token"], body["refresh_token_expires_in"] = refresh, wholeSeconds(s.scaled(refreshLife))
	}
	return flat(http.StatusOK, body)
}

func oauthRefusal(code int, kind string) *answer {
	return flat(http.StatusBadRequest, map[string]any{"code": code, "error": kind, "error_description": "the token was not issued"})
}
