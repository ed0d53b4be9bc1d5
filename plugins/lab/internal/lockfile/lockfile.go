// Package lockfile takes locks that end with the process that holds them, in
// files that can be removed while they are held.
package lockfile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"icm/plugins/lab/internal/await"
)

// limit is how long a lock is waited for: longer than any image takes to make.
const limit = 20 * time.Minute

// Take waits for the lock at path and returns how to give it back. A file that
// was removed by its holder is made again.
func Take(ctx context.Context, path string) (unlock func(), err error) {
	var held *os.File
	err = await.Until(ctx, "the lock "+path, limit, func() (bool, string, error) {
		held, err = try(path)
		return held != nil, "somebody else holds it", err
	})
	if err != nil {
		return nil, err
	}
	return func() { _ = held.Close() }, nil
}

// try returns nil without an error when somebody else has the lock.
func try(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return nil, f.Close()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cannot lock %s: %w", path, err), f.Close())
	}
	if !same(f, path) {
		return nil, f.Close() // a lock on a file that nobody else can find
	}
	return f, nil
}

func same(f *os.File, path string) bool {
	a, err := f.Stat()
	if err != nil {
		return false
	}
	b, err := os.Stat(path)
	return err == nil && os.SameFile(a, b)
}
