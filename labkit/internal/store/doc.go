// Package store keeps an instance's data: databases, journals, the write image file.
//
// # Database
//
// A directory with a file IRIS.DAT: a header with the format number, then one
// checksummed record for each change, numbered without gaps. What is in
// memory is the sum of the records. A torn last record is dropped on opening.
//
// # Journal
//
// Every change is written and synced to a journal file before anybody is told
// that it was made, and before it goes to its database. After a crash,
// records a database lacks are taken from the journals.
//
// # Format
//
// Newer kits write higher format numbers. A database of a lower one is
// converted when it is opened, a higher one is refused.
package store
