package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// manyNodes measures on many lab nodes: their boot, bootstraps, rounds.
func (b *bench) manyNodes(ctx context.Context, l *labSite) {
	if !b.add(ctx, "Lab nodes", func(ctx context.Context, s settings, sec *section) error { return boot(ctx, s, l, sec) }) {
		return
	}
	b.add(ctx, "Bootstrap", func(ctx context.Context, s settings, sec *section) error {
		sec.columns("nodes", "what", "wall, s", "controller CPU per node, ms", "sessions per node")
		return bootstraps(ctx, s, l, sec)
	})
	b.add(ctx, "Agents connected: lab nodes", func(ctx context.Context, s settings, sec *section) error {
		return labRounds(ctx, s, l, sec)
	})
}

func boot(ctx context.Context, s settings, l *labSite, sec *section) error {
	m, err := l.icm(ctx, "provision")
	if err != nil {
		return err
	}
	sec.columns("nodes", "`icm provision`, wall s", "controller CPU, s")
	sec.row(strconv.Itoa(s.lab), fmt.Sprintf("%.1f", m.wall.Seconds()), fmt.Sprintf("%.2f", m.cpu.Seconds()))
	sec.note("From nothing to %d booted nodes, each with its agent and four formatted and mounted volumes. The CPU is that of icm, the plugin and the programs it runs (mkfs runs on the nodes); three nodes are in the section about a data server.", s.lab)
	return nil
}

// half and all of the nodes.
func (s settings) labSizes() []int { return []int{s.lab / 2, s.lab} }

func bootstraps(ctx context.Context, s settings, l *labSite, sec *section) error {
	hosts, err := l.hosts()
	if err != nil {
		return err
	}
	// sshd then says in the journal what it is asked to run.
	if err := everywhere(ctx, l, hosts, "echo LogLevel VERBOSE > /etc/ssh/sshd_config.d/00-bench.conf && systemctl reload ssh"); err != nil {
		return err
	}
	const runs = 3
	for _, n := range s.labSizes() {
		some, err := l.clientFiles(n)
		if err != nil {
			return err
		}
		before, err := labSessions(ctx, l, some)
		if err != nil {
			return err
		}
		var r bootstrapResult
		if _, err := client(ctx, l.dir, &r, "bootstrap", "-hosts", fmt.Sprintf("hosts-%d.json", n), "-runs", strconv.Itoa(runs)); err != nil {
			return err
		}
		after, err := labSessions(ctx, l, some)
		if err != nil {
			return err
		}
		perNode := 1000 / float64(n)
		// Each run removes (a look and the removal), puts the agent there, and connects.
		sessions := float64(after-before)/float64(runs*n) - removeSessions
		fresh, again := sample(r.FreshCPU).times(perNode), sample(r.AgainCPU).times(perNode)
		sec.row(strconv.Itoa(n), "icm, agent put there and started", sample(r.FreshWall).text("%.2f"), fresh.text("%.1f"), fmt.Sprintf("%.1f", sessions-1))
		sec.row(strconv.Itoa(n), "icm, nothing to do", sample(r.AgainWall).text("%.2f"), again.text("%.1f"), "1.0")
		peer, err := copyByClush(ctx, l, some)
		if err != nil {
			return err
		}
		sec.row(strconv.Itoa(n), "`clush --copy` of the agent, nothing started", peer.wall.text("%.2f"), peer.cpu.times(perNode).text("%.0f"), "-")
		sec.budget(fmt.Sprintf("bootstrap of %d fresh nodes: controller CPU per node", n), "≤ 15 ms", fresh.text("%.1f")+" ms", "clush --copy "+peer.cpu.times(perNode).text("%.0f")+" ms", verdict(fresh.median() <= 15))
	}
	sec.note("Sessions are what sshd was asked to run, by its own log: the run's total less the %d of the removal before it, and less 1 of the connection after it, whose client refuses to go on with any other outcome than “found in the first session”.", removeSessions)
	sec.note("Each run takes the agent off all nodes first; that is not counted.")
	return nil
}

// removeSessions is what remote.RemoveAgent asks of a node: a look, and the
// removal.
const removeSessions = 2

func everywhere(ctx context.Context, l *labSite, hosts []host, command string) error {
	for _, h := range hosts {
		if _, err := l.inside(ctx, h.Name, command); err != nil {
			return err
		}
	}
	return nil
}

func labSessions(ctx context.Context, l *labSite, hosts []host) (int, error) {
	total := 0
	for _, h := range hosts {
		out, err := l.inside(ctx, h.Name, "journalctl --sync; journalctl -q -o cat _COMM=sshd | grep -c 'Starting session: ' || true")
		if err != nil {
			return 0, err
		}
		n, err := strconv.Atoi(strings.TrimSpace(out))
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

func copyByClush(ctx context.Context, l *labSite, hosts []host) (costs, error) {
	var c costs
	config := strings.Join([]string{
		"User " + account, "IdentityFile " + filepath.Join(l.dir, keyFile), "IdentitiesOnly yes", "GlobalKnownHostsFile /dev/null",
		"UserKnownHostsFile " + filepath.Join(l.dir, hostsFile), "StrictHostKeyChecking yes", "LogLevel ERROR",
	}, "\n") + "\n"
	if err := os.WriteFile(filepath.Join(l.dir, configFile), []byte(config), 0o600); err != nil {
		return c, err
	}
	for range 2 {
		m, err := must(measure(ctx, l.dir, nil, "clush", "-f", "64", "-o", "-F "+filepath.Join(l.dir, configFile),
			"-w", strings.Join(addresses(hosts), ","), "--copy", l.s.agent(), "--dest", "/tmp/agent-copy"))
		if err != nil {
			return c, err
		}
		c.add(m)
	}
	return c, nil
}

func labRounds(ctx context.Context, s settings, l *labSite, sec *section) error {
	build, err := agentBuild(s.agent())
	if err != nil {
		return err
	}
	sec.columns(roundColumns()...)
	for _, n := range s.labSizes() {
		hosts, err := l.clientFiles(n)
		if err != nil {
			return err
		}
		before, err := labSessions(ctx, l, hosts)
		if err != nil {
			return err
		}
		var r connectedResult
		if _, err := client(ctx, l.dir, &r, "connected", "-hosts", fmt.Sprintf("hosts-%d.json", n), "-build", build, "-rest", "2s"); err != nil {
			return err
		}
		after, err := labSessions(ctx, l, hosts)
		if err != nil {
			return err
		}
		r.rows(sec)
		sec.note("%d nodes: sshd was asked for %d sessions in all, %d to connect, %d in the %d rounds after it.", n, after-before, n, after-before-n, 2*len(r.FactsWall))
	}
	return nil
}

// client runs a client of this program and reads what it found out.
func client(ctx context.Context, dir string, into any, args ...string) (measured, error) {
	self, err := os.Executable()
	if err != nil {
		return measured{}, err
	}
	m, err := must(measure(ctx, dir, nil, append([]string{self}, args...)...))
	if err != nil {
		return m, fmt.Errorf("bench %s: %w", args[0], err)
	}
	return m, json.Unmarshal([]byte(m.out), into)
}
