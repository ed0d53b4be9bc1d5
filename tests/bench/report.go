package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"time"

	"icm/internal/atomicfile"
)

// budget is one line of the design's table and what was found.
type budget struct{ what, limit, have, peer, verdict string }

// The verdicts.
const (
	met      = "met"
	missed   = "**missed**"
	untested = "not measured"
)

func verdict(ok bool) string {
	if ok {
		return met
	}
	return missed
}

// section is what one part of the bench found out.
type section struct {
	title    string
	budgets  []budget
	commands []string
	head     []string
	rows     [][]string
	notes    []string
	err      error
}

func (s *section) budget(what, limit, have, peer, verdict string) {
	s.budgets = append(s.budgets, budget{what, limit, have, peer, verdict})
}

func (s *section) columns(names ...string) { s.head = names }
func (s *section) row(cells ...string)     { s.rows = append(s.rows, cells) }
func (s *section) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

// command says how it was measured.
func (s *section) command(line string) { s.commands = append(s.commands, line) }

// write writes the page.
func write(path string, about []string, sections []*section) error {
	var b strings.Builder
	b.WriteString("# Benchmarks\n\n")
	b.WriteString("Written by `make bench`; do not edit. Budgets come from the design; a peer is measured in the same run on the same nodes.\n")
	b.WriteString("Figures are the median of several runs, with the least and the most in parentheses; a single figure is one run.\n\n")
	for _, line := range about {
		fmt.Fprintf(&b, "- %s\n", line)
	}
	b.WriteString("\n## Budgets\n\n| What | Budget | Measured | Beside | Verdict |\n|---|---|---|---|---|\n")
	for _, s := range sections {
		for _, g := range s.budgets {
			fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", g.what, g.limit, g.have, g.peer, g.verdict)
		}
		if s.err != nil {
			fmt.Fprintf(&b, "| %s | | | | could not be measured |\n", s.title)
		}
	}
	for _, s := range sections {
		s.write(&b)
	}
	return atomicfile.Write(path, []byte(b.String()), 0o644)
}

func (s *section) write(b *strings.Builder) {
	fmt.Fprintf(b, "\n## %s\n\n", s.title)
	if s.err != nil {
		fmt.Fprintf(b, "This section ended early: %s\n\n", strings.Join(strings.Fields(s.err.Error()), " "))
	}
	if len(s.rows) > 0 {
		fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(s.head, " | "), strings.Repeat("---|", len(s.head)))
		for _, r := range s.rows {
			fmt.Fprintf(b, "| %s |\n", strings.Join(r, " | "))
		}
		b.WriteString("\n")
	}
	for _, n := range s.notes {
		fmt.Fprintf(b, "- %s\n", n)
	}
	if len(s.commands) > 0 {
		b.WriteString("\nMeasured with:\n\n```\n" + strings.Join(s.commands, "\n") + "\n```\n")
	}
}

// untestedSection names the budgets that nothing here is measured against.
func untestedSection() *section {
	sec := &section{title: "Not measured"}
	sec.budget("a kit to N nodes on links of rate R", "≤ 1.1 × one node alone; each byte sent at most twice", "-", "-", untested)
	sec.note("A kit to many nodes: nodes do not pass kits on to each other. Each fetches the kit from KitURL by itself, and `icm scp` sends it to each from here, so the time grows with the number of nodes wherever one link is shared.")
	return sec
}

// machine describes where it was measured, without naming it.
func machine() []string {
	memory, _ := readField("/proc/meminfo", "MemTotal")
	release, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	load, _ := os.ReadFile("/proc/loadavg")
	number, _, _ := strings.Cut(strings.TrimSpace(string(release)), "-")
	words := strings.Fields(string(load))
	return []string{
		"Date: " + time.Now().UTC().Format("2006-01-02 15:04 MST"),
		fmt.Sprintf("Machine: %d cores, %.0f GiB of memory, Linux %s, %s; controller and all nodes share it", runtime.NumCPU(), float64(memory)/mib, number, runtime.GOARCH),
		fmt.Sprintf("Load average before the first measurement: %s (other work on the machine shows as the distance between least and most)", strings.Join(words[:min(3, len(words))], " ")),
	}
}
