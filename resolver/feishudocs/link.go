package feishudocs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/feishu"
)

// The lanes of calls for links.
const (
	mediaLane = "media"
	fileLane  = "files"
)

// Batch says that a call for links takes media of one table of a base, or of any
// documents and spreadsheets, and that many files of a drive are asked about at
// once.
func (p *Provider) Batch(id resolver.ID) resolver.Batch {
	at := placeOf(id)
	switch at.kind {
	case fileKind:
		return resolver.Batch{Lane: fileLane, Size: metasSize}
	case cellKind:
		return resolver.Batch{Lane: mediaLane, Group: at.tokens[0] + " " + at.tokens[1], Size: linksSize}
	default:
		return resolver.Batch{Lane: mediaLane, Size: linksSize}
	}
}

// Turn waits for that of a call of the lane.
func (p *Provider) Turn(ctx context.Context, lane string) error {
	if lane == fileLane {
		return p.app.Load().Turn(ctx, metasCall)
	}
	return p.app.Load().Turn(ctx, linksCall)
}

// Resolve makes one call, and another one if extra turns out to be in the way. An
// id that is asked for twice is sent once.
func (p *Provider) Resolve(ctx context.Context, ids []resolver.ID) ([]resolver.Answer, error) {
	answers := make([]resolver.Answer, len(ids))
	var files, media []place
	for i, id := range ids {
		switch at := placeOf(id); at.kind {
		case fileKind:
			files = append(files, at)
		case mediaKind, cellKind:
			media = append(media, at)
		default:
			answers[i].Err = fmt.Errorf("%q is no file: %w", id, resolver.ErrNotExist)
		}
	}
	found, err := p.files(ctx, files)
	if err == nil && len(media) > 0 {
		found, err = p.media(ctx, media, found, true)
	}
	if err != nil {
		return nil, fmt.Errorf("%d files: %w", len(ids), err)
	}
	for i, id := range ids {
		if answers[i].Err != nil {
			continue
		}
		answer, ok := found[placeOf(id).token()]
		if !ok {
			answer.Err = fmt.Errorf("no link came for it: %w", resolver.ErrNotExist)
		}
		if answer.Err != nil {
			answer = resolver.Answer{Err: fmt.Errorf("link of %q: %w", id, answer.Err)}
		}
		answers[i] = answer
	}
	return answers, nil
}

// token is that of a file or medium.
func (p place) token() string { return p.tokens[len(p.tokens)-1] }

// tokensOfAll are those of some files or media, each once.
func tokensOfAll(places []place) []string {
	var tokens []string
	for _, at := range places {
		tokens = append(tokens, at.token())
	}
	slices.Sort(tokens)
	return slices.Compact(tokens)
}

// files returns links to files of a drive by their tokens. The links are calls of
// the API, for which nothing has to be asked; what is asked is whether the files
// are there, and may be known to us, which costs none of the day's downloads.
// That call also finds a token out that is not good any more.
func (p *Provider) files(ctx context.Context, places []place) (map[string]resolver.Answer, error) {
	answers := make(map[string]resolver.Answer, len(places))
	var asked []metaRequest
	for _, token := range tokensOfAll(places) {
		if p.denied.hold(token) {
			answers[token] = resolver.Answer{Err: errDenied}
			continue
		}
		asked = append(asked, metaRequest{token, fileKind})
	}
	told, err := p.metas(ctx, api.Call{Endpoint: metasCall, Waited: true}, asked)
	if err != nil {
		return nil, err
	}
	for token, m := range told {
		if m.Err != nil {
			answers[token] = resolver.Answer{Err: m.Err}
			continue
		}
		answers[token] = p.direct(ctx, token, api.Call{Endpoint: p.downloads.file, Params: []string{token}})
	}
	return answers, nil
}

