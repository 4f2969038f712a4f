package kdocs

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

const (
	// linkLife is what the documents grant a link, and linkReserve how long before
	// that it is not used any more for something new.
	linkLife    = 10 * time.Minute
	linkReserve = 2 * time.Minute

	// neverHolds is how long it is not asked again for what has no link because of
	// what it is; laterHolds is for what may be readable later.
	neverHolds = 6 * time.Hour
	laterHolds = 5 * time.Minute
)

// lane is that of all calls for links.
const lane = "links"

// pictures are the types that have links, by the documents "jpg, png, gif and
// other common pictures".
var pictures = []string{"jpg", "jpeg", "png", "gif", "bmp", "webp"}

func (r reference) isPicture() bool {
	return slices.Contains(pictures, strings.TrimPrefix(strings.ToLower(r.Type), "image/"))
}

// isCloud reports whether it is a document of the user's cloud. Programs write
// the word with a capital, too.
func (r reference) isCloud() bool { return strings.EqualFold(r.Source, "cloud") }

// Batch says that a call takes attachments of one document, whatever its sheet:
// those that can have a link apart from those that cannot.
func (p *Provider) Batch(id resolver.ID) resolver.Batch {
	at, _ := placeOf(id)
	group := at.kind + "/" + at.token
	if !at.attachment.isPicture() && !at.attachment.isCloud() {
		group += "/others"
	}
	return resolver.Batch{Lane: lane, Group: group, Size: mostLinks}
}

// Turn returns at once: nothing but the calls of a day is limited.
func (p *Provider) Turn(ctx context.Context, _ string) error {
	return p.session.client.Turn(ctx, p.session.calls.links)
}

// Resolve makes one call. An attachment that is asked for twice is sent once. The
// error of one without a link says how long that holds (see
// [resolver.WithRetryAfter]).
func (p *Provider) Resolve(ctx context.Context, ids []resolver.ID) ([]resolver.Answer, error) {
	answers := make([]resolver.Answer, len(ids))
	var document place
	var asked []reference
	for i, id := range ids {
		at, level := placeOf(id)
		if level != fileLevel {
			answers[i].Err = fmt.Errorf("%q is no attachment: %w", id, resolver.ErrNotExist)
			continue
		}
		document = at
		if !slices.Contains(asked, at.attachment) {
			asked = append(asked, at.attachment)
		}
	}
	if len(asked) == 0 {
		return answers, nil
	}
	links, err := p.links(ctx, document, asked)
	if err != nil {
		return nil, fmt.Errorf("%d attachments of a document: %w", len(ids), err)
	}
	for i, id := range ids {
		if answers[i].Err != nil {
			continue
		}
		at, _ := placeOf(id)
		answers[i] = links[at.attachment]
		if err := answers[i].Err; err != nil {
			answers[i].Err = fmt.Errorf("link of %q: %w", id, err)
		}
	}
	return answers, nil
}

// links returns what the API says of each attachment of a document. What it says
// of the document it says of all.
func (p *Provider) links(ctx context.Context, document place, asked []reference) (map[reference]resolver.Answer, error) {
	var answer linksAnswer
	call := api.Call{
		Endpoint: p.session.calls.links, Params: []string{document.kind, document.token},
		Body: linksRequest{asked}, Waited: true,
	}
	reply, err := p.session.do(ctx, call, &answer)
	switch {
	case errors.Is(err, resolver.ErrNotExist),
		errors.Is(err, resolver.ErrPermission) && !errors.Is(err, resolver.ErrCredentials) && !errors.Is(err, resolver.ErrRejected):
		return forAll(asked, resolver.Answer{Err: resolver.WithRetryAfter(err, laterHolds)}), nil
	case err != nil:
		return nil, err
	case answer.URLs == nil:
		return nil, undocumented(call.Endpoint)
	}
	links := forAll(asked, resolver.Answer{Err: fmt.Errorf("not in the answer: %w", resolver.ErrNotExist)})
	for _, u := range *answer.URLs {
		if u.URL.IsZero() {
			links[u.reference] = resolver.Answer{Err: withoutLink(u.reference)}
			continue
		}
		link, err := linkAt(u.URL, reply)
		links[u.reference] = resolver.Answer{Link: link, Err: err}
	}
	return links, nil
}

func forAll(asked []reference, answer resolver.Answer) map[reference]resolver.Answer {
	answers := make(map[reference]resolver.Answer, len(asked))
	for _, r := range asked {
		answers[r] = answer
	}
	return answers
}

// withoutLink is what an empty link means: the API does not say.
func withoutLink(r reference) error {
	switch {
	case r.isCloud():
		return resolver.WithRetryAfter(fmt.Errorf("no link to this cloud document, which may not be readable: %w", resolver.ErrPermission), laterHolds)
	case r.isPicture():
		return resolver.WithRetryAfter(fmt.Errorf("no link to this picture: %w", resolver.ErrPermission), laterHolds)
	default:
		return resolver.WithRetryAfter(fmt.Errorf("only pictures and cloud documents have links: %w", resolver.ErrUnsupported), neverHolds)
	}
}

// linkAt is the temporary link that reply brought. It is signed itself: the token
// must not reach its host.
func linkAt(address resolver.Secret, reply api.Reply) (resolver.Link, error) {
	u, err := url.Parse(address.Reveal())
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return resolver.Link{}, fmt.Errorf("link is not an absolute http or https address: %w", resolver.ErrUnavailable)
	}
	return resolver.Link{
		URLs: []resolver.Secret{address}, Lifetime: linkLife - linkReserve, Obtained: reply.Asked, ServerTime: reply.Date,
	}, nil
}
