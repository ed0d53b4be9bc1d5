// Package secret holds values that must not be printed. A [Secret] prints as
// stars whatever the verb, the logger or the encoder.
package secret

import (
	"fmt"
	"io"
	"log/slog"
)

const stars = "*****"

// Secret is a value that must not be printed. The zero value is an empty
// secret. The value sits behind a pointer because fmt prints unexported fields
// without asking their methods.
type Secret struct{ p *string }

// New wraps s.
func New(s string) Secret { return Secret{&s} }

// Reveal returns the value. Every leak needs this word.
func (s Secret) Reveal() string {
	if s.p == nil {
		return ""
	}
	return *s.p
}

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.p == nil || *s.p == "" }

// LogValue implements slog.LogValuer.
func (Secret) LogValue() slog.Value { return slog.StringValue(stars) }

// MarshalText implements encoding.TextMarshaler; JSON uses it too.
func (Secret) MarshalText() ([]byte, error) { return []byte(stars), nil }

// Format implements fmt.Formatter for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, stars) }
