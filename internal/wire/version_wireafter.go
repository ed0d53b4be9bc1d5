//go:build wireafter

package wire

// Programs built with this tag speak the one after that. Tests let them
// meet programs that do not.
const (
	Version       = 3
	OldestVersion = 2
)
