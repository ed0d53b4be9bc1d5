package tasks

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"icm/agent/engine/enginetest"
	"icm/agent/host"
	"icm/agent/unit"
	"icm/internal/kind"
)

// testUUID is another one in every process: mkfs.btrfs refuses one that any
// device of the machine has, also that of a test beside this one.
var testUUID = randomUUID()

const (
	otherUUID = "77777777-8f7d-4c39-9a61-5d1f0c7e2b34"
	testLabel = "acme-data"
)

func randomUUID() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b) + "-8f7d-4c39-9a61-5d1f0c7e2b34"
}

// testVolume is a volume on a loop device with a mount point of its own.
func testVolume(t *testing.T, dev string) (Deps, *fakeUnits, kind.Volume) {
	u := newFakeUnits(t)
	v := kind.Volume{
		Purpose: "data", Device: dev, MountPoint: filepath.Join(t.TempDir(), "irissys/data"),
		FileSystem: "ext4", Label: testLabel, UUID: testUUID,
	}
	u.devices[whatByUUID(v)] = dev
	u.devices[whatByLink(v)] = dev
	u.devices[dev] = dev
	return Deps{Root: "/", Units: u}.withDefaults(), u, v
}

func TestADeviceThatHoldsAnythingIsRefusedAndNotAByteOfItChanges(t *testing.T) {
	needRoot(t)
	const size = 320 * mib // the least that mkfs.xfs takes
	rows := []struct {
		name string
		tool string // that must be there
		make func(t *testing.T, img string)
		row  volumeCase
		says string
	}{
		{"ext4", "mkfs.ext4", func(t *testing.T, img string) { run(t, "mkfs.ext4", "-q", "-F", "-L", "patients", img) }, caseForeign, `ext4 "patients"`},
		{"xfs", "mkfs.xfs", func(t *testing.T, img string) { run(t, "mkfs.xfs", "-q", "-L", "pacs", img) }, caseForeign, `xfs "pacs"`},
		{"btrfs", "mkfs.btrfs", func(t *testing.T, img string) { run(t, "mkfs.btrfs", "-q", "-L", "b", img) }, caseForeign, `btrfs "b"`},
		{"an LVM physical volume", "pvcreate", func(t *testing.T, img string) {
			put(t, img, 512, lvmLabel())
		}, caseForeign, "an LVM physical volume"},
		{"an md member", "", func(t *testing.T, img string) { mdMember(t, img, size, false) }, caseForeign, "a member of an md array"},
		{"an md member with its super block at the end", "", func(t *testing.T, img string) { mdMember(t, img, size, true) }, caseForeign, "a member of an md array"},
		{"LUKS", "cryptsetup", func(t *testing.T, img string) {
			key := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(key, []byte("k"), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, "cryptsetup", "luksFormat", "--type", "luks1", "--batch-mode", "--pbkdf-force-iterations", "1000", img, key)
		}, caseForeign, "a LUKS container"},
		{"swap space", "mkswap", func(t *testing.T, img string) { run(t, "mkswap", "-L", "s", img) }, caseForeign, `swap space "s"`},
		{"a GPT", "parted", func(t *testing.T, img string) {
			run(t, "parted", "-s", img, "mklabel", "gpt", "mkpart", "a", "1MiB", "100MiB", "mkpart", "b", "100MiB", "200MiB")
		}, caseForeign, "a GPT partition table with 2 partitions"},
		{"an MBR", "parted", func(t *testing.T, img string) {
			run(t, "parted", "-s", img, "mklabel", "msdos", "mkpart", "primary", "1MiB", "100MiB")
		}, caseForeign, "a MBR partition table with 1 partition"},
		{"an empty GPT", "parted", func(t *testing.T, img string) { run(t, "parted", "-s", img, "mklabel", "gpt") }, caseForeign, "a GPT partition table with 0 partitions"},
		{"random bytes", "", func(t *testing.T, img string) {
			noise := make([]byte, mib)
			if _, err := rand.Read(noise); err != nil {
				t.Fatal(err)
			}
			put(t, img, 100*mib, append([]byte{1}, noise...))
		}, caseUnknown, "the content is not zero at byte 104857600"},
		{"one byte in the middle", "", func(t *testing.T, img string) { put(t, img, 200*mib+77, []byte{1}) }, caseUnknown, "the content is not zero at byte 209715277"},
		{"one byte at the very end", "", func(t *testing.T, img string) { put(t, img, size-1, []byte{1}) }, caseUnknown, "the content is not zero at byte 335544319"},
		{"ext4 without its first super block", "mkfs.ext4", func(t *testing.T, img string) {
			run(t, "mkfs.ext4", "-q", "-F", "-b", "4096", img)
			put(t, img, 0, make([]byte, 8192))
		}, caseSpareCopy, "the backup super block of an ext file system"},
		{"xfs without its first super block", "mkfs.xfs", func(t *testing.T, img string) {
			run(t, "mkfs.xfs", "-q", img)
			put(t, img, 0, make([]byte, 4096))
		}, caseSpareCopy, "the backup super block of an xfs file system"},
		{"a GPT without its first copy", "parted", func(t *testing.T, img string) {
			run(t, "parted", "-s", img, "mklabel", "gpt", "mkpart", "a", "1MiB", "100MiB")
			put(t, img, 0, make([]byte, 34*512))
		}, caseSpareCopy, "the backup of a GPT partition table"},
		{"our label with another UUID", "mkfs.ext4", func(t *testing.T, img string) {
			run(t, "mkfs.ext4", "-q", "-F", "-L", testLabel, "-U", otherUUID, img)
		}, caseLabelOnly, testLabel},
		{"our label and UUID on another file system", "mkfs.ext2", func(t *testing.T, img string) {
			run(t, "mkfs.ext2", "-q", "-F", "-L", testLabel, "-U", testUUID, img)
		}, caseLabelOnly, "ext2"},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			if row.tool != "" && !haveTool(row.tool) {
				t.Skipf("needs %s", row.tool)
			}
			img := image(t, size)
			row.make(t, img)
			d, _, v := testVolume(t, attach(t, img))
			before := sum(t, v.Device)
			k := volumeMount(d)
			task := enginetest.NewTask(t, kind.VolumeMount, v)

			l, err := k.Look(context.Background(), task)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(l.Refused, row.says) || !strings.Contains(l.Hint, "-wipe NODE:"+v.Device) {
				t.Errorf("look refuses with %q, hint %q; want %q", l.Refused, l.Hint, row.says)
			}
			f, err := d.findVolume(context.Background(), task, v)
			if err != nil || f.Case != row.row {
				t.Errorf("it is taken for %q (%v), want %q", f.Case, err, row.row)
			}
			if err := k.Do(context.Background(), task); err == nil || !strings.Contains(err.Error(), row.says) {
				t.Errorf("do says %v, want a refusal", err)
			}
			if sum(t, v.Device) != before {
				t.Fatal("the device was written to")
			}
		})
	}
}

