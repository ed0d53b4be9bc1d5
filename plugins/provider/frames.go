package provider

import (
	"time"

	"github.com/vmihailenco/msgpack/v5"
)

// serviceName and the names of the methods are the addresses of calls.
const serviceName = "icm.Provider"

// maxMessage bounds one message, in bytes. A node with all its fields is below
// 10 kB, so this is room for thousands of them.
const maxMessage = 64 << 20

// ask is what icm sends in a call: one request, then at most one cancel.
//
// gRPC has a cancel of its own, but it makes the caller return at once, while
// the provider still works. Here the caller goes on reading until the provider
// has answered, and so never stops a provider in the middle of something.
type ask struct {
	Request *Request `msgpack:"request,omitempty"`
	// Left is the time until the caller's deadline; 0 is none.
	Left   time.Duration `msgpack:"left,omitempty"`
	Cancel bool          `msgpack:"cancel,omitempty"`
}

// answer is what the provider sends: progress, then exactly one message with
// Done.
type answer struct {
	Progress *Progress          `msgpack:"progress,omitempty"`
	Done     bool               `msgpack:"done,omitempty"`
	Value    msgpack.RawMessage `msgpack:"value,omitempty"`
	Error    *Error             `msgpack:"error,omitempty"`
}
