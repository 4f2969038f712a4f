package ekuaibao

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

const (
	// pageSize is how many documents one call lists or describes, and linksSize
	// how many links one call brings. With more the API answers in plain words.
	pageSize  = 100
	linksSize = 100
	// flowLinkLife is how long the links live that come with a description of
	// documents, or with invoices.
	flowLinkLife = time.Hour
)

// perSecond is a pace at which tools are known to get along: rates are not
// published.
var perSecond = limit.Spec{Rates: []limit.Rate{{Calls: 5, Per: time.Second}}}

// bucket is the limit that all calls share.
const bucket = "ekuaibao"

var (
	errKeys = fmt.Errorf("app_key and app_security do not fit, or are of another host or company: %w", resolver.ErrCredentials)
	// errCall is about one call and not about the token.
	errCall = fmt.Errorf("the company may not make this call: %w", resolver.ErrPermission)
	errType = fmt.Errorf("the company has no such type of document: %w", resolver.ErrUnsupported)
	// errNothing is the answer that documents print for nothing found.
	errNothing = fmt.Errorf("nothing found: %w", resolver.ErrNotExist)
)

// The calls that this package makes: all of them read, though some are a POST.
var (
	locationCall = &api.Endpoint{
		Name: "ekuaibao.location", Method: http.MethodGet, Path: "/api/openapi/v2/location",
		NoToken: true, Kinds: api.Kinds{"403": errKeys, "400": errKeys, "404": resolver.ErrUnavailable},
	}
	tokenCall = &api.Endpoint{
		Name: "ekuaibao.token", Method: http.MethodPost, Path: "/api/openapi/v1/auth/getAccessToken",
		NoToken: true, Kinds: api.Kinds{"403": errKeys, "400": errKeys, "412": errKeys, "404": resolver.ErrUnavailable},
	}
	listCall = &api.Endpoint{
		Name: "ekuaibao.list", Method: http.MethodGet, Path: "/api/openapi/v1.1/docs/getApplyList",
		Limit: perSecond, Bucket: bucket, Kinds: api.Kinds{"404": resolver.ErrUnavailable},
	}
	documentCall = &api.Endpoint{
		Name: "ekuaibao.document", Method: http.MethodGet, Path: "/api/openapi/v1.1/flowDetails",
		Limit: perSecond, Bucket: bucket,
		Kinds: api.Kinds{"412": resolver.ErrNotExist, "404": resolver.ErrUnavailable},
	}
	attachmentsCall = &api.Endpoint{
		Name: "ekuaibao.attachments", Method: http.MethodPost, Path: "/api/openapi/v1/flowDetails/attachment",
		Limit: perSecond, Bucket: bucket, Kinds: api.Kinds{"404": resolver.ErrUnavailable},
	}
	invoicesCall = &api.Endpoint{
		Name: "ekuaibao.invoices", Method: http.MethodPost, Path: "/api/openapi/v2/extension/INVOICE/url",
		Limit: perSecond, Bucket: bucket, Kinds: api.Kinds{"404": resolver.ErrUnavailable},
	}
	linksCall = &api.Endpoint{
		Name: "ekuaibao.links", Method: http.MethodPost, Path: "/api/openapi/v2/attachment/downloadurls",
		Limit: perSecond, Bucket: bucket, Kinds: api.Kinds{"404": resolver.ErrUnavailable},
	}
)

// kinds are those of answers of all calls. A 412 is about business here, and no
// precondition.
var kinds = api.Kinds{"401": api.ErrToken, "403": api.ErrToken, "400": resolver.ErrRejected, "412": resolver.ErrRejected}

type tokenAnswer struct {
	Value struct {
		Token  resolver.Secret `json:"accessToken"`
		Expire int64           `json:"expireTime"` // milliseconds since 1970
	} `json:"value"`
}

type listAnswer struct {
	Count int               `json:"count"`
	Items *[]map[string]any `json:"items"`
}

type documentAnswer struct {
	Value map[string]any `json:"value"`
}

type attachmentsRequest struct {
	Flows []string `json:"flowIds"`
}

type attachmentsAnswer struct {
	Items []flowFiles `json:"items"`
}

// flowFiles are all the files of one document.
type flowFiles struct {
	Flow  string `json:"flowId"`
	Parts []struct {
		Type     string     `json:"type"`
		Line     string     `json:"freeId"`
		Files    []flowFile `json:"attachmentUrls"`
		Invoices []flowFile `json:"invoiceUrls"`
		Receipts []flowFile `json:"receiptUrls"`
	} `json:"attachmentList"`
}

// flowFile is one of them. Any field but the URL may be missing. The numbers of
// invoices are swapped: the code is in InvoiceNumber, the number in InvoiceCode.
type flowFile struct {
	Key           string          `json:"key"`
	FileID        string          `json:"fileId"`
	Name          string          `json:"fileName"`
	URL           resolver.Secret `json:"url"`
	InvoiceNumber string          `json:"invoiceNumber"`
	InvoiceCode   string          `json:"invoiceCode"`
}

type invoicesRequest struct {
	IDs []string `json:"invoiceId"`
}

type invoicesAnswer struct {
	Items []struct {
		ID   string          `json:"id"`
		Name string          `json:"fileName"`
		URL  resolver.Secret `json:"url"`
	} `json:"items"`
}

type linkRequest struct {
	ID         string `json:"id"`
	Key        string `json:"key"`
	Expiration int    `json:"expiration"` // seconds
}

type linkItem struct {
	ID     string                     `json:"id"`
	Key    string                     `json:"key"`
	URL    resolver.Secret            `json:"url"`
	Thumb  resolver.Secret            `json:"thumbUrl"`
	Header map[string]resolver.Secret `json:"headers"`
}

// linksAnswer is a bare list, and what stands for an empty one.
type linksAnswer []linkItem

// UnmarshalJSON reads a list, bare or under items; an object without is empty.
func (a *linksAnswer) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, (*[]linkItem)(a)); err == nil {
		return nil
	}
	var wrapped struct {
		Items []linkItem `json:"items"`
	}
	if err := json.Unmarshal(text, &wrapped); err != nil {
		return err
	}
	*a = wrapped.Items
	return nil
}
