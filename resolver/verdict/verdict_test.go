package verdict_test

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/verdict"
)

// secret is in the bodies and headers of the golden replies.
const secret = "FAKESECRET"

// golden are the replies in testdata: a line with the verdict, the status line,
// the headers, an empty line and the body.
func golden(tb testing.TB) map[string]string {
	tb.Helper()
	names, err := filepath.Glob("testdata/*.http")
	require.NoError(tb, err)
	replies := make(map[string]string)
	for _, name := range names {
		text, err := os.ReadFile(name)
		require.NoError(tb, err)
		replies[strings.TrimSuffix(filepath.Base(name), ".http")] = string(text)
	}
	require.Greater(tb, len(replies), 30)
	return replies
}

func parse(tb testing.TB, text string) (want string, r verdict.Reply) {
	tb.Helper()
	first, rest, _ := strings.Cut(text, "\n")
	in := textproto.NewReader(bufio.NewReader(strings.NewReader(rest)))
	line, err := in.ReadLine()
	require.NoError(tb, err)
	r.Status, err = strconv.Atoi(strings.Fields(line)[1])
	require.NoError(tb, err)
	header, err := in.ReadMIMEHeader()
	require.NoError(tb, err)
	r.Header = http.Header(header)
	r.Start, err = io.ReadAll(in.R)
	require.NoError(tb, err)
	return strings.TrimPrefix(first, "# "), r
}

func TestJudge(t *testing.T) {
	for name, text := range golden(t) {
		t.Run(name, func(t *testing.T) {
			want, r := parse(t, text)
			v := verdict.Judge(r)
			assert.Equal(t, want, v.String())
			assert.NotContains(t, v.String()+v.Code, secret)
			if v.Class == 0 {
				assert.Zero(t, v)
			}
		})
	}
}

// A start that is cut somewhere never turns a file into an error.
func TestJudge_CutFilesPass(t *testing.T) {
	for name, text := range golden(t) {
		want, r := parse(t, text)
		if want != "ok" || !strings.HasPrefix(name, "file-") || name == "file-json-lines" {
			continue
		}
		for n := range r.Start {
			cut := r
			cut.Start = r.Start[:n]
			assert.Zero(t, verdict.Judge(cut), "%s, %d bytes", name, n)
		}
	}
}

func TestJudge_ByStatusAlone(t *testing.T) {
	for status, want := range map[int]resolver.Class{
		100: resolver.Wrong, 200: 0, 204: 0, 206: 0, 301: resolver.Wrong, 307: resolver.Wrong,
		400: resolver.Denied, 401: resolver.Denied, 403: resolver.Denied, 404: resolver.Gone, 405: resolver.Denied,
		408: resolver.Temporary, 410: resolver.Gone, 412: resolver.Denied, 416: resolver.Wrong, 421: resolver.Temporary,
		425: resolver.Temporary, 429: resolver.Throttled, 451: resolver.Denied, 500: resolver.Temporary, 501: resolver.Temporary,
		502: resolver.Temporary, 503: resolver.Temporary, 504: resolver.Temporary, 509: resolver.Throttled,
		573: resolver.Throttled, 599: resolver.Temporary, 612: resolver.Gone, 999: resolver.Temporary, 0: resolver.Wrong,
	} {
		assert.Equal(t, want, verdict.Judge(verdict.Reply{Status: status}).Class, "%d", status)
	}
}

func TestJudge_LongAnswersAreLookedAtInPart(t *testing.T) {
	page := "<html><title>x</title>" + strings.Repeat("<p>", 1<<20)
	v := verdict.Judge(verdict.Reply{Status: 403, Start: []byte(page)})
	assert.Equal(t, resolver.Denied, v.Class)
	story := `{"code":1,"msg":"x","story":["` + strings.Repeat("x", 4<<10)
	assert.Zero(t, verdict.Judge(verdict.Reply{Status: 200, Start: []byte(story)}))
	deep := strings.Repeat(`{"error":`, 1<<16)
	assert.NotPanics(t, func() { verdict.Judge(verdict.Reply{Status: 200, Start: []byte(deep)}) })
}

var plain = regexp.MustCompile(`^[A-Za-z0-9._-]{0,48}$`)

func FuzzJudge(f *testing.F) {
	for _, text := range golden(f) {
		_, r := parse(f, text)
		var header bytes.Buffer
		require.NoError(f, r.Header.Write(&header))
		f.Add(r.Status, header.String(), r.Start)
	}
	f.Fuzz(func(t *testing.T, status int, header string, start []byte) {
		in := textproto.NewReader(bufio.NewReader(strings.NewReader(header + "\r\n\r\n")))
		h, _ := in.ReadMIMEHeader()
		v := verdict.Judge(verdict.Reply{Status: status, Header: http.Header(h), Start: start})
		require.Regexp(t, plain, v.Code)
		require.GreaterOrEqual(t, v.After.Hours(), 0.0)
		require.LessOrEqual(t, v.After.Hours(), 1.0)
		require.NotContains(t, v.String(), "class ")
	})
}
