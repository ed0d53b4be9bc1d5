package nspawn

import (
	"fmt"
	"os"
	"strings"
)

// Leader is the id of the node's own process 1 among pids, 0 when there is
// none yet. Containers inside the node have one of those too, deeper down.
func Leader(pids []int) int {
	for _, pid := range pids {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err == nil && isLeader(string(text)) {
			return pid
		}
	}
	return 0
}

// isLeader looks for "NSpid: 4711 1": process 1, one namespace below ours. On a
// machine that is itself a container there are more numbers in front, as many
// as for ourselves.
func isLeader(status string) bool {
	for line := range strings.Lines(status) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			fields := strings.Fields(ids)
			return len(fields) == ownDepth()+1 && fields[len(fields)-1] == "1"
		}
	}
	return false
}

// ownDepth is how many process namespaces we are in, as /proc shows them.
func ownDepth() int {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 1
	}
	for line := range strings.Lines(string(text)) {
		if ids, ok := strings.CutPrefix(line, "NSpid:"); ok {
			return len(strings.Fields(ids))
		}
	}
	return 1
}
