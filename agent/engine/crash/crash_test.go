package crash

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"icm/agent/engine"
	"icm/internal/wire"
)

// TestMain lets the test binary be the agent that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("CRASH_TEST_DIR"); dir != "" {
		if err := agent(dir, os.Getenv("CRASH_TEST_FAULT")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// agent makes and removes files a, b and c in dir; c fails at last, so that
// everything is undone.
func agent(dir, spec string) error {
	fault, err := At(spec)
	if err != nil {
		return err
	}
	file := func(t *engine.Task) string { return filepath.Join(dir, "thing-"+t.ID) }
	kinds := map[string]engine.Kind{"touch": {
		Do: func(_ context.Context, t *engine.Task) error {
			if err := os.WriteFile(file(t), nil, 0o600); err != nil {
				return err
			}
			t.Logf("made")
			if t.ID == "c" {
				return errors.New("no luck")
			}
			return nil
		},
		Undo: func(_ context.Context, t *engine.Task) error { return os.RemoveAll(file(t)) },
	}}
	e, err := engine.OpenWith(filepath.Join(dir, "home"), kinds, slog.New(slog.NewTextHandler(io.Discard, nil)), engine.Options{Fault: fault})
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	change := wire.Change{ID: "1", OnError: wire.Undo}
	for _, id := range []string{"a", "b", "c"} {
		change.Tasks = append(change.Tasks, wire.Task{ID: id, Kind: "touch", Summary: id, Args: []byte("{}")})
	}
	_, err = e.Submit(ctx, wire.SubmitRequest{Fence: wire.Fence{Deployment: "d"}, Change: change, Secrets: wire.Secrets{"k": []byte("v")}})
	if err == nil {
		_, err = e.Events(ctx, 0, "1", true, func(wire.Item) error { return nil })
	}
	stop()
	return errors.Join(err, <-ran, e.Close())
}

// run is one life of the agent; killed reports whether the fault ended it.
func run(t *testing.T, dir, spec string) (killed bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	// The race detector sleeps a second at exit, a hundred times here.
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=0", "CRASH_TEST_DIR="+dir, "CRASH_TEST_FAULT="+spec)
	out, err := cmd.CombinedOutput()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		t.Fatalf("%s: %v: %s", spec, err, out)
	}
	return false
}

func TestAnAgentKilledAtAnyRecordUndoesEverythingAtLast(t *testing.T) {
	for _, how := range []string{"before:%d", "after:%d", "torn:%d:7", "torn:%d:60"} {
		n := 1
		for ; ; n++ {
			dir := t.TempDir()
			spec := fmt.Sprintf(how, n)
			if !run(t, dir, spec) {
				break // there is no record n: the change ended before it
			}
			if run(t, dir, "") {
				t.Fatalf("%s: killed without a fault", spec)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "thing-*")); err != nil || len(left) > 0 {
				t.Fatalf("%s: %v are left, %v", spec, left, err)
			}
			var last wire.Event
			if err := engine.ReadJournal(filepath.Join(dir, "home"), func(e wire.Event) error { last = e; return nil }); err != nil {
				t.Fatal(err)
			}
			if last.Status != wire.StatusUndone || last.Task != "" {
				t.Fatalf("%s: the journal ends with %+v", spec, last)
			}
		}
		if n < 20 {
			t.Fatalf("%s: only %d records", how, n)
		}
	}
}

func TestAFaultIsSaidExactly(t *testing.T) {
	for _, bad := range []string{"before", "before:x", "torn:3", "torn:3:-1", "after:3:4", "later:3"} {
		if _, err := At(bad); err == nil || !strings.Contains(err.Error(), "before:N") {
			t.Errorf("%q gave %v", bad, err)
		}
	}
}
