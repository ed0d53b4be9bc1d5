package iris

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// CheckRemovable refuses to delete directories that cannot be an installation.
func CheckRemovable(dir string) error {
	if err := checkPath(dir); err != nil {
		return fmt.Errorf("cannot delete an installation: %v", err)
	}
	switch dir {
	case "/usr", "/opt", "/var", "/etc", "/srv", "/mnt", "/bin", "/lib", "/root", "/boot", "/dev", "/proc", "/sys", "/run", "/tmp":
		return fmt.Errorf("cannot delete an installation: %s belongs to the system", dir)
	}
	return noSymlinks(dir)
}

// DataIn lists what data.remove would delete in a directory. lost+found belongs
// to the file system.
func DataIn(dir string) ([]string, error) {
	if err := CheckRemovable(dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot look into %s: %v", dir, err)
	}
	mounts, err := mountPoints()
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.Name() != "lost+found" && !mounts[path] {
			out = append(out, path)
		}
	}
	return out, nil
}

// RemoveData deletes what is in a directory, and keeps the directory. It follows
// no links and leaves alone what is mounted below.
func RemoveData(dir string) error {
	paths, err := DataIn(dir)
	if err != nil {
		return err
	}
	for _, p := range paths {
		if err := removeTree(p); err != nil {
			return fmt.Errorf("cannot delete %s: %v", p, err)
		}
	}
	return nil
}

// Own gives a directory to an account, with a mode. Empty names leave what is
// there.
func Own(path, owner, group string, mode fs.FileMode) error {
	if err := chown(path, owner, group); err != nil {
		return err
	}
	if err := os.Chmod(path, mode); err != nil {
		return fmt.Errorf("cannot set the mode of %s: %v", path, err)
	}
	return nil
}
