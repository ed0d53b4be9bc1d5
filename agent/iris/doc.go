// Package iris is how things are done to InterSystems IRIS on a machine: asking
// for instances, installing, configuring, starting, stopping, sessions, and the
// copy from which an upgrade is undone.
//
// What is said to the kit's programs, and what they answer, differs between
// releases; everything here reads tolerantly and trusts no exit status where
// the kit's own is known to mean nothing. Which tasks use what of it, and in
// which order, is the business of agent/tasks and the controller.
//
// # Instance
//
// An instance is an installed copy of IRIS. It is found by asking `iris qlist`,
// never by looking at files.
//
// # Record
//
// A record is what the agent remembers of an instance that it made and that the
// instance cannot tell: that its directory is ours, that its passwords have
// been set. It lies in the agent's own directory.
package iris
