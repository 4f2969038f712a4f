// Package verdict says what a reply of an origin or a provider's API means when
// it is not what was asked for.
//
// Services say so in many ways: by the status, by a code of their own in XML, in
// JSON or in a header, by words, and now and then by an error or a login page
// under status 200. A code that is known counts most, then words, then the
// status. Under a status of success only what can hardly be a file is taken for
// an error: an error document, an envelope with a code other than zero, a login
// or challenge page. Whether a page can be the file that was asked for is for
// the caller to know.
package verdict
