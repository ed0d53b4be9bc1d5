package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// try runs one command of the agent, as main does.
func try(t *testing.T, home string, in io.Reader, args ...string) (code int, out, said string) {
	t.Helper()
	var o, e bytes.Buffer
	env := map[string]string{"ICM_AGENT_HOME": home, "ICM_AGENT_SOCKET": filepath.Join(home, "sock")}
	code = run(t.Context(), world{Args: args, In: in, Out: &o, Err: &e, Getenv: func(k string) string { return env[k] }})
	return code, o.String(), e.String()
}

func sumOf(text string) string {
	s := sha256.Sum256([]byte(text))
	return hex.EncodeToString(s[:])
}

// incoming lists what lies where files are taken to.
func incoming(t *testing.T, home string) string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(home, "incoming"))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return strings.Join(names, " ")
}

func TestAFileIsTakenUnderItsNameOnlyWhenItIsWhole(t *testing.T) {
	const kit = "a kit"
	for _, row := range []struct {
		what, name, sent, size, sum string
		says                        string // "" is success
	}{
		{"a whole file", "kit.tar.gz", kit, "5", sumOf(kit), ""},
		{"an empty file", "empty", "", "0", sumOf(""), ""},
		{"a sum in capitals", "kit", kit, "5", strings.ToUpper(sumOf(kit)), ""},
		{"another file", "kit", "a cat", "5", sumOf(kit), "its sha256 is"},
		{"a file that breaks off", "kit", "a k", "5", sumOf(kit), "3 of 5 bytes came"},
		{"more than was announced", "kit", kit + "!", "5", sumOf(kit), "more than the 5 bytes announced"},
		{"a name with a directory", "a/kit", kit, "5", sumOf(kit), "not a plain file name"},
		{"a name that leads out", "..", kit, "5", sumOf(kit), "not a plain file name"},
		{"a hidden name", ".kit", kit, "5", sumOf(kit), "not a plain file name"},
		{"no name", "", kit, "5", sumOf(kit), "not a plain file name"},
		{"a size that is none", "kit", kit, "five", sumOf(kit), "not a size"},
		{"a negative size", "kit", kit, "-1", sumOf(kit), "not a size"},
		{"a size beyond all kits", "kit", kit, strconv.Itoa(maxPut + 1), sumOf(kit), "not a size"},
		{"a sum that is none", "kit", kit, "5", "abc", "not a sha256"},
	} {
		home := t.TempDir()
		code, out, said := try(t, home, strings.NewReader(row.sent), "put", row.name, row.size, row.sum)
		if out != "" {
			t.Errorf("%s: standard output got %q", row.what, out)
		}
		if row.says == "" {
			data, err := os.ReadFile(filepath.Join(home, "incoming", row.name))
			if code != 0 || err != nil || string(data) != row.sent {
				t.Errorf("%s: status %d, %q; the file has %q, %v", row.what, code, said, data, err)
			}
			continue
		}
		if code != 1 || !strings.Contains(said, row.says) || !strings.HasPrefix(said, "icm-agent: cannot take ") {
			t.Errorf("%s: status %d, %q; want %q", row.what, code, said, row.says)
		}
		if left := incoming(t, home); left != "" {
			t.Errorf("%s: left behind: %s", row.what, left)
		}
	}
}

func TestAFileThatIsTakenAgainReplacesTheOldOne(t *testing.T) {
	home := t.TempDir()
	for _, text := range []string{"old", "new"} {
		if code, _, said := try(t, home, strings.NewReader(text), "put", "f", "3", sumOf(text)); code != 0 {
			t.Fatal(said)
		}
	}
	if data, err := os.ReadFile(filepath.Join(home, "incoming", "f")); err != nil || string(data) != "new" {
		t.Errorf("the file has %q, %v", data, err)
	}
}

func TestABrokenTransferLeavesTheOldFileAndNothingElse(t *testing.T) {
	home := t.TempDir()
	if code, _, said := try(t, home, strings.NewReader("old"), "put", "f", "3", sumOf("old")); code != 0 {
		t.Fatal(said)
	}
	// What an agent that was killed in the middle left:
	dead := filepath.Join(home, "incoming", partPrefix("f")+"123")
	if err := os.WriteFile(dead, []byte("ne"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, said := try(t, home, strings.NewReader("ne"), "put", "f", "3", sumOf("new")); code != 1 {
		t.Errorf("status %d, %q", code, said)
	}
	if got := incoming(t, home); got != "f" {
		t.Errorf("there are now: %s", got)
	}
	if data, err := os.ReadFile(filepath.Join(home, "incoming", "f")); err != nil || string(data) != "old" {
		t.Errorf("the old file has %q, %v", data, err)
	}
}

// TestTwoTransfersOfOneNameDoNotMix: the line of the first broke, its process
// has not noticed yet, and the controller sends the file again.
func TestTwoTransfersOfOneNameDoNotMix(t *testing.T) {
	home := t.TempDir()
	stuck, feed := io.Pipe()
	ended := make(chan int, 1)
	go func() {
		code, _, _ := try(t, home, stuck, "put", "f", "6", sumOf("first!"))
		ended <- code
	}()
	if _, err := feed.Write([]byte("fir")); err != nil { // returns when it has been read
		t.Fatal(err)
	}
	if code, _, said := try(t, home, strings.NewReader("second"), "put", "f", "6", sumOf("second")); code != 0 {
		t.Fatal(said)
	}
	data, err := os.ReadFile(filepath.Join(home, "incoming", "f"))
	if err != nil || string(data) != "second" {
		t.Errorf("the file has %q, %v", data, err)
	}
	if err := feed.Close(); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != 1 {
		t.Errorf("the stuck transfer ended with status %d", code)
	}
	if got := incoming(t, home); got != "f" {
		t.Errorf("there are now: %s", got)
	}
}

// tinyDisk mounts a file system of that many bytes.
func tinyDisk(t *testing.T, size string) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Skipf("mounting a tmpfs needs root and CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskIsSaidAndLeavesNothing(t *testing.T) {
	home := tinyDisk(t, "64k")
	text := strings.Repeat("x", 1<<20)
	code, _, said := try(t, home, strings.NewReader(text), "put", "f", strconv.Itoa(len(text)), sumOf(text))
	if code != 1 || !strings.Contains(said, "no space left on device") {
		t.Errorf("status %d, %q", code, said)
	}
	if left := incoming(t, home); left != "" {
		t.Errorf("left behind: %s", left)
	}
	if code, _, said := try(t, home, strings.NewReader("small"), "put", "f", "5", sumOf("small")); code != 0 {
		t.Errorf("afterwards a small file is refused: %s", said)
	}
}