// direct is a link that is a call of the API.
func (p *Provider) direct(ctx context.Context, token string, call api.Call) resolver.Answer {
	if p.denied.hold(token) {
		return resolver.Answer{Err: errDenied}
	}
	link, err := p.app.Load().Link(ctx, call)
	if err != nil {
		return resolver.Answer{Err: err}
	}
	link.Least = leastRequest
	link.Meter = wary{link.Meter, func() { p.denied.note(token) }}
	return resolver.Answer{Link: link}
}

// media adds links to media to answers. What the API leaves out of its answer
// does not get one. Waited says that the turn for the call has come.
func (p *Provider) media(ctx context.Context, places []place, answers map[string]resolver.Answer, waited bool) (map[string]resolver.Answer, error) {
	tokens, extra := tokensOfAll(places), p.extra(places)
	links, reply, err := p.links(ctx, tokens, extra, waited)
	if extra != "" && errors.Is(err, resolver.ErrRejected) {
		// A base without advanced permission may take it amiss.
		if links, reply, err = p.links(ctx, tokens, "", false); err == nil {
			p.plain.add(places[0].tokens[0])
		}
	}
	if len(tokens) == 1 && errors.Is(err, resolver.ErrRejected) {
		answers[tokens[0]] = p.direct(ctx, tokens[0], api.Call{Endpoint: p.downloads.media, Params: tokens, Query: extraQuery(extra)})
		return answers, nil
	}
	if len(tokens) == 1 && aboutFile(err) {
		answers[tokens[0]] = resolver.Answer{Err: err}
		return answers, nil
	}
	if err != nil {
		return nil, err
	}
	for _, l := range links {
		link, err := feishu.Link(l.URL, reply)
		link.Lifetime = linkLife
		answers[l.Token] = resolver.Answer{Link: link, Err: err}
	}
	return answers, nil
}

type mediaLink struct {
	Token string          `json:"file_token"`
	URL   resolver.Secret `json:"tmp_download_url"`
}

// links asks for links to media. The tokens go as so many parameters: joined
// they are refused.
func (p *Provider) links(ctx context.Context, tokens []string, extra string, waited bool) ([]mediaLink, api.Reply, error) {
	query := extraQuery(extra)
	query["file_tokens"] = tokens
	var answer struct {
		Links []mediaLink `json:"tmp_download_urls"`
	}
	reply, err := p.do(ctx, api.Call{Endpoint: linksCall, Query: query, Waited: waited}, &answer)
	return answer.Links, reply, err
}

func extraQuery(extra string) url.Values {
	if extra == "" {
		return url.Values{}
	}
	return url.Values{"extra": {extra}}
}

// bitableExtra is what a base with advanced permission wants to be told: in which
// cells of a table the media are.
type bitableExtra struct {
	Perm struct {
		Table       string                         `json:"tableId"`
		Attachments map[string]map[string][]string `json:"attachments"` // by fields and records
	} `json:"bitablePerm"`
}

// extra is that of media which are all of one table, empty for those of none and
// of bases that are known not to want it.
func (p *Provider) extra(places []place) string {
	first := places[0]
	if first.kind != cellKind || p.plain.has(first.tokens[0]) {
		return ""
	}
	var extra bitableExtra
	extra.Perm.Table = first.tokens[1]
	extra.Perm.Attachments = make(map[string]map[string][]string)
	for _, at := range places {
		field, record := at.tokens[2], at.tokens[3]
		records := extra.Perm.Attachments[field]
		if records == nil {
			records = make(map[string][]string)
			extra.Perm.Attachments[field] = records
		}
		if !slices.Contains(records[record], at.token()) {
			records[record] = append(records[record], at.token())
		}
	}
	return encode(extra)
}

// plainBases are those that refuse extra and serve without. The zero value is
// ready; its methods may be called in parallel.
type plainBases struct {
	mu     sync.Mutex // guards the following
	tokens map[string]bool
}

func (b *plainBases) has(base string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens[base]
}

func (b *plainBases) add(base string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tokens == nil {
		b.tokens = make(map[string]bool)
	}
	b.tokens[base] = true
}
