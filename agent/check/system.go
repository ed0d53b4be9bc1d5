package check

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"icm/agent/host"
	"icm/internal/wire"
)

func (n node) word(path string) string {
	data, err := os.ReadFile(filepath.Join(n.Root, path))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

func checkSystemd(ctx context.Context, n node) []wire.Finding {
	if n.word("/proc/1/comm") != "systemd" {
		return finding(fail, "use a system that systemd runs", "process 1 is %q, not systemd", n.word("/proc/1/comm"))
	}
	if _, err := n.Units.Status(ctx, "multi-user.target"); err != nil {
		return finding(fail, "look at: journalctl -b _PID=1", "systemd does not answer: %v", err)
	}
	return finding(pass, "", "systemd runs the node")
}

// checkPlatform warns rather than fails where only the release differs: the
// kit's own installer knows better what it accepts. The wrong processor cannot
// work at all.
func checkPlatform(_ context.Context, n node) []wire.Finding {
	if n.req.KitName == "" {
		return nil
	}
	kit := platformOf(n.req.KitName)
	if kit == "" {
		return finding(warn, "name kits as InterSystems does: IRIS-VERSION-PLATFORM.tar.gz", "the name %s does not say which platform it is for", n.req.KitName)
	}
	can := host.Platforms(n.rel, hostArch())
	switch {
	case slices.Contains(can, kit):
		return finding(pass, "", "the kit is for %s, as the node is", kit)
	case processor(kit) != processor("lnx"+hostSuffix()):
		return finding(fail, "take the kit for this processor", "the kit is for %s, the node is %s on %s", kit, n.rel.Name, hostArch())
	case len(can) == 0:
		return finding(warn, "", "the kit is for %s; no kits are known for %s", kit, n.rel.Name)
	}
	return finding(warn, "the kit's installer may refuse; "+can[0]+" would be the right one", "the kit is for %s, the node is %s", kit, n.rel.Name)
}

// platformOf takes "lnxrh8x64" out of "IRIS-2023.1.0.235.1-lnxrh8x64.tar.gz".
func platformOf(kit string) string {
	base := strings.TrimSuffix(filepath.Base(kit), ".tar.gz")
	i := strings.LastIndexByte(base, '-')
	if i < 0 || !strings.HasPrefix(base[i+1:], "lnx") {
		return ""
	}
	return base[i+1:]
}

func processor(platform string) string {
	if strings.HasSuffix(platform, "arm64") {
		return "arm64"
	}
	return "x64"
}

func checkRemoveIPC(_ context.Context, n node) []wire.Finding {
	value := "yes" // systemd's own default
	for _, dir := range []string{"usr/lib/systemd/logind.conf.d", "etc/systemd/logind.conf", "etc/systemd/logind.conf.d", "run/systemd/logind.conf.d"} {
		for _, file := range confFiles(filepath.Join(n.Root, dir)) {
			if v := lastSetting(file, "RemoveIPC"); v != "" {
				value = v
			}
		}
	}
	switch strings.ToLower(value) {
	case "no", "false", "0", "off":
		return finding(pass, "", "RemoveIPC is off")
	}
	return finding(warn, "icm turns it off when it sets up the node", "RemoveIPC is on: when the instance's owner logs out, its shared memory is deleted")
}

func confFiles(path string) []string {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		return []string{path}
	}
	files, _ := filepath.Glob(filepath.Join(path, "*.conf"))
	slices.Sort(files)
	return files
}

func lastSetting(file, key string) string {
	data, _ := os.ReadFile(file)
	value := ""
	for line := range strings.Lines(string(data)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), key+"="); ok {
			value = v
		}
	}
	return value
}

func checkSELinux(_ context.Context, n node) []wire.Finding {
	if n.word("/sys/fs/selinux/enforce") != "1" {
		return finding(pass, "", "SELinux does not enforce")
	}
	return finding(warn, "when something is denied without a reason, look at: ausearch -m avc -ts recent", "SELinux enforces its policy, which knows nothing of IRIS")
}

func checkTHP(_ context.Context, n node) []wire.Finding {
	if strings.Contains(n.word("/sys/kernel/mm/transparent_hugepage/enabled"), "[always]") {
		return finding(warn, "icm turns them off when it sets up the node", "transparent huge pages are on, which makes an instance stall")
	}
	return finding(pass, "", "transparent huge pages are not forced")
}

func checkSwap(_ context.Context, n node) []wire.Finding {
	if strings.Count(n.word("/proc/swaps"), "\n") == 0 {
		return finding(warn, "a small swap space gives the kernel room before it kills processes", "there is no swap space")
	}
	return finding(pass, "", "there is swap space")
}

func checkTmp(_ context.Context, n node) []wire.Finding {
	m, ok := n.mountOf("/tmp")
	if ok && slices.Contains(m.Options, "noexec") {
		return finding(warn, "kits are unpacked elsewhere; programs of others may still need it", "/tmp is mounted noexec")
	}
	return finding(pass, "", "/tmp allows programs")
}

// checkNosuid looks at every place that something will be written to: an
// instance's owner becomes who he must be by set-uid programs.
func checkNosuid(_ context.Context, n node) []wire.Finding {
	var out []wire.Finding
	for _, s := range n.req.Space {
		m, ok := n.mountOf(s.Path)
		for _, bad := range []string{"nosuid", "noexec"} {
			if ok && slices.Contains(m.Options, bad) {
				out = append(out, finding(warn, "mount it without "+bad+" when IRIS is to be installed there", "%s is on %s, which is mounted %s", s.Path, m.Point, bad)...)
			}
		}
	}
	if len(out) == 0 {
		return finding(pass, "", "no file system in use is mounted nosuid or noexec")
	}
	return out
}

func (n node) mountOf(path string) (host.Mount, bool) {
	mounts, err := host.Blocks{Proc: filepath.Join(n.Root, "proc")}.Mounts()
	if err != nil {
		return host.Mount{}, false
	}
	return host.MountOf(mounts, path)
}
