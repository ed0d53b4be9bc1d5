package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"icm/controller/state"
)

// uname is the command that is run everywhere.
const uname = "uname -r"

// tool is a way of running one command on n nodes.
type tool struct {
	name string
	runs func(n int) int
	argv func(f *fanout, n int) []string
	env  []string
	good func(f *fanout, n int, m measured) error
}

// always is the same number of runs for every size.
func always(runs int) func(int) int { return func(int) int { return runs } }

// fewer saves time with tools that need much of it.
func fewer(small, big int) func(int) int {
	return func(n int) int {
		if n > 16 {
			return big
		}
		return small
	}
}

func ansible(forks func(n int) int) func(*fanout, int) []string {
	return func(f *fanout, n int) []string {
		return []string{"ansible", "-i", fmt.Sprintf("hosts-%d", n), "-f", fmt.Sprint(forks(n)), "-m", "raw", "-a", uname, "all"}
	}
}

// The options keep ansible from sharing connections, as it would in later runs.
func ansibleEnv(dir string) []string {
	return []string{"ANSIBLE_SSH_ARGS=-F " + filepath.Join(dir, configFile) + " -o ControlMaster=no -o ControlPath=none", "ANSIBLE_NOCOLOR=1", "ANSIBLE_HOME=" + filepath.Join(dir, "ansible"), "ANSIBLE_LOCAL_TEMP=" + filepath.Join(dir, "ansible")}
}

func clush(f *fanout, n int, options ...string) []string {
	return clushWith(f, configFile, n, options...)
}

func clushWith(f *fanout, config string, n int, options ...string) []string {
	line := []string{"clush", "-b", "-f", "64", "-o", strings.Join(append([]string{"-F", filepath.Join(f.dir, config)}, options...), " ")}
	return append(line, "-w", strings.Join(addresses(f.farm.hosts(n)), ","), uname)
}

func addresses(hosts []host) []string {
	var out []string
	for _, h := range hosts {
		out = append(out, h.Addr)
	}
	return out
}

// fanout is what the tools are run with.
type fanout struct {
	farm *farm
	dir  string // of keys, configuration and inventories
	bin  string
	self string
	// results are those of the rounds, by size.
	results []connectedResult
}

func newFanout(s settings, f *farm) (*fanout, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	fan := &fanout{farm: f, dir: f.dir, bin: s.bin, self: self}
	if err := f.keys.clientFiles(f.hosts(len(f.nodes))); err != nil {
		return nil, err
	}
	for _, n := range s.sizes() {
		if err := fan.files(n); err != nil {
			return nil, err
		}
	}
	return fan, nil
}

// files writes what icm, ansible and the loop are told of n nodes.
func (f *fanout) files(n int) error {
	hosts := f.farm.hosts(n)
	if err := writeHosts(f.dir, fmt.Sprintf("hosts-%d.json", n), hosts); err != nil {
		return err
	}
	inventory := strings.Join(addresses(hosts), "\n") + "\n"
	if err := os.WriteFile(filepath.Join(f.dir, fmt.Sprintf("hosts-%d", n)), []byte(inventory), 0o600); err != nil {
		return err
	}
	return f.deployment(n, hosts)
}

func (f *fanout) site(n int) string { return filepath.Join(f.dir, fmt.Sprintf("site-%d", n)) }

// deployment writes what icm provision would have left.
func (f *fanout) deployment(n int, hosts []host) error {
	if err := os.Mkdir(f.site(n), 0o700); err != nil {
		return err
	}
	dir, err := state.Create(f.site(n), time.Now())
	if err != nil {
		return err
	}
	var known strings.Builder
	var list []state.Instance
	for _, h := range hosts {
		fmt.Fprintf(&known, "%s,%s %s", h.Name, h.Addr, authorized(f.farm.keys.host))
		list = append(list, state.Instance{
			MachineName: h.Name, Role: "AM", IPAddress: h.Addr, StateDir: filepath.Join(dir.Path, "BENCH-AM-LIGHT", h.Name),
			Fields: map[string]string{"SSHUser": account, "SSHPrivateKey": filepath.Join(f.dir, keyFile), "Provider": "PreExisting"},
		})
	}
	if err := os.WriteFile(dir.KnownHostsPath(), []byte(known.String()), 0o600); err != nil {
		return err
	}
	return state.SaveInstances(filepath.Join(f.site(n), "instances.json"), list)
}

