// Package feishumail provides the attachments of one Feishu or Lark mailbox:
// a directory for each folder, in it one for each message with attachments.
//
// A page of a folder costs two calls, which bring twenty messages with the names
// of their attachments, so a message is never listed by itself. Sizes are told
// nowhere. Links are counted and slow to get, one message a second, so they are
// asked for by message and never in advance by this package.
//
// A field that the token has no scope for is missing without a word. Where
// messages show neither body nor attachments, a call that needs the scope tells
// whether that is the reason: a mailbox never looks empty for lack of one.
//
// Words: the head of a folder is its newest messages as they were listed, by
// which an update finds what is new; a walk is one way through a folder's pages.
package feishumail
