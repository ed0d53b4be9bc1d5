// Package remote reaches nodes over SSH.
//
// # Target, Conn
//
// A [Target] says how a node is reached and as whom. [Dialer.Dial] makes a
// [Conn] of it: one SSH connection, whose host key was checked, on which
// commands are run and files are copied. Nothing here ever runs the ssh
// program.
//
// # Host keys
//
// A key that the provider told, or that was pinned before, is the only one
// accepted. Where none is known the first key is accepted once, said aloud
// through [Options.FirstContact], and pinned. A key that changed ends
// everything; it is never tried again.
//
// # Errors
//
// What x/crypto/ssh and the network report is sorted once, in errors.go, into
// a few named errors. [WaitingHelps] tells which of them may go away by
// themselves. Names of nodes are not in them: whoever fans out adds the name.
//
// # Bootstrap, Node
//
// [Bootstrap] finds the right agent on a node, or puts it there, and returns
// the open stream to it. A [Node] is that stream with calls on it, able to
// come back after the line broke.
package remote
