package tasks

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"icm/agent/host"
	"icm/agent/unit"
	"icm/internal/kind"
)

// checkVolume looks at the arguments alone.
func checkVolume(v kind.Volume) error {
	p := v.MountPoint
	if !filepath.IsAbs(p) || filepath.Clean(p) != p || p == "/" || strings.ContainsAny(p, "\n\r") {
		return fmt.Errorf("mount point %q must be an absolute path below the root", p)
	}
	for _, word := range []string{v.Device, v.Purpose, v.Label} { // they stand in a unit file
		if strings.ContainsAny(word, "\n\r\x00") {
			return fmt.Errorf("%q must be one line", word)
		}
	}
	if v.Device == "" {
		return fmt.Errorf("no device is given for %s", v.MountPoint)
	}
	if v.Device == "null" {
		return nil
	}
	return fileSystem(v).Check()
}

func (d Deps) classifyDirectory(v kind.Volume, f *volumeFound) error {
	info, err := os.Stat(d.path(v.MountPoint))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("cannot look at %s: %v", v.MountPoint, err)
	case !info.IsDir():
		f.set(casePoint, v.MountPoint+" is not a directory", "choose another mount point")
	}
	return nil
}

// pointBlocked says what stands in the way at the mount point, or nothing.
func (d Deps) pointBlocked(v kind.Volume, f *volumeFound) (string, error) {
	if f.Case == caseInPlace || decideVolume(f.Case, v.Wipe) == actRefuse {
		return "", nil // nothing will be mounted
	}
	mounts, err := d.Blocks.Mounts()
	if err != nil {
		return "", err
	}
	if m, ok := host.MountAt(mounts, v.MountPoint); ok {
		return fmt.Sprintf("%s is mounted at %s", m.Source, v.MountPoint), nil
	}
	if d.inFstab(v.MountPoint) {
		return v.MountPoint + " is in /etc/fstab", nil
	}
	if _, _, err := d.Units.Read(unit.MountName(v.MountPoint)); errors.Is(err, unit.ErrForeign) {
		return err.Error(), nil
	}
	return d.directoryBlocked(v.MountPoint)
}

// directoryBlocked refuses links, which systemd does not mount on, and
// directories with something in them, which a mount would hide.
func (d Deps) directoryBlocked(point string) (string, error) {
	for p := point; p != "/"; p = filepath.Dir(p) {
		info, err := os.Lstat(d.path(p))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return "", fmt.Errorf("cannot look at %s: %v", p, err)
		case info.Mode()&fs.ModeSymlink != 0:
			return p + " is a symbolic link", nil
		case !info.IsDir():
			return p + " is not a directory", nil
		}
	}
	entries, err := os.ReadDir(d.path(point))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot look into %s: %v", point, err)
	}
	if len(entries) > 0 {
		return fmt.Sprintf("%s is not empty (it holds %q): a mount would hide that", point, entries[0].Name()), nil
	}
	return "", nil
}

func (d Deps) inFstab(point string) bool {
	data, _ := os.ReadFile(d.path("/etc/fstab"))
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		if len(f) > 1 && !strings.HasPrefix(f[0], "#") && filepath.Clean(f[1]) == point {
			return true
		}
	}
	return false
}

// mountUnit is the text of a volume's mount unit. With nofail, booting does
// not wait for a volume that is missing; what needs the volume says so with
// RequiresMountsFor, and then does not start without it.
func mountUnit(v kind.Volume, what string) string {
	return unit.Marker + fmt.Sprintf(`[Unit]
Description=InterSystems IRIS volume %[1]s (%[2]s, %[6]s)

[Mount]
What=%[3]s
Where=%[4]s
Type=%[5]s
Options=noatime,nofail
DirectoryMode=0755
TimeoutSec=10min

[Install]
WantedBy=local-fs.target
`, unitText(v.Purpose), unitText(v.Label), unitText(what), unitText(v.MountPoint), v.FileSystem, v.UUID)
}

// unitText keeps systemd from reading a specifier in a value.
func unitText(s string) string { return strings.ReplaceAll(s, "%", "%%") }

// whatByLink is how a volume is named where udev runs: systemd then waits for
// the device at boot. whatByUUID is for a node without udev, such as a
// container: mount(8) looks for the UUID itself. Where it cannot, because a
// container's nodes have other names than the kernel's, the node's path is left.
func whatByLink(v kind.Volume) string { return "/dev/disk/by-uuid/" + v.UUID }
func whatByUUID(v kind.Volume) string { return "UUID=" + v.UUID }
