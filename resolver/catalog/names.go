package catalog

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/attachfs/attachfs/resolver"
)

const (
	maxName = 255 // bytes, the limit of Linux
	maxExt  = 16  // bytes with the dot; what is longer is no extension
	// numberRoom is kept for " (123456789)". It is kept whatever the number,
	// so that all numbers of a name share one stem.
	numberRoom = 12
	// reservedName is answered by go-fuse itself.
	reservedName = ".go-fuse-epoll-hack"
)

// assign gives each entry a safe name that no other has. Ids must be unique.
//
// An entry keeps the name in held that it had before, as long as its own name
// still leads there. Otherwise its own name, made safe, goes to the smallest
// id that has it; the others get the first free number, in the order of their
// ids. Own names go first, so that a file that is really called "a (2).pdf"
// does not lose its name to a second "a.pdf". Without held names the result
// depends on the set of entries alone, not on their order.
func assign(entries []resolver.Entry, held map[resolver.ID]string) []string {
	names := make([]string, len(entries))
	taken := make(map[string]struct{}, len(entries))
	claim := func(i int, name string) bool {
		if _, gone := taken[name]; gone {
			return false
		}
		taken[name] = struct{}{}
		names[i] = name
		return true
	}
	own := make([]parts, len(entries))
	order := make([]int, len(entries))
	for i, e := range entries {
		order[i] = i
		own[i] = split(safe(e.Name), e.Dir)
		if name, ok := held[e.ID]; ok && own[i].leadTo(name) {
			claim(i, strings.Clone(name)) // or it would hold all of a loaded listing
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(entries[a].ID, entries[b].ID) })
	for _, i := range order {
		if names[i] == "" {
			claim(i, own[i].whole())
		}
	}
	last := make(map[parts]int) // the number tried last, by what is numbered
	for _, i := range order {
		base := own[i].numberable()
		for n := max(2, last[base]+1); names[i] == ""; n++ {
			claim(i, base.numbered(n))
			last[base] = n
		}
	}
	return names
}

// parts is a name in two, so that it can be cut and numbered without losing the
// extension.
type parts struct{ stem, ext string }

// split takes a safe name apart. A directory has no extension, nor has a name
// that only begins with a dot.
func split(name string, dir bool) parts {
	i := strings.LastIndexByte(name, '.')
	if dir || i <= 0 || i == len(name)-1 || len(name)-i > maxExt || strings.ContainsRune(name[i:], ' ') {
		return parts{stem: name}
	}
	return parts{name[:i], name[i:]}
}

// whole returns the name, not longer than a name may be.
func (p parts) whole() string { return cut(p.stem, maxName-len(p.ext)) + p.ext }

// numberable returns the parts cut so that a number fits in.
func (p parts) numberable() parts {
	return parts{cut(p.stem, maxName-numberRoom-len(p.ext)), p.ext}
}

// numbered returns the name of numberable parts with a number.
func (p parts) numbered(n int) string { return p.stem + " (" + strconv.Itoa(n) + ")" + p.ext }

// leadTo reports whether name is the whole name or a numbered form of it.
func (p parts) leadTo(name string) bool {
	if name == p.whole() {
		return true
	}
	base := p.numberable()
	digits, ok := strings.CutPrefix(name, base.stem+" (")
	if !ok {
		return false
	}
	n, err := strconv.Atoi(strings.TrimSuffix(digits, ")"+p.ext))
	return err == nil && n >= 2 && name == base.numbered(n)
}

// cut shortens text to at most limit bytes, between two runes.
func cut(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	for !utf8.RuneStart(text[limit]) {
		limit--
	}
	return text[:limit]
}

// safe returns the name as a file may have it, but for its length: NFC, and
// with look-alikes for what a path cannot hold or a terminal would obey.
func safe(name string) string {
	name = strings.ToValidUTF8(name, string(unicode.ReplacementChar))
	if strings.TrimFunc(name, blank) == "" {
		return "unnamed"
	}
	name = norm.NFC.String(strings.Map(visible, name))
	switch name {
	case ".", "..", reservedName:
		return strings.ReplaceAll(name, ".", "．")
	}
	return name
}

// blank tells characters of which a name cannot be seen.
func blank(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) }

// visible returns a look-alike for a rune that must not be in a name.
func visible(r rune) rune {
	switch {
	case r == '/':
		return '／'
	case r < ' ':
		return '␀' + r
	case r == '\x7f':
		return '␡'
	case r == '\u0085', r == '\u2028', r == '\u2029': // next line, line and paragraph separator
		return '␤'
	case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r):
		return unicode.ReplacementChar
	}
	return r
}
