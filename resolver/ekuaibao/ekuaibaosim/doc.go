// Package ekuaibaosim is a company of ekuaibao (Hesi) to practise on: the API
// that lists expense documents and signs links to their attachments, and the
// four kinds of stores that the links lead to, each a host of its own. All are
// real HTTP servers on 127.0.0.1. Tests run against it, and so does attachfs
// demo.
//
// It enforces what the vendor's pages say: tokens in the query with an end,
// pages and batches of at most 100, links with lives of at most half an hour,
// signatures that are over the address as it was issued, the method GET, and no
// more headers than were signed. It says no to the rest as these services do,
// from plain words in Chinese to XML. What the pages leave open is a lever.
//
// Everything secret that it makes up contains [linksim.Marker], so that a log
// can be searched for leaks.
package ekuaibaosim
