// Package broker lends leases on a provider's links.
//
// A link is scarce: the API that hands it out is slow and limited, and the link
// itself dies after minutes or after two uses. So the broker remembers what it
// was given and lends it to everyone who reads the file, asks the provider once
// for however many wait, and renews a link once per generation: sixteen readers
// that meet the same dead link cost one call. A renewal always asks the
// provider and replaces what is remembered. When a renewed link does not serve
// either, or the provider refuses, the refusal is remembered for a few seconds,
// so that a retrying program is never a storm at the provider.
//
// A provider that has no answer now (unavailable, throttled) is asked again
// within the shared call, with pauses that grow, as long as patience lasts and
// somebody waits; what it answered last is what they get.
//
// Words: a generation is one link of a file; a barren one was failed without
// ever having served.
package broker
