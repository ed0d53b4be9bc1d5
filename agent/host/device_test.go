package host

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fakeNode is a directory that looks like /sys, /dev, /proc and /run.
type fakeNode struct {
	t    *testing.T
	root string
}

func newFakeNode(t *testing.T) fakeNode {
	n := fakeNode{t, t.TempDir()}
	n.file("proc/self/mountinfo", "")
	n.file("proc/swaps", "Filename Type Size Used Priority\n")
	return n
}

func (n fakeNode) blocks() Blocks {
	return Blocks{Sys: n.root + "/sys", Dev: n.root + "/dev", Proc: n.root + "/proc", Run: n.root + "/run"}
}

func (n fakeNode) file(path, text string) {
	n.t.Helper()
	path = filepath.Join(n.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		n.t.Fatal(err)
	}
}

func (n fakeNode) link(path, target string) {
	n.t.Helper()
	path = filepath.Join(n.root, path)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(filepath.Join(n.root, target), path)); err != nil {
		n.t.Fatal(err)
	}
}

// disk makes a device in a slot; attrs are more files of it.
func (n fakeNode) disk(slot, name, number string, attrs map[string]string) {
	n.t.Helper()
	dir := "sys/devices/" + slot + "/" + name
	n.file(dir+"/size", "2097152\n")
	n.file(dir+"/dev", number+"\n")
	n.file(dir+"/ro", "0\n")
	for k, v := range attrs {
		n.file(dir+"/"+k, v+"\n")
	}
	n.link("sys/class/block/"+name, dir)
	n.link("sys/dev/block/"+number, dir)
	n.file("dev/"+name, "")
}

func TestADeviceIsFoundByEveryWordPeopleUse(t *testing.T) {
	n := newFakeNode(t)
	n.disk("pci0/ata1", "sdb", "8:16", map[string]string{"device/wwid": "naa.5000"})
	n.disk("pci0/nvme0", "nvme0n1", "259:0", map[string]string{"device/serial": "S4EV  "})
	n.link("dev/disk/by-id/wwn-5000", "dev/sdb")
	for word, want := range map[string]string{"sdb": "sdb", "/dev/sdb": "sdb", "disk/by-id/wwn-5000": "sdb", "/dev/disk/by-id/wwn-5000": "sdb", "nvme0n1": "nvme0n1"} {
		d, err := n.blocks().Find(word)
		if err != nil || d.Name != want || d.Size != 1<<30 {
			t.Errorf("%q is %+v, %v", word, d, err)
		}
	}
	for _, word := range []string{"sdz", "disk/by-id/none", "disk"} {
		if _, err := n.blocks().Find(word); !errors.Is(err, ErrNoDevice) {
			t.Errorf("%q: %v", word, err)
		}
	}
}

func TestACloudsVolumeIsFoundWithoutTheCloudsRulesForUdev(t *testing.T) {
	n := newFakeNode(t)
	n.disk("pci0/nvme1", "nvme1n1", "259:1", map[string]string{"device/serial": "vol0abc123"})
	n.disk("pci0/nvme2", "nvme2n1", "259:2", map[string]string{"device/serial": "vol0def456"})
	n.disk("pci0/scsi1", "sdb", "8:16", nil)
	n.file("run/udev/data/b8:16", "E:ID_SERIAL=0Google_PersistentDisk_data\n")
	n.disk("pci0/scsi2", "sdc", "8:32", map[string]string{"device/wwid": "naa.6000C29000000000000000000000000a"})
	n.disk("pci0/scsi3", "sdd", "8:48", nil)
	n.link("dev/disk/azure/data/by-lun/3", "dev/sdd")
	for word, want := range map[string]string{
		"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0def456": "nvme2n1",
		"/dev/disk/by-id/google-data":                                "sdb",
		"/dev/disk/by-id/wwn-0x6000c29000000000000000000000000a":     "sdc",
		"/dev/disk/azure/scsi1/lun3":                                 "sdd",
	} {
		if d, err := n.blocks().Find(word); err != nil || d.Name != want {
			t.Errorf("%s is %+v, %v", word, d, err)
		}
	}
	for _, word := range []string{"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0aaa", "/dev/disk/by-id/google-wij", "/dev/disk/azure/scsi1/lun4"} {
		if _, err := n.blocks().Find(word); !errors.Is(err, ErrNoDevice) {
			t.Errorf("%q: %v", word, err)
		}
	}
	n.disk("pci0/nvme3", "nvme3n1", "259:3", map[string]string{"device/serial": "vol0abc123"})
	if _, err := n.blocks().Find("/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0abc123"); err == nil || errors.Is(err, ErrNoDevice) || !strings.Contains(err.Error(), "nvme1n1") {
		t.Errorf("two devices with one identity: %v", err)
	}
}

