// Package resolver is the contract between attachfs and the services that hold
// the files: names become entries, ids become links, and what goes wrong
// becomes one of a few kinds of error.
//
// A [Provider] speaks one service's API. It lists directories page by page and
// answers ids with [Link]s; it neither caches nor retries, and it never sees
// file bytes. The catalog (resolver/catalog) remembers what it listed, the
// broker (resolver/broker) turns its links into [Lease]s, and fs/stream reads
// through them. Everything secret is a [Secret], which cannot be printed.
package resolver
