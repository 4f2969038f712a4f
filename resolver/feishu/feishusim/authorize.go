package feishusim

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The calls of logins, which are at the same address here.
const (
	AuthorizePage       Call = "authorize_page"
	DeviceAuthorization Call = "device_authorization"
)

// Consent is what the person does who is asked to log in.
type Consent string

// What a person may do.
const (
	Agrees   Consent = "agrees"
	Refuses  Consent = "refuses"
	Hesitate Consent = "hesitates" // and a device waits
)

const (
	deviceGrant = "urn:ietf:params:oauth:grant-type:device_code"
	// codeLife is what the documents tell; deviceLife and deviceInterval are what
	// the official client assumes.
	codeLife       = 5 * time.Minute
	deviceLife     = 240 * time.Second
	deviceInterval = 5 * time.Second
	mostScopes     = 50
)

// person is who logs in, and what is under way. It is guarded by Server.mu.
type person struct {
	address   string
	consent   Consent
	redirects []string // that the app has registered; nil is any
	codes     map[string]*loginCode
	devices   map[string]*device
}

// loginCode works once.
type loginCode struct {
	app                 *app
	scopes              []string
	redirect, challenge string
	dies                time.Time
}

// device waits for a person.
type device struct {
	app    *app
	scopes []string
	dies   time.Time
	next   time.Time // before which it asks too often
}

func newPerson() person {
	return person{
		address: "me@example.com", consent: Agrees,
		codes: make(map[string]*loginCode), devices: make(map[string]*device),
	}
}

// SetPerson says who logs in: me@example.com until told otherwise.
func (s *Server) SetPerson(address string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth.person.address = address
}

// SetConsent says what the person does: [Agrees] until told otherwise.
func (s *Server) SetConsent(c Consent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth.person.consent = c
}

// SetRedirects says which redirect_uri apps have registered; any until told
// otherwise.
func (s *Server) SetRedirects(redirects ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.auth.person.redirects = slices.Clone(redirects)
}

// granted are the scopes that were asked for, if the app has them.
func granted(a *app, text string) (scopes []string, code int) {
	scopes = strings.Fields(text)
	for _, scope := range scopes {
		if scope != OfflineAccess && !slices.Contains(a.Scopes, scope) {
			return nil, 20027
		}
	}
	if len(scopes) > mostScopes {
		return nil, 20067
	}
	return scopes, 0
}

// askPerson is the page in the browser. The person answers at once.
func (s *Server) askPerson(q *request) *answer {
	query, p := q.URL.Query(), &s.auth.person
	a, redirect := s.apps[query.Get("client_id")], query.Get("redirect_uri")
	target, err := url.Parse(redirect)
	switch {
	case a == nil:
		return oauthRefusal(20048, "invalid_client")
	case query.Get("response_type") != "code":
		return oauthRefusal(20001, "unsupported_response_type")
	case err != nil || target.Host == "" || p.redirects != nil && !slices.Contains(p.redirects, redirect):
		return oauthRefusal(20029, "invalid redirect_uri")
	case query.Get("code_challenge") != "" && query.Get("code_challenge_method") != "S256":
		return oauthRefusal(20001, "plain challenges are not played here")
	}
	scopes, code := granted(a, query.Get("scope"))
	if code != 0 {
		return oauthRefusal(code, "invalid_scope")
	}
	back := target.Query()
	back.Set("state", query.Get("state"))
	switch p.consent {
	case Hesitate:
		return flat(http.StatusOK, map[string]any{"page": "Do you agree?"})
	case Refuses:
		back.Set("error", "access_denied")
	default:
		given := secret("", 32)
		p.codes[given] = &loginCode{a, scopes, redirect, query.Get("code_challenge"), s.now().Add(s.scaled(codeLife))}
		back.Set("code", given)
	}
	target.RawQuery = back.Encode()
	return &answer{status: http.StatusFound, header: http.Header{"Location": {target.String()}}, body: map[string]any{}}
}

// exchangeCode trades the code of the page. s.mu is held.
func (s *Server) exchangeCode(a *app, fields map[string]string) *answer {
	p := &s.auth.person
	c, ok := p.codes[fields["code"]]
	delete(p.codes, fields["code"])
	sum := sha256.Sum256([]byte(fields["code_verifier"]))
	challenge := base64.RawURLEncoding.EncodeToString(sum[:])
	switch {
	case !ok || !s.now().Before(c.dies):
		return oauthRefusal(20003, "invalid_grant")
	case c.app != a:
		return oauthRefusal(20024, "invalid_grant")
	case fields["redirect_uri"] != "" && fields["redirect_uri"] != c.redirect:
		return oauthRefusal(20071, "invalid_grant")
	case c.challenge != "" && subtle.ConstantTimeCompare([]byte(challenge), []byte(c.challenge)) != 1:
		return oauthRefusal(20049, "invalid_grant")
	}
	return s.tellUserTokens(a, p.address, c.scopes)
}

// startDevice begins a login without a browser of its own. It wants the app's
// secret in the header, as the official client sends it.
func (s *Server) startDevice(q *request) *answer {
	fields := oauthFields(q)
	id, key, basic := q.BasicAuth()
	a := s.apps[fields["client_id"]]
	switch {
	case fields["client_id"] == "" || !basic:
		return q.endpoint.refuses.bad.answer()
	case a == nil || id != a.ID || key != a.Secret:
		return oauthRefusal(20002, "invalid_client")
	}
	scopes, code := granted(a, fields["scope"])
	if code != 0 {
		return oauthRefusal(code, "invalid_scope")
	}
	given := secret("", 32)
	s.auth.person.devices[given] = &device{app: a, scopes: scopes, dies: s.now().Add(s.scaled(deviceLife))}
	page := s.url + "/device"
	return flat(http.StatusOK, map[string]any{
		"device_code": given, "user_code": "ABCD-EFGH", "verification_uri": page,
		"verification_uri_complete": page + "?user_code=ABCD-EFGH",
		"expires_in":                wholeSeconds(s.scaled(deviceLife)), "interval": wholeSeconds(s.scaled(deviceInterval)),
	})
}

// pollDevice trades the code of a device, once the person agreed. s.mu is held.
func (s *Server) pollDevice(a *app, fields map[string]string) *answer {
	p, now := &s.auth.person, s.now()
	d, ok := p.devices[fields["device_code"]]
	switch {
	case !ok || d.app != a:
		return oauthRefusal(20026, "invalid_grant")
	case !now.Before(d.dies):
		return oauthRefusal(20037, "expired_token")
	case now.Before(d.next):
		return oauthRefusal(20072, "slow_down")
	}
	d.next = now.Add(s.scaled(deviceInterval) * 9 / 10) // a clock's tick early is no offence
	switch p.consent {
	case Hesitate:
		return oauthRefusal(20071, "authorization_pending")
	case Refuses:
		return oauthRefusal(20071, "access_denied")
	}
	delete(p.devices, fields["device_code"])
	return s.tellUserTokens(a, p.address, d.scopes)
}
