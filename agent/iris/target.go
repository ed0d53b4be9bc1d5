package iris

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"icm/internal/hint"
)

// instanceName is what the installer takes.
var instanceName = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_-]{0,31}$`)

// CheckName refuses names that the installer refuses, before they get anywhere.
func CheckName(name string) error {
	if !instanceName.MatchString(name) {
		return fmt.Errorf("cannot use %q as an instance name: letters, digits, _ and - are allowed", name)
	}
	return nil
}

// CheckTarget tells why an instance cannot be installed in dir, or nil. ours
// says that what is in it was left by an installation of ours.
func CheckTarget(dir string, ours bool) error {
	if err := checkPath(dir); err != nil {
		return err
	}
	if err := noSymlinks(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("cannot install in %s: %v", dir, err)
	}
	for _, e := range entries {
		if ours || e.Name() == "lost+found" {
			continue
		}
		return &hint.Error{
			Err:  fmt.Errorf("cannot install in %s: it is not empty (it holds %s)", dir, e.Name()),
			Hint: "the installer would take over a configuration and a licence key it finds there; move the contents of " + dir + " away, or choose another directory",
		}
	}
	return nil
}

func checkPath(dir string) error {
	refuse := func(why string) error { return fmt.Errorf("cannot install in %q: %s", dir, why) }
	switch {
	case !filepath.IsAbs(dir) || filepath.Clean(dir) != dir || dir == "/":
		return refuse("a plain absolute path is needed")
	case within(dir, "/home"):
		return refuse("the installer refuses directories below /home")
	case within(dir, "/usr/local/etc/irissys"):
		return refuse("it belongs to the list of instances")
	case strings.ContainsAny(dir, "^ \t"):
		return refuse("the installer refuses blanks and ^ in it")
	}
	for _, r := range dir {
		if r > '~' || r < ' ' {
			return refuse("the installer takes ASCII only")
		}
	}
	return nil
}

// noSymlinks refuses paths of which an element is a symbolic link: IRIS writes
// the physical path into its own files and the two would differ.
func noSymlinks(dir string) error {
	for p := dir; p != "/"; p = filepath.Dir(p) {
		st, err := os.Lstat(p)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot look at %s: %v", p, err)
		}
		if st.Mode()&fs.ModeSymlink != 0 {
			to, err := filepath.EvalSymlinks(dir)
			if err != nil {
				to = "the directory it points to"
			}
			return &hint.Error{
				Err:  fmt.Errorf("cannot install in %s: %s is a symbolic link", dir, p),
				Hint: "name the physical directory, " + to,
			}
		}
		if !st.IsDir() {
			return fmt.Errorf("cannot install in %s: %s is not a directory", dir, p)
		}
	}
	return nil
}

// within reports whether path is dir or lies below it.
func within(path, dir string) bool {
	return path == dir || strings.HasPrefix(path, strings.TrimRight(dir, "/")+"/")
}