// lvmLabel is what pvcreate writes into the second sector, as far as it
// matters to be recognised.
func lvmLabel() []byte {
	label := make([]byte, 512)
	copy(label, "LABELONE")
	label[8] = 1 // sector
	label[20] = 32
	copy(label[24:], "LVM2 001")
	copy(label[32:], "AbCdEfGhIjKlMnOpQrStUvWxYz012345")
	crc := uint32(0xf597a6cf)
	for _, b := range label[20:] {
		crc ^= uint32(b)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xedb88320
			} else {
				crc >>= 1
			}
		}
	}
	label[16], label[17], label[18], label[19] = byte(crc), byte(crc>>8), byte(crc>>16), byte(crc>>24)
	return label
}

func TestABlankDeviceIsFormattedMountedAndKeptFromThenOn(t *testing.T) {
	needRoot(t)
	for _, fsType := range []string{"ext2", "ext3", "ext4", "xfs", "btrfs"} {
		t.Run(fsType, func(t *testing.T) {
			if !haveTool("mkfs." + fsType) {
				t.Skipf("needs mkfs.%s", fsType)
			}
			d, u, v := testVolume(t, attach(t, image(t, 320*mib)))
			v.FileSystem, v.UUID = fsType, randomUUID()
			u.devices[whatByUUID(v)], u.devices[whatByLink(v)] = v.Device, v.Device
			k := volumeMount(d)
			env := enginetest.NewEnv(nil)
			task := env.Task(t, kind.VolumeMount, v)
			l, err := k.Look(context.Background(), task)
			if err != nil || l.Refused != "" || l.Satisfied || l.Bind == "" {
				t.Fatalf("look = %+v, %v", l, err)
			}
			tellsBeforeAndAfter(t, k, task)
			task.Bind = l.Bind
			if err := k.Do(context.Background(), task); err != nil {
				t.Fatal(err)
			}
			kept := filepath.Join(v.MountPoint, "IRIS.DAT")
			if err := os.WriteFile(kept, []byte("data"), 0o600); err != nil {
				t.Fatal(err)
			}
			checkSatisfied(t, d, v)

			// The same again, by another change, after a reboot.
			if err := u.Stop(context.Background(), unit.MountName(v.MountPoint)); err != nil {
				t.Fatal(err)
			}
			again := enginetest.NewTask(t, kind.VolumeMount, v)
			again.Bind = l.Bind
			if err := k.Do(context.Background(), again); err != nil {
				t.Fatal(err)
			}
			if data, err := os.ReadFile(kept); err != nil || string(data) != "data" {
				t.Fatalf("the data is gone: %q, %v", data, err)
			}
		})
	}
}

