package feishumail

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// messages returns the messages of ids, at most a page of them, without those
// that the API says are gone. One that it gives no answer about is an error.
func (p *Provider) messages(ctx context.Context, ids []string) (map[string]message, error) {
	found := make(map[string]message, len(ids))
	missing := ids
	for range 2 { // batch_get may leave out some and not say why
		if len(missing) == 0 {
			break
		}
		if err := p.batch(ctx, missing, found); err != nil && !errors.Is(err, resolver.ErrNotExist) {
			return nil, err
		}
		missing = slices.DeleteFunc(slices.Clone(missing), func(id string) bool {
			_, ok := found[id]
			return ok
		})
	}
	for _, id := range missing {
		m, err := p.message(ctx, id)
		if errors.Is(err, resolver.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("%d messages did not come: %w", len(missing), err)
		}
		found[id] = m
	}
	return found, p.checkReadable(ctx, found)
}

// batch adds to found the messages of ids that the API has.
func (p *Provider) batch(ctx context.Context, ids []string, found map[string]message) error {
	var answer batchAnswer
	call := api.Call{
		Endpoint: batchCall, Params: []string{p.cfg.Mailbox},
		Body: batchRequest{Format: bodyFormat, IDs: ids},
	}
	if _, err := p.app.Load().Do(ctx, call, &answer); err != nil {
		return err
	}
	for _, m := range answer.Messages {
		if slices.Contains(ids, m.ID) {
			found[m.ID] = m
		}
	}
	return nil
}

// message asks for a single one, which says whether it is gone.
func (p *Provider) message(ctx context.Context, id string) (message, error) {
	var answer messageAnswer
	call := api.Call{
		Endpoint: messageCall, Params: []string{p.cfg.Mailbox, id},
		Query: url.Values{"format": {bodyFormat}},
	}
	if _, err := p.app.Load().Do(ctx, call, &answer); err != nil {
		return message{}, err
	}
	if answer.Message.ID != id {
		return message{}, fmt.Errorf("%s: answer has no message: %w", messageCall.Name, resolver.ErrUnavailable)
	}
	return answer.Message, nil
}

const (
	// bodyScope is what bodies, attachments and links need.
	bodyScope = "mail:user_mailbox.message.body:read"
	// subjectScope is what subjects need.
	subjectScope = "mail:user_mailbox.message.subject:read"

	// provenFor is how long a proof of the scope is trusted: a folder of empty
	// messages is not to cost a call for links with each page.
	provenFor = time.Minute
)

// checkReadable tells messages without text and attachments from a token without
// the scope for them, to which the API does not show any. It costs a call where
// all messages are like that.
func (p *Provider) checkReadable(ctx context.Context, found map[string]message) error {
	for _, m := range found {
		if m.readable() {
			return nil
		}
	}
	if at := p.proven.Load(); len(found) == 0 || at != nil && time.Since(*at) < provenFor {
		return nil
	}
	ids := slices.Sorted(maps.Keys(found))
	err := p.proveReadable(ctx, ids[0])
	if errors.Is(err, resolver.ErrNotExist) { // the message; the folder is there
		err = fmt.Errorf("%v: %w", err, resolver.ErrUnavailable)
	}
	if err != nil {
		return fmt.Errorf("messages come without text and attachments, is %s missing?: %w", bodyScope, err)
	}
	now := time.Now()
	p.proven.Store(&now)
	return nil
}

// mailCodes begin the codes of the mail service, which calls without the scope do
// not reach.
const mailCodes = "123"

// proveReadable asks for a link to an attachment that is not there. It is not the
// answer that matters but who gives it.
func (p *Provider) proveReadable(ctx context.Context, message string) error {
	call := api.Call{
		Endpoint: linksCall, Params: []string{p.cfg.Mailbox, message},
		Query: url.Values{"attachment_ids": {"none"}},
	}
	_, err := p.app.Load().Do(ctx, call, nil)
	var answer *api.Error
	if errors.As(err, &answer) && strings.HasPrefix(answer.Code, mailCodes) {
		return nil
	}
	return err
}
