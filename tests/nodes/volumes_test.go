//go:build nodes

package nodes

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// devices are the volumes of a node: their devices, and the files of the lab
// that are behind them.
var volumeDevices = []struct{ field, device, image string }{
	{"Data", "xvdc", "data"}, {"WIJ", "xvdd", "wij"}, {"Journal1", "xvde", "journal1"}, {"Journal2", "xvdf", "journal2"},
}

// foreign is something on a device that icm did not put there.
type foreign struct {
	name string
	put  string // a command; DEV is the device
	says string // of the refusal
}

// foreigners are put on the four devices four at a time.
var foreigners = []foreign{
	{"an ext4 file system", "mkfs.ext4 -q DEV", "ext4"},
	{"an xfs file system", "mkfs.xfs -q DEV", "xfs"},
	{"an LVM physical volume", "pvcreate -qq --config 'devices{scan=\"/dev\" use_devicesfile=0}' DEV", "LVM"},
	{"a member of an md array", mdMember(1 << 30), "md array"},
	{"an encrypted container", "echo password | cryptsetup luksFormat -q --pbkdf pbkdf2 --pbkdf-force-iterations 1000 DEV -", "LUKS"},
	{"swap space", "mkswap -q DEV", "swap"},
	{"a partition table with a partition", "parted -s DEV mklabel gpt mkpart payroll ext4 1MiB 100MiB", "partition table"},
	{"random bytes", "dd if=/dev/urandom of=DEV bs=1M count=8 seek=100 status=none", "not zero"},
	{"one byte in the middle", "printf x | dd of=DEV bs=1 seek=536870913 status=none", "not zero"},
	{"the spare copies of an ext4 file system", "mkfs.ext4 -q DEV && dd if=/dev/zero of=DEV bs=1M count=1 conv=notrunc status=none", "ext"},
	{"the spare copy of a partition table", "parted -s DEV mklabel gpt mkpart payroll ext4 1MiB 100MiB && dd if=/dev/zero of=DEV bs=1M count=1 conv=notrunc status=none", "partition table"},
	{"one byte at the very end", "printf x | dd of=DEV bs=1 seek=$(($(blockdev --getsize64 DEV) - 1)) status=none", "not zero"},
}

func TestNoByteOfAForeignDeviceIsWritten(t *testing.T) {
	t.Parallel()
	lab := bareNodes(t, 1)
	node := lab.machine("VM", 1)
	fields := map[string]any{}
	for _, v := range volumeDevices {
		fields[v.field+"DeviceName"] = v.device
	}
	s := given(t, lab, fmt.Sprintf(`[{"Role": "DM", "Count": "1", "IPAddress": %q}]`, lab.addressInLab(node)), fields)
	dm := s.machine("DM", 1)
	provision := func(more ...string) result {
		args := []string{"provision"}
		if dir := s.stateDir(); dir != "" {
			args = append(args, "-stateDir", dir)
		}
		return s.icm(append(args, more...)...)
	}

	for first := 0; first < len(foreigners); first += len(volumeDevices) {
		var names, refusals []string
		for i, v := range volumeDevices {
			f := foreigners[first+i]
			names = append(names, f.name)
			lab.inside(node, "blkdiscard -f /dev/"+v.device+" && "+strings.ReplaceAll(f.put, "DEV", "/dev/"+v.device))
			refusals = append(refusals, "node "+dm+": "+v.device+".* holds .*"+f.says, "hint: .*-wipe "+dm+":"+v.device)
		}
		t.Run(strings.Join(names, ", "), func(t *testing.T) {
			s, lab := s.in(t), lab.in(t)
			before := lab.images(node)
			s.wantRefusal(provision(), 3, refusals...)
			for image, sum := range lab.images(node) {
				if sum != before[image] {
					t.Errorf("%s was written to", image)
				}
			}
		})
	}

	t.Run("a volume in use is refused even with -wipe", func(t *testing.T) {
		s, lab := s.in(t), lab.in(t)
		lab.inside(node, "for d in xvdc xvdd xvde xvdf; do blkdiscard -f /dev/$d && mkfs.ext4 -q /dev/$d; done")
		lab.inside(node, "mount /dev/xvdc /mnt && echo payroll >/mnt/payroll")
		// Nobody else sees this one: it is mounted in a service of its own.
		lab.inside(node, "systemd-run --quiet --unit=holder -p PrivateMounts=yes sh -c 'mount /dev/xvdd /srv && exec sleep infinity'")
		lab.inside(node, "until nsenter -t $(systemctl show --value -p MainPID holder) -m mountpoint -q /srv; do sleep 0.1; done")
		s.wantRefusal(provision("-wipe", dm+":xvdc", "-wipe", dm+":xvdd"), 3,
			"node "+dm+": xvdc|/dev/xvdc holds ext4 .*is mounted at /mnt", "node "+dm+": .*/dev/xvdd.* (use|busy)", dm+": xvde .* holds .*ext4", dm+": xvdf .* holds .*ext4")
		lab.inside(node, "grep -q payroll /mnt/payroll && umount /mnt && systemctl stop holder")
	})

	t.Run("what is named with -wipe is formatted, and nothing else", func(t *testing.T) {
		s, lab := s.in(t), lab.in(t)
		before := lab.images(node)
		s.wantRefusal(provision("-wipe", dm+":xvdc", "-wipe", dm+":xvdd"), 3, dm+": xvde .* holds", dm+": xvdf .* holds")
		for device, sum := range lab.images(node) {
			if sum != before[device] {
				t.Errorf("%s was written to, although nothing was to be changed", device)
			}
		}
		lab.inside(node, "blkdiscard -f /dev/xvde; blkdiscard -f /dev/xvdf")
		if r := provision("-wipe", dm+":xvdc", "-wipe", dm+":xvdd"); r.status != 0 {
			t.Fatalf("status %d: %s", r.status, r.err)
		}
		lab.inside(node, "for v in data wij journal1 journal2; do mountpoint -q /irissys/$v || exit 1; done")
	})

	t.Run("our own volumes are kept with what is on them", func(t *testing.T) {
		s, lab := s.in(t), lab.in(t)
		lab.inside(node, "echo payroll >/irissys/data/payroll && sync")
		if r := provision("-wipe", dm+":xvdc"); r.status != 0 {
			t.Errorf("again: status %d: %s", r.status, r.err)
		}
		s.must("unprovision", "-stateDir", s.stateDir(), "-cleanUp", "-force")
		lab.inside(node, "! mountpoint -q /irissys/data")
		if r := provision(); r.status != 0 {
			t.Errorf("anew: status %d: %s", r.status, r.err)
		}
		if text := lab.inside(node, "cat /irissys/data/payroll"); text != "payroll" {
			t.Errorf("what was on the volume is %q now", text)
		}
		lab.lab("reboot", node)
		if text := lab.inside(node, "cat /irissys/data/payroll"); text != "payroll" {
			t.Errorf("after a restart the volume has %q", text)
		}
	})
}