func checkSatisfied(t *testing.T, d Deps, v kind.Volume) {
	t.Helper()
	l, err := volumeMount(d).Look(context.Background(), enginetest.NewTask(t, kind.VolumeMount, v))
	if err != nil || !l.Satisfied || l.Refused != "" {
		t.Fatalf("look = %+v, %v; want satisfied", l, err)
	}
}

func TestUndoUnmountsAndLeavesTheFileSystem(t *testing.T) {
	needRoot(t)
	d, u, v := testVolume(t, attach(t, image(t, 64*mib)))
	env := enginetest.NewEnv(nil)
	task := env.Task(t, kind.VolumeMount, v)
	k := volumeMount(d)
	l, err := k.Look(context.Background(), task)
	if err != nil {
		t.Fatal(err)
	}
	task.Bind = l.Bind
	if err := k.Do(context.Background(), task); err != nil {
		t.Fatal(err)
	}
	for range 2 { // a crash in the middle of undo runs it again
		if err := k.Undo(context.Background(), task); err != nil {
			t.Fatal(err)
		}
	}
	if len(u.files) != 0 || exists(v.MountPoint) || exists(filepath.Dir(v.MountPoint)) {
		t.Fatalf("undo left units %v or the mount point", u.files)
	}
	if out := run(t, "blkid", "-p", v.Device); !strings.Contains(out, testUUID) {
		t.Fatalf("the file system is gone: %s", out)
	}
}

func TestNothingIsFormattedWithoutAPlanThatNamesTheDevice(t *testing.T) {
	needRoot(t)
	img := image(t, 64*mib)
	d, _, v := testVolume(t, attach(t, img))
	before := sum(t, img)
	err := volumeMount(d).Do(context.Background(), enginetest.NewTask(t, kind.VolumeMount, v))
	if err == nil || !strings.Contains(err.Error(), "which device was meant") || sum(t, img) != before {
		t.Fatalf("do says %v", err)
	}
}

func TestADeviceThatChangedSinceThePlanIsRefusedEvenWithConsent(t *testing.T) {
	needRoot(t)
	img := image(t, 64*mib)
	d, _, v := testVolume(t, attach(t, img))
	v.Wipe = true
	planned := enginetest.NewTask(t, kind.VolumeMount, v)
	l, err := volumeMount(d).Look(context.Background(), planned)
	if err != nil {
		t.Fatal(err)
	}
	t.Run("other disk", func(t *testing.T) {
		other := image(t, 64*mib)
		v := v
		v.Device = attach(t, other)
		checkMoved(t, d, v, l.Bind, other)
	})
	t.Run("data appeared since", func(t *testing.T) {
		put(t, v.Device, 5*mib, []byte("somebody else's"))
		checkMoved(t, d, v, l.Bind, img)
	})
}

