// Package rootfs writes into the root file system of a node from outside. It
// goes through [os.Root], so that a link in the node never leads out of it, and
// sets modes itself, whatever the umask.
package rootfs

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"strings"
)

// dirMode is what the directories of a system have.
const dirMode = 0o755

// MakeDir makes the directory name and its parents where they are missing,
// readable for all.
func MakeDir(root *os.Root, name string) error {
	dir := ""
	for part := range strings.SplitSeq(name, "/") {
		dir = path.Join(dir, part)
		err := root.Mkdir(dir, dirMode)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := root.Chmod(dir, dirMode); err != nil {
			return err
		}
	}
	return nil
}

// Write replaces the file name and makes its directory if need be.
func Write(root *os.Root, name string, data []byte, mode fs.FileMode) error {
	if err := MakeDir(root, path.Dir(name)); err != nil {
		return err
	}
	next := name + ".icm-lab-new"
	if err := Remove(root, next); err != nil {
		return err
	}
	f, err := root.OpenFile(next, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err := errors.Join(err, f.Chmod(mode), f.Close()); err != nil {
		return errors.Join(err, Remove(root, next))
	}
	return root.Rename(next, name)
}

// Link makes name a symbolic link to target, whatever it was.
func Link(root *os.Root, target, name string) error {
	if err := Remove(root, name); err != nil {
		return err
	}
	return root.Symlink(target, name)
}

// Remove removes the file or link name if it is there.
func Remove(root *os.Root, name string) error {
	if err := root.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
