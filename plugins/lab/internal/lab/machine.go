package lab

import (
	"errors"
	"os"
	"os/exec"
	"strings"

	"icm/plugins/lab/internal/cgroup"
	"icm/plugins/lab/internal/disk"
	"icm/plugins/provider"
)

// programs are what this machine must have, and the Debian and Ubuntu packages
// they are in.
var programs = []struct{ name, pkg string }{
	{"systemd-nspawn", "systemd-container"},
	{"ip", "iproute2"},
	{"tc", "iproute2"},
	{"unshare", "util-linux"},
	{"nsenter", "util-linux"},
	{"mount", "mount"},
	{"chroot", "coreutils"},
	{"tar", "tar"},
}

// builder is needed only where an image has to be made.
const builder, builderPackage = "mmdebstrap", "mmdebstrap"

// unfit says what this machine lacks to be a lab.
func unfit(needBuilder bool) []provider.Problem {
	var problems []provider.Problem
	add := func(text, hint string) {
		problems = append(problems, provider.Problem{Definition: -1, Field: "Provider", Text: text, Hint: hint})
	}
	if os.Geteuid() != 0 {
		add("the lab makes its nodes as root, and this is user "+userName(), "run icm with sudo")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p.name); err != nil {
			add("the lab needs the program "+p.name, "apt-get install "+p.pkg)
		}
	}
	if _, err := exec.LookPath(builder); needBuilder && err != nil {
		add("the lab needs the program "+builder+" to make the image for its nodes",
			"apt-get install "+builderPackage+`, or name a tarball of a root file system: "Image": "/path/root.tar"`)
	}
	if _, err := os.Stat(disk.Control); err != nil {
		add("this machine has no loop devices ("+disk.Control+" is missing)", "modprobe loop; in a container, the machine below must lend them")
	}
	if _, err := cgroup.Hierarchies(); errors.Is(err, cgroup.ErrNone) {
		add("no control groups are mounted on this machine", "mount -t cgroup2 cgroup2 /sys/fs/cgroup")
	}
	return append(problems, filtered()...)
}

// filtered warns of a firewall that sees what crosses a bridge. A Docker on
// this machine drops such packets.
func filtered() []provider.Problem {
	text, err := os.ReadFile("/proc/sys/net/bridge/bridge-nf-call-iptables")
	if err != nil || strings.TrimSpace(string(text)) != "1" {
		return nil
	}
	return []provider.Problem{{
		Definition: -1, Field: "Provider", Warning: true,
		Text: "this machine's firewall filters bridges, so nodes may not reach each other",
		Hint: "sysctl net.bridge.bridge-nf-call-iptables=0",
	}}
}

func userName() string {
	if name := os.Getenv("USER"); name != "" {
		return name
	}
	return "without a name"
}