func checkMoved(t *testing.T, d Deps, v kind.Volume, bind, img string) {
	t.Helper()
	before := sum(t, v.Device)
	task := enginetest.NewTask(t, kind.VolumeMount, v)
	task.Bind = bind
	if err := volumeMount(d).Do(context.Background(), task); err == nil || !strings.Contains(err.Error(), "planned was") {
		t.Errorf("do says %v", err)
	}
	if sum(t, v.Device) != before {
		t.Fatal("the device was written to")
	}
}

func TestConsentDestroysWhatThePlanShowed(t *testing.T) {
	needRoot(t)
	img := image(t, 320*mib)
	run(t, "mkfs.ext4", "-q", "-F", "-L", "old", img)
	d, _, v := testVolume(t, attach(t, img))
	v.Wipe = true
	task := enginetest.NewTask(t, kind.VolumeMount, v)
	k := volumeMount(d)
	l, err := k.Look(context.Background(), task)
	if err != nil || l.Refused != "" || len(l.Diffs) == 0 || !strings.Contains(l.Diffs[0].After, "DESTROYED") {
		t.Fatalf("look = %+v, %v", l, err)
	}
	task.Bind = l.Bind
	if err := k.Do(context.Background(), task); err != nil {
		t.Fatal(err)
	}
	checkSatisfied(t, d, v)
}

func TestConsentDoesNotReachADeviceInUse(t *testing.T) {
	needRoot(t)
	t.Run("mounted", func(t *testing.T) {
		img := image(t, 64*mib)
		run(t, "mkfs.ext4", "-q", "-F", img)
		dev := attach(t, img)
		point := mountAt(t, dev, "ext4")
		d, _, v := testVolume(t, dev)
		v.Wipe = true
		checkRefused(t, d, v, caseMounted, point)
	})
	t.Run("a partition of it mounted", func(t *testing.T) {
		img := image(t, 128*mib)
		run(t, "parted", "-s", img, "mklabel", "gpt", "mkpart", "a", "1MiB", "100MiB")
		dev := attach(t, img)
		run(t, "partx", "--add", dev)
		t.Cleanup(func() { run(t, "partx", "--delete", dev) })
		part := dev + "p1"
		if !exists(part) {
			t.Skip("needs udev or devtmpfs to make nodes of partitions")
		}
		run(t, "mkfs.ext4", "-q", "-F", part)
		mountAt(t, part, "ext4")
		d, _, v := testVolume(t, dev)
		v.Wipe = true
		checkRefused(t, d, v, caseInUse, "its partition")
	})
	t.Run("opened exclusively, as by a mount elsewhere", func(t *testing.T) {
		dev := attach(t, image(t, 64*mib))
		x, err := host.OpenExclusive(dev)
		if err != nil {
			t.Fatal(err)
		}
		defer x.Close()
		d, _, v := testVolume(t, dev)
		v.Wipe = true
		checkRefused(t, d, v, caseInUse, "the kernel says it is in use")
	})
	t.Run("the root disk", func(t *testing.T) {
		root, ok := rootDisk(t)
		if !ok {
			t.Skip("needs a root file system on a block device")
		}
		d, _, v := testVolume(t, root)
		v.Wipe = true
		checkRefused(t, d, v, caseInUse, "the root file system")
	})
}

func rootDisk(t *testing.T) (string, bool) {
	t.Helper()
	mounts, err := host.NodeBlocks().Mounts()
	if err != nil {
		t.Fatal(err)
	}
	m, _ := host.MountAt(mounts, "/")
	real, err := filepath.EvalSymlinks("/sys/dev/block/" + m.Number)
	if err != nil || !exists("/dev/"+filepath.Base(real)) {
		return "", false
	}
	return "/dev/" + filepath.Base(real), true
}

func checkRefused(t *testing.T, d Deps, v kind.Volume, row volumeCase, says string) {
	t.Helper()
	task := enginetest.NewTask(t, kind.VolumeMount, v)
	f, err := d.findVolume(context.Background(), task, v)
	if err != nil || f.Case != row || f.Action != actRefuse || !strings.Contains(f.Why, says) {
		t.Fatalf("found %q, %q, %q (%v); want %q with %q", f.Case, f.Action, f.Why, err, row, says)
	}
}

