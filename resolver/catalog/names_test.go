package catalog

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"

	"github.com/attachfs/attachfs/resolver"
)

// files makes one file entry a name, with ids in the order of names.
func files(names ...string) []resolver.Entry {
	entries := make([]resolver.Entry, len(names))
	for i, name := range names {
		entries[i] = resolver.Entry{ID: resolver.ID(fmt.Sprintf("id%06d", i)), Name: name}
	}
	return entries
}

func TestAssign_Safe(t *testing.T) {
	long := strings.Repeat("发", 100)
	cases := []struct{ name, in, want string }{
		{"plain", "合同 v2.pdf", "合同 v2.pdf"},
		{"decomposed", "Re\u0301sume\u0301.pdf", "Résumé.pdf"},
		{"slash", "a/b.pdf", "a／b.pdf"},
		{"null", "a\x00b", "a␀b"},
		{"newline and tab", "a\nb\tc", "a␊b␉c"},
		{"delete", "a\x7fb", "a␡b"},
		{"C1 control", "a\u009bb", "a\ufffdb"},
		{"bidi override", "invoice\u202efdp.exe", "invoice\ufffdfdp.exe"},
		{"bidi isolate", "a\u2066b", "a\ufffdb"},
		{"line separators", "a\u2028b\u2029c\u0085d", "a␤b␤c␤d"},
		{"joiner stays", "क\u200dष.txt", "क\u200dष.txt"},
		{"invalid UTF-8", "a\xff\xfeb", "a\ufffdb"},
		{"outer spaces stay", " a ", " a "},
		{"empty", "", "unnamed"},
		{"blank", " \t\u3000", "unnamed"},
		{"invisible", "\u200b\u200e", "unnamed"},
		{"dot", ".", "．"},
		{"dot dot", "..", "．．"},
		{"hidden", ".profile", ".profile"},
		{"reserved", ".go-fuse-epoll-hack", "．go-fuse-epoll-hack"},
		{"long", long, strings.Repeat("发", 85)},
		{"long with extension", long + ".xlsx", strings.Repeat("发", 83) + ".xlsx"},
		{"long extension is none", "a." + long, "a." + strings.Repeat("发", 84)},
		{"long ASCII", strings.Repeat("x", 300) + ".pdf", strings.Repeat("x", 251) + ".pdf"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, []string{c.want}, assign(files(c.in), nil))
		})
	}
}

func TestAssign_Clashes(t *testing.T) {
	x := strings.Repeat("x", 300)
	cases := []struct {
		name     string
		in, want []string
	}{
		{"by id", []string{"a.pdf", "a.pdf", "a.pdf"}, []string{"a.pdf", "a (2).pdf", "a (3).pdf"}},
		{"without extension", []string{"a", "a"}, []string{"a", "a (2)"}},
		{"a literal number keeps its name", []string{"a.pdf", "a.pdf", "a (2).pdf"}, []string{"a.pdf", "a (3).pdf", "a (2).pdf"}},
		{"of a literal number", []string{"a (2)", "a (2)"}, []string{"a (2)", "a (2) (2)"}},
		{"case tells apart", []string{"A.pdf", "a.pdf"}, []string{"A.pdf", "a.pdf"}},
		{"after composing", []string{"\u00e9", "e\u0301"}, []string{"é", "é (2)"}},
		{"after replacing", []string{"a/b", "a／b"}, []string{"a／b", "a／b (2)"}},
		{"after cutting", []string{x + "1.pdf", x + "2.pdf"}, []string{x[:251] + ".pdf", x[:239] + " (2).pdf"}},
		{"unnamed", []string{"", " "}, []string{"unnamed", "unnamed (2)"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			assert.Equal(t, c.want, assign(files(c.in...), nil))
		})
	}
}

func TestAssign_DirectoriesHaveNoExtension(t *testing.T) {
	entries := files("release 1.2", "release 1.2")
	entries[0].Dir, entries[1].Dir = true, true
	assert.Equal(t, []string{"release 1.2", "release 1.2 (2)"}, assign(entries, nil))
}

func TestAssign_Held(t *testing.T) {
	cases := []struct{ name, held, in, want string }{
		{"plain", "a.pdf", "a.pdf", "a.pdf"},
		{"numbered", "a (7).pdf", "a.pdf", "a (7).pdf"},
		{"after a renaming", "a (7).pdf", "b.pdf", "b.pdf"},
		{"of another form", "a (07).pdf", "a.pdf", "a.pdf"},
		{"of another extension", "a (7).doc", "a.pdf", "a.pdf"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			entries := files(c.in)
			assert.Equal(t, []string{c.want}, assign(entries, map[resolver.ID]string{entries[0].ID: c.held}))
		})
	}
}

// Ten thousand equal names, and as many long ones that are equal once numbered,
// are the cases in which a careless search for free numbers is quadratic.
func TestAssign_ManyClashes(t *testing.T) {
	const count = 10_000
	cases := map[string]func(int) string{
		"equal":                func(int) string { return "image.png" },
		"equal when numbered":  func(i int) string { return fmt.Sprintf("%s%05d.png", strings.Repeat("x", 245), i/2) },
		"literal numbers, too": func(i int) string { return fmt.Sprintf("image (%d).png", i%2*i) },
	}
	for name, nameOf := range cases {
		t.Run(name, func(t *testing.T) {
			names := make([]string, count)
			for i := range names {
				names[i] = nameOf(i)
			}
			entries := files(names...)
			tries := testing.AllocsPerRun(1, func() { names = assign(entries, nil) })
			assert.Less(t, tries, 5.0*count, "each number tried allocates a name")
			slices.Sort(names)
			assert.Len(t, slices.Compact(names), count)
		})
	}
}

func FuzzNames(f *testing.F) {
	f.Add("a.pdf\na.pdf\na (2).pdf\n.\n..\n", uint64(1))
	f.Add("e\u0301\n\u00e9\n\xff\n"+strings.Repeat("发", 90)+".tar\n"+strings.Repeat("发", 91)+".tar", uint64(2))
	f.Add("/\n／\n\u202e\n \n.go-fuse-epoll-hack\n"+strings.Repeat("a\u0301\u0302", 60), uint64(3))
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		entries := files(strings.Split(text, "\n")...)
		for i := range entries {
			entries[i].Dir = i%5 == 4
		}
		want := make(map[resolver.ID]string)
		for i, name := range assign(entries, nil) {
			checkName(t, name)
			want[entries[i].ID] = name
		}
		held := assign(entries, want)
		random := rand.New(rand.NewPCG(seed, 0))
		random.Shuffle(len(entries), func(i, j int) {
			entries[i], entries[j] = entries[j], entries[i]
			held[i], held[j] = held[j], held[i]
		})
		seen := make(map[string]bool)
		for i, name := range assign(entries, nil) {
			require.Equal(t, want[entries[i].ID], name, "the order of entries decides")
			require.Equal(t, held[i], name, "a held name is not kept")
			require.False(t, seen[name], "%q is there twice", name)
			seen[name] = true
		}
	})
}

func checkName(t *testing.T, name string) {
	t.Helper()
	require.True(t, utf8.ValidString(name), "%q is not UTF-8", name)
	require.True(t, norm.NFC.IsNormalString(name), "%q is not NFC", name)
	require.NotEmpty(t, name)
	require.LessOrEqual(t, len(name), maxName)
	require.NotContains(t, []string{".", "..", reservedName}, name)
	for _, r := range name {
		require.Equal(t, r, visible(r), "%q holds %U", name, r)
	}
}
