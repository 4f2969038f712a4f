// Package demo holds the files that `attachfs demo` shows: what the mailboxes,
// tables and expense reports of a small company in Hangzhou might carry.
//
// Nothing is read from disk or network. Pictures, PDF and Office files,
// archives, sound and video are made by code at every call, with the same bytes
// each time, so that they can be compared, cached and counted. Small files are
// held in memory; the large log is written while it is read.
//
// A set is the files of one simulated source. An item is a file that has not
// been made yet.
package demo
