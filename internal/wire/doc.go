// Package wire defines what the controller and the agent say to each other.
//
// # Stream
//
// One stream per node carries everything but big files. It is any
// io.ReadWriter: the standard input and output of `icm-agent dial` in an SSH
// session, or a channel to the agent's socket. The agent's first bytes are
// [Marker], because a login shell may have printed a greeting before.
//
// # Frame
//
// A frame is a four byte big-endian length, at most [MaxFrame], and one
// msgpack encoded [Frame]. The first frame each way is a [Hello]. After that
// the controller sends calls; each has an id, many may be open at once, and
// answers come back in any order. A call ends with exactly one reply or error
// frame; before it there may be item frames (an event stream, progress). A
// cancel frame asks the agent to give the call up; the call still ends with a
// reply or an error.
//
// # Event
//
// A [Event] is one record of the agent's task journal. Its numbers have no
// gaps and survive restarts, so a controller that lost the line asks for all
// events after the last it saw.
//
// Types here are plain data. Both programs import this package; it imports
// the standard library and msgpack only.
package wire
