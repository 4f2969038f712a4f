// Package callback receives the redirect at the end of a login: the browser of
// the person comes back to a server on this machine, with a code. [Listen] waits
// there for one; [Parse] reads the address that a person pastes instead, where
// browser and program are not on one machine.
//
// A redirect counts only with the state that the login went out with: whoever
// else finds the port cannot put a code of his own in.
package callback
