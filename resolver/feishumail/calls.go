package feishumail

import (
	"fmt"
	"net/http"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

const (
	// pageSize is how many messages one call lists, and one call describes.
	pageSize = 20
	// linksSize is how many attachments of a message one call for links takes.
	linksSize = 20

	// linkUses and linkLife are what Feishu grants a link.
	linkUses = 2
	linkLife = 2 * time.Hour
)

var (
	errMailbox = fmt.Errorf("there is no such mailbox: %w", resolver.ErrCredentials)
	errRange   = fmt.Errorf("the mailbox may not be read; an administrator has to put it into the app's data range, or the user has to be its member: %w",
		resolver.ErrCredentials)
)

// mailboxes is the path of all endpoints.
const mailboxes = "/open-apis/mail/v1/user_mailboxes/{mailbox}"

// The calls that this package makes, with the rates of the documents. The same
// code means different things in different calls: 1230002 and 1230003 are
// printed the other way round for links, and are left to the HTTP status.
var (
	foldersCall = &api.Endpoint{
		Name: "mail.folders", Method: http.MethodGet, Path: mailboxes + "/folders",
		Limit: perSecond(5),
		Kinds: api.Kinds{"404": errMailbox, "410": errMailbox, "403": errRange},
	}
	listCall = &api.Endpoint{
		Name: "mail.list", Method: http.MethodGet, Path: mailboxes + "/messages",
		Limit: perSecond(10),
		// A 404 of anybody else on the way must not make a folder vanish.
		Kinds: api.Kinds{
			"1234013": errMailbox, "1235013": errMailbox, "403": errRange,
			"1234035": resolver.ErrNotExist, "404": resolver.ErrUnavailable, "410": resolver.ErrUnavailable,
		},
	}
	batchCall = &api.Endpoint{
		Name: "mail.batch_get", Method: http.MethodPost, Path: mailboxes + "/messages/batch_get",
		Limit: perSecond(10),
		Kinds: api.Kinds{"1230003": errMailbox, "1230006": resolver.ErrNotExist, "403": errRange},
	}
	messageCall = &api.Endpoint{
		Name: "mail.get", Method: http.MethodGet, Path: mailboxes + "/messages/{message}",
		Limit: limit.Spec{Rates: []limit.Rate{{Calls: 100, Per: time.Minute}}},
		Kinds: api.Kinds{"1235013": errMailbox},
	}
	linksCall = &api.Endpoint{
		Name: "mail.links", Method: http.MethodGet, Path: mailboxes + "/messages/{message}/attachments/download_url",
		Limit: perSecond(1),
		Kinds: api.Kinds{"1230006": resolver.ErrNotExist, "1235013": errMailbox, "403": resolver.ErrPermission},
	}
)

func perSecond(calls int) limit.Spec {
	return limit.Spec{Rates: []limit.Rate{{Calls: calls, Per: time.Second}}}
}

type foldersAnswer struct {
	Items []listedFolder `json:"items"`
}

type listedFolder struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Parent string `json:"parent_folder_id"` // "0" is none
}

type listAnswer struct {
	Items   []string `json:"items"`
	Token   string   `json:"page_token"`
	HasMore bool     `json:"has_more"`
}

// bodyFormat is the least that is known to bring attachments along.
const bodyFormat = "plain_text_full"

type batchRequest struct {
	Format string   `json:"format"`
	IDs    []string `json:"message_ids"`
}

type batchAnswer struct {
	Messages []message `json:"messages"`
}

type messageAnswer struct {
	Message message `json:"message"`
}

type linksAnswer struct {
	Links []struct {
		ID  string          `json:"attachment_id"`
		URL resolver.Secret `json:"download_url"`
	} `json:"download_urls"`
	Failed []string `json:"failed_ids"`
}
