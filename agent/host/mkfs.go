package host

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// FileSystem is one that volumes may have.
type FileSystem struct {
	Type  string // "ext2", "ext3", "ext4", "xfs", "btrfs"
	Label string
	UUID  string
}

// Longest labels, in bytes.
var longestLabel = map[string]int{"ext2": 16, "ext3": 16, "ext4": 16, "xfs": 12, "btrfs": 255}

// Check says what is wrong with a wish for a file system.
func (fs FileSystem) Check() error {
	most, ok := longestLabel[fs.Type]
	switch {
	case !ok:
		return fmt.Errorf("file system %q is none of ext2, ext3, ext4, xfs, btrfs", fs.Type)
	case fs.Label == "" || len(fs.Label) > most:
		return fmt.Errorf("label %q must have 1 to %d bytes on %s", fs.Label, most, fs.Type)
	case !isUUID(fs.UUID):
		return fmt.Errorf("%q is not a UUID in lower case", fs.UUID)
	}
	return nil
}

func isUUID(s string) bool {
	if len(s) != 36 {
		return false
	}
	for i, c := range []byte(s) {
		dash := i == 8 || i == 13 || i == 18 || i == 23
		if hex := '0' <= c && c <= '9' || 'a' <= c && c <= 'f'; dash != (c == '-') || !dash && !hex {
			return false
		}
	}
	return true
}

// Make is the command that makes the file system on a device. It overwrites:
// whether that is allowed was decided before.
func (fs FileSystem) Make(path string) Command {
	c := Command{Path: "mkfs." + fs.Type}
	switch fs.Type {
	case "xfs":
		c.Args = []string{"-q", "-f", "-L", fs.Label, "-m", "uuid=" + fs.UUID, path}
	case "btrfs":
		c.Args = []string{"-q", "-f", "-L", fs.Label, "-U", fs.UUID, path}
	default:
		c.Args = []string{"-q", "-F", "-L", fs.Label, "-U", fs.UUID, path}
	}
	return c
}

// Grow is the command that makes a mounted file system as large as its device.
func (fs FileSystem) Grow(path, point string) Command {
	switch fs.Type {
	case "xfs":
		return Command{Path: "xfs_growfs", Args: []string{"-d", point}}
	case "btrfs":
		return Command{Path: "btrfs", Args: []string{"filesystem", "resize", "max", point}}
	}
	return Command{Path: "resize2fs", Args: []string{path}}
}

// Verify is the command that looks, without writing, whether the file system
// is whole; status 0 says that it is.
func (fs FileSystem) Verify(path string) Command {
	switch fs.Type {
	case "xfs":
		return Command{Path: "xfs_repair", Args: []string{"-n", path}}
	case "btrfs":
		return Command{Path: "btrfs", Args: []string{"check", "--readonly", path}}
	}
	return Command{Path: "e2fsck", Args: []string{"-n", "-f", path}}
}

// eraseEdge covers every signature that stands at a fixed place near an end:
// partition tables and their backups, LVM, md, LUKS, swap, ZFS.
const eraseEdge = 4 << 20

// EraseEdges overwrites the first and last 4 MiB of a device with zeros. It is
// for a device whose destruction was asked for by name, and for nothing else.
func EraseEdges(ctx context.Context, d Device) (err error) {
	f, err := os.OpenFile(d.Path, os.O_WRONLY|unix.O_EXCL, 0)
	if err != nil {
		return fmt.Errorf("cannot erase %s: %w", d.Path, err)
	}
	defer func() {
		if closing := f.Close(); err == nil {
			err = closing
		}
	}()
	edge := min(int64(eraseEdge), d.Size)
	for _, at := range []int64{0, d.Size - edge} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := f.WriteAt(make([]byte, edge), at); err != nil {
			return fmt.Errorf("cannot erase %s: %w", d.Path, err)
		}
	}
	return f.Sync()
}
