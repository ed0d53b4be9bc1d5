// Package continuity is a client that uses a service while somebody works on
// it, and tells afterwards what users would have noticed.
//
// # Route
//
// A way by which a user reaches the data: an application server, a Web
// Gateway, whichever member of a mirror is primary. On every route the client
// writes a new record, reads the record that was acknowledged last on any
// route, and so on, one request at a time.
//
// # Acknowledged, failed, lost
//
// A write that was answered with success is acknowledged: from then on every
// read on every route must find it, for ever. One that is not found is lost. A
// request that was answered with an error, or not in time, has failed; whether
// its record is there does not matter.
//
// # Change
//
// Answers say which start of which instance, which reign of the mirror and
// which process of a Web Gateway they come from. A change is a time in which
// one of these was replaced: from the last acknowledgments of the old to the
// first of the new. A failure that falls into no change has no excuse.
package continuity
