package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// lightNodes measures on light nodes.
func (b *bench) lightNodes(ctx context.Context, f *farm) error {
	fan, err := newFanout(b.settings, f)
	if err != nil {
		return err
	}
	b.add(ctx, "One command, cold", fan.section)
	b.add(ctx, "Agents connected: light nodes", fan.rounds)
	b.add(ctx, "A controller at rest", fan.atRest)
	return nil
}

func roundColumns() []string {
	return []string{"nodes", "what", "wall, ms", "controller CPU per node, ms"}
}

func (r connectedResult) rows(sec *section) {
	n, perNode := strconv.Itoa(r.Nodes), 1e3/float64(r.Nodes)
	sec.row(n, "connect to agents that are there", fmt.Sprintf("%.0f", r.ConnectWall*1e3), fmt.Sprintf("%.2f", r.ConnectCPU*perNode))
	sec.row(n, fmt.Sprintf("facts, %d bytes each", r.FactsBytes), sample(r.FactsWall).times(1e3).text("%.1f"), sample(r.FactsCPU).times(perNode).text("%.3f"))
	sec.row(n, "instances", sample(r.InstWall).times(1e3).text("%.1f"), sample(r.InstCPU).times(perNode).text("%.3f"))
}

// rounds measures calls over open connections, beside ssh through masters.
func (f *fanout) rounds(ctx context.Context, s settings, sec *section) error {
	if err := f.farm.startAgents(len(f.farm.nodes)); err != nil {
		return err
	}
	sec.columns(roundColumns()...)
	for _, n := range s.sizes() {
		say("rounds on %d nodes", n)
		before, err := f.farm.sessions()
		if err != nil {
			return err
		}
		var r connectedResult
		if _, err := client(ctx, f.dir, &r, "connected", "-hosts", fmt.Sprintf("hosts-%d.json", n), "-build", f.farm.build, "-rest", restTime.String()); err != nil {
			return err
		}
		after, err := f.farm.sessions()
		if err != nil {
			return err
		}
		r.rows(sec)
		warm, err := f.warm(ctx, n)
		if err != nil {
			return err
		}
		sec.row(strconv.Itoa(n), "`clush` through ssh masters", warm.wall.times(1e3).text("%.0f"), warm.cpu.times(1e3/float64(n)).text("%.1f"))
		f.results = append(f.results, r)
		r.judge(sec, after-before-n, warm)
	}
	sec.note("Real agents, started by hand: light nodes have no systemd. 20 rounds, all nodes called at once; the connections stay open. clush ran `%s` through connections that were open, which is a session and a process on each node.", uname)
	return nil
}

// restTime is how long a controller rests: half of it to settle.
const restTime = 20 * time.Second

func (r connectedResult) judge(sec *section, spawned int, warm costs) {
	perNode := 1e3 / float64(r.Nodes)
	peer := fmt.Sprintf("clush through masters %s ms", warm.cpu.times(perNode).text("%.1f"))
	cpu := sample(r.InstCPU).times(perNode)
	sec.budget(fmt.Sprintf("a call on %d nodes, agents connected: controller CPU per node", r.Nodes), "≤ 0.4 ms, no process by sshd",
		fmt.Sprintf("%s ms, %d processes", cpu.text("%.2f"), spawned), peer, verdict(cpu.median() <= 0.4 && spawned == 0))
	cpu = sample(r.FactsCPU).times(perNode)
	sec.budget(fmt.Sprintf("health round on %d nodes: controller CPU per node", r.Nodes), "≤ 0.25 ms", cpu.text("%.2f")+" ms", peer, verdict(cpu.median() <= 0.25))
	if r.Nodes == 200 {
		wall := sample(r.FactsWall)
		sec.budget("health round on 200 nodes: wall", "≤ 0.1 s", wall.text("%.3f")+" s", "clush through masters "+warm.wall.text("%.2f")+" s", verdict(wall.median() <= 0.1))
	}
	sec.budget(fmt.Sprintf("bootstrap of %d nodes with nothing to do", r.Nodes), "one round trip", fmt.Sprintf("%d of %d in one session, %.1f s", r.Found, r.Nodes, r.ConnectWall), "-", verdict(r.Found == r.Nodes))
}

// mastersFile is the configuration that keeps connections open.
const mastersFile = "ssh_config_masters"

// warm runs clush through masters that are open already.
func (f *fanout) warm(ctx context.Context, n int) (c costs, err error) {
	g, err := newGroup("masters")
	if err != nil {
		return c, err
	}
	defer func() {
		if removeErr := g.remove(); err == nil { // the masters end with it
			err = removeErr
		}
	}()
	// In a file of its own: a % on its command line means something to clush.
	config, err := os.ReadFile(filepath.Join(f.dir, configFile))
	if err != nil {
		return c, err
	}
	masters := string(config) + "ControlMaster auto\nControlPersist 120\nControlPath " + filepath.Join(f.dir, "m-%h") + "\n"
	if err := os.WriteFile(filepath.Join(f.dir, mastersFile), []byte(masters), 0o600); err != nil {
		return c, err
	}
	for run := range 4 {
		m, err := must(g.measure(ctx, f.dir, nil, clushWith(f, mastersFile, n)...))
		if err != nil {
			return c, err
		}
		if run > 0 { // the first one opened the masters
			c.add(m)
		}
	}
	return c, nil
}

// atRest reads what the clients of the rounds held while they rested.
func (f *fanout) atRest(_ context.Context, _ settings, sec *section) error {
	sec.columns("agents connected", "resident, MiB", "goroutines", "descriptors", "CPU, % of a core")
	if len(f.results) == 0 {
		return fmt.Errorf("there were no rounds to rest from")
	}
	first, last := f.results[0], f.results[len(f.results)-1]
	sec.row("0", fmt.Sprintf("%.1f", float64(first.BareRSS)/mib), strconv.Itoa(first.BareGoroutines), strconv.Itoa(first.BareFD), "-")
	for _, r := range f.results {
		sec.row(strconv.Itoa(r.Nodes), fmt.Sprintf("%.1f", float64(r.RSS)/mib), strconv.Itoa(r.Goroutines), strconv.Itoa(r.FDs), fmt.Sprintf("%.2f", 100*r.RestCPU/r.RestWall))
	}
	rss := float64(last.RSS) / mib
	sec.budget(fmt.Sprintf("controller with %d agents connected, at rest", last.Nodes), "≤ 64 MiB", fmt.Sprintf("%.1f MiB", rss), "-", verdict(rss <= 64))
	if last.Nodes > first.Nodes {
		further := float64(last.Nodes - first.Nodes)
		slope := float64(last.RSS-first.RSS) / mib / further
		sec.budget("controller: each further node", "≤ 0.15 MiB", fmt.Sprintf("%.3f MiB, %.1f goroutines, %.1f descriptors", slope,
			float64(last.Goroutines-first.Goroutines)/further, float64(last.FDs-first.FDs)/further), "-", verdict(slope <= 0.15))
	}
	sec.note("A process of its own with the connections of icm, after 40 rounds of calls and %s of rest; its CPU is keep-alives.", restTime/2)
	sec.note("One goroutine set and one descriptor per node: nothing is shared with, or started for, another node.")
	return nil
}
