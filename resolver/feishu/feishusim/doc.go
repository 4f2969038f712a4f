// Package feishusim is a Feishu to practise on: a real HTTP server on the
// loopback interface that behaves as Feishu's documents say of tokens, limits,
// mail, drive, documents, sheets, bases, wiki, and the links of attachments and
// of media. Tests run against it, and so does attachfs demo.
//
// It behaves well until told otherwise, by levers on the running [Server]. All
// of them may be used in parallel with requests and with each other. What it was
// asked is counted ([Server.Counts], [Server.Links], [Server.Requests]).
// Everything secret that it makes up contains [Marker], so that a log can be
// searched for leaks.
//
// What mail has is added by [Server.AddMessage] and its like; the rest by
// [Server.AddDriveFolder], [Server.AddDriveFile], [Server.AddShortcut],
// [Server.AddDocx], [Server.AddSheet], [Server.AddBase], [Server.AddWiki],
// [Server.AddNode]. Everything of these is found by its token, and everybody with
// the scope may read what is not forbidden ([Server.SetForbidden]).
//
// There is one tenant. Links lead to another port than the API's, which is
// another host as far as headers are concerned.
//
// The documents say: tenant tokens and when they change, refresh tokens that
// work once, gateway codes, scopes and what each field of a message needs, the
// mailbox range of an app, paths, parameters and their bounds, the codes and
// statuses of each call, rates in windows and how they are refused, two uses
// and two hours of a link, and failed_ids. Paths that are not here are 404.
//
// Of documents: pages and their bounds and field names, the root that is listed
// without pages and shortcuts when it is not named, pages that are empty and have
// more where nodes may not be seen, 5 calls a second and 10,000 a day of each
// download, ranges of those, five repeated tokens a call for links that
// live a day, bases that fail with status 200, wikis and sheets that miss things
// with 400, ranges of values joined by commas in one parameter, and which extra
// advanced permission needs.
//
// The documents do not say, or contradict themselves; the lever plays what else
// may be true:
//
//	HTTP status of gateway codes and refused secrets   SetGatewayStatus
//	code of a wrong secret                             SetWrongSecretCode
//	status when a rate is exceeded                     SetThrottleStatus
//	are system folders listed unasked                  SetSystemFoldersListed
//	order of messages                                  SetOrder
//	attachments in the format metadata                 SetMetadataAttachments
//	messages that batch_get does not find, or omits    SetBatchGet
//	attachment ids that a message does not have        SetUnknownIDs
//	codes of download_url, which look swapped          SetLinkErrorsAsPrinted
//	end that a link tells, sooner than the true one    LinkTerms.Told
//	status of a link that is dead or used up           LinkConduct
//	Range and Content-Length on links                  LinkConduct
//	forbidden and missing tokens among several         SetBatch
//	extra that is missing, or not needed               SetExtra
//	uses of links to media                             SetMediaLinkTerms
//	ETag, Range and redirects of downloads             SetDownloadConduct
//	code of a download when the day's are spent        SetSpentDay
//	how a cell of a sheet tells of an attachment       CellShape
//	empty pages of other listings                      SetEmptyPages
//	bases with too few rights that have no records     HideRecords
//	tables that are read too fast                      SetTablePause
//	documents whose media nobody may have              SetSealed
//	any other status and code                          Refuse
//
// Guesses without a lever: a day begins in Beijing, and the rate of the call for
// links to media, which is not published, is none until SetRate; values of sheets
// fail with codes of the general table; searches in bases know no other
// conditions than isEmpty and isNotEmpty, and no order; of documents there is the
// newest revision only; a file of the drive has no link, and a medium is no file.
//
// Of mail: a mailbox, folder or message that a call has no code for is a bad
// parameter; `me` with a tenant token is one, too, but for accessible_mailboxes;
// a refused call spends neither rate nor quota; links
// outlive their message; every request with a link is a use, but for those with
// an Authorization header, which are answered 400; all messages are unread.
package feishusim
