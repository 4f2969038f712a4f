package kdocssim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// App is an app on the developer platform.
type App struct {
	ID, Key string
	// Scopes are those that the app was given; a person can grant no others.
	Scopes []string
	// Redirects are where logins may be sent to; anywhere if empty.
	Redirects []string
	// Released apps may make more calls a day than those that are tested.
	Released bool
}

// Tokens are what a login brings.
type Tokens struct{ Access, Refresh string }

// Rotation is what becomes of tokens when they are refreshed.
type Rotation struct {
	// Stays answers with the refresh token that came; its end stays, too.
	// Otherwise there is a new one, and the old one is dead.
	Stays bool
	// Grace is how long the old refresh token lives on all the same.
	Grace time.Duration
	// KillsAccess ends the former access token.
	KillsAccess bool
}

// Consent is what the person does at the page that asks.
type Consent string

// What a person may do.
const (
	Agrees   Consent = "agrees"
	Refuses  Consent = "refuses"  // and is sent back without a code
	Hesitate Consent = "hesitate" // over a page that goes nowhere
)

// The lives that the documents tell.
const (
	codeLife    = 5 * time.Minute
	accessLife  = 24 * time.Hour
	refreshLife = 90 * 24 * time.Hour
)

// grant is a login: what codes and tokens stand for.
type grant struct {
	app    *App
	scopes []string
	access string // the latest
}

type token struct {
	*grant
	dies time.Time
}

type code struct {
	token
	redirect string
}

// auth is the state of logins. It is guarded by Server.mu.
type auth struct {
	user, nickname string
	consent        Consent
	rotation       Rotation
	accessLife     time.Duration
	refreshLife    time.Duration
	codes          map[string]code
	access         map[string]token
	refresh        map[string]token
}

func newAuth() auth {
	return auth{
		user: "person-1", nickname: "小明", consent: Agrees, accessLife: accessLife, refreshLife: refreshLife,
		codes: make(map[string]code), access: make(map[string]token), refresh: make(map[string]token),
	}
}

var authEndpoints = []*endpoint{
	{call: AuthPage, pattern: "GET /h5/auth", handle: (*Server).askPerson},
	{call: AccessToken, pattern: "GET /api/v1/oauth2/access_token", handle: (*Server).exchangeCode},
	{call: RefreshToken, pattern: "POST /api/v1/oauth2/refresh_token", handle: (*Server).refreshTokens},
	{call: UserBasic, pattern: "GET /api/v1/openapi/user/basic", scope: ScopeUser, handle: (*Server).tellUser},
}

// AddApp adds an app, or changes the one of that ID; its tokens stay.
func (s *Server) AddApp(a App) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a.Scopes, a.Redirects = slices.Clone(a.Scopes), slices.Clone(a.Redirects)
	if old, ok := s.apps[a.ID]; ok {
		*old = a
		return
	}
	s.apps[a.ID] = &a
}

// Login logs the person in to an app that was added: what the browser does
// elsewhere. Without scopes it is all of the app's.
func (s *Server) Login(appID string, scopes ...string) Tokens {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.apps[appID]
	if len(scopes) == 0 {
		scopes = a.Scopes
	}
	return s.issue(&grant{app: a, scopes: slices.Clone(scopes)})
}

// SetConsent says what the person does at the page: [Agrees] until told
// otherwise.
func (s *Server) SetConsent(c Consent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth.consent = c
}

// SetRotation says what becomes of tokens that are refreshed. Until told
// otherwise the refresh token is replaced and dies at once, and the access token
// lives on.
func (s *Server) SetRotation(r Rotation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth.rotation = r
}

// SetTokenLives says how long the tokens live that are issued from now on: 24
// hours and 90 days until told otherwise. The time scale shortens both.
func (s *Server) SetTokenLives(access, refresh time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth.accessLife, s.auth.refreshLife = access, refresh
}

// RevokeAccess ends all access tokens issued so far. Refresh tokens stay.
func (s *Server) RevokeAccess() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.auth.access)
}

// Logout ends all tokens and codes issued so far, as when the person takes back
// the consent.
func (s *Server) Logout() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.auth.codes)
	clear(s.auth.access)
	clear(s.auth.refresh)
}

// issue makes tokens for a grant. s.mu is held.
func (s *Server) issue(g *grant) Tokens {
	t := Tokens{Refresh: secret("r-", 64)}
	s.auth.refresh[t.Refresh] = token{g, s.now().Add(s.scaled(s.auth.refreshLife))}
	t.Access = s.issueAccess(g)
	return t
}

// issueAccess makes an access token. s.mu is held.
func (s *Server) issueAccess(g *grant) string {
	g.access = secret("a-", 64)
	s.auth.access[g.access] = token{g, s.now().Add(s.scaled(s.auth.accessLife))}
	return g.access
}

