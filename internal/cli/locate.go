package cli

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrConfig is the kind of every error that the configuration file is to blame
// for.
var ErrConfig = errors.New("bad configuration")

// problem is one thing wrong in the configuration file.
type problem struct {
	file string
	line int    // 0 when it concerns no line
	key  string // empty when it concerns no key
	err  error
}

func (p *problem) Error() string {
	where := p.file
	if p.line > 0 {
		where = fmt.Sprintf("%s:%d", where, p.line)
	}
	if p.key != "" {
		where += ": " + p.key
	}
	return fmt.Sprintf("%s: %v", where, p.err)
}

func (p *problem) Unwrap() []error { return []error{ErrConfig, p.err} }

// joinProblems returns them as one error in the order of their lines, or nil.
func joinProblems(problems []*problem) error {
	slices.SortStableFunc(problems, func(a, b *problem) int { return cmp.Compare(a.line, b.line) })
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// lines tells on which line of a TOML text a key or table begins. Tables of an
// array are told apart by number: provider[0].name.
type lines map[string]int

// of returns the line of a key, or of the closest table around it that is in
// the text; 0 when there is none.
func (l lines) of(key string) int {
	for {
		if line, ok := l[key]; ok {
			return line
		}
		cut := strings.LastIndexAny(key, ".[")
		if cut < 0 {
			return 0
		}
		key = key[:cut]
	}
}

// locate finds the keys and tables of a text that is known to be valid TOML.
// Keys in inline tables are not found: lines.of gives the table's line.
func locate(text string) lines {
	found := lines{}
	arrays := map[string]int{}
	s := scanner{text: text, line: 1}
	table := ""
	for s.skipBlank(); !s.done(); s.skipBlank() {
		line := s.line
		if s.peek() != '[' {
			found.add(join(table, s.key("=")), line)
			s.skipValue()
			continue
		}
		s.next()
		array := s.peek() == '['
		if array {
			s.next()
		}
		table = s.key("]")
		if array {
			name := table
			table = fmt.Sprintf("%s[%d]", name, arrays[name])
			arrays[name]++
			found.add(name, line)
		}
		found.add(table, line)
		s.skipLine()
	}
	return found
}

// add remembers the first line of a name and of the tables that a dotted name
// makes on its way.
func (l lines) add(name string, line int) {
	for i, c := range name + "." {
		if c != '.' {
			continue
		}
		if _, ok := l[name[:i]]; !ok {
			l[name[:i]] = line
		}
	}
}

func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}

// scanner steps through TOML text and counts lines.
type scanner struct {
	text string
	pos  int
	line int
}

func (s *scanner) done() bool { return s.pos >= len(s.text) }

// peek returns the byte at hand, or 0 at the end.
func (s *scanner) peek() byte {
	if s.done() {
		return 0
	}
	return s.text[s.pos]
}

func (s *scanner) next() byte {
	c := s.peek()
	if c == '\n' {
		s.line++
	}
	s.pos++
	return c
}

func (s *scanner) skipLine() {
	for !s.done() && s.next() != '\n' {
	}
}

func (s *scanner) skipBlank() {
	for !s.done() {
		switch s.peek() {
		case ' ', '\t', '\r', '\n':
			s.next()
		case '#':
			s.skipLine()
		default:
			return
		}
	}
}

// key reads a dotted key up to and including one of the bytes in end; quotes
// and blanks are left out.
func (s *scanner) key(end string) string {
	var b strings.Builder
	for !s.done() {
		c := s.peek()
		switch {
		case c == '"' || c == '\'':
			quoted := s.quoted()
			b.WriteString(quoted[1 : len(quoted)-1])
			continue
		case strings.IndexByte(end, c) >= 0:
			s.next()
			return b.String()
		case c != ' ' && c != '\t':
			b.WriteByte(c)
		}
		s.next()
	}
	return b.String()
}

// skipValue skips a value and the rest of its line.
func (s *scanner) skipValue() {
	depth := 0
	for !s.done() {
		switch s.peek() {
		case '"', '\'':
			s.quoted()
			continue
		case '#':
			for !s.done() && s.peek() != '\n' {
				s.next()
			}
			continue
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case '\n':
			if depth == 0 {
				return
			}
		}
		s.next()
	}
}

// quoted skips a string of any of TOML's four kinds and returns it with its
// quotes.
func (s *scanner) quoted() string {
	start := s.pos
	quote := s.text[s.pos : s.pos+1]
	escapes := quote == `"`
	if triple := strings.Repeat(quote, 3); strings.HasPrefix(s.text[s.pos:], triple) {
		quote = triple
	}
	for range quote {
		s.next()
	}
	for !s.done() && !strings.HasPrefix(s.text[s.pos:], quote) {
		if s.next() == '\\' && escapes {
			s.next()
		}
	}
	for range quote {
		s.next()
	}
	// A multi-line string may end in up to two quotes of its own.
	for len(quote) == 3 && s.peek() == quote[0] {
		s.next()
	}
	return s.text[start:min(s.pos, len(s.text))]
}

// nearest returns a hint at the name closest to word, or, when none is close,
// at all of them.
func nearest(word string, names []string) string {
	best, distance := "", max(2, len(word)/3)+1
	for _, name := range slices.Sorted(slices.Values(names)) {
		if d := editDistance(word, name); d < distance {
			best, distance = name, d
		}
	}
	if best == "" {
		return "known are " + strings.Join(slices.Sorted(slices.Values(names)), ", ")
	}
	return fmt.Sprintf("did you mean %s?", best)
}

// editDistance counts the letters to insert, delete or replace to make b of a.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
