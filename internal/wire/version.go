//go:build !wirenext && !wireafter

package wire

// Version is the protocol this build speaks; OldestVersion the oldest it
// still understands. Ours and the one before, never more.
const (
	Version       = 1
	OldestVersion = 1
)
