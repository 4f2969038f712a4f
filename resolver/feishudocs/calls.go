package feishudocs

import (
	"net/http"
	"time"

	"github.com/attachfs/attachfs/resolver"
	"github.com/attachfs/attachfs/resolver/api"
	"github.com/attachfs/attachfs/resolver/limit"
)

const (
	folderPage = 200 // items of a page
	wikiPage   = 50
	blockPage  = 500
	tablePage  = 100
	fieldPage  = 100
	recordPage = 500

	// metasSize is how many documents one call describes.
	metasSize = 200
	// linksSize is how many media one call for links takes.
	linksSize = 5
	// linkLife is what Feishu grants a link to a medium.
	linkLife = 24 * time.Hour
	// downloadsPerDay is how often files may be asked for by the app in its
	// tenant, and media as often; each range counts.
	downloadsPerDay = 10_000
	// leastRequest is what a request brings where requests are counted: 1 GiB is
	// 128 of them, and the day has 78 GiB.
	leastRequest = 8 << 20
)

func perSecond(calls int) limit.Rate { return limit.Rate{Calls: calls, Per: time.Second} }
func perMinute(calls int) limit.Rate { return limit.Rate{Calls: calls, Per: time.Minute} }

func rates(all ...limit.Rate) limit.Spec { return limit.Spec{Rates: all} }

// kinds adds to what a call is known to answer that a 404 of anybody else on the
// way must not make a directory vanish.
func kinds(known api.Kinds) api.Kinds {
	known["404"], known["410"] = resolver.ErrUnavailable, resolver.ErrUnavailable
	return known
}

var (
	driveKinds = kinds(api.Kinds{
		"1061001": resolver.ErrUnavailable, "1061006": resolver.ErrUnavailable, "1064230": resolver.ErrUnavailable,
		"1061002": resolver.ErrRejected, "1061003": resolver.ErrNotExist, "1061007": resolver.ErrNotExist,
		"1061004": resolver.ErrPermission, "91204": resolver.ErrPermission, "91201": resolver.ErrUnavailable,
		"1061005": api.ErrToken, "1069701": api.ErrToken, "1069704": resolver.ErrUnavailable,
		"1061045": resolver.ErrThrottled,
	})
	// Not found and not permitted come with the status 400 here.
	wikiKinds = kinds(api.Kinds{
		"131001": resolver.ErrUnavailable, "131007": resolver.ErrUnavailable,
		"131005": resolver.ErrNotExist, "131006": resolver.ErrPermission,
	})
	docxKinds = kinds(api.Kinds{
		"1770002": resolver.ErrNotExist, "1770003": resolver.ErrNotExist, "1770032": resolver.ErrPermission,
		"1770020": resolver.ErrUnavailable, "1770022": resolver.ErrUnavailable, // a page token that has grown old
		"1771001": resolver.ErrUnavailable, "1771002": resolver.ErrUnavailable, "1771003": resolver.ErrUnavailable,
		"1771004": resolver.ErrUnavailable, "1771005": resolver.ErrUnavailable,
	})
	sheetKinds = kinds(api.Kinds{
		"1310213": resolver.ErrPermission, "91403": resolver.ErrPermission,
		"1310214": resolver.ErrNotExist, "1310249": resolver.ErrNotExist, "91402": resolver.ErrNotExist,
		"1315201": resolver.ErrUnavailable, "1315203": resolver.ErrUnavailable, "1315210": resolver.ErrUnavailable,
	})
	// These come with the status 200, most of them.
	baseKinds = kinds(api.Kinds{
		"1254003": resolver.ErrNotExist, "1254004": resolver.ErrNotExist, "1254040": resolver.ErrNotExist, "1254041": resolver.ErrNotExist,
		"1254302": resolver.ErrPermission, "1254303": resolver.ErrPermission, "91403": resolver.ErrPermission,
		"1254290": resolver.ErrThrottled, "1254291": resolver.ErrThrottled,
		"1254036": resolver.ErrUnavailable, "1254607": resolver.ErrUnavailable, "1255040": resolver.ErrUnavailable,
		"1254002": resolver.ErrUnavailable, "1255001": resolver.ErrUnavailable, "1255002": resolver.ErrUnavailable, "1255003": resolver.ErrUnavailable,
		"1255004": resolver.ErrUnavailable, "1255005": resolver.ErrUnavailable,
		"1254001": resolver.ErrRejected, "1254011": resolver.ErrRejected, "1254018": resolver.ErrRejected, "1254030": resolver.ErrRejected,
		// The fields are others by now than when the first page was asked for.
		"1254009": resolver.ErrUnavailable, "1254044": resolver.ErrUnavailable, "1254024": resolver.ErrUnavailable, "1254045": resolver.ErrUnavailable,
	})
	// Of media it is told apart who may not, and what is not there.
	mediaKinds = api.Kinds{
		"1061001": resolver.ErrUnavailable, "1061006": resolver.ErrUnavailable, "1064230": resolver.ErrUnavailable,
		"1061002": resolver.ErrRejected, "1061003": resolver.ErrNotExist, "1061007": resolver.ErrNotExist,
		"1061004": resolver.ErrPermission, "1061005": api.ErrToken, "1061045": resolver.ErrThrottled,
		"404": resolver.ErrUnavailable, "410": resolver.ErrUnavailable,
	}
)

