package ekuaibao

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

// lane is that of all calls for links: they share one limit.
const lane = "links"

// The groups of files that one call takes together.
const (
	storedGroup  = "stored"   // by id and key
	driveGroup   = "dingtalk" // the same, of a DingTalk drive
	partGroup    = "parts"    // by document
	invoiceGroup = "invoices"
)

// driveLife is how long the headers of a link to a DingTalk drive are taken.
const driveLife = 15 * time.Minute

// errDrive is what most likely helps.
var errDrive = fmt.Errorf("the DingTalk drive does not hand out the file; in DingTalk an administrator has to grant Hesi "+
	"企业存储授权信息写权限 and 企业存储文件下载信息读权限, and in Hesi the 钉钉云盘 has to be authorised: %w", resolver.ErrPermission)

// Batch says that a call takes a hundred files of one kind; those of a DingTalk
// drive are asked for apart.
func (p *Provider) Batch(id resolver.ID) resolver.Batch {
	return resolver.Batch{Lane: lane, Group: groupOf(id), Size: linksSize}
}

func groupOf(id resolver.ID) string {
	kind, texts := split(id)
	switch {
	case kind == partKind:
		return partGroup
	case kind == invoiceKind:
		return invoiceGroup
	case kind == fileKind && onDrive(texts[2]):
		return driveGroup
	default:
		return storedGroup
	}
}

// Turn waits for that of a call for links.
func (p *Provider) Turn(ctx context.Context, _ string) error {
	return p.client().turn(ctx, linksCall)
}

// Resolve makes one call. A file that is asked for twice is sent once.
func (p *Provider) Resolve(ctx context.Context, ids []resolver.ID) ([]resolver.Answer, error) {
	answers := make([]resolver.Answer, len(ids))
	var known []resolver.ID
	for i, id := range ids {
		switch kind, _ := split(id); kind {
		case fileKind, thumbKind, partKind, invoiceKind:
			known = append(known, id)
		default:
			answers[i].Err = fmt.Errorf("%q is no file: %w", id, resolver.ErrNotExist)
		}
	}
	if len(known) == 0 {
		return answers, nil
	}
	links, err := p.links(ctx, known)
	if err != nil {
		return nil, fmt.Errorf("links of %d files: %w", len(known), err)
	}
	for i, id := range ids {
		if answers[i].Err != nil {
			continue
		}
		answer, ok := links[id]
		if !ok {
			answer.Err = missing(id)
		}
		if answer.Err != nil {
			answer.Err = fmt.Errorf("link: %w", answer.Err)
		}
		answers[i] = answer
	}
	return answers, nil
}

// missing is what it means that an answer leaves out a file.
func missing(id resolver.ID) error {
	if groupOf(id) == driveGroup {
		return errDrive
	}
	return resolver.ErrNotExist
}

func (p *Provider) links(ctx context.Context, ids []resolver.ID) (map[resolver.ID]resolver.Answer, error) {
	switch group := groupOf(ids[0]); group {
	case partGroup:
		return p.partLinks(ctx, ids)
	case invoiceGroup:
		return p.invoiceLinks(ctx, ids)
	default:
		answers, err := p.storedLinks(ctx, ids)
		switch {
		case group != driveGroup:
		case resolver.Refused(err):
			err = fmt.Errorf("%w (%w)", errDrive, err)
		case errors.Is(err, api.ErrToken): // which other calls are made with
			err = fmt.Errorf("%w (%v)", errDrive, err)
		}
		return answers, err
	}
}

