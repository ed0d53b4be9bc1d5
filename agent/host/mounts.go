package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Mount is one line of mountinfo.
type Mount struct {
	Number  string // of the device: "8:16"
	Root    string // which part of the file system is mounted; "/" is all
	Point   string
	Type    string // "xfs"
	Source  string // "/dev/sdb"
	Options []string
}

// Mounts lists what is mounted, oldest first. Of several mounts on one point
// the last is the one that is seen.
func (b Blocks) Mounts() ([]Mount, error) {
	data, err := os.ReadFile(filepath.Join(b.Proc, "self/mountinfo"))
	if err != nil {
		return nil, fmt.Errorf("cannot list mounts: %v", err)
	}
	return parseMounts(string(data)), nil
}

// parseMounts reads "36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3
// /dev/root rw,errors=continue".
func parseMounts(text string) []Mount {
	var mounts []Mount
	for line := range strings.Lines(text) {
		left, right, ok := strings.Cut(strings.TrimSpace(line), " - ")
		l, r := strings.Fields(left), strings.Fields(right)
		if !ok || len(l) < 6 || len(r) < 2 {
			continue
		}
		mounts = append(mounts, Mount{
			Number: l[2], Root: unescapeMount(l[3]), Point: unescapeMount(l[4]),
			Options: strings.Split(l[5], ","), Type: r[0], Source: unescapeMount(r[1]),
		})
	}
	return mounts
}

// unescapeMount undoes the kernel's \040 for a space.
func unescapeMount(s string) string {
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if n, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				out.WriteByte(byte(n))
				i += 3
				continue
			}
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// MountAt returns what is mounted at exactly this point, and whether anything is.
func MountAt(mounts []Mount, point string) (Mount, bool) {
	for i := len(mounts) - 1; i >= 0; i-- {
		if mounts[i].Point == point {
			return mounts[i], true
		}
	}
	return Mount{}, false
}

// MountOf returns the mount that path is on.
func MountOf(mounts []Mount, path string) (Mount, bool) {
	best, found := Mount{}, false
	for _, m := range mounts {
		if (m.Point == "/" || path == m.Point || strings.HasPrefix(path, m.Point+"/")) && len(m.Point) >= len(best.Point) {
			best, found = m, true
		}
	}
	return best, found
}