const (
	tooLargeRecords = "1254030" // ask for fewer
	tooLargeValues  = "90221"
	sheetGone       = "90215"
)

const (
	documentPath = "/open-apis/docx/v1/documents/{document}"
	sheetPath    = "/open-apis/sheets/v3/spreadsheets/{spreadsheet}/sheets"
	basePath     = "/open-apis/bitable/v1/apps/{base}/tables"
	wikiPath     = "/open-apis/wiki/v2/spaces/{space}"
	mediasPath   = "/open-apis/drive/v1/medias"
)

// The calls that this package makes, with the rates of the documents. That of
// links is not published; ten a second is what the slower ones of the others
// allow.
var (
	rootCall = &api.Endpoint{
		Name: "drive.root", Method: http.MethodGet, Path: "/open-apis/drive/explorer/v2/root_folder/meta",
		Limit: rates(perSecond(5)), Kinds: driveKinds,
	}
	folderCall = &api.Endpoint{
		Name: "drive.list", Method: http.MethodGet, Path: "/open-apis/drive/v1/files",
		Limit: rates(perSecond(20)), Kinds: driveKinds,
	}
	metasCall = &api.Endpoint{
		Name: "drive.metas", Method: http.MethodPost, Path: "/open-apis/drive/v1/metas/batch_query",
		Limit: rates(perMinute(1000), perSecond(50)), Kinds: driveKinds,
	}
	spaceCall = &api.Endpoint{
		Name: "wiki.space", Method: http.MethodGet, Path: wikiPath, Limit: rates(perMinute(100)), Kinds: wikiKinds,
	}
	nodesCall = &api.Endpoint{
		Name: "wiki.nodes", Method: http.MethodGet, Path: wikiPath + "/nodes", Limit: rates(perMinute(100)), Kinds: wikiKinds,
	}
	documentCall = &api.Endpoint{
		Name: "docx.document", Method: http.MethodGet, Path: documentPath, Limit: rates(perSecond(5)), Kinds: docxKinds,
	}
	blocksCall = &api.Endpoint{
		Name: "docx.blocks", Method: http.MethodGet, Path: documentPath + "/blocks", Limit: rates(perSecond(5)), Kinds: docxKinds,
	}
	sheetsCall = &api.Endpoint{
		Name: "sheets.query", Method: http.MethodGet, Path: sheetPath + "/query", Limit: rates(perMinute(100)), Kinds: sheetKinds,
	}
	floatsCall = &api.Endpoint{
		Name: "sheets.floats", Method: http.MethodGet, Path: sheetPath + "/{sheet}/float_images/query",
		Limit: rates(perMinute(100)), Kinds: sheetKinds,
	}
	valuesCall = &api.Endpoint{
		Name: "sheets.values", Method: http.MethodGet, Path: "/open-apis/sheets/v2/spreadsheets/{spreadsheet}/values/{range}",
		Limit: rates(perSecond(100)), Kinds: sheetKinds,
	}
	tablesCall = &api.Endpoint{
		Name: "bitable.tables", Method: http.MethodGet, Path: basePath, Limit: rates(perSecond(20)), Kinds: baseKinds,
	}
	fieldsCall = &api.Endpoint{
		Name: "bitable.fields", Method: http.MethodGet, Path: basePath + "/{table}/fields", Limit: rates(perSecond(20)), Kinds: baseKinds,
	}
	searchCall = &api.Endpoint{
		Name: "bitable.search", Method: http.MethodPost, Path: basePath + "/{table}/records/search",
		Limit: rates(perSecond(20)), Kinds: baseKinds,
	}
	linksCall = &api.Endpoint{
		Name: "media.links", Method: http.MethodGet, Path: mediasPath + "/batch_get_tmp_download_url",
		Limit: rates(perSecond(10)), Kinds: mediaKinds,
	}
)

// downloads are the calls that bring bytes, whose budgets begin anew at midnight
// of a zone.
type downloads struct{ file, media *api.Endpoint }

func downloadCalls(zone *time.Location) downloads {
	limits := limit.Spec{
		Rates:   []limit.Rate{perSecond(5)},
		Budgets: []limit.Budget{{Calls: downloadsPerDay, Period: limit.Day, Zone: zone}},
	}
	return downloads{
		file: &api.Endpoint{
			Name: "drive.download", Method: http.MethodGet, Path: "/open-apis/drive/v1/files/{file}/download", Limit: limits,
		},
		media: &api.Endpoint{
			Name: "media.download", Method: http.MethodGet, Path: mediasPath + "/{medium}/download", Limit: limits,
		},
	}
}
