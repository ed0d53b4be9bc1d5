package state

import "fmt"

// Hinted is an error that knows what the user should try next.
type Hinted struct {
	Err  error
	Hint string
}

func (e *Hinted) Error() string { return e.Err.Error() }
func (e *Hinted) Unwrap() error { return e.Err }

// checkFormat refuses a file of an icm that is newer than this one.
func checkFormat(path string, got, known int) error {
	if got >= 1 && got <= known {
		return nil
	}
	if got < 1 {
		return fmt.Errorf("cannot read %s: it has no format number", path)
	}
	return &Hinted{
		Err:  fmt.Errorf("cannot read %s: it has format %d, this icm knows formats up to %d", path, got, known),
		Hint: "a newer icm has worked on this deployment: use that one",
	}
}
