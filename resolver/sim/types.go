package sim

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
)

// listAnswer is the body of /api/list.
type listAnswer struct {
	Entries []listEntry `json:"entries"`
	Next    string      `json:"next"`
}

type listEntry struct {
	ID      resolver.ID `json:"id"`
	Name    string      `json:"name"`
	Dir     bool        `json:"dir"`
	Version string      `json:"version"`
	Size    *int64      `json:"size"`
	ModTime time.Time   `json:"mtime"`
	SHA256  string      `json:"sha256"`
	Link    *linkAnswer `json:"link"`
}

// entry leaves out what the API does not tell in a usable form.
func (e listEntry) entry(reply api.Reply) resolver.Entry {
	entry := resolver.Entry{
		ID: e.ID, Name: e.Name, Dir: e.Dir,
		Version: e.Version, Size: resolver.SizeUnknown, ModTime: e.ModTime,
	}
	if e.Size != nil && *e.Size >= 0 {
		entry.Size = *e.Size
	}
	if digest, err := hex.DecodeString(e.SHA256); err == nil && len(digest) == 32 {
		entry.SHA256 = digest
	}
	if e.Link != nil {
		if link, err := e.Link.link(reply); err == nil {
			entry.Link = &link
		}
	}
	return entry
}

// linksRequest and linksAnswer are the bodies of /api/links.
type linksRequest struct {
	IDs []resolver.ID `json:"ids"`
}

type linksAnswer struct {
	Links []linkAnswer `json:"links"`
}

type linkAnswer struct {
	ID      resolver.ID                `json:"id"`
	URL     resolver.Secret            `json:"url"`
	Headers map[string]resolver.Secret `json:"headers"`
	Issued  time.Time                  `json:"issued"` // in listings
	Expires time.Time                  `json:"expires"`
	Uses    int                        `json:"uses"`
	Ranged  *bool                      `json:"ranged"`
	Size    int64                      `json:"size"`
	Error   string                     `json:"error"`
}

// notFound is the API's word for an id that it does not know.
const notFound = "not found"

// link is the answer in the words of package resolver. One from a listing may
// be older than the reply that brought it.
func (l linkAnswer) link(reply api.Reply) (resolver.Link, error) {
	switch l.Error {
	case "":
	case notFound:
		return resolver.Link{}, resolver.ErrNotExist
	case "forbidden":
		return resolver.Link{}, resolver.ErrPermission
	case "unsupported":
		return resolver.Link{}, resolver.ErrUnsupported
	default:
		return resolver.Link{}, fmt.Errorf("unknown answer: %w", resolver.ErrUnavailable)
	}
	u, err := url.Parse(l.URL.Reveal())
	if err != nil || u.Hostname() == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" {
		return resolver.Link{}, fmt.Errorf("link is not an absolute http or https address: %w", resolver.ErrUnavailable)
	}
	link := resolver.Link{
		URLs: []resolver.Secret{l.URL}, Header: l.Headers,
		Expires: l.Expires, Uses: max(0, l.Uses), Size: max(0, l.Size),
		Obtained: reply.Asked, ServerTime: reply.Date,
	}
	if !l.Issued.IsZero() {
		link.Obtained = reply.Asked.Add(min(0, reply.Left(l.Issued)))
		link.ServerTime = l.Issued
	}
	if l.Ranged != nil {
		link.Ranged = resolver.RangedNo
		if *l.Ranged {
			link.Ranged = resolver.RangedYes
		}
	}
	return link, nil
}
