package main

import (
	"bytes"
	"io"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func listenAt(t *testing.T, path string) *net.UnixListener {
	t.Helper()
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func TestDialJoinsItsStreamsToTheSocketUntilTheServiceHangsUp(t *testing.T) {
	home := t.TempDir()
	l := listenAt(t, filepath.Join(home, "sock"))
	served := make(chan error, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			served <- err
			return
		}
		all, err := io.ReadAll(c) // to the end of standard input
		_, _ = c.Write(append([]byte("got "), all...))
		_ = c.Close()
		served <- err
	}()
	code, out, said := try(t, home, strings.NewReader("a question"), "dial")
	if code != 0 || out != "got a question" || said != "" {
		t.Errorf("status %d, output %q, %q", code, out, said)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func TestDialEndsWhenTheServiceHangsUpAlthoughStandardInputStaysOpen(t *testing.T) {
	home := t.TempDir()
	l := listenAt(t, filepath.Join(home, "sock"))
	go func() {
		if c, err := l.Accept(); err == nil {
			_, _ = c.Write([]byte("bye"))
			_ = c.Close()
		}
	}()
	in, feed := io.Pipe()
	defer feed.Close()
	if code, out, said := try(t, home, in, "dial"); code != 0 || out != "bye" {
		t.Errorf("status %d, output %q, %q", code, out, said)
	}
}

func TestDialWaitsForASocketThatAppearsLate(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, "sock")
	tried := make(chan struct{}) // dial has found nothing once
	go func() {
		<-tried
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			return
		}
		if c, err := l.Accept(); err == nil {
			_ = c.Close()
		}
		_ = l.Close()
	}()
	if _, err := connect(t.Context(), path, time.Nanosecond); err == nil {
		t.Fatal("there is no socket, and somebody answers")
	}
	close(tried)
	conn, err := connect(t.Context(), path, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
}

func TestDialSaysWhichSocketNeverCame(t *testing.T) {
	path := filepath.Join(t.TempDir(), "sock")
	_, err := connect(t.Context(), path, 2*dialPause)
	if err == nil || !strings.Contains(err.Error(), "does not answer at "+path+", after 100ms") {
		t.Errorf("dial says %v", err)
	}
}

func TestACommandLineThatIsNotUnderstoodGetsTheUsage(t *testing.T) {
	for _, args := range [][]string{nil, {"fly"}, {"serve", "now"}, {"put", "a", "1"}, {"dial", "x"}} {
		code, _, said := try(t, t.TempDir(), bytes.NewReader(nil), args...)
		if code != 2 || !strings.Contains(said, usage) {
			t.Errorf("%q: status %d, %q", args, code, said)
		}
	}
}
