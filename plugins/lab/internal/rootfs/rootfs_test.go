package rootfs

import (
	"os"
	"path/filepath"
	"testing"
)

func TestALinkInANodeDoesNotLeadOutOfIt(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "etc")
	if err := os.Mkdir(outside, 0o755); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "etc")); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := Write(root, "etc/hosts", []byte("x"), 0o644); err == nil {
		t.Error("Write through a link that leads out was no error")
	}
	if left, _ := os.ReadDir(outside); len(left) != 0 {
		t.Errorf("something was written outside: %v", left)
	}
}

func TestModesAreExactAndFilesAreReplaced(t *testing.T) {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for _, text := range []string{"first", "second"} {
		if err := Write(root, "a/b/file", []byte(text), 0o666); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(dir, "a/b/file"))
		if err != nil || string(got) != text {
			t.Errorf("the file holds %q, %v; want %q", got, err, text)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "a/b/file"))
	if err != nil || info.Mode().Perm() != 0o666 {
		t.Errorf("the file is %v, %v; want 0666 whatever the umask", info, err)
	}
	if err := Link(root, "/dev/null", "a/b/file"); err != nil {
		t.Fatal(err)
	}
	if got, err := os.Readlink(filepath.Join(dir, "a/b/file")); err != nil || got != "/dev/null" {
		t.Errorf("the link is %q, %v", got, err)
	}
}
