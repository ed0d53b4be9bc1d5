package host

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestKitsOfTheNodesOwnReleaseComeFirst(t *testing.T) {
	rows := []struct{ release, arch, want string }{
		{"ID=rhel\nVERSION_ID=8.6", "amd64", "lnxrh8x64 lnxrhx64"},
		{"ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.3\"", "amd64", "lnxrh9x64"},
		{"ID=ol\nVERSION_ID=7.9", "amd64", "lnxrh7x64 lnxrhx64"},
		{"ID=ubuntu\nVERSION_ID=\"22.04\"", "amd64", "lnxubuntu2204x64 lnxubuntux64"},
		{"ID=ubuntu\nVERSION_ID=\"24.04\"", "arm64", "lnxubuntu2404arm64 lnxubuntuarm64"},
		{"ID=ubuntu\nVERSION_ID=\"18.04\"", "amd64", "lnxubuntux64"},
		{"ID=debian\nVERSION_ID=\"12\"", "amd64", "lnxubuntu2204x64 lnxubuntux64"},
		{"ID=sles\nVERSION_ID=15.5", "amd64", "lnxsusex64"},
		{"ID=amzn\nVERSION_ID=\"2023\"", "amd64", "lnxrh9x64"},
		{"ID=amzn\nVERSION_ID=\"2\"", "amd64", "lnxrh7x64 lnxrhx64"},
		{"ID=alpine\nVERSION_ID=3", "amd64", ""},
		{"ID=rhel\nVERSION_ID=9", "riscv64", ""},
	}
	for _, row := range rows {
		if got := strings.Join(Platforms(parseOSRelease(row.release), row.arch), " "); got != row.want {
			t.Errorf("%q on %s takes %q, want %q", row.release, row.arch, got, row.want)
		}
	}
}

func TestFactsComeFromFiles(t *testing.T) {
	n := newFakeNode(t)
	n.file("etc/machine-id", "0123\n")
	n.file("etc/os-release", "ID=rhel\nVERSION_ID=8.6\nPRETTY_NAME=\"Red Hat 8.6\"\n")
	n.file("proc/meminfo", "MemTotal:  1048576 kB\n")
	n.file("proc/sys/kernel/random/boot_id", "b\n")
	f, err := Facts(n.root)
	if err != nil || f.NodeID != "0123" || f.OS.Name != "Red Hat 8.6" || f.Memory != 1<<30 || f.BootID != "b" {
		t.Fatalf("facts are %+v, %v", f, err)
	}
	n.file("sys/fs/cgroup/memory.max", "536870912\n")
	if got := TotalMemory(n.root); got != 512<<20 {
		t.Errorf("a container with 512 MiB is said to have %d", got)
	}
	if err := os.Remove(n.root + "/etc/machine-id"); err != nil {
		t.Fatal(err)
	}
	if _, err := Facts(n.root); err == nil {
		t.Error("a node without an identity has facts")
	}
}

func TestAPortTellsWhoHoldsIt(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	held, err := Listeners("/", []int{port})
	if err != nil || held[port].PID != os.Getpid() || held[port].Name == "" {
		t.Errorf("port %d is held by %+v, %v", port, held[port], err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	if held, err := Listeners("/", []int{port}); err != nil || len(held) != 0 {
		t.Errorf("port %d is still held by %+v, %v", port, held, err)
	}
}

func TestFileSystemsAreMadeWithOurLabelAndUUID(t *testing.T) {
	const id = "0b2e1a5c-8f7d-4c39-9a61-5d1f0c7e2b34"
	for fsType, want := range map[string]string{
		"xfs":   "mkfs.xfs -q -f -L l -m uuid=" + id + " /dev/x",
		"ext4":  "mkfs.ext4 -q -F -L l -U " + id + " /dev/x",
		"ext2":  "mkfs.ext2 -q -F -L l -U " + id + " /dev/x",
		"btrfs": "mkfs.btrfs -q -f -L l -U " + id + " /dev/x",
	} {
		c := FileSystem{Type: fsType, Label: "l", UUID: id}.Make("/dev/x")
		if got := c.Path + " " + strings.Join(c.Args, " "); got != want {
			t.Errorf("%s is made with %q, want %q", fsType, got, want)
		}
	}
}

func TestAFileSystemThatCannotBeMadeIsRefusedBefore(t *testing.T) {
	const id = "0b2e1a5c-8f7d-4c39-9a61-5d1f0c7e2b34"
	for _, fs := range []FileSystem{
		{"zfs", "l", id}, {"xfs", "", id}, {"xfs", "thirteen-long", id}, {"ext4", "seventeen-letters", id},
		{"xfs", "l", ""}, {"xfs", "l", strings.ToUpper(id)}, {"xfs", "l", "0b2e1a5c-8f7d-4c39-9a61-5d1f0c7e2b3-"},
	} {
		if fs.Check() == nil {
			t.Errorf("%+v was accepted", fs)
		}
	}
	if err := (FileSystem{"xfs", "twelve-bytes", id}).Check(); err != nil {
		t.Error(err)
	}
}

func TestBlkidsAnswerIsRead(t *testing.T) {
	c := parseBlkid("DEVNAME=/dev/x\nLABEL=my\\ data\nUUID=AB-CD\nTYPE=xfs\n")
	if c.Type != "xfs" || c.Label != "my data" || c.UUID != "ab-cd" || c.Blank() {
		t.Errorf("got %+v", c)
	}
	if c := parseBlkid("DEVNAME=/dev/x\n"); c.Blank() {
		t.Error("an answer that says nothing is taken for blank")
	}
}

func TestMountsAreReadWithTheirSpaces(t *testing.T) {
	m := parseMounts("36 35 98:0 /sub /mnt/a\\040b rw,noexec master:1 shared:2 - ext3 /dev/root rw\ngarbage\n")
	if len(m) != 1 || m[0].Point != "/mnt/a b" || m[0].Type != "ext3" || !slices.Contains(m[0].Options, "noexec") {
		t.Fatalf("got %+v", m)
	}
	all := []Mount{{Point: "/"}, {Point: "/mnt"}, {Point: "/mnt/x"}}
	for path, want := range map[string]string{"/mnt/x/y": "/mnt/x", "/mntx": "/", "/mnt": "/mnt"} {
		if got, _ := MountOf(all, path); got.Point != want {
			t.Errorf("%s is on %s, want %s", path, got.Point, want)
		}
	}
}
