package lab

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"icm/plugins/lab/internal/cgroup"
)

// residue is everything of a deployment that this machine holds, as lines.
// What other tests and programs hold does not count: data is the lab's
// directory, which appears in the names of mounts, disks and processes, and
// deployment is in the names of control groups.
func residue(t *testing.T, data, deployment, bridge string) []string {
	t.Helper()
	var found []string
	found = append(found, linesWith(t, "/proc/self/mountinfo", data)...)
	for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/sys/block/loop*/loop/backing_file", "/proc/[0-9]*/mountinfo"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if text, err := os.ReadFile(name); err == nil && strings.Contains(string(text), data) {
				found = append(found, name+" speaks of "+data)
			}
		}
	}
	for _, pattern := range []string{"/sys/class/net/" + bridge, "/sys/class/net/" + bridge + "-*", "/run/systemd/nspawn/propagate/" + bridge + "-*", data} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, names...)
	}
	return append(found, groups(t, deployment)...)
}

func linesWith(t *testing.T, file, word string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(strings.Split(string(text), "\n"), func(l string) bool { return !strings.Contains(l, word) })
}

func groups(t *testing.T, deployment string) []string {
	t.Helper()
	trees, err := cgroup.Hierarchies()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, tree := range trees {
		_ = filepath.WalkDir(tree.Mount, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && d.Name() == deployment {
				found = append(found, path)
			}
			return nil
		})
	}
	return found
}
