package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
)

// mainJob measures the life of a data server with two application servers, up
// to where its agents are left in peace.
func (b *bench) mainJob(ctx context.Context, l *labSite) {
	installed := b.add(ctx, "A data server and two application servers", func(ctx context.Context, _ settings, sec *section) error {
		return install(ctx, l, sec)
	})
	if !installed {
		return
	}
	b.add(ctx, "Upgrade: how long an instance is away", func(ctx context.Context, _ settings, sec *section) error {
		return downtime(ctx, l, sec)
	})
	hosts, err := l.hosts()
	if err == nil {
		b.resting, err = sampleAgents(ctx, l, hosts)
	}
	b.failed = errors.Join(b.failed, err)
}

func install(ctx context.Context, l *labSite, sec *section) error {
	sec.columns("command", "wall, s", "controller CPU, s", "memory of icm, MiB")
	steps := []struct {
		line string
		run  func() (measured, error)
	}{
		{"icm provision", func() (measured, error) { return l.icm(ctx, "provision") }},
		{"icm scp -localPath " + "KIT -remotePath /tmp/", func() (measured, error) { return l.bring(ctx, "IRIS-2023.1.0") }},
		{"icm install", func() (measured, error) { return l.icm(ctx, "install") }},
	}
	for _, step := range steps {
		m, err := step.run()
		if err != nil {
			return err
		}
		sec.row("`"+step.line+"`", fmt.Sprintf("%.1f", m.wall.Seconds()), fmt.Sprintf("%.2f", m.cpu.Seconds()), fmt.Sprintf("%.0f", float64(m.rss)/mib))
	}
	var again costs
	for range 5 {
		m, err := l.icm(ctx, "install")
		if err != nil {
			return err
		}
		if !strings.Contains(m.out, "Nothing to do") {
			return fmt.Errorf("icm install again found something to do: %s", m.out)
		}
		again.add(m)
	}
	sec.row("`icm install`, nothing to do", again.wall.text("%.2f"), again.cpu.text("%.2f"), again.rss.text("%.0f"))
	sec.budget("controller at its biggest, over one site's life so far", "≤ 128 MiB", fmt.Sprintf("%.0f MiB (%s)", float64(l.biggest)/mib, l.biggestFor), "-", verdict(l.biggest <= 128*mib))
	sec.note("Three lab nodes, from nothing. Provision boots them, puts agents there and makes volumes. The kit is the stand-in, %s: the times are icm's and the machine's, an InterSystems kit takes minutes where this takes seconds.", kitSize(l))
	sec.note("The CPU of provision holds the provider plugin, and what it runs to make disks and networks.")
	return nil
}

func kitSize(l *labSite) string {
	name, _ := l.defaults["KitURL"].(string)
	info, err := os.Stat(l.s.top + "/build/kits/" + name[strings.LastIndex(name, "/")+1:])
	if err != nil {
		return "of unknown size"
	}
	return fmt.Sprintf("%.1f MiB", float64(info.Size())/mib)
}

// leastRest is how long agents are watched at rest, at least: longer than the
// two minutes after which Go's runtime collects garbage for want of other work.
const leastRest = 150 * time.Second

// agentAtRest looks at the agents that were left in peace since before.
func agentAtRest(ctx context.Context, s settings, l *labSite, before []agentSample, sec *section) error {
	hosts, err := l.hosts()
	if err != nil {
		return err
	}
	if len(before) != len(hosts) {
		return fmt.Errorf("there are no agents at rest")
	}
	binary, err := os.Stat(s.agent())
	if err != nil {
		return err
	}
	packed, err := os.Stat(s.packed())
	if err != nil {
		return err
	}
	if err := rest(ctx, leastRest-time.Since(before[0].at)); err != nil {
		return err
	}
	after, err := sampleAgents(ctx, l, hosts)
	if err != nil {
		return err
	}
	seconds := after[0].at.Sub(before[0].at)
	var rss, wakeups, cpu sample
	for i := range after {
		seconds := after[i].at.Sub(before[i].at).Seconds()
		rss = append(rss, float64(after[i].rss)/mib)
		wakeups = append(wakeups, float64(after[i].switches-before[i].switches)/seconds)
		cpu = append(cpu, float64(after[i].ticks-before[i].ticks)/100/seconds*100)
	}
	sec.columns("", "measured on "+fmt.Sprint(len(hosts))+" nodes")
	sec.row("stripped, amd64", fmt.Sprintf("%.2f MiB", float64(binary.Size())/mib))
	sec.row("compressed, as pushed", fmt.Sprintf("%.2f MiB", float64(packed.Size())/mib))
	sec.row("resident, at rest", rss.text("%.1f")+" MiB")
	sec.row("wake-ups per second, all threads", wakeups.text("%.2f"))
	sec.row("CPU at rest", cpu.text("%.3f")+" % of a core")
	sec.budget("agent: stripped", "≤ 8 MiB", fmt.Sprintf("%.2f MiB", float64(binary.Size())/mib), "-", verdict(binary.Size() <= 8*mib))
	sec.budget("agent: compressed, as pushed", "≤ 3 MiB", fmt.Sprintf("%.2f MiB", float64(packed.Size())/mib), "-", verdict(packed.Size() <= 3*mib))
	sec.budget("agent: resident at rest", "≤ 15 MiB", rss.text("%.1f")+" MiB", "-", verdict(rss.median() <= 15))
	sec.budget("agent: wake-ups at rest", "≤ 1 per second", wakeups.text("%.2f"), "-", verdict(wakeups.median() <= 1))
	sec.note("Under systemd, watchdog on, nobody connected, beginning when an upgrade has ended. Wake-ups are the voluntary context switches of all threads over %s. Most of them come in bursts when the Go runtime collects garbage every two minutes and gives memory back; they shrink with each.", seconds.Round(time.Second))
	sec.command("make size")
	sec.command("lab exec NODE -- sh -c 'cat /proc/$(systemctl show -P MainPID icm-agent)/task/*/status'")
	return nil
}

// agentSample is an agent at one moment.
type agentSample struct {
	at       time.Time
	rss      int64
	switches int64
	ticks    int64 // CPU, in hundredths of a second
}

const lookAtAgent = `p=$(systemctl show -P MainPID icm-agent) && echo "pid: $p" && grep VmRSS /proc/$p/status &&
cat /proc/$p/task/*/status | awk '/^voluntary_ctxt_switches/ { n += $2 } END { print "switches: " n }' &&
sed 's/.*) //' /proc/$p/stat | awk '{ print "ticks: " $12 + $13 }'`

func sampleAgents(ctx context.Context, l *labSite, hosts []host) ([]agentSample, error) {
	var out []agentSample
	for _, h := range hosts {
		text, err := l.inside(ctx, h.Name, lookAtAgent)
		if err != nil {
			return nil, err
		}
		a := agentSample{at: time.Now()}
		for name, into := range map[string]*int64{"VmRSS": &a.rss, "switches": &a.switches, "ticks": &a.ticks} {
			if *into, err = field(text, name); err != nil {
				return nil, fmt.Errorf("agent of %s: %w", h.Name, err)
			}
		}
		a.rss <<= 10
		out = append(out, a)
	}
	return out, nil
}
