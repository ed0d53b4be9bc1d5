package nspawn

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func node() Container {
	return Container{
		Machine: "icml18-37-2", Dir: "/d",
		Root:   Root{Dir: "/d/root", Lower: "/c/tree", Upper: "/d/upper", Work: "/d/work"},
		Groups: []string{"/sys/fs/cgroup/a/x", "/sys/fs/cgroup/b/x"},
		Bridge: "icml18-37", Link: "icml18-37-2", MAC: "02:69:63:12:25:02", Address: "198.18.37.2/24",
		Rate:    []string{"rate", "1bit"},
		Devices: []Device{{"/dev/loop7", "/dev/xvdc"}},
	}
}

func TestTheCommandLineOfANode(t *testing.T) {
	argv, _ := node().launch("/d/launch.sh")
	want := []string{
		"sh", "/d/launch.sh",
		"--quiet", "--boot", "--register=no", "--keep-unit",
		"--machine=icml18-37-2", "--directory=/d/root",
		"--capability=all", "--system-call-filter=@keyring bpf",
		"--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=read-only",
		"--bind=/dev/loop7:/dev/xvdc",
	}
	if diff := cmp.Diff(want, argv); diff != "" {
		t.Errorf("argv (-want +got):\n%s", diff)
	}
}

func TestEveryVariableOfTheScriptIsGiven(t *testing.T) {
	_, env := node().launch("/d/launch.sh")
	for word := range strings.FieldsFuncSeq(string(launchScript), func(r rune) bool {
		return r != '_' && (r < 'A' || r > 'Z')
	}) {
		given := slices.ContainsFunc(env, func(e string) bool { return strings.HasPrefix(e, word+"=") })
		if strings.HasPrefix(word, "LAB_") && word != "LAB_" && word != "LAB_INSIDE" && !given {
			t.Errorf("launch.sh uses %s, which is not in its environment", word)
		}
	}
	for _, want := range []string{"LAB_GROUPS=/sys/fs/cgroup/a/x /sys/fs/cgroup/b/x", "LAB_RATE=rate 1bit"} {
		if !slices.Contains(env, want) {
			t.Errorf("%q is not in the environment %q", want, env)
		}
	}
}

func TestTheLeaderIsProcessOneRightBelowUs(t *testing.T) {
	own := strings.Repeat("4711\t", ownDepth())
	for name, c := range map[string]struct {
		status string
		want   bool
	}{
		"the node's process 1":             {"Name:\tsystemd\nNSpid:\t" + own + "1\n", true},
		"another process of the node":      {"Name:\tsshd\nNSpid:\t" + own + "41\n", false},
		"process 1 of a container in it":   {"Name:\tsh\nNSpid:\t" + own + "77\t1\n", false},
		"the launcher, in our namespace":   {"Name:\tsh\nNSpid:\t" + own + "\n", false},
		"a process that has ended already": {"", false},
	} {
		if got := isLeader(c.status); got != c.want {
			t.Errorf("%s: isLeader = %v, want %v", name, got, c.want)
		}
	}
}
