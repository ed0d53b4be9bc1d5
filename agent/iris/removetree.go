package iris

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// RemoveTree deletes an installation directory and nothing mounted within.
func RemoveTree(path string) error {
	if err := removeTree(path); err != nil {
		return fmt.Errorf("cannot delete %s: %v", path, err)
	}
	return nil
}

// removeTree deletes a directory tree, but nothing that is mounted in it: a
// mount point and the directories above it stay. It follows no links, also not
// one that somebody puts in the place of a directory meanwhile: the owner of an
// installation is not root, and we are.
func removeTree(path string) error {
	points, err := mountPoints()
	if err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(path))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = removal{points}.entry(parent, filepath.Base(path), filepath.Clean(path))
	return errors.Join(err, parent.Close())
}

// removal deletes by way of open directories only.
type removal struct{ points map[string]bool }

// entry deletes what has a name in an open directory, and reports whether it is
// gone. path is for people, and for the list of mount points.
func (r removal) entry(parent *os.File, name, path string) (gone bool, err error) {
	fail := func(err error) (bool, error) { return false, &fs.PathError{Op: "remove", Path: path, Err: err} }
	if r.points[path] {
		return false, nil
	}
	switch err := unix.Unlinkat(int(parent.Fd()), name, 0); {
	case err == nil, errors.Is(err, unix.ENOENT):
		return true, nil
	case !errors.Is(err, unix.EISDIR):
		return fail(err)
	}
	empty, err := r.contents(parent, name, path)
	if err != nil || !empty {
		return false, err
	}
	if err := unix.Unlinkat(int(parent.Fd()), name, unix.AT_REMOVEDIR); err != nil && !errors.Is(err, unix.ENOENT) {
		return fail(err)
	}
	return true, nil
}

// contents empties a directory, and reports whether it is empty.
func (r removal) contents(parent *os.File, name, path string) (empty bool, err error) {
	fd, err := unix.Openat(int(parent.Fd()), name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return false, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	dir := os.NewFile(uintptr(fd), path)
	defer func() { err = errors.Join(err, dir.Close()) }()
	if other, err := onOtherDevice(parent, dir); err != nil || other {
		return false, err
	}
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return false, err
	}
	empty = true
	for _, n := range names {
		gone, err := r.entry(dir, n, filepath.Join(path, n))
		if err != nil {
			return false, err
		}
		empty = empty && gone
	}
	return empty, nil
}

// onOtherDevice notices a mount that came after the list of mount points.
func onOtherDevice(a, b *os.File) (bool, error) {
	sa, errA := a.Stat()
	sb, errB := b.Stat()
	if err := errors.Join(errA, errB); err != nil {
		return false, err
	}
	return sysOf(sa).Dev != sysOf(sb).Dev, nil
}
