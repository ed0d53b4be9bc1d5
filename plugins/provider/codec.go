package provider

import (
	"github.com/vmihailenco/msgpack/v5"
	"google.golang.org/grpc/encoding"
)

// codecName is the content subtype of every call of this contract.
const codecName = "msgpack"

// codec makes gRPC carry msgpack, the one encoding of the whole project.
// Fields that a side does not know are ignored, so that a provider and an icm
// of different builds understand each other within one [ProtocolVersion].
type codec struct{}

func (codec) Name() string                    { return codecName }
func (codec) Marshal(v any) ([]byte, error)   { return msgpack.Marshal(v) }
func (codec) Unmarshal(b []byte, v any) error { return msgpack.Unmarshal(b, v) }

// gRPC finds the codec of a call by name in a process-wide table, which must
// not be written to once calls run; forcing a codec on the server instead would
// break go-plugin's own protobuf services on the same connection. This is the
// one init of the project.
func init() { encoding.RegisterCodec(codec{}) }
