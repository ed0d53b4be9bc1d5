// Package atomicfile writes files so that a reader, and a machine that lost
// its power, sees the old content or the new, never a part.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Write replaces path with data: a temporary file in the same directory is
// written, synced, renamed, and the directory synced. perm is the mode of the
// new file, whatever the umask.
//
// The temporary file of "f" is always ".f.new", so what a killed process left
// is used and gone when its work is done again. Writers of one path wait for
// each other.
func Write(path string, data []byte, perm fs.FileMode) (err error) {
	dir := filepath.Dir(path)
	f, err := aside(filepath.Join(dir, "."+filepath.Base(path)+".new"))
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // closed already, but after an error
	defer func() {
		if err != nil {
			err = errors.Join(err, remove(f.Name()))
		}
	}()
	if err := writeSync(f, data, perm); err != nil {
		return err
	}
	// Closed, and so given to the next writer, when the file has its name.
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return errors.Join(f.Close(), SyncDir(dir))
}

// asideTries is how often a temporary file is opened that others take away.
const asideTries = 1000

// aside opens an empty temporary file that nobody else writes.
func aside(name string) (*os.File, error) {
	for range asideTries {
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
		if errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.ENXIO) {
			err = remove(name) // a link or a pipe: none of ours
			if err != nil {
				return nil, err
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		ours, err := claim(f, name)
		if err == nil && ours {
			return f, nil
		}
		if err = errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("others take %s away all the time", name)
}

// claim waits for other writers and empties the file. false means that it is
// not under this name any more, or was put there by somebody else.
func claim(f *os.File, name string) (bool, error) {
	if err := lock(f); err != nil {
		return false, err
	}
	there, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	have, errHave := f.Stat()
	if err := errors.Join(err, errHave); err != nil {
		return false, err
	}
	if !os.SameFile(there, have) {
		return false, nil
	}
	st, ok := have.Sys().(*syscall.Stat_t)
	if !ok || !have.Mode().IsRegular() || int(st.Uid) != os.Geteuid() || st.Nlink != 1 {
		return false, remove(name) // in a directory of a user's, it may lead anywhere
	}
	return true, f.Truncate(0)
}

func lock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

func writeSync(f *os.File, data []byte, perm fs.FileMode) error {
	_, err := f.Write(data)
	if err == nil {
		err = f.Chmod(perm)
	}
	if err == nil {
		err = f.Sync()
	}
	return err
}

func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// SyncDir makes renames and new names in dir durable.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
