package disk

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const mib = 1 << 20

func TestAFileGrowsButNeverShrinks(t *testing.T) {
	file := filepath.Join(t.TempDir(), "data.img")
	for _, step := range []struct {
		size      int64
		wantGrown bool
		wantErr   string
		wantSize  int64
	}{
		{size: 2 * mib, wantSize: 2 * mib},
		{size: 2 * mib, wantSize: 2 * mib},
		{size: 4 * mib, wantGrown: true, wantSize: 4 * mib},
		{size: 3 * mib, wantErr: "cannot shrink", wantSize: 4 * mib},
	} {
		grown, err := Create(file, step.size)
		if grown != step.wantGrown || (err != nil) != (step.wantErr != "") {
			t.Fatalf("Create(%d) = %v, %v; want %v, %q", step.size, grown, err, step.wantGrown, step.wantErr)
		}
		if err != nil && !strings.Contains(err.Error(), step.wantErr) {
			t.Errorf("Create(%d) said %q, want %q in it", step.size, err, step.wantErr)
		}
		if info, err := os.Stat(file); err != nil || info.Size() != step.wantSize {
			t.Errorf("after Create(%d) the file is %v (%v), want %d bytes", step.size, info, err, step.wantSize)
		}
	}
}

func TestALoopDeviceIsFoundAgainGrowsAndGoesAway(t *testing.T) {
	needLoop(t)
	dir := t.TempDir()
	t.Cleanup(func() {
		if err := DetachAll(t.Context(), dir); err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
	})
	file := filepath.Join(dir, "data.img")
	create(t, file, 2*mib)
	device, err := Attach(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Attach(t.Context(), file)
	if err != nil || again != device {
		t.Fatalf("the second Attach = %s, %v; want %s", again, err, device)
	}
	create(t, file, 4*mib)
	if err := Refresh(device); err != nil {
		t.Fatal(err)
	}
	if got := deviceSize(t, device); got != 4*mib {
		t.Errorf("after growing, %s has %d bytes, want %d", device, got, 4*mib)
	}
	if err := DetachAll(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if left, err := Attached(dir); err != nil || len(left) != 0 {
		t.Errorf("after DetachAll there are %v, %v", left, err)
	}
}

func create(t *testing.T, file string, size int64) {
	t.Helper()
	if _, err := Create(file, size); err != nil {
		t.Fatal(err)
	}
}

func deviceSize(t *testing.T, device string) int64 {
	t.Helper()
	text, err := os.ReadFile("/sys/block/" + filepath.Base(device) + "/size")
	if err != nil {
		t.Fatal(err)
	}
	sectors, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return sectors * 512
}

func needLoop(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: loop devices")
	}
	if _, err := os.Stat(Control); err != nil {
		t.Skipf("needs loop devices: %v", err)
	}
}
