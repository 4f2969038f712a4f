// Package e2e holds the tests and benchmarks of the whole program: the real
// command line in a process of its own, mounting on a real directory, over real
// HTTP to simulated origins in the process of the test. What reads the mount is
// never the process that serves it.
package e2e
