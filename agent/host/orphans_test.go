package host

import (
	"context"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// runs reports whether a process is there and no zombie.
func runs(t *testing.T, pid string) bool {
	t.Helper()
	out, err := exec.Command("ps", "-o", "stat=", "-p", pid).Output()
	return err == nil && !strings.HasPrefix(strings.TrimSpace(string(out)), "Z")
}

func TestOrphansOfOnePurposeAreEnded(t *testing.T) {
	for _, c := range []struct {
		name, script string // the script says the number of the process to watch
		purpose      string // of the program; what is ended is change/1
		ended        bool
	}{
		{"the program itself", "echo $$; exec sleep 60", "change/1", true},
		{"what it started, when it is gone", "sleep 60 >/dev/null 2>&1 & echo $!", "change/1", true},
		{"one that wants no SIGTERM", "trap '' TERM; echo $$; while :; do sleep 60; done", "change/1", true},
		{"a daemon with a session of its own", "setsid sh -c 'echo $$; exec sleep 60 >/dev/null 2>&1' &", "change/1", false},
		{"a program of another task", "echo $$; exec sleep 60", "change/11", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			purpose := strings.ReplaceAll(t.Name(), "/", "-") + "-"
			ctx, stop := context.WithCancel(WithPurpose(t.Context(), purpose+c.purpose))
			pids, done := make(chan string, 8), make(chan struct{})
			go func() {
				defer close(done)
				_, _ = Command{Path: "sh", Args: []string{"-c", c.script}, Line: func(s string) { pids <- s }}.Run(ctx)
			}()
			pid := strings.TrimSpace(<-pids)
			if _, err := strconv.Atoi(pid); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = exec.Command("kill", "-9", pid).Run() // for what is meant to live on
				stop()
				<-done
			}()
			count, err := EndOrphans(t.Context(), purpose+"change/1")
			if err != nil {
				t.Fatal(err)
			}
			if c.ended == runs(t, pid) || c.ended != (count > 0) {
				t.Errorf("ended %d programs, it runs: %t", count, runs(t, pid))
			}
		})
	}
}

func TestAProgramThatLeavesADaemonHasEndedWell(t *testing.T) {
	// The daemon keeps the pipe: what was said is read within the delay, for
	// which a busy machine needs more.
	for delay := 20 * time.Millisecond; ; delay *= 4 {
		out, err := Command{Path: "sh", Args: []string{"-c", "sleep 60 & echo $!"}, delay: delay}.Run(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		pid := strings.TrimSpace(out.Stdout)
		if pid == "" && delay < time.Minute {
			continue
		}
		if err := exec.Command("kill", pid).Run(); err != nil {
			t.Error(err)
		}
		return
	}
}
