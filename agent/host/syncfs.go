package host

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// SyncFS makes everything durable that was written to the file system of path.
func SyncFS(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(unix.Syncfs(int(f.Fd())), f.Close())
}
