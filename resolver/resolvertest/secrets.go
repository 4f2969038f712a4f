package resolvertest

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

// minSecret is the length below which a text is found by chance.
const minSecret = 6

// enough links show how links are printed.
const enough = 10

// testSecrets prints whatever a provider hands out, in every way there is.
func testSecrets(t *testing.T, f Fixture, p resolver.Provider) {
	ids := oneBatch(p, linkedFiles(t, p))
	ids = ids[:min(len(ids), enough)]
	answers, err := p.Resolve(t.Context(), ids)
	require.NoError(t, err)
	secrets := slices.Clone(f.Secrets)
	for _, a := range answers {
		secrets = append(secrets, secretsOf(a.Link)...)
	}
	values := append(slices.Clone(f.Print), p, answers)
	for _, a := range answers {
		lease := resolver.NewLease(a.Link, 1, time.Time{}, nil)
		values = append(values, a, a.Link, &a.Link, a.Link.URLs, a.Link.Header, lease)
	}
	for _, err := range someErrors(t, f, p, ids[0]) {
		values = append(values, err, err.Error())
	}
	for _, v := range values {
		checkPrinted(t, v, secrets)
	}
}

// secretsOf lists the texts of a link that nobody may see.
func secretsOf(l resolver.Link) []string {
	var secrets []string
	add := func(s string) {
		if len(s) >= minSecret {
			secrets = append(secrets, s)
		}
	}
	for _, s := range l.URLs {
		add(s.Reveal())
		u, err := url.Parse(s.Reveal())
		if err != nil {
			continue
		}
		add(u.RawQuery)
		for _, values := range u.Query() {
			for _, v := range values {
				add(v)
			}
		}
	}
	for _, s := range l.Header {
		add(s.Reveal())
	}
	return secrets
}

// someErrors provokes the errors that can be had without breaking anything.
func someErrors(t *testing.T, f Fixture, p resolver.Provider, id resolver.ID) []error {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, unknownDir := p.List(t.Context(), f.UnknownDir, "")
	_, listEnded := p.List(ctx, resolver.Root, "")
	_, resolveEnded := p.Resolve(ctx, []resolver.ID{id})
	errs := []error{unknownDir, listEnded, resolveEnded}
	answers, err := p.Resolve(t.Context(), []resolver.ID{f.UnknownFile})
	require.NoError(t, err)
	for _, a := range answers {
		errs = append(errs, a.Err)
	}
	for _, err := range errs {
		require.Error(t, err)
	}
	return errs
}

func checkPrinted(t *testing.T, v any, secrets []string) {
	t.Helper()
	for way, text := range printed(v) {
		lower := strings.ToLower(text)
		shown := slices.ContainsFunc(secrets, func(secret string) bool {
			return strings.Contains(text, secret) || strings.Contains(lower, hex.EncodeToString([]byte(secret)))
		})
		assert.False(t, shown, "%T shows a secret when printed by %s", v, way)
	}
}

// printed returns v as text, by the way it became one.
func printed(v any) map[string]string {
	texts := make(map[string]string)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		texts[verb] = fmt.Sprintf(verb, v)
	}
	if text, err := json.Marshal(v); err == nil {
		texts["json"] = string(text)
	}
	var out bytes.Buffer
	slog.New(slog.NewTextHandler(&out, nil)).Info("printed", "value", v)
	texts["slog text"] = out.String()
	out.Reset()
	slog.New(slog.NewJSONHandler(&out, nil)).Info("printed", "value", v)
	texts["slog json"] = out.String()
	return texts
}
