package host

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Use says why a device must not be touched, or what it is mounted as.
type Use struct {
	// Why is empty when nothing of the system uses the device. A mount of the
	// whole device is not in Why but in Points.
	Why    string
	Points []string // where it is mounted
}

// UseOf finds out who uses a device: mounts, swap, LVM/md/dm above it, its
// partitions, and whether the root file system lies on it.
func (b Blocks) UseOf(d Device) (Use, error) {
	mounts, err := b.Mounts()
	if err != nil {
		return Use{}, err
	}
	swaps := b.swaps()
	use := Use{Points: pointsOf(mounts, d)}
	switch {
	case b.holdsRoot(mounts, d):
		use.Why = "the root file system lies on it"
	case slices.Contains(swaps, d.Path):
		use.Why = "it is in use as swap"
	default:
		use.Why = b.heldOrInParts(mounts, swaps, d)
	}
	return use, nil
}

func (b Blocks) heldOrInParts(mounts []Mount, swaps []string, d Device) string {
	if h := b.holders(d.Name); len(h) > 0 {
		return fmt.Sprintf("%s holds it (LVM, md or device mapper)", strings.Join(h, ", "))
	}
	for _, name := range b.Partitions(d.Name) {
		p, err := b.byName(name)
		if err != nil {
			return fmt.Sprintf("its partition %s cannot be read", name)
		}
		if points := pointsOf(mounts, p); len(points) > 0 {
			return fmt.Sprintf("its partition %s is mounted at %s", name, points[0])
		}
		if slices.Contains(swaps, p.Path) {
			return fmt.Sprintf("its partition %s is in use as swap", name)
		}
		if h := b.holders(name); len(h) > 0 {
			return fmt.Sprintf("%s holds its partition %s", strings.Join(h, ", "), name)
		}
	}
	return ""
}

// holdsRoot follows the root mount down to the disks below it, through LVM,
// md and dm.
func (b Blocks) holdsRoot(mounts []Mount, d Device) bool {
	for _, point := range []string{"/", "/boot", "/boot/efi", "/usr"} {
		m, ok := MountAt(mounts, point)
		if !ok {
			continue
		}
		if name, ok := b.nameOf(m); ok && slices.Contains(b.below(name, nil), d.Name) {
			return true
		}
	}
	return false
}

// below lists a device, the disk it is a partition of, and all that it is made of.
func (b Blocks) below(name string, seen []string) []string {
	if slices.Contains(seen, name) {
		return seen
	}
	seen = append(seen, name)
	if d, err := b.byName(name); err == nil && d.Parent != "" {
		seen = b.below(d.Parent, seen)
	}
	slaves, _ := os.ReadDir(filepath.Join(b.Sys, "class/block", name, "slaves"))
	for _, s := range slaves {
		seen = b.below(s.Name(), seen)
	}
	return seen
}

// nameOf finds the device of a mount. btrfs shows numbers of its own, so the
// source counts too.
func (b Blocks) nameOf(m Mount) (string, bool) {
	if target, err := filepath.EvalSymlinks(filepath.Join(b.Sys, "dev/block", m.Number)); err == nil {
		return filepath.Base(target), true
	}
	d, err := b.Find(m.Source)
	return d.Name, err == nil && strings.HasPrefix(m.Source, "/dev/")
}

func pointsOf(mounts []Mount, d Device) []string {
	var points []string
	for _, m := range mounts {
		if m.Number == d.Number || m.Source == d.Path {
			points = append(points, m.Point)
		}
	}
	return points
}

func (b Blocks) holders(name string) []string {
	entries, _ := os.ReadDir(filepath.Join(b.Sys, "class/block", name, "holders"))
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// swaps lists the devices in use as swap.
func (b Blocks) swaps() []string {
	data, _ := os.ReadFile(filepath.Join(b.Proc, "swaps"))
	var paths []string
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[0], "/") {
			if real, err := filepath.EvalSymlinks(f[0]); err == nil {
				f[0] = real
			}
			paths = append(paths, f[0])
		}
	}
	return paths
}
