package atomicfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// names lists a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return strings.Join(out, " ")
}

func content(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestAFileGetsItsContentAndModeWhateverTheUmask(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	old := syscall.Umask(0o777)
	err := errors.Join(Write(path, []byte("one"), 0o640), Write(path, []byte("two"), 0o604))
	syscall.Umask(old)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o604 {
		t.Errorf("the mode is %v, %v", info.Mode(), err)
	}
	if got := content(t, path); got != "two" {
		t.Errorf("the content is %q", got)
	}
	if got := names(t, filepath.Dir(path)); got != "f" {
		t.Errorf("the directory holds: %s", got)
	}
}

func TestALinkIsReplacedAndWhereItPointedIsUntouched(t *testing.T) {
	dir := t.TempDir()
	other, link := filepath.Join(dir, "other"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(other, []byte("theirs"), 0o600), os.Symlink(other, link), Write(link, []byte("ours"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if content(t, other) != "theirs" || content(t, link) != "ours" {
		t.Error("the file was written through the link")
	}
}

func TestWhatCannotBeReplacedStaysAndNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	inTheWay := filepath.Join(dir, "d")
	if err := os.MkdirAll(filepath.Join(inTheWay, "full"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Write(inTheWay, []byte("x"), 0o600); err == nil {
		t.Error("a directory was replaced by a file")
	}
	if got := names(t, dir); got != "d" {
		t.Errorf("left behind: %s", got)
	}
	if err := Write(filepath.Join(dir, "missing", "f"), nil, 0o600); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a directory that is not there gives %v", err)
	}
}

// tmpfs mounts a small file system of its own.
func tmpfs(t *testing.T, options string, flags uintptr) string {
	t.Helper()
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("mounting a tmpfs needs root and CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestAFullDiskLeavesTheOldContentAndNothingElse(t *testing.T) {
	dir := tmpfs(t, "size=64k", 0)
	path := filepath.Join(dir, "f")
	if err := Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, make([]byte, 1<<20), 0o600); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("a full disk gives %v", err)
	}
	if content(t, path) != "old" || names(t, dir) != "f" {
		t.Errorf("after that there is %q in: %s", content(t, path), names(t, dir))
	}
}

func TestAReadOnlyDirectoryIsAnErrorAndStaysAsItIs(t *testing.T) {
	dir := tmpfs(t, "size=64k", 0)
	path := filepath.Join(dir, "f")
	if err := Write(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if err := Write(path, []byte("new"), 0o600); !errors.Is(err, syscall.EROFS) {
		t.Errorf("a read-only file system gives %v", err)
	}
	if content(t, path) != "old" || names(t, dir) != "f" {
		t.Errorf("after that there is %q in: %s", content(t, path), names(t, dir))
	}
}

// TestAReaderNeverSeesAPart: what a reader sees at any moment is what a machine
// that loses its power at that moment keeps, as the file is synced before it
// gets its name.
func TestAReaderNeverSeesAPart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "f")
	a, b := strings.Repeat("a", 100_000), strings.Repeat("b", 50_000)
	if err := Write(path, []byte(a), 0o600); err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	stop := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if data, err := os.ReadFile(path); err != nil || (string(data) != a && string(data) != b) {
				t.Errorf("a reader saw %d bytes, %v", len(data), err)
				return
			}
		}
	})
	for i := range 50 {
		text := a
		if i%2 == 0 {
			text = b
		}
		if err := Write(path, []byte(text), 0o600); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	wg.Wait()
}

func TestWhatAKilledProcessLeftIsUsedAndGone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, ".f.new"), []byte("a part of something long"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := Write(filepath.Join(dir, "f"), []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, "f"))
	if got := content(t, filepath.Join(dir, "f")); got != "new" || err != nil || info.Mode().Perm() != 0o600 || names(t, dir) != "f" {
		t.Errorf("there is %q with mode %v, %v; the directory holds: %s", got, info.Mode(), err, names(t, dir))
	}
}

func TestWhatSomebodyPutInTheWayLeadsNowhere(t *testing.T) {
	for name, put := range map[string]func(victim, name string) error{
		"a symbolic link": os.Symlink,
		"a hard link":     os.Link,
		"a pipe":          func(_, name string) error { return syscall.Mkfifo(name, 0o600) },
	} {
		dir := t.TempDir()
		victim := filepath.Join(dir, "victim")
		if err := errors.Join(os.WriteFile(victim, []byte("theirs"), 0o600), put(victim, filepath.Join(dir, ".f.new"))); err != nil {
			t.Fatal(err)
		}
		if err := Write(filepath.Join(dir, "f"), []byte("ours"), 0o600); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if content(t, victim) != "theirs" || content(t, filepath.Join(dir, "f")) != "ours" || names(t, dir) != "f victim" {
			t.Errorf("%s: the victim has %q; the directory holds: %s", name, content(t, victim), names(t, dir))
		}
	}
}

func TestWritersOfOnePathDoNotMixTheirContents(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "f")
	var wg sync.WaitGroup
	for i := range 8 {
		text := strings.Repeat(string(rune('a'+i)), 10_000*(i+1))
		wg.Go(func() {
			for range 20 {
				if err := Write(path, []byte(text), 0o600); err != nil {
					t.Error(err)
				}
				data, err := os.ReadFile(path)
				if err != nil || len(data) != 10_000*int(data[0]-'a'+1) || strings.Count(string(data), string(data[:1])) != len(data) {
					t.Errorf("a reader saw %d bytes, %v", len(data), err)
				}
			}
		})
	}
	wg.Wait()
	if got := names(t, dir); got != "f" {
		t.Errorf("left behind: %s", got)
	}
}
