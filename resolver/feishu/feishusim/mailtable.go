package feishusim

import (
	"net/http"
	"time"
)

const (
	mailboxPath = "/open-apis/mail/v1/user_mailboxes/{mailbox}"
	messagePath = mailboxPath + "/messages/{message}"

	scopeMailboxes = "mail:user_mailbox:readonly"
	scopeMessages  = "mail:user_mailbox.message:readonly"
	scopeSubject   = "mail:user_mailbox.message.subject:read"
	scopeAddress   = "mail:user_mailbox.message.address:read"
	scopeBody      = "mail:user_mailbox.message.body:read"
)

// mostListed bounds a page of messages, and the ids of batch_get and of
// download_url.
const mostListed = 20

// mailRefusals are the table that most calls of mail print. It has no codes for
// what is not there.
var mailRefusals = refusals{
	bad:       refusal{http.StatusBadRequest, 1230001, "invalid parameter"},
	denied:    refusal{http.StatusForbidden, 1230002, "no permission"},
	internal:  refusal{http.StatusInternalServerError, 1230003, "internal error"},
	noMailbox: refusal{http.StatusBadRequest, 1230001, "invalid parameter"},
	noMessage: refusal{http.StatusBadRequest, 1230001, "invalid parameter"},
}

var getRefusals = refusals{
	bad:       refusal{http.StatusBadRequest, 1234008, "invalid parameter"},
	denied:    refusal{http.StatusForbidden, 1234017, "no permission"},
	internal:  refusal{http.StatusInternalServerError, 1235000, "internal error"},
	noMailbox: refusal{http.StatusNotFound, 1235013, "mailbox not found"},
	noMessage: refusal{http.StatusNotFound, 1234034, "message not found"},
}

var batchGetRefusals = refusals{
	bad:       refusal{http.StatusBadRequest, 1230001, "invalid parameter"},
	denied:    refusal{http.StatusForbidden, 1230005, "no permission"},
	internal:  refusal{http.StatusInternalServerError, 1230004, "internal error"},
	noMailbox: refusal{http.StatusBadRequest, 1230003, "mailbox not found"},
	noMessage: refusal{http.StatusBadRequest, 1230006, "message not found"},
}

var perSecond10 = []Rate{{10, time.Second}}

var mailEndpoints = []*endpoint{{
	call: AccessibleMailboxes, pattern: "GET " + mailboxPath + "/accessible_mailboxes", rates: perSecond10,
	scopes:  []string{scopeMailboxes, "mail:user_mailbox"},
	refuses: mailRefusals, handle: (*Server).accessibleMailboxes,
}, {
	call: Folders, pattern: "GET " + mailboxPath + "/folders", rates: []Rate{{5, time.Second}},
	scopes:  []string{"mail:user_mailbox.folder:read", "mail:user_mailbox.folder:write"},
	refuses: mailRefusals, handle: (*Server).listFolders,
}, {
	call: Messages, pattern: "GET " + mailboxPath + "/messages", rates: perSecond10,
	scopes: []string{scopeMessages}, refuses: mailRefusals, handle: (*Server).listMessages,
}, {
	call: GetMessage, pattern: "GET " + messagePath, rates: []Rate{{100, time.Minute}},
	scopes: []string{scopeMessages}, refuses: getRefusals, handle: (*Server).getMessage,
}, {
	call: BatchGet, pattern: "POST " + mailboxPath + "/messages/batch_get", rates: perSecond10,
	scopes: []string{scopeMessages}, refuses: batchGetRefusals, handle: (*Server).batchGet,
}, {
	call: DownloadURL, pattern: "GET " + messagePath + "/attachments/download_url", rates: []Rate{{1, time.Second}},
	scopes: []string{scopeBody}, refuses: mailRefusals, handle: (*Server).downloadURLs,
}}
