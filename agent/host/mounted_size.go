package host

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// xfsGeometry is the kernel's struct xfs_fsop_geom_v1.
type xfsGeometry struct {
	BlockSize  uint32
	_          [7]uint32
	DataBlocks uint64
	_          [9]uint64
}

// xfsGetGeometry is XFS_IOC_FSGEOMETRY_V1: _IOR('X', 100, the struct above).
const xfsGetGeometry = 2<<30 | unsafe.Sizeof(xfsGeometry{})<<16 | 'X'<<8 | 100

// MountedSize returns how many bytes a mounted file system covers. xfs and
// btrfs write their super block late, so what stands on the device, which is
// given, may be old; ext keeps it in step.
func MountedSize(point, fsType string, onDevice int64) (int64, error) {
	switch fsType {
	case "xfs":
		return xfsSize(point)
	case "btrfs":
		var st unix.Statfs_t
		if err := unix.Statfs(point, &st); err != nil {
			return 0, fmt.Errorf("cannot find out the size of %s: %v", point, err)
		}
		return int64(st.Blocks) * st.Bsize, nil
	}
	return onDevice, nil
}

func xfsSize(point string) (int64, error) {
	f, err := os.Open(point)
	if err != nil {
		return 0, fmt.Errorf("cannot find out the size of %s: %v", point, err)
	}
	defer f.Close()
	var g xfsGeometry
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), uintptr(xfsGetGeometry), uintptr(unsafe.Pointer(&g))); errno != 0 {
		return 0, fmt.Errorf("cannot find out the size of %s: %v", point, errno)
	}
	return int64(g.DataBlocks) * int64(g.BlockSize), nil
}
