package lockfile

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestALockIsHeldByOneAtATime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	unlock, err := Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := Take(short, path); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Take of a held lock = %v, want a deadline error", err)
	}
	unlock()
	again, err := Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	again()
}

func TestALockWhoseFileWasRemovedIsANewLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer first()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := Take(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	second()
}
