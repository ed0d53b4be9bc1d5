package iris

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// tree makes files, links ("name -> target") and directories ("name/").
func tree(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, n := range names {
		link, to, isLink := strings.Cut(n, " -> ")
		path := filepath.Join(dir, link)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		switch {
		case isLink:
			err = errors.Join(err, os.Symlink(to, path))
		case strings.HasSuffix(n, "/"):
			err = errors.Join(err, os.MkdirAll(path, 0o755))
		default:
			err = errors.Join(err, os.WriteFile(path, []byte("x"), 0o600))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func there(t *testing.T, paths ...string) {
	t.Helper()
	for _, p := range paths {
		if !exists(p) {
			t.Errorf("%s was deleted", p)
		}
	}
}

func TestLinksAreDeletedAndWhereTheyPointIsNot(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "other/data/file", "irissys/a/b/c", "irissys/empty/", "irissys/out -> "+filepath.Join(dir, "other"),
		"irissys/a/file -> ../../other/data/file", "irissys/dangling -> nowhere")
	if err := RemoveTree(filepath.Join(dir, "irissys")); err != nil {
		t.Fatal(err)
	}
	if exists(filepath.Join(dir, "irissys")) {
		t.Error("the directory is still there")
	}
	there(t, filepath.Join(dir, "other/data/file"))
	tree(t, dir, "link -> other")
	if err := RemoveTree(filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	there(t, filepath.Join(dir, "other/data/file"))
}

func TestWhatIsNotThereIsDeletedAlready(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{"irissys", "usr/irissys"} {
		if err := RemoveTree(filepath.Join(dir, path)); err != nil {
			t.Error(err)
		}
	}
}

// mounted mounts a small file system.
func mounted(t *testing.T, source, dir, fsType string, flags uintptr) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount(source, dir, fsType, flags, ""); err != nil {
		t.Skipf("mounting needs root and CAP_SYS_ADMIN: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatIsMountedInADirectoryStaysAndSoDoesTheWayToIt(t *testing.T) {
	dir := t.TempDir()
	sys := filepath.Join(dir, "irissys")
	tree(t, dir, "irissys/bin/iris", "irissys/mgr/iris.cpf", "elsewhere/database")
	mounted(t, "tmpfs", filepath.Join(sys, "mgr/data"), "tmpfs", 0)
	mounted(t, filepath.Join(dir, "elsewhere"), filepath.Join(sys, "with blank/bound"), "", syscall.MS_BIND)
	tree(t, sys, "mgr/data/IRIS.DAT")
	if err := RemoveTree(sys); err != nil {
		t.Fatal(err)
	}
	there(t, filepath.Join(sys, "mgr/data/IRIS.DAT"), filepath.Join(sys, "with blank/bound/database"), filepath.Join(dir, "elsewhere/database"))
	for _, gone := range []string{"bin", "mgr/iris.cpf"} {
		if exists(filepath.Join(sys, gone)) {
			t.Errorf("%s is still there", gone)
		}
	}
}

// TestNobodyMakesUsDeleteElsewhere: the owner of an installation puts links in
// the place of directories while root deletes it.
func TestNobodyMakesUsDeleteElsewhere(t *testing.T) {
	dir := t.TempDir()
	precious := filepath.Join(dir, "precious")
	tree(t, dir, "precious/file")
	for round := range 50 {
		sys := filepath.Join(dir, "irissys"+strconv.Itoa(round))
		for i := range 20 {
			tree(t, sys, "d"+strconv.Itoa(i)+"/file")
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			for i := range 20 {
				d := filepath.Join(sys, "d"+strconv.Itoa(i))
				_ = os.Rename(d, d+".away")
				_ = os.Symlink(precious, d)
			}
		})
		_ = RemoveTree(sys) // it may fail: what counts is what is left
		wg.Wait()
		if !exists(filepath.Join(precious, "file")) {
			t.Fatal("a link led out of the directory")
		}
	}
}

func TestOnlyDirectoriesThatCanBeAnInstallationAreRemovable(t *testing.T) {
	dir := t.TempDir()
	tree(t, dir, "real/", "link -> real")
	for _, bad := range []string{"", "/", "/usr", "/etc", "/var", "/home/x", "relative", "/a/../b", "/tmp", filepath.Join(dir, "link"), filepath.Join(dir, "link/below")} {
		if err := CheckRemovable(bad); err == nil {
			t.Errorf("%q may be deleted", bad)
		}
		if _, err := DataIn(bad); err == nil {
			t.Errorf("what is in %q may be deleted", bad)
		}
	}
	if err := CheckRemovable(filepath.Join(dir, "real")); err != nil {
		t.Error(err)
	}
}

func TestDataGoesAndTheDirectoryLostAndFoundAndMountsStay(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	tree(t, dir, "IRIS.DAT", "journals/1", "lost+found/x", "link -> /etc")
	mounted(t, "tmpfs", filepath.Join(dir, "wij"), "tmpfs", 0)
	tree(t, dir, "wij/IRIS.WIJ")
	if err := RemoveData(dir); err != nil {
		t.Fatal(err)
	}
	there(t, filepath.Join(dir, "lost+found/x"), filepath.Join(dir, "wij/IRIS.WIJ"), "/etc/passwd")
	for _, gone := range []string{"IRIS.DAT", "journals", "link"} {
		if exists(filepath.Join(dir, gone)) {
			t.Errorf("%s is still there", gone)
		}
	}
}
