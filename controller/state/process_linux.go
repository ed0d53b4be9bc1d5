package state

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// alive reports whether the owner's process still runs, as far as me, a
// process on the same machine, can tell. In doubt it does.
func (o Owner) alive(me Owner) bool {
	if o.Boot != "" && o.Boot != me.Boot {
		return false
	}
	started, found, err := processStart(o.PID)
	if err != nil {
		return true
	}
	return found && (o.Started == 0 || o.Started == started)
}

func (o Owner) sameProcess(other Owner) bool {
	return o.sameMachine(other) && o.PID == other.PID && o.Started == other.Started && o.Boot == other.Boot
}

func (o Owner) sameMachine(me Owner) bool { return o.Host == me.Host && o.Machine == me.Machine }

// machineID is empty where the system has none, as in some containers.
func machineID() string {
	data, _ := os.ReadFile("/etc/machine-id")
	return strings.TrimSpace(string(data))
}

// bootID changes with every start of the machine.
func bootID() (string, error) {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(data)), err
}

// processStart returns when a process was started, in clock ticks since boot,
// and whether there is such a process.
func processStart(pid int) (ticks uint64, found bool, err error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ESRCH) {
		return 0, false, nil
	}
	if err != nil {
		return 0, false, err
	}
	// The second field is the program's name in parentheses, which may itself
	// hold spaces and parentheses; the 22nd is what we look for.
	_, rest, _ := strings.Cut(string(data[strings.LastIndexByte(string(data), ')')+1:]), " ")
	fields := strings.Fields(rest)
	const index = 22 - 3
	if len(fields) <= index {
		return 0, false, fmt.Errorf("cannot read /proc/%d/stat: too short", pid)
	}
	if fields[0] == "Z" { // dead, and not yet collected by its parent
		return 0, false, nil
	}
	ticks, err = strconv.ParseUint(fields[index], 10, 64)
	return ticks, true, err
}
