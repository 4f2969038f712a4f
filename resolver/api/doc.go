// Package api is the JSON-over-HTTP client that providers share. A provider
// declares its calls as [Endpoint] values and writes the types of their
// answers; what is alike everywhere is here.
//
// [Client.Do] waits for the turn that the endpoint's limits allow, attaches the
// token of a [TokenSource], sends one request, reads an answer of bounded
// length in bounded time, and judges it: by the provider's own code if it has
// one, by the HTTP status, and by what the body looks like. What is no answer
// of the API becomes an error of a kind of package resolver. A call is repeated
// in one case only: the provider did not take its token, and there is a newer.
// Whatever else goes wrong is for the caller to repeat.
//
// Only declared endpoints below one base address can be called, and no redirect
// is followed, because the token is for that address alone. Errors tell the
// name of the endpoint, the status and the provider's code: never an address, a
// token or the text of an answer.
package api
