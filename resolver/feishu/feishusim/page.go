package feishusim

import (
	"encoding/base64"
	"fmt"
	"sort"
	"strconv"
	"strings"
)

// page is one of a listing.
type page[T any] struct {
	items []T
	// next is the token of the next page, or of what may be added later if there
	// is no more.
	next string
	more bool
}

// pageSize is how many items q asks for.
func pageSize(q *request, usual, most int) (size int, ok bool) {
	text := q.URL.Query().Get("page_size")
	if text == "" {
		return usual, true
	}
	size, err := strconv.Atoi(text)
	return size, err == nil && size >= 1 && size <= most
}

// turn is the page of all that q asks for; key sorts all. Tokens hold keys, so
// that changes between pages neither repeat nor lose another item. s.mu is held.
func turn[T any](s *Server, q *request, all []T, key func(T) string, size int) (p page[T], ok bool) {
	t := position{scope: s.pageScope(q)}
	if !t.parse(q.URL.Query().Get("page_token")) {
		return p, false
	}
	begin := 0
	if t.after != "" {
		begin = sort.Search(len(all), func(i int) bool { return key(all[i]) > t.after })
	}
	if s.docs.emptyPages[q.endpoint.call] && !t.rested && begin < len(all) {
		t.rested = true
		return page[T]{next: t.String(), more: true}, true
	}
	p.items = all[begin:min(begin+size, len(all))]
	p.more = begin+len(p.items) < len(all)
	if len(p.items) > 0 {
		t.after = key(p.items[len(p.items)-1])
	}
	t.rested = false
	p.next = t.String()
	return p, true
}

// pageScope is what a page token is good for. s.mu is held.
func (s *Server) pageScope(q *request) string {
	query := q.URL.Query()
	return fmt.Sprintf("%d %s %s %s", s.docs.pageEra, q.URL.Path, query.Get("folder_token"), query.Get("parent_node_token"))
}

// position is what a page token holds.
type position struct {
	scope  string
	rested bool // an empty page was there
	after  string
}

func (p position) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s\n%t\n%s", p.scope, p.rested, p.after))
}

// parse reads a token of p's scope.
func (p *position) parse(token string) bool {
	if token == "" {
		return true
	}
	text, err := base64.RawURLEncoding.DecodeString(token)
	rest, ok := strings.CutPrefix(string(text), p.scope+"\n")
	rested, after, cut := strings.Cut(rest, "\n")
	p.rested, p.after = rested == "true", after
	return err == nil && ok && cut
}

// SetEmptyPages says whether an empty page that says that there is more comes
// before each page of a listing of documents, as it does where those are left
// out that the caller may not see.
func (s *Server) SetEmptyPages(call Call, empty bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.docs.emptyPages[call] = empty
}

// ExpirePageTokens makes the page tokens of drive, documents, bases and wiki bad
// that were handed out so far.
func (s *Server) ExpirePageTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.docs.pageEra++
}

// sortKey makes text that sorts as n does.
func sortKey(n int64) string { return fmt.Sprintf("%019d", n) }
