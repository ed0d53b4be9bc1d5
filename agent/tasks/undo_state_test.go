package tasks

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// nodeState is everything on a node that a task may change, by name: files with
// their modes, owners and contents, units, mounts. Kernel settings of a node in
// a directory are files.
type nodeState map[string]string

// look is what a path is, "" when there is nothing.
func look(t *testing.T, path string) string {
	t.Helper()
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	uid, gid := owner(info)
	s := fmt.Sprintf("%v %d:%d", info.Mode(), uid, gid)
	switch {
	case info.Mode().IsRegular():
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s += fmt.Sprintf(" %x", sha256.Sum256(data))
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(path)
		if err != nil {
			t.Fatal(err)
		}
		s += " -> " + to
	}
	return s
}

// addTree looks at everything below dir; name makes the path that is looked at
// and shown from the one below dir.
func (s nodeState) addTree(t *testing.T, dir string, name func(below string) string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // programs that run come and go
		}
		if below := strings.TrimPrefix(path, dir); err == nil && below != "" {
			p := name(below)
			s[p] = look(t, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func (s nodeState) addUnits(u *fakeUnits) {
	for name, text := range u.files {
		s["unit "+name] = text
	}
	for what, units := range map[string]map[string]bool{"enabled": u.enabled, "active": u.active} {
		for name, is := range units {
			if is {
				s["unit "+name+" "+what] = "yes"
			}
		}
	}
}

// addMounts adds what is mounted below root: tests of other packages mount and
// unmount on this machine at the same time.
func (s nodeState) addMounts(t *testing.T, root string) {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if !strings.HasPrefix(f[4], root) {
			continue
		}
		s["mount "+f[4]] = strings.Join(f[3:], " ")
	}
}

// dirNode is the state of a node whose root is a directory.
func dirNode(t *testing.T, d Deps, u *fakeUnits) nodeState {
	t.Helper()
	s := nodeState{}
	s.addTree(t, d.Root, func(below string) string { return d.Root + below })
	s.addUnits(u)
	s.addMounts(t, d.Root)
	return s
}

// scratchNode is what a scratch root has become: all that its overlay has of its
// own, and the file systems in memory.
func scratchNode(t *testing.T, u *fakeUnits) nodeState {
	t.Helper()
	s := nodeState{}
	s.addTree(t, scratchUpper, func(below string) string { return below })
	for _, dir := range []string{"/run", "/tmp"} {
		s.addTree(t, dir, func(below string) string { return dir + below })
	}
	s.addUnits(u)
	s.addMounts(t, "/")
	return s
}

// notTheSame tells what differs from before. What only one of two states of a
// scratch root names was in the other as it is in this machine's root.
func notTheSame(t *testing.T, before, after nodeState, except func(name string) bool) []string {
	t.Helper()
	value := func(s nodeState, name string) string {
		if v, ok := s[name]; ok || !strings.HasPrefix(name, "/") || !exists(scratchLower) {
			return v
		}
		return look(t, scratchLower+name)
	}
	all := maps.Clone(before)
	maps.Copy(all, after)
	var out []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		a, b := value(before, name), value(after, name)
		if a != b && !except(name) {
			out = append(out, fmt.Sprintf("%s:\n\t\tbefore %q\n\t\tafter  %q", name, a, b))
		}
	}
	return out
}
