package wire

import "github.com/vmihailenco/msgpack/v5"

// Marker is what the agent writes before its first frame.
const Marker = "\x00icm-agent stream 1\n"

// MaxFrame bounds the length of one frame, in bytes.
const MaxFrame = 4 << 20

// FrameKind says what a frame is.
type FrameKind uint8

// The kinds of frame.
const (
	FrameHello  FrameKind = 1 // Body is a Hello
	FrameCall   FrameKind = 2 // controller → agent; Body is the method's request
	FrameItem   FrameKind = 3 // agent → controller; one of many before the reply
	FrameReply  FrameKind = 4 // agent → controller; ends the call
	FrameError  FrameKind = 5 // agent → controller; ends the call; Body is an Error
	FrameCancel FrameKind = 6 // controller → agent; the call with this ID should end
)

// Frame is one message.
type Frame struct {
	Kind   FrameKind          `msgpack:"k"`
	ID     uint64             `msgpack:"i,omitempty"`
	Method string             `msgpack:"m,omitempty"`
	Body   msgpack.RawMessage `msgpack:"b,omitempty"`
}

// Hello is the first frame each side sends. A side that cannot speak the
// other's version says so in an error frame, in words, and closes.
type Hello struct {
	Version int    `msgpack:"version"`
	Oldest  int    `msgpack:"oldest"`
	Build   string `msgpack:"build"`
}

// Error is why a call failed.
type Error struct {
	Code    Code   `msgpack:"code" json:"code"`
	Message string `msgpack:"message" json:"message"`
	Hint    string `msgpack:"hint,omitempty" json:"hint,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Code is what a caller may branch on.
type Code string

// The codes of Error.
const (
	CodeInternal  Code = "internal"
	CodeBadCall   Code = "bad_call"  // unknown method, request that does not decode
	CodeFenced    Code = "fenced"    // somebody else took over the deployment
	CodeForeign   Code = "foreign"   // the node belongs to another deployment
	CodeNotFound  Code = "not_found" // no such change, instance, …
	CodeUnplanned Code = "unplanned" // the change is not in the plan that was announced
	CodeBusy      Code = "busy"      // another change is running on the node
	CodeCancelled Code = "cancelled"
	CodeVersion   Code = "version" // no protocol version in common
)
