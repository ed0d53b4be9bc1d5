package lab

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// inotifyInstances is what every systemd of every node takes its share of: all
// nodes are one user to the kernel, whose default of 128 is enough for about a
// dozen nodes. Beyond that, nodes do not boot.
const inotifyInstances = "/proc/sys/fs/inotify/max_user_instances"

// wantedInstances is enough for several hundred nodes; one costs memory only
// when it is used.
const wantedInstances = 8192

// raiseInotify raises the limit until the next boot, where it is lower.
func raiseInotify(path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("cannot read the limit of inotify instances: %w", err)
	}
	have, err := strconv.Atoi(strings.TrimSpace(string(data)))
	if err != nil {
		return fmt.Errorf("cannot read the limit of inotify instances: %w", err)
	}
	if have >= wantedInstances {
		return nil
	}
	if err := os.WriteFile(path, []byte(strconv.Itoa(wantedInstances)+"\n"), 0o644); err != nil {
		return fmt.Errorf("cannot raise fs.inotify.max_user_instances from %d: %w", have, err)
	}
	return nil
}
