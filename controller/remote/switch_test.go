package remote

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"icm/internal/wire"
)

// dying runs a script whose shell is killed before its command number $1.
const dying = `n=$1 script=$2; shift 2
set -T
trap '[ $((n -= 1)) -gt 0 ] || kill -KILL $BASHPID $$' DEBUG
. "$script"
`

func TestAWatcherKilledAnywhereEndsAsWithout(t *testing.T) {
	for _, tc := range []struct{ broken, ends, limit string }{
		{"", "1.1.0", "60"},
		{"it does not start", "1.0.0", "0"},
	} {
		t.Run("new agent: "+tc.broken, func(t *testing.T) {
			t.Parallel()
			n := newScratch(t, "bash")
			n.must(t, agents(t, "1.0.0", ""), Outcome{Did: "installed", Build: "1.0.0"})
			for at := 1; ; at += 4 { // every fourth command, to be quick
				n.half(t, agentText(t, "1.1.0", tc.broken))
				killed := n.watch(t, tc.limit, "-c", dying, "bash", fmt.Sprint(at))
				if current, err := os.Stat(filepath.Join(n.root, "lib/current/icm-agent")); err != nil || current.Mode()&0o111 == 0 {
					t.Fatalf("killed at command %d: there is no agent: %v", at, err)
				}
				n.watch(t, tc.limit)
				n.ended(t, at, tc.ends)
				if !killed {
					if at < 30 {
						t.Errorf("it ran only %d commands", at)
					}
					return
				}
			}
		})
	}
}

// half makes the node as it is when the watcher is started: the old agent runs,
// the new one is in place, the update is written down.
func (n *scratch) half(t *testing.T, agent string) {
	t.Helper()
	_ = os.Remove(filepath.Join(n.root, "lib/current"))
	_ = os.Remove(filepath.Join(n.root, "lib/reverted"))
	if err := os.Symlink("1.0.0", filepath.Join(n.root, "lib/current")); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(n.root, "lib/1.1.0"), 0o755); err != nil {
		t.Fatal(err)
	}
	n.write(t, "lib/1.1.0/icm-agent", agent, 0o755)
	n.write(t, "lib/1.1.0/"+wire.AgentUnit, "[Service]\n", 0o644)
	n.write(t, "active", "1.0.0 7\n", 0o644)
	n.write(t, "lib/update", "1 1.0.0 1.1.0 new\n", 0o644)
}

// watch runs the watcher and reports whether it was killed.
func (n *scratch) watch(t *testing.T, limit string, before ...string) bool {
	t.Helper()
	lib := filepath.Join(n.root, "lib")
	args := append(before, lib+"/switch.sh", "watch", lib, wire.AgentUnit, n.root+"/units", "0", limit)
	cmd := exec.Command("bash", args...)
	cmd.Env = append(os.Environ(), "PATH="+n.root+"/bin:"+os.Getenv("PATH"))
	out, err := cmd.CombinedOutput()
	if err != nil && len(before) == 0 {
		t.Fatalf("%v: %s", err, out)
	}
	return err != nil
}

func (n *scratch) ended(t *testing.T, at int, build string) {
	t.Helper()
	current, err := os.Readlink(filepath.Join(n.root, "lib/current"))
	runs, _ := os.ReadFile(filepath.Join(n.root, "active"))
	_, pending := os.Stat(filepath.Join(n.root, "lib/update"))
	_, reverted := os.Stat(filepath.Join(n.root, "lib/reverted"))
	if err != nil || current != build || !strings.HasPrefix(string(runs), build+" ") || pending == nil || (reverted == nil) != (build == "1.0.0") {
		t.Fatalf("killed at command %d: current is %q (%v), %q runs, want %q; update: %v, reverted: %v", at, current, err, runs, build, pending, reverted)
	}
}
