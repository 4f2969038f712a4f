package kdocs

import (
	"fmt"
	"net/http"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

const (
	// mostFiles is a page of the list of files. The documents name no maximum.
	mostFiles = 100
	// mostRecords is the maximum of a page of records that the documents of
	// scripts in tables name; leastRecords is the usual page, which is always
	// taken.
	mostRecords, leastRecords = 1000, 100
	// mostLinks is how many attachments one call for links takes.
	mostLinks = 100
)

// totalBudget is charged with the calls of all endpoints.
const totalBudget = "kdocs.total"

// china is where a day of calls begins.
var china = time.FixedZone("UTC+8", 8*60*60)

// errScope is for calls that are about no file.
var errScope = fmt.Errorf("the app is not online, or the login lacks the scope access_personal_files: %w", resolver.ErrCredentials)

// calls are those that a provider makes, each with the budget of its app.
type calls struct{ files, schemas, records, links, user *api.Endpoint }

func newCalls(daily int) calls {
	of := func(name string) limit.Spec {
		// The endpoint's own comes first: it counts as spent when the API says so.
		return limit.Spec{Budgets: []limit.Budget{
			{Key: name, Calls: daily, Zone: china}, {Key: totalBudget, Calls: daily, Zone: china},
		}}
	}
	const document = "/api/v1/openapi/{kind}/{file}"
	return calls{
		files: &api.Endpoint{
			Name: "kdocs.files", Method: http.MethodGet, Path: "/api/v1/openapi/personal/files/flat",
			Limit: of("kdocs.files"), Kinds: api.Kinds{"40001": errScope, "403": errScope},
		},
		schemas: &api.Endpoint{
			Name: "kdocs.schemas", Method: http.MethodGet, Path: document + "/schemas", Limit: of("kdocs.schemas"),
		},
		records: &api.Endpoint{
			Name: "kdocs.records", Method: http.MethodGet, Path: document + "/sheets/{sheet}/records", Limit: of("kdocs.records"),
		},
		links: &api.Endpoint{
			Name: "kdocs.links", Method: http.MethodPost, Path: document + "/attachment/urls", Limit: of("kdocs.links"),
		},
		user: &api.Endpoint{
			Name: "kdocs.user_basic", Method: http.MethodGet, Path: "/api/v1/openapi/user/basic",
			Limit: of("kdocs.user_basic"), Kinds: api.Kinds{"40001": errScope, "403": errScope},
		},
	}
}

// filesAnswer comes as it is or within a detail; so do those of tables, of which
// only the latter was seen.
type filesAnswer struct {
	fileList
	Detail fileList `json:"detail"`
}

type fileList struct {
	Files  *[]listedFile `json:"files"`
	Next   word          `json:"next_offset"` // "-1" is none
	Filter word          `json:"next_filter"`
}

type listedFile struct {
	ID struct {
		Open string `json:"open_id"`
	} `json:"id"`
	Name     string `json:"fname"`
	Modified int64  `json:"mtime"` // seconds
	Size     int64  `json:"fsize"`
}

type schemasAnswer struct {
	Detail struct {
		Sheets *[]schema `json:"sheets"`
	} `json:"detail"`
}

// schema is what is told of a sheet.
type schema struct {
	ID      word    `json:"id"`
	Name    string  `json:"name"`
	Primary word    `json:"primaryFieldId"`
	Fields  []field `json:"fields"`
}

type field struct {
	ID   word   `json:"id"`
	Type string `json:"type"`
}

type recordsAnswer struct {
	Detail struct {
		Records *[]record `json:"records"`
		Offset  word      `json:"offset"`
	} `json:"detail"`
}

type record struct {
	ID     word  `json:"id"`
	Fields cells `json:"fields"`
}

// reference is an attachment as a call for links asks for it and as it is
// answered: all parts are as the cell has them.
type reference struct {
	Source string `json:"source"`
	Type   string `json:"mime_type"`
	Key    string `json:"key"`
}

type linksRequest struct {
	Attachments []reference `json:"attachments"`
}

type linksAnswer struct {
	URLs *[]struct {
		reference
		URL resolver.Secret `json:"url"`
	} `json:"urls"`
}
