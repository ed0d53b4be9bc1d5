package image

import (
	"crypto/sha256"
	"fmt"
	"runtime"
	"strings"
)

// suite is the Debian release nodes run.
const suite = "bookworm"

// packages is what a fresh machine of a site has: enough to log in, to look
// around, and to make file systems; and Apache, which a site puts on its web
// servers and which does not run until it is started. Nothing of them opens a
// port but sshd.
var packages = []string{
	"systemd", "systemd-sysv", "dbus", "udev",
	"openssh-server", "sudo",
	"iproute2", "iputils-ping", "curl", "ca-certificates",
	"xfsprogs", "e2fsprogs", "btrfs-progs", "util-linux", "parted",
	"lvm2", "mdadm", "cryptsetup-bin",
	"procps", "kmod", "less",
	"apache2",
}

// treeVersion changes with what prepare does to a tree, so that images made by
// an older program are not taken for new ones.
const treeVersion = "2"

// builderArgs builds the command line of mmdebstrap. An empty mirror is
// Debian's own, or what this machine's apt is set up with.
func builderArgs(target, mirror string) []string {
	args := []string{
		"--quiet", "--variant=minbase", "--format=directory",
		"--include=" + strings.Join(packages, ","),
		// Documentation is two fifths of the tree.
		"--dpkgopt=path-exclude=/usr/share/man/*", "--dpkgopt=path-exclude=/usr/share/locale/*",
		"--dpkgopt=path-exclude=/usr/share/doc/*",
		suite, target,
	}
	if mirror != "" {
		args = append(args, mirror)
	}
	return args
}

// recipeKey names the image that the recipe makes.
func recipeKey() string {
	return fmt.Sprintf("debian-%s-%s-%s", suite, runtime.GOARCH, digest(strings.Join(builderArgs("", ""), " ")))
}

// digest is short enough for a name and long enough to be unique here.
func digest(text string) string {
	sum := sha256.Sum256([]byte(treeVersion + "\n" + text))
	return fmt.Sprintf("%x", sum[:6])
}
