package iris

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// IsMountPoint reports whether something is mounted at a directory. Bind mounts
// within one file system count, which comparing device numbers would miss.
func IsMountPoint(path string) (bool, error) {
	mounts, err := mountPoints()
	if err != nil {
		return false, err
	}
	return mounts[filepath.Clean(path)], nil
}

// mountPoints lists all mount points of the machine.
func mountPoints() (map[string]bool, error) {
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("cannot tell what is mounted: %v", err)
	}
	points := map[string]bool{}
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 4 {
			points[unescape(f[4])] = true
		}
	}
	return points, nil
}

// unescape undoes what mountinfo does to blanks and backslashes.
func unescape(s string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(s)
}

// mountsBelow reports whether anything is mounted at dir or below it.
func mountsBelow(dir string) (bool, error) {
	points, err := mountPoints()
	if err != nil {
		return false, err
	}
	for p := range points {
		if within(p, filepath.Clean(dir)) {
			return true, nil
		}
	}
	return false, nil
}
