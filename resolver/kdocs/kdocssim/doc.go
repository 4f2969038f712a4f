// Package kdocssim is a kdocs (developer.kdocs.cn) to practise on: a real HTTP
// server on the loopback interface that behaves as the documents of WPS say of
// logins, lists of files, tables and the links of their attachments. Tests run
// against it, and so does attachfs demo.
//
// It behaves well until told otherwise, by levers on the running [Server]. All
// of them may be used in parallel with requests and with each other. What it was
// asked is counted ([Server.Counts], [Server.Requests]). Everything secret that
// it makes up contains [Marker], so that a log can be searched for leaks.
//
// There is one person, who agrees to every login at once. Links lead to another
// port than the API's, where an origin of package linksim ([Server.Origin])
// serves them, for GET alone; its behaviours, faults and counts are at hand, by
// the ids of [ObjectID].
//
// The documents say: the page that asks the person and its redirect, codes that
// live five minutes and work once (20001), tokens of 24 hours and refresh tokens
// of 90 days, access_token in the query and nowhere else, scopes, lists by folder
// and flat ones with their next_offset and next_filter, schemas, records with
// preferId, pageSize and an opaque offset, cells of attachments, at most 100
// attachments a call for links, source and type sent back as they were, links of
// ten minutes, an empty one for what is no common picture and for cloud documents
// that cannot be read, and calls a day by endpoint.
//
// The documents do not say, or contradict themselves; the lever plays what else
// may be true:
//
//	does a refresh token rotate, and what dies then    SetRotation
//	HTTP status of errors, and where their text is     SetErrors
//	what comes when the calls of a day are spent       SetOverQuota
//	are the calls of a day shared by the endpoints     SetSharedQuota
//	data.files or data.detail.files                    SetFilesInDetail
//	how many records a page may have, and more is what SetPages
//	how the last page of records says that it is last  SetCursorEnd
//	what columns of attachments are called             Field.Type
//	order of the links                                 SetLinksReversed
//	does a link tell its end                           SetLinkTerms
//	Range, lengths, entity tags of links               Origin
//	is a picture the original                          Attachment.Size, Recompress
//
// Guesses without a lever: a new day begins at midnight in China; a refused call
// spends nothing of it; a file, sheet or record that is not there is 40004, a
// parameter that is wrong 40003, a scope that is missing or a file that may not
// be read 40001, a wrong key 40002, a refresh token that is not taken 20002;
// a table is asked by /dbt/, an online sheet by /ksheet/, and for the links of
// attachments either way; an attachment that the document does not have, or one
// of another source or type, has an empty link.
package kdocssim
