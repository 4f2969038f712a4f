// Package sim provides the files of a simulated service (internal/linksim): a
// small JSON API that lists a tree and hands out links with lifetimes, counted
// uses and bound headers. `attachfs demo` mounts it, and tests use it where the
// terms of a link matter.
//
// A [Provider] is thin: two endpoints over package api, and the types of their
// answers. Batches, groups and a rate are as configured, so that it can stand
// for services with other terms.
package sim
