package main

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"icm/agent/engine"
	"icm/internal/wire"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// systemdSocket is what systemd listens on, and next what it is told next.
func systemdSocket(t *testing.T) (next func(limit time.Duration) (string, error)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	t.Setenv("NOTIFY_SOCKET", path)
	return func(limit time.Duration) (string, error) {
		if err := c.SetReadDeadline(time.Now().Add(limit)); err != nil {
			return "", err
		}
		buf := make([]byte, 1024)
		n, err := c.Read(buf)
		return string(buf[:n]), err
	}
}

// serving runs an agent with an engine of its own until it is stopped.
func serving(t *testing.T, kinds map[string]engine.Kind, opt engine.Options) (eng *engine.Engine, stop func() error) {
	t.Helper()
	home := t.TempDir()
	env := map[string]string{"ICM_AGENT_HOME": home, "ICM_AGENT_SOCKET": filepath.Join(home, "sock")}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	eng, err := engine.OpenWith(home, kinds, log, opt)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- serveWith(ctx, world{Getenv: func(k string) string { return env[k] }, Err: io.Discard}, eng, log)
	}()
	return eng, func() error {
		cancel()
		return errors.Join(<-ended, eng.Close())
	}
}

func expect(t *testing.T, next func(time.Duration) (string, error), want string) {
	t.Helper()
	for {
		got, err := next(patience)
		if err != nil {
			t.Fatalf("systemd waits for %s: %v", want, err)
		}
		if got == want {
			return
		}
		if got != "WATCHDOG=1" {
			t.Fatalf("systemd is told %q, not %q", got, want)
		}
	}
}

func TestSystemdIsToldWhenTheAgentIsReadyAliveAndStopping(t *testing.T) {
	next := systemdSocket(t)
	t.Setenv("WATCHDOG_USEC", "2000000")
	t.Setenv("WATCHDOG_PID", "")
	_, stop := serving(t, nil, engine.Options{})
	expect(t, next, "READY=1")
	expect(t, next, "WATCHDOG=1")
	expect(t, next, "WATCHDOG=1")
	ended := make(chan error, 1)
	go func() { ended <- stop() }()
	expect(t, next, "STOPPING=1")
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestWithoutAWatchdogTheAgentServesAndSaysSo(t *testing.T) {
	next := systemdSocket(t)
	t.Setenv("WATCHDOG_USEC", "")
	_, stop := serving(t, nil, engine.Options{})
	expect(t, next, "READY=1")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// TestAStuckEngineIsNotCalledAlive: an engine that hangs in a write holds its
// lock, and systemd must notice.
func TestAStuckEngineIsNotCalledAlive(t *testing.T) {
	next := systemdSocket(t)
	const interval = 400 * time.Millisecond
	t.Setenv("WATCHDOG_USEC", "400000")
	t.Setenv("WATCHDOG_PID", "")
	stuck, free := make(chan struct{}), make(chan struct{})
	once := false
	eng, stop := serving(t, map[string]engine.Kind{"nothing": {Do: func(context.Context, *engine.Task) error { return nil }}},
		engine.Options{Fault: func(engine.FaultPoint) error { // called with the engine's lock held
			if !once {
				once = true
				close(stuck)
				<-free
			}
			return nil
		}})
	expect(t, next, "READY=1")
	expect(t, next, "WATCHDOG=1")
	submitted := make(chan error, 1)
	go func() {
		_, err := eng.Submit(context.Background(), wire.SubmitRequest{Fence: wire.Fence{Deployment: "d", Number: 1},
			Change: wire.Change{ID: "1", OnError: wire.Undo, Tasks: []wire.Task{{ID: "1", Kind: "nothing", Args: []byte("{}")}}}})
		submitted <- err
	}()
	<-stuck
	// Pings that were on their way may still come, one for each look that had
	// the lock before; then there are none.
	for pings := 0; ; pings++ {
		if _, err := next(5 * interval); err != nil {
			break
		}
		if pings > 2 {
			t.Error("a stuck engine is called alive")
			break
		}
	}
	close(free)
	if err := <-submitted; err != nil {
		t.Error(err)
	}
	expect(t, next, "WATCHDOG=1")
	if err := stop(); err != nil {
		t.Error(err)
	}
}

func TestTheJournalIsPrintedForPeople(t *testing.T) {
	home := t.TempDir()
	fail := errors.New("no luck")
	kinds := map[string]engine.Kind{"a": {Do: func(_ context.Context, t *engine.Task) error {
		t.Logf("hello")
		return fail
	}}}
	eng, err := engine.Open(home, kinds, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- eng.Run(ctx) }()
	change := wire.Change{ID: "op-1", Summary: "Try", OnError: wire.Undo, Tasks: []wire.Task{{ID: "t1", Kind: "a", Args: []byte("{}")}}}
	if _, err := eng.Submit(ctx, wire.SubmitRequest{Fence: wire.Fence{Deployment: "d", Number: 1}, Change: change}); err != nil {
		t.Fatal(err)
	}
	if _, err := eng.Events(ctx, 0, "op-1", true, func(wire.Item) error { return nil }); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := errors.Join(<-ended, eng.Close()); err != nil {
		t.Fatal(err)
	}
	code, out, said := try(t, home, bytes.NewReader(nil), "journal")
	if code != 0 || said != "" {
		t.Fatalf("status %d, %q", code, said)
	}
	for _, want := range []string{
		" change op-1 is do: Try\n", " change op-1 task t1 is doing\n", " change op-1 task t1: hello\n", " change op-1 task t1 is error: no luck\n", " change op-1 is undone: ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the journal does not say %q:\n%s", want, out)
		}
	}
	if code, _, said := try(t, t.TempDir(), bytes.NewReader(nil), "journal"); code != 1 || !strings.Contains(said, "no such file") {
		t.Errorf("without a journal: status %d, %q", code, said)
	}
}

func TestTheVersionIsBuildAndProtocol(t *testing.T) {
	if code, out, _ := try(t, t.TempDir(), bytes.NewReader(nil), "version"); code != 0 || !strings.HasPrefix(out, "unknown protocol ") {
		t.Errorf("status %d, %q", code, out)
	}
}

func TestASecondAgentIsRefused(t *testing.T) {
	home := t.TempDir()
	eng, err := engine.Open(home, nil, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	defer eng.Close()
	if code, _, said := try(t, home, bytes.NewReader(nil), "serve"); code != 1 || !strings.Contains(said, "another agent is using it") {
		t.Errorf("status %d, %q", code, said)
	}
}
