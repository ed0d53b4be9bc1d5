package host

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
)

// Blocks finds block devices. Sys and Dev are "/sys" and "/dev" on a node;
// tests give directories.
type Blocks struct {
	Sys, Dev string
	Proc     string // "/proc"
	Run      string // "/run", where udev keeps what it knows
}

// NodeBlocks are the block devices of this machine.
func NodeBlocks() Blocks { return Blocks{Sys: "/sys", Dev: "/dev", Proc: "/proc", Run: "/run"} }

// Device is a block device and what tells it from all others.
type Device struct {
	Path      string // "/dev/sdb", links resolved
	Name      string // the kernel's: "sdb"
	Number    string // "8:16"
	Size      int64  // bytes
	ReadOnly  bool
	Serial    string
	WWN       string
	Backing   string // file behind a loop device
	DMUUID    string // of a device mapper device, such as a logical volume
	Location  string // path in sysfs: which slot it sits in
	Partition int    // its number, 0 for a whole disk
	Start     int64  // first byte of a partition on its disk
	Parent    string // the disk of a partition: "sdb"
}

// ErrNoDevice means that there is no such block device.
var ErrNoDevice = errors.New("there is no such block device")

// Find resolves the user's word for a device: "sdb", "/dev/sdb",
// "disk/by-id/…". A link of a cloud that nobody has made is found by the
// identity that it stands for.
func (b Blocks) Find(word string) (Device, error) {
	path := word
	if rel, ok := strings.CutPrefix(word, "/dev/"); ok {
		path = filepath.Join(b.Dev, rel)
	} else if !filepath.IsAbs(word) {
		path = filepath.Join(b.Dev, word)
	}
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		if real, err = b.findIdentity(strings.TrimPrefix(path, b.Dev+"/")); err == nil && real == "" {
			return Device{}, fmt.Errorf("%s: %w", word, ErrNoDevice)
		}
	}
	if err != nil {
		return Device{}, fmt.Errorf("cannot find %s: %v", word, err)
	}
	d, err := b.byName(b.kernelName(real))
	if err != nil {
		return Device{}, fmt.Errorf("%s: %w", word, err)
	}
	d.Path = real
	return d, b.checkNode(d)
}

// kernelName is what the kernel calls the device behind a node in /dev. The
// node may have another name, as one that was made by hand or for a container
// has: the number decides. Where there is no node, as in tests, its name does.
func (b Blocks) kernelName(path string) string {
	if number, ok := deviceNumber(path); ok {
		if loc, err := os.Readlink(filepath.Join(b.Sys, "dev/block", number)); err == nil {
			return filepath.Base(loc)
		}
	}
	name := strings.ReplaceAll(strings.TrimPrefix(path, b.Dev+"/"), "/", "!") // sysfs writes cciss/c0d0 so
	if target, err := os.Readlink(filepath.Join(b.Dev, "block", name)); err == nil {
		name = filepath.Base(target)
	}
	return name
}

func (b Blocks) byName(name string) (Device, error) {
	dir := filepath.Join(b.Sys, "class/block", name)
	loc, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return Device{}, ErrNoDevice
	}
	sectors, err := strconv.ParseInt(readWord(dir, "size"), 10, 64)
	if err != nil {
		return Device{}, fmt.Errorf("cannot read the size of %s: %v", name, err)
	}
	d := Device{
		Name: name, Path: filepath.Join(b.Dev, strings.ReplaceAll(name, "!", "/")),
		Number: readWord(dir, "dev"), Size: sectors * 512, ReadOnly: readWord(dir, "ro") == "1",
		Location: strings.TrimPrefix(loc, b.Sys),
	}
	if n, err := strconv.Atoi(readWord(dir, "partition")); err == nil {
		d.Partition, d.Parent = n, filepath.Base(filepath.Dir(loc))
		if start, err := strconv.ParseInt(readWord(dir, "start"), 10, 64); err == nil {
			d.Start = start * 512
		}
	}
	b.identify(&d, loc)
	return d, nil
}

// identify fills in what stays the same when names are given out anew. A
// partition has the identity of its disk, and its place there.
func (b Blocks) identify(d *Device, loc string) {
	disk := loc
	if d.Partition != 0 {
		disk = filepath.Dir(loc)
	}
	udev := b.udev(readWord(disk, "dev"))
	d.Serial = firstOf(readWord(disk, "device/serial"), readWord(disk, "serial"), udev["ID_SERIAL"], udev["ID_SERIAL_SHORT"])
	d.WWN = firstOf(readWord(disk, "wwid"), readWord(disk, "device/wwid"), udev["ID_WWN_WITH_EXTENSION"], udev["ID_WWN"])
	d.Backing = readWord(disk, "loop/backing_file")
	d.DMUUID = readWord(disk, "dm/uuid")
}

// udev reads what udev found out about a device; nothing where it does not run.
func (b Blocks) udev(number string) map[string]string {
	data, err := os.ReadFile(filepath.Join(b.Run, "udev/data", "b"+number))
	if err != nil {
		return nil
	}
	props := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if kv, ok := strings.CutPrefix(strings.TrimSpace(line), "E:"); ok {
			k, v, _ := strings.Cut(kv, "=")
			props[k] = v
		}
	}
	return props
}

// Partitions returns the names of a disk's partitions.
func (b Blocks) Partitions(disk string) []string {
	found, _ := filepath.Glob(filepath.Join(b.Sys, "class/block", disk, "*", "partition"))
	names := make([]string, 0, len(found))
	for _, f := range found {
		names = append(names, filepath.Base(filepath.Dir(f)))
	}
	sort.Strings(names)
	return names
}

// Identity says which device this is, in words that stay true when the kernel
// gives out names anew. A device without a serial, a WWN or a file behind it
// is known by the slot it sits in.
func (d Device) Identity() string {
	var parts []string
	add := func(key, value string) {
		if value != "" {
			parts = append(parts, key+"="+strconv.Quote(value))
		}
	}
	add("serial", d.Serial)
	add("wwn", d.WWN)
	add("file", d.Backing)
	add("dm", d.DMUUID)
	if len(parts) == 0 {
		add("slot", d.Location)
	}
	if d.Partition != 0 {
		parts = append(parts, fmt.Sprintf("partition=%d start=%d", d.Partition, d.Start))
	}
	return strings.Join(append(parts, fmt.Sprintf("size=%d", d.Size)), " ")
}

func readWord(dir, name string) string {
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func firstOf(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}
