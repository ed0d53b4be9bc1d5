package cgroup

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"icm/plugins/lab/internal/await"
)

func TestHierarchiesAreReadFromMountinfo(t *testing.T) {
	for name, c := range map[string]struct {
		mountinfo string
		want      []Hierarchy
	}{
		"only v2": {
			mountinfo: "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw\n",
			want:      []Hierarchy{{Mount: "/sys/fs/cgroup", Unified: true}},
		},
		"both, v2 comes first": {
			mountinfo: "31 25 0:31 / /sys/fs/cgroup/freezer rw - cgroup cgroup rw,freezer\n" +
				"32 25 0:32 / /sys/fs/cgroup/systemd rw shared:1 master:2 - cgroup cgroup rw,name=systemd\n" +
				"33 25 0:33 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			want: []Hierarchy{
				{Mount: "/sys/fs/cgroup/unified", Unified: true},
				{Mount: "/sys/fs/cgroup/freezer", Controllers: []string{"rw", "freezer"}},
				{Mount: "/sys/fs/cgroup/systemd", Controllers: []string{"rw", "name=systemd"}},
			},
		},
		"a hierarchy mounted twice counts once": {
			mountinfo: "31 25 0:31 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" +
				"32 25 0:31 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
			want: []Hierarchy{{Mount: "/sys/fs/cgroup/cpu", Controllers: []string{"rw", "cpu", "cpuacct"}}},
		},
		"other file systems and torn lines do not count": {
			mountinfo: "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n36 25 0:31\n\n",
		},
	} {
		if diff := cmp.Diff(c.want, parse(c.mountinfo)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAGroupIsKilledWholeAndLeavesNothing(t *testing.T) {
	g := testGroup(t)
	child := sleeperIn(t, g)
	if err := g.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Error("the child ended well, want it killed")
	}
	if err := g.Remove(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, dir := range g.Dirs() {
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s is still there", dir)
		}
	}
}

func TestAFrozenGroupStandsStillAndCanStillBeKilled(t *testing.T) {
	g := testGroup(t)
	child := sleeperIn(t, g)
	if err := g.Freeze(); err != nil {
		t.Fatal(err)
	}
	if !g.Frozen() {
		t.Error("Frozen() = false after Freeze")
	}
	if err := g.Thaw(); err != nil {
		t.Fatal(err)
	}
	if g.Frozen() {
		t.Error("Frozen() = true after Thaw")
	}
	if err := g.Freeze(); err != nil {
		t.Fatal(err)
	}
	if err := g.Kill(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := child.Wait(); err == nil {
		t.Error("the frozen child ended well, want it killed")
	}
}

func TestKillingAGroupThatIsNotThereIsNoError(t *testing.T) {
	needRoot(t)
	g, err := New("icm-lab-test/no-such-group")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Kill(t.Context()); err != nil {
		t.Error(err)
	}
	if err := g.Remove(t.Context()); err != nil {
		t.Error(err)
	}
}

func testGroup(t *testing.T) Group {
	t.Helper()
	needRoot(t)
	parent := fmt.Sprintf("icm-lab-test-%d", os.Getpid())
	g, err := New(filepath.Join(parent, strings.ToLower(t.Name())))
	if err != nil {
		t.Skipf("needs cgroups: %v", err)
	}
	if err := g.Create(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		top, _ := New(parent)
		for _, dir := range g.Dirs() {
			if err := removeTree(dir); err != nil {
				t.Error(err)
			}
		}
		top.Prune()
	})
	return g
}

// sleeperIn starts a shell that moves itself into the group and sleeps.
func sleeperIn(t *testing.T, g Group) *exec.Cmd {
	t.Helper()
	script := `for d; do echo $$ >"$d/launcher/cgroup.procs"; done; exec sleep 600`
	child := exec.Command("sh", append([]string{"-c", script, "sh"}, g.Dirs()...)...)
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = child.Process.Kill() })
	err := await.Until(t.Context(), "the child to enter the group", 10*time.Second, func() (bool, string, error) {
		pids, err := g.Processes()
		return slices.Contains(pids, child.Process.Pid), fmt.Sprint(pids), err
	})
	if err != nil {
		t.Fatal(err)
	}
	return child
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: control groups")
	}
}
