// Package expiry says when a temporary link dies.
//
// A link's end is what comes first of what the provider's API says, what the
// link's own address or headers say, and what was learnt of the links of its
// host, less a margin for the request to arrive. The result is a point on our
// monotonic clock, so that a step of the wall clock does not move it.
//
// Absolute times are by a server's clock and are read by it, in this order:
//
//   - the clock of the API when it gave the link, [resolver.Link.ServerTime];
//   - the clock of the link's host, as its replies showed it, [Book.Clock];
//   - the time of signing in the link itself: a link that tells both is taken
//     to live from when it was obtained for as long as lies between the two;
//   - our own.
//
// Only the last lets our own clock matter: of a link that tells nothing but its
// end, by an API and a host that told no time yet, a clock that is off by ten
// minutes moves the end by ten minutes. An end that is past by then speaks of
// another clock and is ignored. The third takes a link that was signed well
// before it was handed out for younger than it is.
package expiry
