// Package hint lets an error carry what its reader should try next.
//
// The text of an error says what went wrong, in one sentence. The hint is data
// beside it: only the program that prints decides where it goes.
package hint

import "errors"

// Error is an error that knows what the user should try next.
type Error struct {
	Err  error
	Hint string
}

func (e *Error) Error() string { return e.Err.Error() }

// Unwrap gives errors.Is and errors.As the error below.
func (e *Error) Unwrap() error { return e.Err }

// New puts a hint on err. A nil err stays nil.
func New(err error, text string) error {
	if err == nil {
		return nil
	}
	return &Error{Err: err, Hint: text}
}

// Of returns the outermost hint on err, or "".
func Of(err error) string {
	var h *Error
	if errors.As(err, &h) {
		return h.Hint
	}
	return ""
}
