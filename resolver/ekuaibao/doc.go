// Package ekuaibao provides the attachments of one company's documents in
// ekuaibao (Hesi): a directory for each type of document, in it one for each
// month, and in that one for each document with attachments. Files of expense
// lines, approvals, invoices and receipts are in directories of their own.
//
// A call lists a hundred documents with the names of their attachments. Only
// invoices and receipts are not in the document itself: documents that can have
// any are asked about in hundreds, too, and the links that come along are handed
// on. Sizes are told nowhere, but in the keys of files of a DingTalk drive.
//
// Links come in hundreds. They live half an hour at most, those of a DingTalk
// drive a quarter, and those are asked for apart from others, because a company
// may not be allowed to have them. What the API has no key and id for is renewed
// by the call that listed it.
//
// The company's host is found by its id when no address is configured, and looked
// for again when it does not serve any more. The token is part of every address,
// so no address is ever told.
//
// Words: a document has a flow id; the folder of a file is the directory within
// the document, empty for the document's own.
package ekuaibao
