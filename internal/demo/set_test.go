package demo_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"path"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/attachfs/attachfs/internal/demo"
)

const megabyte = 1 << 20

// files makes the demo's files once for all tests.
var files = sync.OnceValue(demo.Files)

// small returns the bytes of a file that is held in memory.
func small(t testing.TB, f demo.File) []byte {
	t.Helper()
	require.Less(t, f.Content.Size(), int64(4*megabyte), f.Path)
	b, err := io.ReadAll(io.NewSectionReader(f.Content, 0, f.Content.Size()))
	require.NoError(t, err, f.Path)
	require.Len(t, b, int(f.Content.Size()), f.Path)
	return b
}

// eachFile runs check on every file of the demo with one of the extensions, of
// which there must be so many.
func eachFile(t *testing.T, want int, check func(t *testing.T, b []byte), extensions ...string) {
	t.Helper()
	found := 0
	for _, f := range files() {
		for _, extension := range extensions {
			if path.Ext(f.Path) == extension {
				found++
				t.Run(path.Base(f.Path), func(t *testing.T) { check(t, small(t, f)) })
			}
		}
	}
	assert.Equal(t, want, found, "files with %s", extensions)
}

// named returns the bytes of the file whose path ends so.
func named(t testing.TB, suffix string) []byte {
	t.Helper()
	for _, f := range files() {
		if strings.HasSuffix(f.Path, suffix) {
			return small(t, f)
		}
	}
	require.Fail(t, "no such file", suffix)
	return nil
}

func TestFiles_AreTheSetsInOrder(t *testing.T) {
	var paths, want []string
	for _, f := range files() {
		paths = append(paths, f.Path)
	}
	for _, name := range demo.Names() {
		set := demo.Set(name)
		assert.NotEmpty(t, set, name)
		for _, f := range set {
			want = append(want, f.Path)
		}
	}
	assert.Equal(t, want, paths)
	assert.Empty(t, demo.Set("no such set"))
}

func TestFiles_Paths(t *testing.T) {
	seen := make(map[string]bool)
	longest := 0
	for _, f := range files() {
		assert.False(t, seen[f.Path], "twice: %s", f.Path)
		seen[f.Path] = true
		assert.True(t, fs.ValidPath(f.Path), f.Path)
		assert.True(t, utf8.ValidString(f.Path), f.Path)
		if !f.ModTime.IsZero() {
			assert.Equal(t, 2026, f.ModTime.Year(), f.Path)
		}
		for _, name := range strings.Split(f.Path, "/") {
			longest = max(longest, len(name))
		}
	}
	assert.Greater(t, longest, 230)
	assert.LessOrEqual(t, longest, 255)
}

func TestFiles_Sizes(t *testing.T) {
	var inMemory int64
	sizes := make(map[int64]int)
	for _, f := range files() {
		size := f.Content.Size()
		sizes[size]++
		if size < 16*megabyte {
			inMemory += size
		}
	}
	assert.Equal(t, 1, sizes[0], "empty files")
	assert.Equal(t, 1, sizes[1], "files of one byte")
	assert.Equal(t, 1, sizes[64*megabyte], "large logs")
	assert.Less(t, inMemory, int64(4*megabyte))
}

func TestFiles_Withheld(t *testing.T) {
	var withheld []string
	for _, f := range files() {
		if f.Withheld {
			withheld = append(withheld, f.Path)
		}
	}
	assert.Equal(t, []string{
		"Inbox/2026-10-20 1612 Delivery notes/DN-2026-1005.tsv", "门店巡检/十月/城西店/整改通知.txt", "门店巡检/十月/钱江店/整改通知.txt",
	}, withheld)
}

func TestMailbox_IsTheSet(t *testing.T) {
	var mailed []string
	for _, m := range demo.Mailbox() {
		for _, f := range m.Files {
			mailed = append(mailed, f.Path)
			assert.Contains(t, f.Path, m.Subject)
			assert.Equal(t, m.Date, f.ModTime, f.Path)
		}
	}
	var shown []string
	for _, f := range demo.Set(demo.Mail) {
		shown = append(shown, f.Path)
	}
	assert.Equal(t, shown, mailed)
}

func TestSharedDrive_IsTheSet(t *testing.T) {
	var within, shown []string
	kinds := make(map[demo.DocumentKind]bool)
	for _, d := range demo.SharedDrive() {
		kinds[d.Kind] = true
		assert.Equal(t, 2026, d.Date.Year(), d.Path)
		for _, f := range d.Files {
			within = append(within, f.Path)
			assert.True(t, strings.HasPrefix(f.Path, d.Path+"/"), f.Path)
			dated := d.Kind == demo.Folder || d.Kind == demo.Base
			assert.Equal(t, dated, !f.ModTime.IsZero(), f.Path)
		}
	}
	for _, f := range demo.Set(demo.Drive) {
		shown = append(shown, f.Path)
	}
	assert.Equal(t, shown, within)
	assert.Len(t, kinds, 4, "all kinds")
}

