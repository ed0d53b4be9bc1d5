package iris

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"icm/internal/cpf"
	"icm/internal/kind"
)

// UnitName is the systemd service of an instance.
func UnitName(instance string) string { return "iris-" + strings.ToLower(instance) + ".service" }

// shutdownDefault is IRIS's own limit for a shutdown, in seconds; stopMargin is
// what systemd waits beyond it before it gives up.
const (
	shutdownDefault = 300
	stopMargin      = 60
)

// UnitText is the service of an instance. It runs as the owner: what root
// starts leaves files that the owner cannot write.
//
// KillMode=process, because killing what a slow shutdown left running would be
// the crash that the shutdown was to avoid.
func (n *Node) UnitText(i kind.Instance, dirs []string, shutdown int) string {
	program := n.Program()
	if program == "" {
		program = "/usr/bin/iris"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[Unit]\nDescription=InterSystems IRIS instance %s\n", i.Name)
	b.WriteString("After=network-online.target local-fs.target ISCAgent.service\nWants=network-online.target\n")
	for _, d := range dirs {
		fmt.Fprintf(&b, "RequiresMountsFor=%s\n", unitPath(d))
	}
	b.WriteString("\n[Service]\nType=oneshot\nRemainAfterExit=yes\n")
	if i.Owner != "" && i.Owner != "root" {
		fmt.Fprintf(&b, "User=%s\n", i.Owner)
	}
	fmt.Fprintf(&b, "EnvironmentFile=-%s\n", n.EnvPath(i.Name))
	fmt.Fprintf(&b, "ExecStart=%s start %s quietly\nExecStop=%s stop %s quietly\n", program, i.Name, program, i.Name)
	b.WriteString("StandardInput=null\nUMask=0022\nKillMode=process\nTimeoutStartSec=infinity\n")
	fmt.Fprintf(&b, "TimeoutStopSec=%d\nLimitMEMLOCK=infinity\nLimitNOFILE=65536\n", shutdown+stopMargin)
	b.WriteString("\n[Install]\nWantedBy=multi-user.target\n")
	return b.String()
}

// unitPath writes a path as unit files want it: quoted, with % doubled.
func unitPath(p string) string {
	p = strings.ReplaceAll(p, "%", "%%")
	if strings.ContainsAny(p, " \t\"'\\") {
		return strconv.Quote(p)
	}
	return p
}

// UnitDirs are the directories without which an instance must not start: its
// own, those of journal and WIJ, and the node's volumes. f is its configuration
// with what is pending. IRIS would start without its data, and an application
// might take that for an empty database. Databases elsewhere are left out: who
// made them knows where they may be missing.
func UnitDirs(u kind.Unit, f *cpf.File) []string {
	dir := u.Dir
	set := map[string]bool{dir: true}
	for _, m := range u.Mounts {
		set[m] = true
	}
	for _, s := range [][2]string{{"Journal", "CurrentDirectory"}, {"Journal", "AlternateDirectory"}, {"config", "wijdir"}} {
		v, _ := f.Get(s[0], s[1])
		if v = trimDir(v); strings.HasPrefix(v, "/") && !within(v, dir) {
			set[v] = true
		}
	}
	var out []string
	for d := range set {
		out = append(out, d)
	}
	sort.Strings(out)
	return out
}

// ShutdownTimeout is how long the instance itself waits for a shutdown, in seconds.
func ShutdownTimeout(f *cpf.File) int {
	v, _ := f.Get("Startup", "ShutdownTimeout")
	if s, err := strconv.Atoi(v); err == nil && s > 0 {
		return s
	}
	return shutdownDefault
}

// WithPending is a configuration as it will be after the next start.
func WithPending(f *cpf.File, merge []byte) *cpf.File {
	out := cpf.Parse(f.Bytes())
	m := cpf.Parse(merge)
	for _, s := range m.Sections() {
		if strings.EqualFold(s, "Actions") {
			continue
		}
		for _, k := range m.Keys(s) {
			v, _ := m.Get(s, k)
			_ = out.Set(s, k, v) // came out of a parser: nothing in it can be refused
		}
	}
	return out
}
