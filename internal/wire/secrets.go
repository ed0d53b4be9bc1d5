package wire

import (
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"

	"github.com/vmihailenco/msgpack/v5"
)

// Secrets are values by name that go with a change. They print as stars.
type Secrets map[string][]byte

// EncodeMsgpack sorts the names, which msgpack does for some map types only.
func (s Secrets) EncodeMsgpack(e *msgpack.Encoder) error {
	if err := e.EncodeMapLen(len(s)); err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(s)) {
		if err := e.EncodeMulti(name, s[name]); err != nil {
			return err
		}
	}
	return nil
}

// Format implements fmt.Formatter for every verb.
func (Secrets) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "*****") }

// LogValue implements slog.LogValuer.
func (Secrets) LogValue() slog.Value { return slog.StringValue("*****") }

// MarshalJSON implements json.Marshaler: secrets are never written as JSON.
func (Secrets) MarshalJSON() ([]byte, error) { return []byte(`"*****"`), nil }
