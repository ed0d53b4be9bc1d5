package host

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// checkNode makes sure that the node in /dev is the device that sysfs
// describes: in a container the two may come from different worlds.
func (b Blocks) checkNode(d Device) error {
	if b.Dev != "/dev" {
		return nil // a test's directory has no real devices
	}
	n, ok := deviceNumber(d.Path)
	if !ok {
		return fmt.Errorf("%s: %w", d.Path, ErrNoDevice)
	}
	if n != d.Number {
		return fmt.Errorf("%s is device %s, but the kernel calls %s by that name", d.Path, n, d.Number)
	}
	return nil
}

// deviceNumber is the "major:minor" of a block device's node.
func deviceNumber(path string) (string, bool) {
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Mode&unix.S_IFMT != unix.S_IFBLK {
		return "", false
	}
	return fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev)), true
}

// OpenExclusive opens a device for reading in the way that the kernel refuses
// while anybody uses it: mounted, in any mount namespace; swap; held by LVM,
// md or dm; one of its partitions in use. Nothing can be written through it.
func OpenExclusive(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_EXCL, 0)
	if errors.Is(err, syscall.EBUSY) {
		return nil, fmt.Errorf("cannot use %s: %w", path, ErrBusy)
	}
	return f, err
}

// ErrBusy means that the kernel says a device is in use.
var ErrBusy = errors.New("the kernel says it is in use")
