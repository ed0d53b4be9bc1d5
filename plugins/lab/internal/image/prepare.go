package image

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"icm/plugins/lab/internal/rootfs"
)

// tree holds the files that every node gets, at their places.
//
//go:embed tree
var tree embed.FS

// units is where an administrator's units and masks are.
const units = "etc/systemd/system"

// masked are units that a container has no use for, that slow its start, or
// that would reach out of it: the kernel, its modules and its debug file
// systems are this machine's. The lab sets up the network before the node
// starts, so nothing in the node may do it again.
var masked = []string{
	"systemd-modules-load.service", "modprobe@.service",
	"sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount",
	"systemd-udevd.service", "systemd-udev-trigger.service", "systemd-udev-settle.service",
	"console-getty.service", "getty.target",
	"apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "man-db.timer",
	"e2scrub_all.timer", "e2scrub_reap.service", "fstrim.timer",
	"lvm2-monitor.service", "lvm2-lvmpolld.socket", "dm-event.socket",
	"mdmonitor.service", "mdmonitor-oneshot.timer", "mdcheck_start.timer", "mdcheck_continue.timer",
	"systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service",
	"systemd-resolved.service", "NetworkManager.service", "NetworkManager-wait-online.service", "networking.service",
	"cloud-init.service", "cloud-init-local.service", "cloud-config.service", "cloud-final.service",
	"kdump.service", "systemd-timesyncd.service", "chronyd.service", "chrony.service",
}

// wanted are our own units and who pulls them in.
var wanted = map[string]string{
	"icm-lab-disks.service":         "sysinit.target",
	"icm-lab-disks-changed.path":    "multi-user.target",
	"icm-lab-controlgroups.service": "sysinit.target",
}

// prepare makes a node's tree of a distribution's.
func prepare(dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, step := range []func(*os.Root) error{check, copyTree, linkUnits, disable, anonymize} {
		if err := step(root); err != nil {
			return err
		}
	}
	return nil
}

// check finds out early that a tarball cannot become a node.
func check(root *os.Root) error {
	for what, places := range map[string][]string{
		"systemd": {"usr/lib/systemd/systemd", "lib/systemd/systemd"},
		"sshd":    {"usr/sbin/sshd", "usr/bin/sshd"},
		"sudo":    {"usr/bin/sudo"},
		"useradd": {"usr/sbin/useradd", "usr/bin/useradd"},
	} {
		if !anyExists(root, places) {
			return fmt.Errorf("there is no %s in the image", what)
		}
	}
	return nil
}

func anyExists(root *os.Root, places []string) bool {
	for _, p := range places {
		if _, err := root.Lstat(p); err == nil {
			return true
		}
	}
	return false
}

func copyTree(root *os.Root) error {
	return fs.WalkDir(tree, "tree", func(name string, d fs.DirEntry, err error) error {
		target := strings.TrimPrefix(strings.TrimPrefix(name, "tree"), "/")
		if err != nil || target == "" {
			return err
		}
		if d.IsDir() {
			return rootfs.MakeDir(root, target)
		}
		data, err := tree.ReadFile(name)
		if err != nil {
			return err
		}
		mode := fs.FileMode(0o644)
		if strings.HasPrefix(target, "usr/lib/icm-lab/") {
			mode = 0o755
		}
		return rootfs.Write(root, target, data, mode)
	})
}

func linkUnits(root *os.Root) error {
	for _, unit := range masked {
		if err := rootfs.Link(root, "/dev/null", path.Join(units, unit)); err != nil {
			return err
		}
	}
	for unit, by := range wanted {
		dir := path.Join(units, by+".wants")
		if err := rootfs.MakeDir(root, dir); err != nil {
			return err
		}
		if err := rootfs.Link(root, "../"+unit, path.Join(dir, unit)); err != nil {
			return err
		}
	}
	return rootfs.Link(root, "/lib/systemd/system/multi-user.target", path.Join(units, "default.target"))
}

// idle are services that come with the image and that only a web server node
// starts.
var idle = []string{"apache2.service", "apache-htcacheclean.service"}

func disable(root *os.Root) error {
	var err error
	for _, unit := range idle {
		err = errors.Join(err, rootfs.Remove(root, path.Join(units, "multi-user.target.wants", unit)))
	}
	return err
}

// anonymize removes what must differ from node to node.
func anonymize(root *os.Root) error {
	keys, err := fs.Glob(root.FS(), "etc/ssh/ssh_host_*")
	for _, name := range append(keys, "etc/hostname", "etc/machine-id", "var/lib/dbus/machine-id") {
		err = errors.Join(err, rootfs.Remove(root, name))
	}
	return err
}
