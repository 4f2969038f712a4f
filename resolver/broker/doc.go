// Package broker lends leases on a provider's links.
//
// A link is scarce: the API that hands it out is slow and limited, and the link
// itself dies after minutes or after two uses. So the broker remembers what it
// was given and lends it to everyone who reads the file, asks the provider once
// for however many wait, and renews a link once per generation: sixteen readers
// that meet the same dead link cost one call. A renewal always asks the
// provider and replaces what is remembered. When a renewed link does not serve
// either, or the provider refuses, the refusal is remembered for a few seconds,
// so that a retrying program is never a storm at the provider. The next link of
// a file that is being read is asked for before the one at hand ends.
//
// Files that one call takes together ride in one. Who rides is decided when the
// call may be made, not before: those whom somebody waits for first, of them
// those of jobs and programs that ask for few, then reads before opens, then the
// oldest. Free places go to siblings, which are likely to be asked for next. A refusal
// of a whole call is narrowed down by asking in parts.
//
// A provider that has no answer now (unavailable, throttled) is asked again,
// with pauses that grow, as long as patience lasts and somebody waits; what it
// answered last is what they get. A file may be to blame for that, so those that
// had no answer together ride apart from others, and in ever smaller groups,
// but not while the provider has no answer for anybody.
//
// Words: a generation is one link of a file; a barren one was failed without
// ever having served. A request is a file asked for, with those who wait for
// it; it is pending in its lane until it rides in a batch.
package broker