func (f *fanout) tools() []tool {
	loopArgs := func(f *fanout, n int) []string {
		return []string{f.self, "loop", "-dir", f.dir, "-hosts", fmt.Sprintf("hosts-%d.json", n), "-command", uname}
	}
	return []tool{
		{name: "icm", runs: always(5), argv: func(f *fanout, _ int) []string {
			return []string{filepath.Join(f.bin, "icm"), "ssh", "-command", uname}
		}, good: everyOutput},
		{name: "loop", runs: always(5), argv: loopArgs},
		{name: "clush", runs: fewer(3, 2), argv: func(f *fanout, n int) []string { return clush(f, n) }},
		{name: "clush, curve25519", runs: fewer(3, 2), argv: func(f *fanout, n int) []string {
			return clush(f, n, "-o", "KexAlgorithms=curve25519-sha256")
		}},
		{name: "ansible, forks=N", runs: fewer(2, 1), env: ansibleEnv(f.dir), argv: ansible(func(n int) int { return n })},
		{name: "ansible", runs: fewer(2, 1), env: ansibleEnv(f.dir), argv: ansible(func(int) int { return 5 })},
	}
}

// everyOutput looks that every node said something.
func everyOutput(f *fanout, n int, _ measured) error {
	found, err := filepath.Glob(filepath.Join(f.site(n), "ICM-*", "*", "*", "ssh.out"))
	if err != nil {
		return err
	}
	for _, name := range found {
		if info, err := os.Stat(name); err != nil || info.Size() == 0 {
			return fmt.Errorf("%s is empty", name)
		}
	}
	if len(found) != n {
		return fmt.Errorf("%d of %d nodes said something", len(found), n)
	}
	return nil
}

// costs are the runs of one tool at one size.
type costs struct{ wall, cpu, rss sample }

func (c *costs) add(m measured) {
	c.wall.add(m.wall)
	c.cpu.add(m.cpu)
	c.rss = append(c.rss, float64(m.rss)/mib)
}

// compare runs all tools in turn, so that what else the machine does meets all
// of them.
func (f *fanout) compare(ctx context.Context, n int) (map[string]*costs, error) {
	out := map[string]*costs{}
	tools := f.tools()
	for round := range 5 {
		for _, t := range tools {
			if round >= t.runs(n) {
				continue
			}
			dir := f.dir
			if t.name == "icm" {
				dir = f.site(n)
			}
			m, err := must(measure(ctx, dir, t.env, t.argv(f, n)...))
			if err == nil && t.good != nil {
				err = t.good(f, n, m)
			}
			if err != nil {
				return out, fmt.Errorf("%s on %d nodes: %w", t.name, n, err)
			}
			if out[t.name] == nil {
				out[t.name] = &costs{}
			}
			out[t.name].add(m)
		}
	}
	return out, nil
}

func (f *fanout) section(ctx context.Context, s settings, sec *section) error {
	sec.columns("nodes", "tool", "wall, s", "controller CPU, s", "CPU per node, ms", "wall against icm", "memory of its process, MiB")
	for _, n := range s.sizes() {
		say("one command on %d nodes", n)
		found, err := f.compare(ctx, n)
		if err != nil {
			return err
		}
		ours := found["icm"]
		for _, t := range f.tools() {
			c := found[t.name]
			sec.row(fmt.Sprint(n), t.name, c.wall.text("%.2f"), c.cpu.text("%.2f"), c.cpu.times(1000/float64(n)).text("%.1f"),
				fmt.Sprintf("%.1f ×", c.wall.median()/ours.wall.median()), c.rss.text("%.0f"))
		}
		f.judge(sec, n, found)
	}
	sec.note("Cold: every run opens its own connections. Host keys are pinned. Light nodes; all of them came up in %.1f s.", f.farm.upAfter.Seconds())
	sec.note("“loop” is a bare x/crypto/ssh program, 64 nodes at a time. clush works on 64 at a time; ansible on 5 unless told otherwise. OpenSSH 9.2 prefers a key exchange that costs its client about 90 ms: the line with curve25519 is clush without it.")
	return nil
}

func (f *fanout) judge(sec *section, n int, found map[string]*costs) {
	ours, floor := found["icm"], found["loop"]
	perNode := ours.cpu.times(1000 / float64(n))
	ratio := ours.wall.median() / floor.wall.median()
	sec.budget(fmt.Sprintf("one command on %d nodes, cold: controller CPU per node", n), "≤ 4 ms", perNode.text("%.1f")+" ms",
		fmt.Sprintf("loop %.1f, clush %.0f, ansible raw %.0f ms", 1000/float64(n)*floor.cpu.median(), 1000/float64(n)*found["clush"].cpu.median(), 1000/float64(n)*found["ansible, forks=N"].cpu.median()),
		verdict(perNode.median() <= 4))
	sec.budget(fmt.Sprintf("one command on %d nodes, cold: wall against the loop", n), "≤ 1.15 ×", fmt.Sprintf("%.2f × (%s s)", ratio, ours.wall.text("%.2f")),
		fmt.Sprintf("loop %s, clush %s, ansible raw %s s", floor.wall.text("%.2f"), found["clush"].wall.text("%.1f"), found["ansible, forks=N"].wall.text("%.1f")),
		verdict(ratio <= 1.15))
}