func TestAFileSystemThatMkfsLeftHalfMadeIsMadeAgainBySameTaskOnly(t *testing.T) {
	needRoot(t)
	for name, leave := range map[string]func(t *testing.T, dev string){
		"bare bytes":               func(t *testing.T, dev string) { put(t, dev, 9*mib, bytes.Repeat([]byte{255}, 4096)) },
		"a broken file system":     func(t *testing.T, dev string) { breakOurs(t, dev) },
		"ours without a label yet": func(t *testing.T, dev string) { run(t, "mkfs.ext4", "-q", "-F", "-U", testUUID, dev) },
	} {
		t.Run(name, func(t *testing.T) {
			d, _, v := testVolume(t, attach(t, image(t, 64*mib)))
			k := volumeMount(d)
			env := enginetest.NewEnv(nil)
			task := env.Task(t, kind.VolumeMount, v)
			l, err := k.Look(context.Background(), task)
			if err != nil {
				t.Fatal(err)
			}
			task.Bind = l.Bind
			if err := task.Note(noteFormat, formatNote{Identity: l.Bind, UUID: v.UUID}); err != nil {
				t.Fatal(err)
			}
			leave(t, v.Device)
			if name != "a broken file system" {
				other, err := k.Look(context.Background(), enginetest.NewTask(t, kind.VolumeMount, v))
				if err != nil || other.Refused == "" {
					t.Fatalf("another task is not refused: %+v, %v", other, err)
				}
			}
			if err := k.Do(context.Background(), task); err != nil {
				t.Fatal(err)
			}
			checkSatisfied(t, d, v)
			run(t, "umount", v.MountPoint)
			run(t, "e2fsck", "-n", "-f", v.Device)
			run(t, "mount", v.Device, v.MountPoint)
		})
	}
}

// breakOurs makes our file system and damages what mkfs writes late.
func breakOurs(t *testing.T, dev string) {
	run(t, "mkfs.ext4", "-q", "-F", "-L", testLabel, "-U", testUUID, dev)
	put(t, dev, 8192, bytes.Repeat([]byte{255}, mib))
}

func TestForeignDataIsRefusedEvenWhereThisTaskBeganToFormat(t *testing.T) {
	needRoot(t)
	img := image(t, 64*mib)
	d, _, v := testVolume(t, attach(t, img))
	env := enginetest.NewEnv(nil)
	task := env.Task(t, kind.VolumeMount, v)
	l, err := volumeMount(d).Look(context.Background(), task)
	if err != nil {
		t.Fatal(err)
	}
	task.Bind = l.Bind
	if err := task.Note(noteFormat, formatNote{Identity: l.Bind, UUID: v.UUID}); err != nil {
		t.Fatal(err)
	}
	run(t, "mkfs.ext4", "-q", "-F", "-L", "between", v.Device)
	before := sum(t, v.Device)
	if err := volumeMount(d).Do(context.Background(), task); err == nil || sum(t, v.Device) != before {
		t.Fatalf("do says %v", err)
	}
}

func TestAVolumeGrowsWithItsDevice(t *testing.T) {
	needRoot(t)
	for _, fsType := range []string{"ext4", "xfs"} {
		t.Run(fsType, func(t *testing.T) {
			if fsType == "ext4" && !mayResize(t) {
				t.Skip("needs CAP_SYS_RESOURCE: without it the kernel grows no mounted ext4")
			}
			img := image(t, 320*mib)
			fs := host.FileSystem{Type: fsType, Label: testLabel, UUID: testUUID}
			run(t, fs.Make(img).Path, fs.Make(img).Args...)
			if err := os.Truncate(img, 640*mib); err != nil {
				t.Fatal(err)
			}
			d, _, v := testVolume(t, attach(t, img))
			v.FileSystem = fsType
			k := volumeMount(d)
			task := enginetest.NewTask(t, kind.VolumeMount, v)
			l, err := k.Look(context.Background(), task)
			if err != nil || len(l.Diffs) != 2 || !strings.Contains(l.Diffs[1].After, "grown") {
				t.Fatalf("look = %+v, %v", l, err)
			}
			task.Bind = l.Bind
			if err := k.Do(context.Background(), task); err != nil {
				t.Fatal(err)
			}
			checkSatisfied(t, d, v)
		})
	}
}

