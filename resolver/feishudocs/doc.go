// Package feishudocs provides the files of Feishu and Lark documents: what is
// uploaded to a drive, and the pictures and files in documents, spreadsheets and
// bases.
//
// The top directory has the roots of the configuration, or the content of the
// drive if there are none. Folders and nodes of a wiki are directories as they
// are there; a document is the directory of its media, a spreadsheet as well, and
// a base has a directory for each table, with one for each record. All of it is
// listed when somebody looks, not before: the wiki has 100 calls a minute.
//
// Media have links that live a day, five of which come with one call; those of
// one table of a base ride together, because the call names the table. Uploaded
// files have no links: each request for their bytes is a call of the API itself,
// 10,000 a day, so that they are read in large pieces (see [resolver.Meter]).
//
// IDs are made of the service's own tokens and tell how a place was reached, so
// that what a shortcut leads to is another file than the one that it stands for.
package feishudocs
