package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Create makes the sparse file path with the given size in bytes. An existing
// file grows when it is smaller and is refused when it is larger, as what lies
// beyond would be lost. grown reports whether an existing file changed.
func Create(path string, size int64) (grown bool, err error) {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return false, resize(path, size)
	case err != nil:
		return false, err
	case info.Size() == size:
		return false, nil
	case info.Size() > size:
		return false, fmt.Errorf("cannot shrink %s from %d to %d bytes: its data would be lost", path, info.Size(), size)
	}
	return true, resize(path, size)
}

func resize(path string, size int64) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(f.Truncate(size), f.Close())
}
