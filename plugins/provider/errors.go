package provider

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Kind says what a caller can do about an [Error].
type Kind string

// The kinds of error that callers branch on.
const (
	// KindOther is everything else.
	KindOther Kind = ""
	// KindRefused means that nothing was changed, and that asking again
	// without a change to the request gives the same answer.
	KindRefused Kind = "refused"
	// KindCredentials means that the platform did not let us in.
	KindCredentials Kind = "credentials"
	// KindUnavailable means that something did not answer. Waiting may help.
	KindUnavailable Kind = "unavailable"
	// KindPartial means that part of the work is done: the same call again
	// goes on from there.
	KindPartial Kind = "partial"
	// KindCancelled and KindDeadline are the two context errors.
	KindCancelled Kind = "cancelled"
	KindDeadline  Kind = "deadline"
)

// Error is a provider's error as it crosses the wire. errors.Is finds
// context.Canceled and context.DeadlineExceeded in it on both sides. A provider
// may return any error; only an Error has a hint and a kind.
type Error struct {
	Message string `msgpack:"message"`        // "cannot X: why"
	Hint    string `msgpack:"hint,omitempty"` // what to try next
	Kind    Kind   `msgpack:"kind,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Unwrap gives the context error of the two kinds that are one.
func (e *Error) Unwrap() error {
	switch e.Kind {
	case KindCancelled:
		return context.Canceled
	case KindDeadline:
		return context.DeadlineExceeded
	}
	return nil
}

// ErrLost means that the provider's process ended, or could not be reached,
// while a call was open. What the call was asked for may be done in part; the
// same call again goes on from there.
var ErrLost = errors.New("the provider is gone")

// toError makes err fit for the wire. An Error somewhere inside keeps its hint
// and kind; the message is always that of the whole chain.
func toError(err error) *Error {
	out := &Error{Message: err.Error()}
	var inner *Error
	if errors.As(err, &inner) {
		out.Hint, out.Kind = inner.Hint, inner.Kind
	}
	if out.Kind == KindOther {
		out.Kind = contextKind(err)
	}
	return out
}

func contextKind(err error) Kind {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return KindDeadline
	case errors.Is(err, context.Canceled):
		return KindCancelled
	}
	return KindOther
}

// withCaller blames the caller's own context where the provider answered with
// the other context error: which of the two it notices first is a race.
func withCaller(ctx context.Context, e *Error) *Error {
	if e.Kind != KindCancelled && e.Kind != KindDeadline {
		return e
	}
	if kind := contextKind(ctx.Err()); kind != KindOther {
		e.Kind = kind
	}
	return e
}

// fromTransport sorts what gRPC itself says, as opposed to the provider.
func fromTransport(err error) error {
	switch s := status.Convert(err); s.Code() {
	case codes.Unimplemented:
		return &Error{Message: "the provider does not know this call: " + s.Message(), Kind: KindRefused}
	case codes.ResourceExhausted:
		return fmt.Errorf("cannot talk to the provider: message above %d MiB", maxMessage>>20)
	case codes.Internal:
		return fmt.Errorf("cannot talk to the provider: %v", s.Message())
	default:
		return fmt.Errorf("%w: %v", ErrLost, s.Message())
	}
}
