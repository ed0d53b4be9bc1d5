package host

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An agent that is killed leaves the programs that it had started: they go on,
// with nobody to read what they say. Were the task run again beside them, two
// installers would write to one directory. So everything that is started for a
// task bears the task's name in its environment, and so does everything that
// is started by it; before a task is run again, what bears its name is ended.

// startedFor is the variable of the environment that names a task.
const startedFor = "ICM_STARTED_FOR"

// How long an orphan may take to end when it is asked to, and when it is killed.
const (
	orphanTerm = 3 * time.Second
	orphanKill = 10 * time.Second
	orphanLook = 50 * time.Millisecond
)

type purposeKey struct{}

// WithPurpose names what programs are started for under a context.
func WithPurpose(ctx context.Context, purpose string) context.Context {
	return context.WithValue(ctx, purposeKey{}, purpose)
}

// purposeEnv is the variable for a program that is started now. The session is
// in it because what leaves it, such as an instance, means to stay.
func purposeEnv(ctx context.Context) []string {
	purpose, ok := ctx.Value(purposeKey{}).(string)
	if !ok {
		return nil
	}
	session, err := unix.Getsid(0)
	if err != nil {
		return nil
	}
	return []string{startedFor + "=" + purpose + "@" + strconv.Itoa(session)}
}

// EndOrphans ends what an earlier run of the agent started for a purpose and
// has not ended since, and returns how many programs that were. Those that
// made a session of their own are left alone.
func EndOrphans(ctx context.Context, purpose string) (int, error) {
	found, err := orphans(purpose)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	count := len(found)
	for _, step := range []struct {
		signal syscall.Signal
		limit  time.Duration
	}{{syscall.SIGTERM, orphanTerm}, {syscall.SIGKILL, orphanKill}} {
		deadline := time.Now().Add(step.limit)
		for len(found) > 0 && time.Now().Before(deadline) {
			signalAll(found, step.signal)
			if err := rest(ctx, orphanLook); err != nil {
				return 0, err
			}
			if found, err = orphans(purpose); err != nil {
				return 0, err
			}
		}
	}
	if len(found) > 0 {
		return 0, fmt.Errorf("cannot end process %d, which an earlier run of this task left", found[0].Pid)
	}
	return count, nil
}

func signalAll(found []*os.Process, signal syscall.Signal) {
	for _, p := range found {
		if signal != syscall.SIGTERM || !editsAccounts(p.Pid) {
			_ = p.Signal(signal) // it may have ended; the next look tells
		}
		_ = p.Release()
	}
}

// editsAccounts reports whether a process is one of the programs that installers
// make accounts with. They take milliseconds, and cut off in the middle they
// leave an account that is half made, so they are waited for.
func editsAccounts(pid int) bool {
	comm, err := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	if err != nil {
		return false // it has ended
	}
	switch strings.TrimSpace(string(comm)) {
	case "useradd", "usermod", "userdel", "groupadd", "groupmod", "groupdel", "gpasswd", "chpasswd":
		return true
	}
	return false
}

// orphans lists the processes that were started for a purpose. Each is opened
// before it is looked at, so that its number cannot be another's when it is
// signalled.
func orphans(purpose string) ([]*os.Process, error) {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, err
	}
	var out []*os.Process
	for _, dir := range dirs {
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil || pid == os.Getpid() {
			continue
		}
		p, err := os.FindProcess(pid)
		if err != nil {
			continue
		}
		if !startedForIn(pid, purpose) {
			_ = p.Release()
			continue
		}
		out = append(out, p)
	}
	return out, nil
}

func startedForIn(pid int, purpose string) bool {
	env, err := os.ReadFile(fmt.Sprintf("/proc/%d/environ", pid))
	if err != nil {
		return false // it has ended
	}
	session, err := unix.Getsid(pid)
	if err != nil {
		return false
	}
	want := fmt.Sprintf("%s=%s@%d", startedFor, purpose, session)
	for v := range bytes.SplitSeq(env, []byte{0}) {
		if string(v) == want {
			return true
		}
	}
	return false
}

func rest(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
