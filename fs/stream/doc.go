// Package stream serves the bytes of one version of one file in ranges. It is
// the only place that speaks HTTP to origins: above it nobody sees a URL, and
// the cache below it never sees HTTP.
//
// A [Source] reads the files of one provider. Its [Handle]s are opens of files;
// handles of the same version share a file, which knows the identity that its
// origin showed, the transfers that are bringing bytes in, and the readers that
// wait for them. A transfer is one range on its way: it borrows a lease, sends
// a GET, checks the reply, and publishes page by page into the cache and to
// whoever waits; when the link dies or the connection breaks, it goes on at the
// byte where it stopped. A reader who leaves never ends a transfer.
//
// What a transfer asks for is decided in plan.go: small files whole, one GET to
// the end where links are counted or ranges are ignored, ranges otherwise, ahead
// of sequential readers as far as their window goes.
//
// Nothing foreign gets into the cache. A reply must be for the range that was
// asked, of the length that was announced, and of the content that the first
// reply showed (reply.go, identity.go); the identity is part of the cache's
// object, so that two contents never meet in one file, not even after a crash.
//
// Lock order: Handle.mu, walking.mu, Source.mu, file.mu, Streams.mu. None is held over a network call.
package stream
