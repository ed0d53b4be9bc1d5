//go:build nodes

package nodes

import (
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"icm/internal/wire"
)

// What scenarios with other agents need: agents that are built for them, and
// an icm that carries those.

// illness is compiled into an agent, as one more file of its main package.
var illness = map[string]string{
	"well":  ``,
	"exits": `os.Exit(3)`,
	"hangs": `signal.Ignore(syscall.SIGTERM); time.Sleep(time.Hour)`,
	"dies":  `time.AfterFunc(5*time.Second, func() { os.Exit(3) })`,
}

const illAgent = `package main

import (
	"os"
	"os/signal"
	"syscall"
	"time"
)

var _ = []any{signal.Ignore, syscall.SIGTERM, time.Hour}

func init() {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		%s
	}
}
`

// agentDir builds an agent and returns the directory that icmwith takes.
func agentDir(t *testing.T, build, ill string, tags ...string) string {
	t.Helper()
	dir := t.TempDir()
	source := filepath.Join(dir, "ill.go")
	overlay := filepath.Join(dir, "overlay.json")
	program := filepath.Join(dir, "icm-agent")
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{filepath.Join(top(), "agent/zz_ill.go"): source}})
	if err != nil {
		t.Fatal(err)
	}
	must(t, os.WriteFile(source, fmt.Appendf(nil, illAgent, illness[ill]), 0o600))
	must(t, os.WriteFile(overlay, replace, 0o600))
	goBuild(t, program, "./agent", "-overlay", overlay, "-tags", strings.Join(tags, ","), "-ldflags", "-s -w -X main.build="+build)
	data, err := os.ReadFile(program)
	must(t, err)
	gz, err := os.Create(filepath.Join(dir, "icm-agent-linux-amd64.gz"))
	must(t, err)
	w, err := gzip.NewWriterLevel(gz, gzip.BestSpeed)
	must(t, err)
	_, err = w.Write(data)
	must(t, err)
	must(t, w.Close())
	must(t, gz.Close())
	must(t, os.WriteFile(filepath.Join(dir, "BUILD"), fmt.Appendf(nil, "build %s\namd64 %x %d\n", build, sha256.Sum256(data), len(data)), 0o600))
	return dir
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func goBuild(t *testing.T, out, pkg string, flags ...string) {
	t.Helper()
	cmd := exec.Command("go", append(append([]string{"build", "-trimpath", "-o", out}, flags...), pkg)...)
	cmd.Dir = top()
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build %s: %v: %s", pkg, err, said)
	}
}

// icmWith builds an icm that takes its agents from a directory.
func icmWith(t *testing.T, tags ...string) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "icm")
	goBuild(t, out, "./tests/nodes/icmwith", "-tags", strings.Join(tags, ","))
	return out
}

// with is the site for an operator whose icm is another one, with other agents.
func (s *site) with(icm, agents string) *site {
	sub := *s
	sub.env = append(append([]string(nil), s.env...), "ICM_TEST_AGENTS="+agents, "ICM_PROVIDER_DIR="+filepath.Join(top(), "bin"))
	sub.other = icm
	return &sub
}

// agentOn is the build that answers on a node, asked there, "" when none does.
func (s *site) agentOn(machine string) string {
	s.t.Helper()
	return s.inside(machine, wire.AgentLib+"/current/icm-agent hello 2>/dev/null | cut -d' ' -f1 || true")
}

// until waits inside a node, for at most two minutes, until a shell condition
// holds.
func (s *site) until(machine, what, condition string) {
	s.t.Helper()
	if s.inside(machine, "cd "+wire.AgentLib+` && n=0; until `+condition+`; do [ $((n += 1)) -lt 600 ] || { echo never; break; }; sleep 0.2; done`) == "never" {
		s.t.Fatalf("%s: it never came to pass: %s; %s", machine, what,
			s.inside(machine, "cd "+wire.AgentLib+" && ls -l && cat update reverted; journalctl -q -n 20 -u "+wire.AgentWatch+" -u "+wire.AgentUnit))
	}
}

// updating waits until a node has switched to a build and is watching it.
func (s *site) updating(machine, build string) {
	s.t.Helper()
	s.until(machine, "it tries agent "+build, `[ -e update ] && [ "$(readlink current)" = `+build+` ]`)
}

// settled waits until the node has made up its mind, for that agent.
func (s *site) settled(machine, build string) {
	s.t.Helper()
	s.until(machine, "it settles for agent "+build, `[ ! -e update ] && set -- $(current/icm-agent hello 2>/dev/null) && [ "${1-}" = `+build+` ]`)
	if current := s.inside(machine, "readlink "+wire.AgentLib+"/current"); current != build {
		s.t.Errorf("%s: agent %s is current, want %s", machine, current, build)
	}
}

// reverted is what a node says of an update that it took back.
func (s *site) reverted(machine string) string {
	s.t.Helper()
	return s.inside(machine, "cat "+wire.AgentLib+"/reverted 2>/dev/null || true")
}
