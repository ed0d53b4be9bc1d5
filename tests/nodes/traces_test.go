//go:build nodes

package nodes

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// traces are everything that the nodes of a deployment are on this machine:
// files, mounts, disks, processes, control groups, network. address is one of
// the nodes'; it names their network.
func traces(t *testing.T, deployment, address string) []string {
	t.Helper()
	var found []string
	octets := strings.Split(address, ".")
	bridge := fmt.Sprintf("icml%s-%s", octets[1], octets[2])
	for _, pattern := range []string{
		"/var/lib/icm-lab/" + deployment, "/sys/class/net/" + bridge, "/sys/class/net/" + bridge + "-*", "/run/systemd/nspawn/*/" + bridge + "-*",
	} {
		found = append(found, glob(t, pattern)...)
	}
	self := fmt.Sprintf("/proc/%d/", os.Getpid())
	for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/proc/[0-9]*/mountinfo", "/sys/block/loop*/loop/backing_file"} {
		for _, name := range glob(t, pattern) {
			text, err := os.ReadFile(name)
			if err == nil && strings.Contains(string(text), deployment) && !strings.HasPrefix(name, self) {
				found = append(found, name)
			}
		}
	}
	_ = filepath.WalkDir("/sys/fs/cgroup", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == deployment {
			found = append(found, path)
		}
		return nil
	})
	slices.Sort(found)
	return found
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return names
}
