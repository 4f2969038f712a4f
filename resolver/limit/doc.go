// Package limit says when a provider may be called.
//
// A [Bucket] belongs to a credential and an endpoint. Its rates are strict:
// whatever the load, no window of time holds more calls than allowed, and a
// provider that asks for a pause gets one. Who waits is served by urgency and
// then by arrival, and nobody starves. Its budgets count the calls of a day or
// month; they outlive the process in a small file that several processes share.
// A [Breaker] belongs to a provider: while that does not answer, calls fail at
// once instead of queueing up behind a dead network.
//
// Nothing runs while nobody asks: a timer serves the queue of a bucket, another
// saves the counts, and a refused call may start a probe.
//
// Words: a turn is the right to make one call, granted to a waiter; a tally is a
// budget with its count.
//
// Lock order: ledger.saving, ledger.mu; and Bucket.mu, ledger.mu. Limits.mu and
// Breaker.mu are held alone.
package limit
