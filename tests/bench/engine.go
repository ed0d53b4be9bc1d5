package main

import (
	"context"
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
)

// engineNodes is how many nodes the engine's overhead is measured over.
const engineNodes = 200

var benchLine = regexp.MustCompile(`(?m)^BenchmarkInstallWithNothingToDo\S*\s+\d+\s+(\d+) ns/op`)

// engine runs the benchmark beside this file: an operation that finds nothing
// to do, over agents with the real engine inside one process.
func engine(ctx context.Context, s settings, sec *section) error {
	line := []string{"go", "test", "-run", "^$", "-bench", "InstallWithNothingToDo", "-benchtime", "1x", "-count", "5", "./tests/bench"}
	m, err := must(measure(ctx, s.top, nil, line...))
	if err != nil {
		return err
	}
	var wall sample
	for _, found := range benchLine.FindAllStringSubmatch(m.out, -1) {
		ns, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			return err
		}
		wall = append(wall, ns/1e9)
	}
	if len(wall) == 0 {
		return fmt.Errorf("the benchmark said nothing: %s", m.out)
	}
	sec.columns("nodes", "`icm install` with nothing to do, s")
	sec.row(strconv.Itoa(engineNodes), wall.text("%.2f"))
	sec.budget(fmt.Sprintf("overhead of the engine on a no-op operation over %d nodes", engineNodes), "≤ 3 s", wall.text("%.2f")+" s", "-", verdict(wall.median() <= 3))
	sec.note("Input files, connecting, facts, preflight checks, looks and the plan, with everything but SSH and the machines real: agents with their engine and journal inside the same process, reached through sockets.")
	sec.command(filepath.Base(line[0]) + " test -run '^$' -bench InstallWithNothingToDo -benchtime 1x -count 5 ./tests/bench")
	return nil
}