// authorize finds the app and the scopes of the token that a call brings, which
// is in the query or not at all. s.mu is held.
func (s *Server) authorize(q *request) (*App, *answer) {
	if q.Header.Get("Authorization") != "" {
		s.counts(q.endpoint.call).Leaks++
	}
	given := q.URL.Query().Get("access_token")
	t, ok := s.auth.access[given]
	switch {
	case given == "":
		return nil, s.refuse(badToken, "access_token is required")
	case !ok || !s.now().Before(t.dies):
		return nil, s.refuse(badToken, "AccessTokenInvalid")
	case !slices.Contains(t.scopes, q.endpoint.scope) || !slices.Contains(t.app.Scopes, q.endpoint.scope):
		return nil, s.refuse(noPermission, "no permission: "+q.endpoint.scope)
	}
	return t.app, nil
}

// askPerson is the page in the browser. The person answers at once.
func (s *Server) askPerson(q *request) *answer {
	query := q.URL.Query()
	a, redirect := s.apps[query.Get("app_id")], query.Get("redirect_uri")
	target, err := url.Parse(redirect)
	switch {
	case a == nil:
		return page(http.StatusBadRequest, "The app does not exist.")
	case err != nil || target.Host == "" || len(a.Redirects) > 0 && !slices.Contains(a.Redirects, redirect):
		return page(http.StatusBadRequest, "redirect_uri is not one of the app's.")
	}
	scopes := strings.Split(query.Get("scope"), ",")
	for _, scope := range scopes {
		if !slices.Contains(a.Scopes, scope) {
			return page(http.StatusBadRequest, "The app does not have all of the scopes.")
		}
	}
	back := target.Query()
	back.Set("state", query.Get("state"))
	switch s.auth.consent {
	case Hesitate:
		return page(http.StatusOK, "Do you agree?")
	case Refuses:
		back.Set("error", "access_denied")
	default:
		back.Set("code", s.issueCode(&grant{app: a, scopes: scopes}, redirect))
	}
	target.RawQuery = back.Encode()
	return &answer{status: http.StatusFound, header: http.Header{"Location": {target.String()}}}
}

// issueCode makes a code. s.mu is held.
func (s *Server) issueCode(g *grant, redirect string) string {
	text := secret("c-", 32)
	s.auth.codes[text] = code{token{g, s.now().Add(s.scaled(codeLife))}, redirect}
	return text
}

func page(status int, text string) *answer {
	return &answer{
		status: status, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}},
		text: "<!DOCTYPE html><html><body><p>" + text + "</p></body></html>\n",
	}
}

// credentials finds the app that an id and a key belong to. s.mu is held.
func (s *Server) credentials(id, key string) (*App, *answer) {
	a := s.apps[id]
	if a == nil || key == "" || a.Key != key {
		return nil, s.refuse(badApp, "invalid app_id or app_key")
	}
	return a, nil
}

func (s *Server) exchangeCode(q *request) *answer {
	query := q.URL.Query()
	a, refused := s.credentials(query.Get("app_id"), query.Get("app_key"))
	if refused != nil {
		return refused
	}
	given := query.Get("code")
	c, ok := s.auth.codes[given]
	if !ok || c.app != a || !s.now().Before(c.dies) {
		return s.refuse(badCode, "invalid code")
	}
	delete(s.auth.codes, given)
	return s.tellTokens(s.issue(c.grant), a)
}

func (s *Server) refreshTokens(q *request) *answer {
	var asked struct {
		Key     string `json:"app_key"`
		Refresh string `json:"refresh_token"`
	}
	if json.Unmarshal(q.body, &asked) != nil || asked.Refresh == "" {
		return s.refuse(badParameter, "invalid body")
	}
	a, refused := s.credentials(q.URL.Query().Get("app_id"), asked.Key)
	if refused != nil {
		return refused
	}
	old, ok := s.auth.refresh[asked.Refresh]
	if !ok || old.app != a || !s.now().Before(old.dies) {
		return s.refuse(badRefresh, "RefreshTokenInvalid")
	}
	r := s.auth.rotation
	if r.KillsAccess {
		delete(s.auth.access, old.access)
	}
	if r.Stays {
		return s.tellTokens(Tokens{Access: s.issueAccess(old.grant), Refresh: asked.Refresh}, a)
	}
	delete(s.auth.refresh, asked.Refresh)
	if grace := s.now().Add(s.scaled(r.Grace)); r.Grace > 0 && grace.Before(old.dies) {
		s.auth.refresh[asked.Refresh] = token{old.grant, grace}
	}
	return s.tellTokens(s.issue(old.grant), a)
}

// tellTokens is the answer to who logs in or refreshes. s.mu is held.
func (s *Server) tellTokens(t Tokens, a *App) *answer {
	return success(map[string]any{
		"access_token": t.Access, "refresh_token": t.Refresh,
		"expires_in": wholeSeconds(s.scaled(s.auth.accessLife)), "app_id": a.ID,
	})
}

func (s *Server) tellUser(*request) *answer {
	return success(map[string]any{
		"id":       map[string]any{"open_id": s.auth.user, "union_id": "u" + s.auth.user},
		"nickname": s.auth.nickname,
	})
}