func TestAMountPointThatIsTakenIsRefused(t *testing.T) {
	needRoot(t)
	rows := map[string]struct {
		make func(t *testing.T, d Deps, u *fakeUnits, v kind.Volume)
		says string
	}{
		"files in it": {func(t *testing.T, _ Deps, _ *fakeUnits, v kind.Volume) {
			mustMkdir(t, filepath.Join(v.MountPoint, "old"))
		}, "is not empty"},
		"a link": {func(t *testing.T, _ Deps, _ *fakeUnits, v kind.Volume) {
			mustMkdir(t, filepath.Dir(v.MountPoint))
			if err := os.Symlink(t.TempDir(), v.MountPoint); err != nil {
				t.Fatal(err)
			}
		}, "is a symbolic link"},
		"a file": {func(t *testing.T, _ Deps, _ *fakeUnits, v kind.Volume) {
			mustMkdir(t, filepath.Dir(v.MountPoint))
			if err := os.WriteFile(v.MountPoint, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}, "is not a directory"},
		"a unit of somebody else": {func(t *testing.T, _ Deps, u *fakeUnits, v kind.Volume) {
			u.files[unit.MountName(v.MountPoint)] = "[Mount]\n"
		}, "was not written by icm"},
	}
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			d, u, v := testVolume(t, attach(t, image(t, 16*mib)))
			row.make(t, d, u, v)
			checkRefused(t, d, v, casePoint, row.says)
		})
	}
}

func mustMkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestNullIsAPlainDirectory(t *testing.T) {
	d := Deps{Root: t.TempDir(), Units: newFakeUnits(t)}.withDefaults()
	v := kind.Volume{Purpose: "wij", Device: "null", MountPoint: "/irissys/wij", FileSystem: "xfs"}
	k := volumeMount(d)
	task := enginetest.NewTask(t, kind.VolumeMount, v)
	l, err := k.Look(context.Background(), task)
	if err != nil || l.Satisfied || len(l.Diffs) != 1 {
		t.Fatalf("look = %+v, %v", l, err)
	}
	if err := k.Do(context.Background(), task); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(d.path(v.MountPoint))
	if err != nil || info.Mode() != fs.ModeDir|0o755 {
		t.Fatalf("made %v, %v", info, err)
	}
	checkSatisfied(t, d, v)
	if err := k.Undo(context.Background(), task); err != nil || exists(d.path("/irissys")) {
		t.Fatalf("undo left the directories: %v", err)
	}
}

func TestADeviceThatIsNotThereIsRefused(t *testing.T) {
	d, _, v := testVolume(t, "disk/by-id/scsi-none")
	checkRefused(t, d, v, caseMissing, "there is no such block device")
}

func TestReleasingLeavesTheDataAndUndoMountsItAgain(t *testing.T) {
	needRoot(t)
	d, u, v := testVolume(t, attach(t, image(t, 64*mib)))
	task := enginetest.NewTask(t, kind.VolumeMount, v)
	l, err := volumeMount(d).Look(context.Background(), task)
	if err != nil {
		t.Fatal(err)
	}
	task.Bind = l.Bind
	if err := volumeMount(d).Do(context.Background(), task); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(v.MountPoint, "IRIS.DAT")
	if err := os.WriteFile(kept, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	release := enginetest.NewTask(t, kind.VolumeRelease, v)
	k := volumeRelease(d)
	for range 2 { // the second is a rerun
		if err := k.Do(context.Background(), release); err != nil {
			t.Fatal(err)
		}
	}
	if exists(kept) || len(u.files) != 0 {
		t.Fatal("it is still mounted")
	}
	if l, err := k.Look(context.Background(), release); err != nil || !l.Satisfied {
		t.Fatalf("look = %+v, %v", l, err)
	}
	if err := k.Undo(context.Background(), release); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(kept); err != nil || string(data) != "data" {
		t.Fatalf("undo did not bring the data back: %q, %v", data, err)
	}
}

func mayResize(t *testing.T) bool {
	t.Helper()
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		t.Fatal(err)
	}
	return data[0].Effective&(1<<unix.CAP_SYS_RESOURCE) != 0
}
