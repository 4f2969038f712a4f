// Package resolvertest holds what every provider promises, as a suite of tests,
// and a provider in memory with faults.
//
// [Run] walks a provider's tree and tries its duties: stable listings, answers
// in order, errors of the right kind, an end when the context ends, and no
// secret in anything that can be printed. A provider's own tests call it over
// the provider's simulator. [Fake] serves what it is told to and breaks where
// it is told to; the tests of the catalog and the broker stand on it.
package resolvertest