func TestAnIdentityDoesNotDependOnTheNameOfTheDay(t *testing.T) {
	before, after := newFakeNode(t), newFakeNode(t)
	before.disk("pci0/ata1", "sdb", "8:16", map[string]string{"device/wwid": "naa.1"})
	before.disk("pci0/ata2", "sdc", "8:32", map[string]string{"device/wwid": "naa.2"})
	after.disk("pci0/ata9", "sdb", "8:16", map[string]string{"device/wwid": "naa.2"})
	after.disk("pci0/ata8", "sdc", "8:32", map[string]string{"device/wwid": "naa.1"})
	b, _ := before.blocks().Find("sdb")
	swapped, _ := after.blocks().Find("sdb")
	same, _ := after.blocks().Find("sdc")
	if b.Identity() == swapped.Identity() || b.Identity() != same.Identity() {
		t.Errorf("sdb was %s, is %s; the disk itself is now %s", b.Identity(), swapped.Identity(), same.Identity())
	}
}

func TestEveryKindOfDeviceHasAnIdentity(t *testing.T) {
	n := newFakeNode(t)
	n.disk("pci0/virtio1", "vdb", "254:16", nil)
	n.disk("pci0/virtio2", "vdc", "254:32", map[string]string{"serial": "vol-1"})
	n.disk("virtual/block", "loop3", "7:3", map[string]string{"loop/backing_file": "/x.img"})
	n.disk("virtual/block", "dm-0", "253:0", map[string]string{"dm/uuid": "LVM-abc"})
	n.disk("pci0/ata1", "sdd", "8:48", nil)
	n.file("run/udev/data/b8:48", "E:ID_SERIAL=WD-1\n")
	n.disk("pci0/ata1/sdd", "sdd2", "8:50", map[string]string{"partition": "2", "start": "2048"})
	for name, want := range map[string]string{
		"vdb":   `slot="/devices/pci0/virtio1/vdb" size=1073741824`,
		"vdc":   `serial="vol-1" size=1073741824`,
		"loop3": `file="/x.img" size=1073741824`,
		"dm-0":  `dm="LVM-abc" size=1073741824`,
		"sdd":   `serial="WD-1" size=1073741824`,
		"sdd2":  `serial="WD-1" partition=2 start=1048576 size=1073741824`,
	} {
		d, err := n.blocks().Find(name)
		if err != nil || d.Identity() != want {
			t.Errorf("%s is %s, want %s (%v)", name, d.Identity(), want, err)
		}
	}
}

func TestWhoUsesADeviceIsToldWithWords(t *testing.T) {
	n := newFakeNode(t)
	for i, name := range []string{"sda", "sdb", "sdc", "sdd", "sde", "sdf", "sdg"} {
		n.disk("pci0", name, "8:"+string(rune('1'+i)), nil)
	}
	n.disk("pci0/sda", "sda2", "8:92", map[string]string{"partition": "2"})
	n.disk("pci0/sdd", "sdd1", "8:93", map[string]string{"partition": "1"})
	n.disk("pci0/sde", "sde1", "8:94", map[string]string{"partition": "1", "holders/md0": ""})
	n.disk("virtual", "dm-0", "253:0", map[string]string{"slaves/sda2": "", "dm/uuid": "LVM-root"})
	n.file("sys/devices/pci0/sdb/holders/dm-7", "")
	n.file("proc/swaps", "Filename Type Size Used Priority\n"+n.root+"/dev/sdc partition 1 0 -2\n")
	n.file("proc/self/mountinfo", strings.Join([]string{
		"20 1 253:0 / / rw - xfs /dev/mapper/root rw",
		`21 20 8:93 / /mnt/a\040b rw - ext4 /dev/sdd1 rw`,
		"22 20 8:6 / /data rw - xfs /dev/sdf rw",
	}, "\n"))
	for name, want := range map[string]string{
		"sda": "the root file system lies on it", "dm-0": "the root file system lies on it", "sda2": "the root file system lies on it",
		"sdb": "dm-7 holds it", "sdc": "in use as swap", "sdd": "its partition sdd1 is mounted at /mnt/a b", "sde": "md0 holds its partition sde1",
		"sdf": "", "sdg": "",
	} {
		d, err := n.blocks().Find(name)
		if err != nil {
			t.Fatal(err)
		}
		use, err := n.blocks().UseOf(d)
		if err != nil || want == "" && use.Why != "" || !strings.Contains(use.Why, want) {
			t.Errorf("%s: %q, want %q (%v)", name, use.Why, want, err)
		}
		if name == "sdf" && (len(use.Points) != 1 || use.Points[0] != "/data") {
			t.Errorf("sdf is mounted at %v", use.Points)
		}
	}
}
