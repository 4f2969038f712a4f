package stream

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Where nobody knows the length, an error message under 200 must not become the
// file: its length would be learnt for ever.
func TestLearn_TakesNoMessageForTheFile(t *testing.T) {
	for name, c := range map[string]struct{ contentType, body string }{
		"throttled, as text":         {"text/plain", "Too many requests"},
		"throttled, envelope":        {"text/plain", `{"code":1254290,"msg":"TooManyRequest"}`},
		"token, no type in special":  {"application/octet-stream", `{"code":99991663,"msg":"Invalid access token"}`},
		"token, without a type":      {"", `{"code":99991663,"msg":"Invalid access token"}`},
		"store's error, octets":      {"application/octet-stream", `<?xml version="1.0"?><Error><Code>AccessDenied</Code><Message>no</Message></Error>`},
		"login page, without a type": {"", `<!DOCTYPE html><html><head><title>Login</title></head><body><form action="/login"><input type="password"></form></body></html>`},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 64*mib, func(t *testing.T, r *rig) {
				f := r.put("scan.pdf", 100*kib, func(o *object) {
					o.always = &fault{status: http.StatusOK, header: http.Header{"Content-Type": {c.contentType}}, body: c.body}
				})
				f.Size = unknown
				_, err := r.source.Learn(t.Context(), f)
				require.Error(t, err)
				assert.Empty(t, r.ledger.known)
			})
		})
	}
}

// What may look like a message by its name is the file.
func TestLearn_TakesWhatTheNameSays(t *testing.T) {
	for name, body := range map[string]string{
		"reply.json": `{"code":99991663,"msg":"a saved answer"}`,
		"error.xml":  `<Error><Code>AccessDenied</Code></Error>`,
		"login.html": `<html><form action="/login"><input type="password"></form></html>`,
		"notes.txt":  "what to do about too many requests, in a few words",
		"README":     "hello",
		"a.pdf":      "%PDF-1.4 and so on",
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, 64*mib, func(t *testing.T, r *rig) {
				f := r.put(name, 100*kib, func(o *object) {
					o.always = &fault{status: http.StatusOK, header: http.Header{"Content-Type": {"application/octet-stream"}}, body: body}
				})
				f.Size = unknown
				identity, err := r.source.Learn(t.Context(), f)
				require.NoError(t, err)
				assert.EqualValues(t, len(body), identity.Size)
			})
		})
	}
}
