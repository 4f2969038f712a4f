// Package linksim is an origin to practise on: a real HTTP server on the
// loopback interface that serves files behind temporary links, and the small
// JSON API that lists the files and issues the links. Tests run against it,
// and so does attachfs demo.
//
// It behaves well until told otherwise. What can be told are levers on the
// running [Origin]: [Terms] say how a link lives and dies, [Behaviour] how the
// origin always answers, and a [Fault] what happens to some requests. What it
// was asked is counted ([Origin.Counts], [Origin.Requests]). Everything secret
// that it makes up contains [Marker], so that a log can be searched for leaks.
//
// The traps of links and origins, and the lever that plays each:
//
//	last-second-link     Terms.Lifetime, ExpireLinks between resolve and GET
//	early-death          Terms.Early, ExpireLinksOf
//	third-use            Terms.Uses, SetUsedUpStatus
//	head-counts          any link of Terms.Uses
//	herd                 ExpireLinks, SetAPIDelay, Counts.LinkCalls
//	poisoned-refresh     OldLinks
//	new-url-old-headers  Terms.Header with a value that holds "{signature}"
//	200-to-range         Whole200, Behaviour.NoRanges
//	short-200            Page200, SetDeadStatus(200)
//	wrong-start, -total  WrongStart, WrongTotal, NoContentRange, WrongBytes
//	length-lies          ShortBody, LongBody, LongChunked, CleanCut
//	gzip-unasked         Gzip
//	out-of-range         Behaviour.OutOfRangeIs200
//	unknown-length       Behaviour.NoLength, Object.HideSize
//	swapped-content      Swap
//	weak-etag            Behaviour.WeakETag, Behaviour.ETagPerLink
//	redirect-with-secret Redirect, RedirectLoop, ElsewhereHeaders
//	link-to-intranet     Terms.URL
//	stall, trickle       Stall, Trickle
//	reset, 503, refused  CutBody, Status with Every, Refuse, Down and Up
//	throttle             SetLinkRate, SetListRate, SetLimitShapes; for no reason: InjectAPI of Status
//	quota                SetQuota, SetLimitShapes
//	too large a batch    WithBatch, WithGroups
//	partial-batch        Terms.Refusal of all kinds; links always come in another order
//	bad-apple            Terms.Refusal Spoils
//	links that age       Terms.Listed
//	page-3-fails         InjectAPI of Status with Skip
//	empty-page-with-more EmptyPage, RepeatCursor
//	token-revoked        SetToken
//	token-rotated        WithApp, SetToken
//	clock off            SetClock
//	first-caller-leaves  SetAPIDelay
//	file-deleted         Remove
//	down at start        Down before the client starts, Up
//	dns gone             Terms.URL with a host that does not exist
//	name-war             Object.Name
//	scanner              Counts.LinkCalls, Counts.Throttled
//
// Those of a cache on disk (kill -9, a flipped bit, a full disk) are not of
// links and not played here.
package linksim
