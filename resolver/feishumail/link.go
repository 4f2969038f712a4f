package feishumail

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/feishu"
)

// lane is that of all calls for links.
const lane = "links"

// Batch says that a call takes attachments of one message.
func (p *Provider) Batch(id resolver.ID) resolver.Batch {
	return resolver.Batch{Lane: lane, Group: placeOf(id).message, Size: linksSize}
}

// Turn waits for that of a call for links, which the whole tenant has one of in a
// second.
func (p *Provider) Turn(ctx context.Context, _ string) error {
	return p.app.Load().Turn(ctx, linksCall)
}

// Resolve makes one call. An id that is asked for twice is sent once, and both
// answers have the same link.
func (p *Provider) Resolve(ctx context.Context, ids []resolver.ID) ([]resolver.Answer, error) {
	answers := make([]resolver.Answer, len(ids))
	var message string
	var attachments []string
	for i, id := range ids {
		at := placeOf(id)
		if at.attachment == "" {
			answers[i].Err = fmt.Errorf("%q is no attachment: %w", id, resolver.ErrNotExist)
			continue
		}
		message = at.message
		attachments = append(attachments, at.attachment)
	}
	if len(attachments) == 0 {
		return answers, nil
	}
	slices.Sort(attachments)
	links, err := p.links(ctx, message, slices.Compact(attachments))
	if err != nil {
		return nil, fmt.Errorf("%d attachments of a message: %w", len(ids), err)
	}
	for i, id := range ids {
		if answers[i].Err != nil {
			continue
		}
		answer, ok := links[placeOf(id).attachment]
		if !ok {
			answer.Err = resolver.ErrNotExist
		}
		if answer.Err != nil {
			answer.Err = fmt.Errorf("link of %q: %w", id, answer.Err)
		}
		answers[i] = answer
	}
	return answers, nil
}

// links returns what the API says of attachments, by their ids: nothing of any
// if the message is gone.
func (p *Provider) links(ctx context.Context, message string, attachments []string) (map[string]resolver.Answer, error) {
	var answer linksAnswer
	call := api.Call{
		Endpoint: linksCall, Params: []string{p.cfg.Mailbox, message},
		Query: url.Values{"attachment_ids": attachments}, Waited: true,
	}
	reply, err := p.app.Load().Do(ctx, call, &answer)
	if errors.Is(err, resolver.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	answers := make(map[string]resolver.Answer, len(attachments))
	for _, id := range answer.Failed {
		answers[id] = resolver.Answer{Err: fmt.Errorf("listed under failed_ids: %w", resolver.ErrPermission)}
	}
	for _, l := range answer.Links {
		link, err := feishu.Link(l.URL, reply)
		link.Uses, link.Lifetime = linkUses, linkLife
		answers[l.ID] = resolver.Answer{Link: link, Err: err}
	}
	return answers, nil
}
