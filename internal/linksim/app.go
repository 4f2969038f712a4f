package linksim

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"time"
)

// app is who may ask for tokens.
type app struct {
	id, secret string
	life       time.Duration // of its tokens
}

// WithApp makes the API hand out tokens, and want one: TokenCall takes the id
// and the secret of the app, and answers with a token that lives for life and
// holds [Marker]. Earlier tokens live on until their own end. A token of
// [WithToken] is as good as one that was handed out.
func WithApp(id, secret string, life time.Duration) Option {
	return func(o *Origin) error {
		if id == "" || life <= 0 {
			return errors.New("an app needs an id, and its tokens some life")
		}
		o.app = app{id, secret, life}
		return nil
	}
}

// SetToken changes the token that the API asks for, as when it was revoked;
// tokens that were handed out end with it. With the empty one, the API asks for
// a token of the app, and without an app (see [WithApp]) for none.
func (o *Origin) SetToken(token string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.token = token
	clear(o.tokens)
}

// authorized reports whether r came with a token that the API takes.
func (o *Origin) authorized(r *http.Request) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.token == "" && o.app.id == "" {
		return true
	}
	given := r.Header.Get("Authorization")
	if o.token != "" && given == "Bearer "+o.token {
		return true
	}
	return time.Now().Before(o.tokens[given])
}

// issueToken answers a call for a token.
func (o *Origin) issueToken(r *http.Request) *reply {
	var asked struct {
		ID     string `json:"app_id"`
		Secret string `json:"app_secret"`
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, maxIDs))
	if err != nil || json.Unmarshal(body, &asked) != nil {
		return errorReply(http.StatusBadRequest, "the body must hold an app_id and an app_secret")
	}
	if asked.ID != o.app.id || asked.Secret != o.app.secret {
		return errorReply(http.StatusUnauthorized, "no such app, or another secret")
	}
	token := "token-" + Marker + rand.Text()
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	maps.DeleteFunc(o.tokens, func(_ string, dies time.Time) bool { return !now.Before(dies) })
	o.tokens["Bearer "+token] = now.Add(o.app.life)
	return jsonReply(http.StatusOK, map[string]any{
		"token": token, "expires_in": int64((o.app.life + time.Second - 1) / time.Second),
	})
}
