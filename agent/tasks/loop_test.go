package tasks

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

const mib = 1 << 20

// needRoot skips where block devices cannot be made.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root for loop devices and mounts")
	}
	if _, err := os.Stat("/dev/loop-control"); err != nil {
		t.Skip("needs /dev/loop-control")
	}
}

// image makes a sparse file, on a disk and not in memory.
func image(t *testing.T, size int64) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "disk.img")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

// attach puts a loop device before a file until the test ends.
func attach(t *testing.T, file string) string {
	t.Helper()
	dev := strings.TrimSpace(run(t, "losetup", "--find", "--show", file))
	t.Cleanup(func() {
		if out, err := exec.Command("losetup", "--detach", dev).CombinedOutput(); err != nil {
			t.Errorf("cannot detach %s: %v: %s", dev, err, out)
		}
	})
	return dev
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
	return string(out)
}

func haveTool(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

// sum is the content of a device. Through the device one sees what was written
// to it and has not reached the file behind it yet.
func sum(t *testing.T, path string) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

func put(t *testing.T, path string, at int64, data []byte) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(data, at); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// mdMember writes the super block of an md array of version 1.2, or of version
// 1.0, whose place is the end; the kernel here may have no md to do it.
func mdMember(t *testing.T, path string, size int64, atEnd bool) {
	t.Helper()
	sb := make([]byte, 256)
	at := int64(4096)
	if atEnd {
		at = (size/512 - 16) &^ 7 * 512
	}
	le := binary.LittleEndian
	le.PutUint32(sb[0:], 0xa92b4efc)
	le.PutUint32(sb[4:], 1)
	copy(sb[16:32], "0123456789abcdef")
	copy(sb[32:64], "node:array")
	le.PutUint64(sb[144:], uint64(at/512)) // super_offset
	le.PutUint32(sb[72:], 1)               // level
	le.PutUint64(sb[80:], uint64(size/512))
	le.PutUint32(sb[92:], 2) // raid disks
	var total uint64
	for i := 0; i < len(sb); i += 4 {
		total += uint64(le.Uint32(sb[i:]))
	}
	le.PutUint32(sb[216:], uint32(total)+uint32(total>>32))
	put(t, path, at, sb)
}

// mountAt mounts a device until the test ends.
func mountAt(t *testing.T, dev, fsType string) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount(dev, dir, fsType, 0, ""); err != nil {
		t.Fatalf("cannot mount %s: %v", dev, err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("cannot unmount %s: %v", dir, err)
		}
	})
	return dir
}
