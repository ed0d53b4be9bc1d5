package state

import (
	"fmt"

	"icm/internal/hint"
)

// checkFormat refuses a file of an icm that is newer than this one.
func checkFormat(path string, got, known int) error {
	if got >= 1 && got <= known {
		return nil
	}
	if got < 1 {
		return fmt.Errorf("cannot read %s: it has no format number", path)
	}
	return hint.New(
		fmt.Errorf("cannot read %s: it has format %d, this icm knows formats up to %d", path, got, known),
		"a newer icm has worked on this deployment: use that one")
}
