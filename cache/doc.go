// Package cache remembers the bytes of files, so that they are fetched once.
//
// A [Store] keeps pages of 64 KiB, addressed by [Object] (one version of one
// file's content) and page number. [Memory] keeps them in memory within one
// budget and forgets them a block of 1 MiB at a time; [Disk] keeps them over
// restarts, a file for each object; [Tiered] is one over the other and what a
// program wants. What a store hands out is true: a defect on disk of whatever
// kind is a miss, never an error and never a wrong byte; only of a file that
// [Disk.Whole] hands out nobody looks at the bytes any more. Every method may be
// called in parallel.
//
// A [Page] is counted: who gets one releases it. Its memory lies outside the
// Go heap, where neither the collector's headroom nor debug.FreeOSMemory
// touches it.
//
// Locks are taken in this order, each alone or with those after it:
// Disk.writing; then one of queue, openFiles, ledger or objectFile; then
// Memory; then Pool. Only Disk.writing is held over file I/O, and no reader
// takes it.
package cache
