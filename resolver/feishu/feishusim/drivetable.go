package feishusim

import (
	"net/http"
	"time"
)

const (
	scopeDrive         = "drive:drive"
	scopeDriveReadonly = "drive:drive:readonly"
	scopeDriveMetadata = "drive:drive.metadata:readonly"
	scopeDocs          = "docs:doc"
	scopeDocsReadonly  = "docs:doc:readonly"
	scopeMedia         = "docs:document.media:download"
	scopeSheets        = "sheets:spreadsheet"
	scopeSheetsRead    = "sheets:spreadsheet:readonly"
	scopeBase          = "bitable:app"
	scopeBaseReadonly  = "bitable:app:readonly"
)

var mediaScopes = []string{
	scopeMedia, scopeDriveReadonly, scopeDrive, scopeDocsReadonly, scopeDocs,
	scopeSheetsRead, scopeSheets, scopeBaseReadonly, scopeBase,
}

// mostDownloads is how many downloads an app has a day, of files and of media
// each.
const mostDownloads = 10_000

// driveRefusals are the table that drive and media print.
var driveRefusals = refusals{
	bad:       refusal{http.StatusBadRequest, 1061002, "params error."},
	denied:    refusal{http.StatusForbidden, 1061004, "forbidden."},
	internal:  refusal{http.StatusInternalServerError, 1061001, "internal error."},
	missing:   refusal{http.StatusNotFound, 1061003, "not found."},
	deleted:   refusal{http.StatusNotFound, 1061007, "file has been delete."},
	pageToken: refusal{http.StatusBadRequest, 1061002, "params error."},
}

var (
	perSecond5     = []Rate{{5, time.Second}}
	perSecond20    = []Rate{{20, time.Second}}
	perMinute100   = []Rate{{100, time.Minute}}
	perMinute1000  = []Rate{{1000, time.Minute}, {50, time.Second}}
	rootRefusals   = refusals{internal: refusal{http.StatusInternalServerError, 91201, "failed"}}
	metaRefusals   = refusals{bad: driveRefusals.bad, internal: refusal{http.StatusServiceUnavailable, 1069704, "internal error"}}
	driveEndpoints = []*endpoint{{
		call: RootFolder, pattern: "GET /open-apis/drive/explorer/v2/root_folder/meta",
		scopes:  []string{scopeDrive, scopeDriveMetadata},
		refuses: rootRefusals, handle: (*Server).rootFolder,
	}, {
		call: DriveFiles, pattern: "GET /open-apis/drive/v1/files", rates: perSecond20,
		scopes:  []string{scopeDriveReadonly, scopeDrive, "space:document:retrieve"},
		refuses: driveRefusals, handle: (*Server).listDrive,
	}, {
		call: Metas, pattern: "POST /open-apis/drive/v1/metas/batch_query", rates: perMinute1000,
		scopes:  []string{scopeDriveMetadata, scopeDrive},
		refuses: metaRefusals, handle: (*Server).queryMetas,
	}, {
		call: FileDownload, pattern: "GET /open-apis/drive/v1/files/{file}/download", rates: perSecond5, perDay: mostDownloads,
		scopes:  []string{"drive:file:download", "drive:file:readonly", "drive:file", scopeDriveReadonly, scopeDrive},
		refuses: driveRefusals, handle: (*Server).downloadFile,
	}, {
		call: MediaLinks, pattern: "GET /open-apis/drive/v1/medias/batch_get_tmp_download_url", // at a rate that is not published
		scopes: mediaScopes, refuses: driveRefusals, handle: (*Server).mediaLinks,
	}, {
		call: MediaDownload, pattern: "GET /open-apis/drive/v1/medias/{medium}/download", rates: perSecond5, perDay: mostDownloads,
		scopes: mediaScopes, refuses: driveRefusals, handle: (*Server).downloadMedium,
	}}
)
