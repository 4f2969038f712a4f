package resolver_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
)

const text = "hunter2-signature"

// ways prints v in every way there is; ways that end with an error are left
// out, their errors are not.
func ways(v any) map[string]string {
	out := make(map[string]string)
	for _, verb := range "vsqxXdobOtceEfFgGUpTw" {
		for _, flags := range []string{"", "+", "#", "-30", "30.40", " ", "+#", "# ", "0"} {
			format := "%" + flags + string(verb)
			out[format] = fmt.Sprintf(format, v)
		}
	}
	out["Sprint"] = fmt.Sprint(v)
	out["Sprintln"] = fmt.Sprintln(v)
	out["error"] = fmt.Errorf("opening %v: %w", v, resolver.ErrUnavailable).Error()
	out["joined"] = errors.Join(resolver.ErrChanged, fmt.Errorf("%+v", v)).Error()
	encode := func(name string, b []byte, err error) {
		out[name] = string(b)
		if err != nil {
			out[name] = err.Error()
		}
	}
	b, err := json.Marshal(v)
	encode("json", b, err)
	b, err = xml.Marshal(v)
	encode("xml", b, err)
	var buf bytes.Buffer
	err = toml.NewEncoder(&buf).Encode(map[string]any{"v": v})
	encode("toml", buf.Bytes(), err)
	for name, handler := range map[string]func(*bytes.Buffer) slog.Handler{
		"slog text": func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
		"slog json": func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
	} {
		var buf bytes.Buffer
		log := slog.New(handler(&buf)).With("with", v).WithGroup("group")
		log.Info("printed", "value", v, slog.Group("inner", "value", v), "any", slog.AnyValue(v))
		out[name] = buf.String()
	}
	var failure failureText
	assert.Equal(&failure, "something else", v) // a failed test prints by reflection
	out["failed test"] = failure.String()
	return out
}

// failureText is a test whose failures are kept as text.
type failureText struct{ strings.Builder }

func (f *failureText) Errorf(format string, args ...any) { fmt.Fprintf(f, format, args...) }

// assertHidden checks that no way of printing v shows secret, plain or encoded.
func assertHidden(t *testing.T, v any, secret string) {
	t.Helper()
	forms := map[string]string{
		"plain":  secret,
		"hex":    hex.EncodeToString([]byte(secret)),
		"spaced": strings.TrimSpace(fmt.Sprintf("% x", secret)),
		"base64": base64.StdEncoding.EncodeToString([]byte(secret))[:len(secret)],
		"bytes":  strings.Trim(fmt.Sprint([]byte(secret)), "[]"),
	}
	for way, printed := range ways(v) {
		for form, shown := range forms {
			if strings.Contains(strings.ToLower(printed), strings.ToLower(shown)) {
				assert.Failf(t, "shown", "%T shows the secret (%s) when printed by %s:\n%s", v, form, way, printed)
			}
		}
	}
}

type (
	exported   struct{ Token resolver.Secret }
	unexported struct{ token resolver.Secret }
	embedded   struct{ resolver.Secret }
	nested     struct {
		Ptr  *resolver.Secret
		In   exported
		in   unexported
		List []resolver.Secret
		Any  any
	}
)

func TestSecret_CannotBePrinted(t *testing.T) {
	s := resolver.NewSecret(text)
	for _, v := range []any{
		s, &s, exported{s}, &exported{s}, unexported{s}, &unexported{s}, embedded{s}, &embedded{s},
		nested{Ptr: &s, In: exported{s}, in: unexported{s}, List: []resolver.Secret{s}, Any: s},
		&nested{Ptr: &s, In: exported{s}, in: unexported{s}, List: []resolver.Secret{s}, Any: &s},
		[]resolver.Secret{s}, []*resolver.Secret{&s}, [2]resolver.Secret{s, s}, []any{s, &s},
		map[string]resolver.Secret{"Cookie": s}, map[string]*resolver.Secret{"Cookie": &s},
		map[string]unexported{"Cookie": {s}}, []unexported{{s}}, []exported{{s}},
		struct{ any }{s}, struct{ error }{fmt.Errorf("token %s", s)},
	} {
		t.Run(fmt.Sprintf("%T", v), func(t *testing.T) { assertHidden(t, v, text) })
	}
}

// assertHidden must be able to find what is not hidden.
func TestSecret_TheSearchFinds(t *testing.T) {
	for _, v := range []any{text, []byte(text), struct{ s string }{text}, &struct{ S string }{text}} {
		found := 0
		for _, printed := range ways(v) {
			if strings.Contains(printed, text) || strings.Contains(printed, hex.EncodeToString([]byte(text))) {
				found++
			}
		}
		assert.Greater(t, found, 5, "%T", v)
	}
}

func TestSecret_ShowsThatItIsThere(t *testing.T) {
	s := resolver.NewSecret(text)
	assert.Equal(t, "[redacted]", fmt.Sprint(s))
	assert.Equal(t, "{[redacted]}", fmt.Sprint(exported{s}))
	b, err := json.Marshal(exported{s})
	require.NoError(t, err)
	assert.JSONEq(t, `{"Token":"[redacted]"}`, string(b))
	b, err = s.MarshalText()
	require.NoError(t, err)
	assert.Equal(t, "[redacted]", string(b))
	assert.Equal(t, "[redacted]", s.LogValue().String())
}

func TestSecret_Reveal(t *testing.T) {
	s := resolver.NewSecret(text)
	copied := s
	assert.Equal(t, text, copied.Reveal())
	assert.False(t, s.IsZero())
	var read exported
	require.NoError(t, json.Unmarshal([]byte(`{"Token":"`+text+`"}`), &read))
	assert.Equal(t, text, read.Token.Reveal())
	buf := []byte(text)
	require.NoError(t, copied.UnmarshalText(buf))
	clear(buf)
	assert.Equal(t, text, copied.Reveal(), "it keeps no hold on the caller's bytes")
}

func TestSecret_Empty(t *testing.T) {
	for _, s := range []resolver.Secret{{}, resolver.NewSecret("")} {
		assert.True(t, s.IsZero())
		assert.Empty(t, s.Reveal())
		assert.Empty(t, fmt.Sprint(s))
		b, err := json.Marshal(s)
		require.NoError(t, err)
		assert.Equal(t, `""`, string(b))
	}
}