// storedLinks asks by id and key. The order of the answer is not promised, and
// what is not found is not in it.
func (p *Provider) storedLinks(ctx context.Context, ids []resolver.ID) (map[resolver.ID]resolver.Answer, error) {
	var body []linkRequest
	for _, id := range ids {
		_, texts := split(id)
		item := linkRequest{ID: texts[1], Key: texts[2], Expiration: int(p.cfg.linkTTL().Seconds())}
		if !slices.Contains(body, item) {
			body = append(body, item)
		}
	}
	var answer linksAnswer
	reply, err := p.client().do(ctx, api.Call{Endpoint: linksCall, Body: body, Waited: true}, &answer)
	if err != nil {
		return nil, err
	}
	type place struct{ id, key string }
	found := make(map[place]linkItem, len(answer))
	for _, item := range answer {
		found[place{item.ID, item.Key}] = item
	}
	answers := make(map[resolver.ID]resolver.Answer, len(ids))
	for _, id := range ids {
		kind, texts := split(id)
		item, ok := found[place{texts[1], texts[2]}]
		if !ok {
			continue
		}
		answers[id] = p.storedLink(kind, item, reply)
	}
	return answers, nil
}

func (p *Provider) storedLink(kind string, item linkItem, reply api.Reply) resolver.Answer {
	address, life := item.URL, p.cfg.linkTTL()
	if kind == thumbKind {
		address = item.Thumb
	}
	if onDrive(item.Key) {
		life = driveLife
	}
	if address.IsZero() {
		err := fmt.Errorf("no address: %w", resolver.ErrNotExist)
		if onDrive(item.Key) {
			err = errDrive
		}
		return resolver.Answer{Err: err}
	}
	link, err := linkAt(address, item.Header, reply, life)
	return resolver.Answer{Link: link, Err: err}
}

// partLinks asks for all files of the documents again, which is the only call
// that knows these.
func (p *Provider) partLinks(ctx context.Context, ids []resolver.ID) (map[resolver.ID]resolver.Answer, error) {
	var flows []string
	for _, id := range ids {
		if _, texts := split(id); !slices.Contains(flows, texts[0]) {
			flows = append(flows, texts[0])
		}
	}
	var answer attachmentsAnswer
	reply, err := p.client().do(ctx, api.Call{Endpoint: attachmentsCall, Body: attachmentsRequest{flows}, Waited: true}, &answer)
	if errors.Is(err, resolver.ErrRejected) && len(flows) == 1 { // no such document
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	answers := make(map[resolver.ID]resolver.Answer)
	for _, item := range answer.Items {
		for part, link := range item.links(reply) {
			answers[join(partKind, item.Flow, part)] = resolver.Answer{Link: *link}
		}
	}
	return answers, nil
}

func (p *Provider) invoiceLinks(ctx context.Context, ids []resolver.ID) (map[resolver.ID]resolver.Answer, error) {
	by := make(map[string][]resolver.ID)
	var invoices []string
	for _, id := range ids {
		_, texts := split(id)
		if by[texts[1]] == nil {
			invoices = append(invoices, texts[1])
		}
		by[texts[1]] = append(by[texts[1]], id)
	}
	answer, reply, err := p.invoices(ctx, invoices, true)
	if err != nil {
		return nil, err
	}
	answers := make(map[resolver.ID]resolver.Answer)
	for _, item := range answer.Items {
		for _, id := range by[item.ID] {
			link, err := linkAt(item.URL, nil, reply, flowLinkLife)
			answers[id] = resolver.Answer{Link: link, Err: err}
		}
	}
	return answers, nil
}

// processed is the parameter of links to something that the store makes of an
// object while it is asked for. It need not be the same length twice, so it is
// taken whole.
const processed = "x-oss-process="

// linkAt is the link to an address that a reply brought.
func linkAt(address resolver.Secret, header map[string]resolver.Secret, reply api.Reply, life time.Duration) (resolver.Link, error) {
	u, err := url.Parse(address.Reveal())
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return resolver.Link{}, fmt.Errorf("link is not an absolute http or https address: %w", resolver.ErrUnavailable)
	}
	link := resolver.Link{
		URLs: []resolver.Secret{address}, Header: header, Lifetime: life,
		Obtained: reply.Asked, ServerTime: reply.Date,
	}
	if strings.Contains(u.RawQuery, processed) {
		link.Ranged = resolver.RangedNo
	}
	return link, nil
}
