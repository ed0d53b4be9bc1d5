//go:build nodes

package nodes

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Disks that are full or cannot be written to any more, on a node and where icm
// itself runs. Each ends in words and a state that is known, and the same command
// given again finishes once there is room.

const kitsDir = "/var/lib/icm-agent-kits"

func TestDisksThatCannotBeWrittenToEndInWordsAndTheNextRunFinishes(t *testing.T) {
	t.Parallel()
	s := newSite(t, `[{"Role": "DM", "Count": "1"}]`, map[string]any{"FileSystem": "ext4", "Namespace": "ACME"})
	dm := s.machine("DM", 1)
	s.provision()
	s.bringFile(kit(t, "IRIS-2023.1.0"))

	t.Run("a disk is full in the middle of unpacking", func(t *testing.T) {
		s := s.in(t)
		s.inside(dm, "mkdir -p "+kitsDir+" && mount -t tmpfs -o size=1g,mode=755,nr_inodes=12 small "+kitsDir)
		s.wantRefusal(s.icm("install"), 1, dm+".*no space left on device")
		if left := s.inside(dm, "ls -A "+kitsDir); left != "" {
			t.Errorf("what did not fit is left: %s", left)
		}
		s.inside(dm, "mount -o remount,nr_inodes=0 "+kitsDir)
		s.must("install")
		s.running("2023.1.0.235.1", dm)
		s.must("uninstall", "-force")
		s.inside(dm, "umount "+kitsDir)
	})
	t.Run("a volume becomes read-only during an installation", func(t *testing.T) {
		s := s.in(t)
		s.bringFile(slowKit(t, kit(t, "IRIS-2023.1.0"), installerPause))
		device, number, _ := strings.Cut(s.inside(dm, "findmnt -no SOURCE,MAJ:MIN /irissys/data"), " ")
		s.inside(dm, "mount -o remount,errors=remount-ro /irissys/data")
		install := s.begin("install")
		install.waitFor("Installing kit on " + dm)
		s.installerRuns(dm)
		kernelFindsAnError(t, strings.TrimSpace(number))
		eventually(t, "the volume to be read-only", time.Minute, func() (bool, string) {
			seen := s.inside(dm, "touch /irissys/data/probe 2>&1 || true")
			return strings.Contains(seen, "Read-only"), seen
		})
		s.wantRefusal(install.wait(), 1, dm+".*[Rr]ead-only file system")
		// What an administrator does about it.
		s.inside(dm, "systemctl stop $(systemd-escape -p --suffix=mount /irissys/data) && { fsck.ext4 -fy "+device+" || [ $? = 1 ]; }")
		s.inside(dm, "systemctl start $(systemd-escape -p --suffix=mount /irissys/data)")
		s.must("install")
		s.running("2023.1.0.235.1", dm)
	})
	t.Run("the disk of icm itself is full", func(t *testing.T) {
		s := s.in(t)
		disk := s.ownDisk()
		for pages := range 4 {
			disk.fill(pages)
			if r := s.icm("stop"); r.status != 0 { // with some room it may be enough
				s.wantRefusal(r, 1, "no space left on device")
			} else if pages == 0 {
				t.Error("it needed no room at all")
			}
			disk.empty()
			s.must("stop")
			if got := s.ps()[dm]["Status"]; got != "down" {
				t.Errorf("after the second stop the instance is %s", got)
			}
			s.must("start")
		}
		s.must("operations")
	})
}

// kernelFindsAnError makes the kernel find an error in a file system, as it would
// on a disk that fails. number is "MAJOR:MINOR" of the disk.
func kernelFindsAnError(t *testing.T, number string) {
	t.Helper()
	device, err := os.Readlink("/sys/dev/block/" + number)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(fmt.Sprintf("/sys/fs/ext4/%s/trigger_fs_error", filepath.Base(device)), []byte("test\n"), 0o200); err != nil {
		t.Fatal(err)
	}
}

// ownDisk is a disk on which a site is alone.
type ownDisk struct {
	s       *site
	ballast string
}

// ownDisk moves the site to a disk of its own until the test ends.
func (s *site) ownDisk() ownDisk {
	s.t.Helper()
	aside := s.t.TempDir()
	s.locally(`cp -a "$1/." "$2" && mount -t tmpfs -o size=16m small "$1" && cp -a "$2/." "$1"`, s.dir, aside)
	s.t.Cleanup(func() {
		s.locally(`rm -rf "$2" && mkdir "$2" && cp -a "$1/." "$2" && umount "$1" && cp -a "$2/." "$1"`, s.dir, aside)
	})
	return ownDisk{s, filepath.Join(s.dir, "ballast")}
}

// fill leaves room for so many pages of 4 kB.
func (d ownDisk) fill(left int) {
	d.s.t.Helper()
	d.s.locally(`dd if=/dev/zero of="$1" bs=4k 2>/dev/null; truncate -s $(($(stat -c %s "$1") - $2 * 4096)) "$1"`, d.ballast, fmt.Sprint(left))
}

func (d ownDisk) empty() {
	d.s.t.Helper()
	if err := os.Remove(d.ballast); err != nil {
		d.s.t.Fatal(err)
	}
}

// locally runs a command of the shell on this machine.
func (s *site) locally(command string, args ...string) {
	s.t.Helper()
	out, err := exec.Command("sh", append([]string{"-c", command, "sh"}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v: %s", command, err, out)
	}
}
