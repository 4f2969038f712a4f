// Package kdocs provides the attachments of WPS multi-dimensional tables: a
// directory for each document, in it one for each sheet, in that one for each
// record that has attachments.
//
// A person logs in ([Login]) and has to do so again every ninety days. The tokens
// are in a file that several mounts may share (package tokenfile).
//
// A page of a sheet costs one call and brings its records with the names, types
// and sizes of their attachments, so a record is never listed by itself. Links
// live ten minutes and come by the hundred, whatever sheet of a document they are
// of. Calls are counted by the day, in China's, for each endpoint and, since
// nobody says whether endpoints share, for all together.
//
// Only pictures and cloud documents have links: the API answers with an empty one
// for everything else, and gives no reason. Such an answer is an error that says
// how long it holds: hours for what is no picture, which will never have a link,
// minutes for the rest. Files of both sorts are asked for in calls of their own,
// so that those without links do not take the places of pictures.
//
// Words: a document is a file of the user's with tables in it; its kind is how its
// calls are addressed. The state of a document is what the list of files tells of
// its last change, by which an update finds that nothing is new.
package kdocs