func TestClaimDocuments_AreTheSet(t *testing.T) {
	var claimed, shown []string
	parts := make(map[demo.Part]bool)
	for _, c := range demo.ClaimDocuments() {
		for _, f := range c.Files {
			claimed = append(claimed, f.Path)
			parts[f.Part] = true
			assert.Contains(t, f.Path, c.Code+" "+c.Title)
			assert.Equal(t, c.Date, f.ModTime, f.Path)
		}
	}
	for _, f := range demo.Set(demo.Claims) {
		shown = append(shown, f.Path)
	}
	assert.Equal(t, shown, claimed)
	assert.Len(t, parts, 6, "one of each part")
}

func TestMail_HasAMessageOfManyFiles(t *testing.T) {
	most := 0
	messages := make(map[string]int)
	for _, f := range demo.Set(demo.Mail) {
		message := path.Dir(f.Path)
		messages[message]++
		most = max(most, messages[message])
	}
	assert.Greater(t, most, 2*20, "so that it takes several calls of 20")
	assert.Less(t, len(messages), 10, "so that listing all takes no longer than a person waits")
}

func TestFiles_SameEveryTime(t *testing.T) {
	again := demo.Files()
	for i, f := range files() {
		assert.Equal(t, f.Path, again[i].Path)
		assert.Equal(t, f.ModTime, again[i].ModTime)
		first, second := prefixSum(t, f), prefixSum(t, again[i])
		assert.Equal(t, first, second, f.Path)
	}
}

// prefixSum is the digest of the first megabytes, which is all but the log.
func prefixSum(t testing.TB, f demo.File) [sha256.Size]byte {
	t.Helper()
	b, err := io.ReadAll(io.NewSectionReader(f.Content, 0, min(f.Content.Size(), 4*megabyte)))
	require.NoError(t, err)
	return sha256.Sum256(b)
}

func TestLog_ReadsAlikeAtAnyOffset(t *testing.T) {
	log := largeLog(t)
	whole := make([]byte, 4096)
	_, err := log.ReadAt(whole, 0)
	require.NoError(t, err)
	for off := range int64(300) {
		part := make([]byte, 301)
		n, err := log.ReadAt(part, off)
		require.NoError(t, err)
		require.Equal(t, len(part), n)
		require.Equal(t, string(whole[off:off+301]), string(part), "offset %d", off)
	}
}

func TestLog_End(t *testing.T) {
	log := largeLog(t)
	p := make([]byte, 100)
	n, err := log.ReadAt(p, log.Size()-40)
	assert.Equal(t, 40, n)
	require.ErrorIs(t, err, io.EOF)
	assert.Equal(t, byte('\n'), p[39])

	n, err = log.ReadAt(p, log.Size())
	assert.Zero(t, n)
	require.ErrorIs(t, err, io.EOF)

	_, err = log.ReadAt(p, -1)
	require.Error(t, err)
	assert.False(t, errors.Is(err, io.EOF))
}

func TestLog_IsLinesOfOneLengthInOrder(t *testing.T) {
	log := largeLog(t)
	const lines, lineLen = 512 << 10, 128
	require.Equal(t, int64(lines*lineLen), log.Size())
	b := make([]byte, log.Size())
	_, err := log.ReadAt(b, 0)
	require.NoError(t, err)
	assert.Equal(t, lines, bytes.Count(b, []byte("\n")))
	assert.Positive(t, bytes.Count(b, []byte(" ERROR ")))
	var before []byte
	for i := 0; i < len(b); i += lineLen {
		line := b[i : i+lineLen]
		clock := line[:len("2026-10-31 00:00:00.000")]
		if line[lineLen-1] != '\n' || bytes.Compare(before, clock) >= 0 {
			require.Fail(t, "line out of step", "%q", line)
		}
		before = clock
	}
	assert.Regexp(t, `^2026-10-31 23:5`, string(before))
}

func largeLog(t testing.TB) demo.Content {
	t.Helper()
	for _, f := range demo.Set(demo.Mail) {
		if path.Ext(f.Path) == ".log" {
			return f.Content
		}
	}
	require.Fail(t, "no log")
	return nil
}

// How long does the demo wait for its files?
func BenchmarkFiles(b *testing.B) {
	for b.Loop() {
		demo.Files()
	}
}

// How fast can the large log be served?
func BenchmarkLog(b *testing.B) {
	log := largeLog(b)
	p := make([]byte, megabyte)
	b.SetBytes(megabyte)
	for b.Loop() {
		if _, err := log.ReadAt(p, 5*megabyte); err != nil {
			b.Fatal(err)
		}
	}
}
