// Package tokenfile keeps the tokens of a person's login in a file, for all the
// processes that use them.
//
// A refresh token may work once. So a renewal is of one process at a time
// ([File.Renew] holds a lock), it begins by looking whether another process has
// renewed already, and what the service answers is on the disk before anybody
// uses it. That the disk takes it is seen to before the service is asked. What a
// crash can still destroy is the answer between the network and the disk; the
// old access token then serves to its end.
package tokenfile
