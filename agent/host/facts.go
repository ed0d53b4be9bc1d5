package host

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"icm/internal/wire"
)

// Facts finds out about the node without starting a program, so that it may
// be asked often. root is "/" on a node. The agent's server fills in what only
// it knows: Build, Deployment, Busy, and Instances, which agent/iris lists.
func Facts(root string) (wire.Facts, error) {
	id := readWord(root, "etc/machine-id")
	if id == "" {
		return wire.Facts{}, fmt.Errorf("cannot tell which node this is: /etc/machine-id is missing or empty")
	}
	rel, err := ReadOSRelease(root)
	if err != nil {
		return wire.Facts{}, err
	}
	name, err := os.Hostname()
	if err != nil {
		return wire.Facts{}, fmt.Errorf("cannot read the host name: %v", err)
	}
	return wire.Facts{
		NodeID: id, Hostname: name, OS: rel, Kernel: readWord(root, "proc/sys/kernel/osrelease"),
		Arch: runtime.GOARCH, CPUs: runtime.NumCPU(), Memory: TotalMemory(root), Time: time.Now(),
		BootID:    readWord(root, "proc/sys/kernel/random/boot_id"),
		Addresses: addresses(), Platforms: Platforms(rel, runtime.GOARCH),
	}, nil
}

// TotalMemory returns bytes, the smaller of what the machine has and what a
// control group leaves to this system, as in a container; 0 when not known.
func TotalMemory(root string) int64 {
	total := int64(0)
	data, _ := os.ReadFile(filepath.Join(root, "proc/meminfo"))
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "MemTotal:" {
			kib, _ := strconv.ParseInt(f[1], 10, 64)
			total = kib << 10
		}
	}
	limit, err := strconv.ParseInt(readWord(root, "sys/fs/cgroup/memory.max"), 10, 64)
	if err == nil && limit > 0 && limit < total {
		return limit
	}
	return total
}

// addresses lists the node's addresses that others may reach, in the order of
// its interfaces.
func addresses() []string {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	var out []string
	for _, a := range all {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && !n.IP.IsLinkLocalUnicast() {
			out = append(out, n.IP.String())
		}
	}
	return out
}

// ReadOSRelease reads /etc/os-release, or what the distribution ships in its
// place.
func ReadOSRelease(root string) (wire.OSRelease, error) {
	var err error
	for _, name := range []string{"etc/os-release", "usr/lib/os-release"} {
		var data []byte
		if data, err = os.ReadFile(filepath.Join(root, name)); err == nil {
			return parseOSRelease(string(data)), nil
		}
	}
	return wire.OSRelease{}, fmt.Errorf("cannot tell which system this is: %v", err)
}

func parseOSRelease(text string) wire.OSRelease {
	var r wire.OSRelease
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		value = strings.Trim(value, `"'`)
		switch key {
		case "ID":
			r.ID = value
		case "ID_LIKE":
			r.Like = strings.Fields(value)
		case "VERSION_ID":
			r.Version = value
		case "PRETTY_NAME":
			r.Name = value
		}
	}
	return r
}

// FreeSpace returns the bytes an ordinary program may still write where path
// is or would be made.
func FreeSpace(path string) (int64, error) {
	for {
		var st unix.Statfs_t
		err := unix.Statfs(path, &st)
		if err == nil {
			return int64(st.Bavail) * st.Bsize, nil
		}
		if err != unix.ENOENT || path == filepath.Dir(path) {
			return 0, fmt.Errorf("cannot find out how much space %s has: %v", path, err)
		}
		path = filepath.Dir(path)
	}
}

// FileSystemOf names the file system that path is on or would be made on. ok is
// false when that cannot be found out.
func FileSystemOf(path string) (device uint64, ok bool) {
	for {
		var st unix.Stat_t
		err := unix.Stat(path, &st)
		if err == nil {
			return st.Dev, true
		}
		if err != unix.ENOENT || path == filepath.Dir(path) {
			return 0, false
		}
		path = filepath.Dir(path)
	}
}
