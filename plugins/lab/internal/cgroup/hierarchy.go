package cgroup

import (
	"errors"
	"os"
	"slices"
	"strings"
)

// Hierarchy is one mounted cgroup tree.
type Hierarchy struct {
	Mount       string   // "/sys/fs/cgroup/freezer"
	Unified     bool     // cgroup v2
	Controllers []string // v1 only: "freezer", "name=systemd"
}

// Has reports whether a v1 hierarchy carries controller.
func (h Hierarchy) Has(controller string) bool { return slices.Contains(h.Controllers, controller) }

// ErrNone means that no cgroup hierarchy is mounted.
var ErrNone = errors.New("no cgroup hierarchy is mounted")

// Hierarchies lists what is mounted on this machine, the unified hierarchy
// first: killing is surest there.
func Hierarchies() ([]Hierarchy, error) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	found := parse(string(text))
	if len(found) == 0 {
		return nil, ErrNone
	}
	return found, nil
}

// parse reads mountinfo. A line is
//
//	36 25 0:31 / /sys/fs/cgroup/freezer rw,nosuid shared:15 - cgroup cgroup rw,freezer
//
// with any number of optional fields before the dash. A hierarchy mounted
// twice counts once.
func parse(mountinfo string) []Hierarchy {
	var unified, legacy []Hierarchy
	seen := map[string]bool{}
	for line := range strings.Lines(mountinfo) {
		before, after, ok := strings.Cut(line, " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 || left[3] != "/" || seen[left[2]] {
			continue
		}
		switch right[0] {
		case "cgroup2":
			unified = append(unified, Hierarchy{Mount: left[4], Unified: true})
		case "cgroup":
			legacy = append(legacy, Hierarchy{Mount: left[4], Controllers: strings.Split(right[2], ",")})
		default:
			continue
		}
		seen[left[2]] = true
	}
	return append(unified, legacy...)
}
