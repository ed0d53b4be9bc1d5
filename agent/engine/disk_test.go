package engine

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"icm/internal/wire"
)

// tinyDisk mounts a file system of 256 kB.
func tinyDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("mounting a tmpfs needs root and CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// fill writes until the disk is full and returns the file.
func fill(dir string) (string, error) {
	path := filepath.Join(dir, "full")
	f, err := os.Create(path)
	if err != nil {
		return path, err
	}
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		return path, err
	}
	return path, f.Close()
}

func TestAnEngineWhoseDiskIsFullStopsAndGoesOnWhenThereIsRoom(t *testing.T) {
	dir := tinyDisk(t)
	c := program(t, "1 2 3")
	w := newWorld()
	log := strings.Repeat("a long line ", 300)
	tries := 0
	fillsUp := func(kinds map[string]Kind) map[string]Kind {
		do := kinds["both"].Do
		k := kinds["both"]
		k.Do = func(ctx context.Context, task *Task) error {
			if task.ID == "2" {
				tries++
				if tries == 1 {
					if _, err := fill(dir); err != nil {
						return err
					}
				}
				for range 5 {
					task.Logf("%s", log)
				}
			}
			return do(ctx, task)
		}
		kinds["both"] = k
		return kinds
	}
	run := func() error {
		e, err := Open(dir, fillsUp(w.kinds()), quiet())
		if err != nil {
			return err
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ran := make(chan error, 1)
		go func() { ran <- e.Run(ctx) }()
		_, err = e.Submit(ctx, request(c))
		if err == nil {
			_, err = e.Events(ctx, 0, c.ID, true, func(wire.Item) error { return nil })
		}
		stop()
		return errors.Join(err, <-ran, e.Close())
	}
	if err := run(); !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "cannot write the task journal") {
		t.Fatalf("on a full disk the engine says %v", err)
	}
	if err := run(); !errors.Is(err, syscall.ENOSPC) { // systemd starts it again, and again
		t.Fatalf("on a disk that is still full the engine says %v", err)
	}
	if err := os.Remove(filepath.Join(dir, "full")); err != nil {
		t.Fatal(err)
	}
	if err := run(); err != nil {
		t.Fatalf("with room again the engine says %v", err)
	}
	s := start(t, dir, w, Options{})
	defer func() { _ = s.end() }()
	if got := standing(s.status(c.ID)); got != "1=done 2=done 3=done; done" {
		t.Errorf("the change stands at %s", got)
	}
}

func TestAnErrorAsLongAsABookIsCutAndEndsTheTaskOnly(t *testing.T) {
	kinds := map[string]Kind{"chatty": {Do: func(context.Context, *Task) error {
		return errors.New(strings.Repeat("cannot, ", 4<<20))
	}}}
	e, err := Open(t.TempDir(), kinds, quiet())
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- e.Run(ctx) }()
	c := wire.Change{ID: "c", OnError: wire.Undo, Tasks: []wire.Task{{ID: "1", Kind: "chatty", Args: []byte("{}")}}}
	if _, err := e.Submit(ctx, request(c)); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Events(ctx, 0, "c", true, func(i wire.Item) error {
		if i.Event != nil && len(i.Event.Error) > 2*maxError {
			t.Errorf("an event has an error of %d bytes", len(i.Event.Error))
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	stop()
	if err := errors.Join(<-ran, e.Close()); err != nil {
		t.Error(err)
	}
}
