// Package sim provides the files of a simulated service (internal/linksim): a
// small JSON API that lists a tree and hands out links with lifetimes, counted
// uses and bound headers. `attachfs demo` mounts it, and tests use it where the
// terms of a link matter.
//
// A [Provider] is a plain client: one HTTP request for a page, one for a batch
// of links, each bounded in time and size; nothing is retried or remembered.
package sim
