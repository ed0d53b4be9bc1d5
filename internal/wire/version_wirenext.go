//go:build wirenext

package wire

// Programs built with this tag speak the protocol that comes next. Tests let them
// meet programs that do not.
const (
	Version       = 2
	OldestVersion = 1
)