// mdMember is a command that writes the super block of an md array of version
// 1.2. The kernel here need not know md.
func mdMember(size uint64) string {
	const at = 4096
	le, sb := binary.LittleEndian, make([]byte, 256)
	le.PutUint32(sb, 0xa92b4efc)
	le.PutUint32(sb[4:], 1) // major version
	copy(sb[16:], "0123456789abcdef")
	copy(sb[32:], "node:array")
	le.PutUint32(sb[72:], 1) // level
	le.PutUint64(sb[80:], size/512)
	le.PutUint32(sb[92:], 2) // disks
	le.PutUint64(sb[144:], at/512)
	var sum uint64
	for i := 0; i < len(sb); i += 4 {
		sum += uint64(le.Uint32(sb[i:]))
	}
	le.PutUint32(sb[216:], uint32(sum)+uint32(sum>>32))
	return fmt.Sprintf("echo %s | base64 -d | dd of=DEV bs=%d seek=1 status=none", base64.StdEncoding.EncodeToString(sb), at)
}

// images are sums of the files behind a node's volumes.
func (s *site) images(machine string) map[string]string {
	s.t.Helper()
	out := map[string]string{}
	for _, v := range volumeDevices {
		s.inside(machine, "sync && blockdev --flushbufs /dev/"+v.device)
		path := filepath.Join("/var/lib/icm-lab", filepath.Base(s.stateDir()), machine, v.image+".img")
		sum, err := sparseSum(path)
		if err != nil {
			s.t.Fatal(err)
		}
		out[v.device] = sum
	}
	return out
}

// sparseSum is a sum of the blocks of a file that are not zero, and of where
// they are, without reading its holes.
func sparseSum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	sum, block, zero := sha256.New(), make([]byte, 1<<16), make([]byte, 1<<16)
	for at := int64(0); ; {
		at, err = f.Seek(at, unix.SEEK_DATA)
		if errors.Is(err, syscall.ENXIO) {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
		if err != nil {
			return "", err
		}
		at -= at % int64(len(block))
		n, err := f.ReadAt(block, at)
		if err != nil && !errors.Is(err, io.EOF) {
			return "", err
		}
		if !bytes.Equal(block[:n], zero[:n]) {
			fmt.Fprintf(sum, "%d %d\n", at, n)
			sum.Write(block[:n])
		}
		at += int64(n)
		if n == 0 {
			return hex.EncodeToString(sum.Sum(nil)), nil
		}
	}
}
