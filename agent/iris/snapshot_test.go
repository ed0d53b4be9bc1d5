package iris

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"icm/internal/wire"
)

// describe lists a tree with everything that a restore must bring back.
func describe(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	inodes := map[uint64]string{}
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := os.Lstat(path)
		if err != nil {
			return err
		}
		rel, _ := filepath.Rel(dir, path)
		sys := sysOf(st)
		line := fmt.Sprintf("%s %v %d:%d %d", rel, st.Mode(), sys.Uid, sys.Gid, st.ModTime().UnixNano())
		switch {
		case st.Mode()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			if err != nil {
				return err
			}
			line += " -> " + to
		case st.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			line += " " + sum(data)
			if sys.Nlink > 1 {
				if inodes[sys.Ino] == "" {
					inodes[sys.Ino] = rel
				}
				line += " same as " + inodes[sys.Ino]
			}
		}
		out = append(out, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sort.Strings(out)
	return out
}

func put(t *testing.T, path, text string, mode fs.FileMode) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o600), os.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// installation makes a node with something like an installation on it.
func installation(t *testing.T) (*Node, wire.Instance) {
	t.Helper()
	root := t.TempDir()
	n := New(root, filepath.Join(root, "var/lib/icm-agent"))
	dir := filepath.Join(root, "usr/irissys")
	put(t, filepath.Join(root, "usr/bin/iris"), "#!/bin/sh\n# old\n", 0o755)
	put(t, filepath.Join(n.registry(), "iris.reg"), "old", 0o644)
	put(t, filepath.Join(dir, "iris.cpf"), "[config]\n", 0o664)
	put(t, filepath.Join(dir, "bin/irisdb"), "binary", 0o755|fs.ModeSetuid)
	put(t, filepath.Join(dir, "mgr/IRIS.DAT"), strings.Repeat("x", 1<<20), 0o660)
	if err := errors.Join(
		os.Symlink("mgr/IRIS.DAT", filepath.Join(dir, "link")),
		os.Link(filepath.Join(dir, "bin/irisdb"), filepath.Join(dir, "bin/irisdb2")),
		syscall.Mkfifo(filepath.Join(dir, "mgr/pipe"), 0o600),
		os.Chtimes(filepath.Join(dir, "mgr/IRIS.DAT"), time.Unix(1, 5), time.Unix(1e9, 7)),
		os.Chmod(filepath.Join(dir, "mgr"), 0o775|fs.ModeSetgid),
	); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		if err := os.Lchown(filepath.Join(dir, "iris.cpf"), 51773, 51774); err != nil {
			t.Fatal(err)
		}
	}
	return n, wire.Instance{Name: "IRIS", Dir: dir, Version: "2018.2.0.792.0", Status: "down"}
}

func quiet(int64, int64) {}

// damage is what an upgrade does to an installation.
func damage(t *testing.T, n *Node, in wire.Instance) {
	t.Helper()
	put(t, filepath.Join(in.Dir, "bin/irisdb"), "newer binary", 0o700)
	put(t, filepath.Join(in.Dir, "bin/added"), "new", 0o644)
	put(t, filepath.Join(n.registry(), "iris.reg"), "new", 0o644)
	put(t, filepath.Join(n.registry(), "added"), "new", 0o644)
	put(t, n.usrBin(), "#!/bin/sh\n# new\n", 0o700)
	if err := os.RemoveAll(filepath.Join(in.Dir, "link")); err != nil {
		t.Fatal(err)
	}
}

func TestARestoreBringsTheOldVersionBackExactly(t *testing.T) {
	n, in := installation(t)
	wantDir, wantReg, wantBin := describe(t, in.Dir), describe(t, n.registry()), describe(t, n.usrBin())

	running := in
	running.Status = "running"
	if err := n.TakeSnapshot(t.Context(), running, true, quiet); err != nil {
		t.Fatal(err)
	}
	if err := n.Restore(t.Context(), in.Name, in.Dir); err == nil {
		t.Fatal("a warm copy, which may be torn, is restored")
	}
	if err := n.TakeSnapshot(t.Context(), in, false, quiet); err != nil {
		t.Fatal(err)
	}
	damage(t, n, in)
	if err := n.Restore(t.Context(), in.Name, in.Dir); err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2][]string{
		"directory": {wantDir, describe(t, in.Dir)},
		"registry":  {wantReg, describe(t, n.registry())},
		"command":   {wantBin, describe(t, n.usrBin())},
	} {
		if diff := cmp.Diff(pair[0], pair[1]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	if err := n.Restore(t.Context(), in.Name, in.Dir); err != nil {
		t.Errorf("a second restore: %v", err)
	}
	if diff := cmp.Diff(wantDir, describe(t, in.Dir)); diff != "" {
		t.Errorf("after a second restore: %s", diff)
	}
	if err := n.DropSnapshot(in.Name, in.Dir); err != nil {
		t.Fatal(err)
	}
	if have, err := n.HasSnapshotFiles(in.Name, in.Dir); err != nil || have {
		t.Errorf("after the discard: %v, %v", have, err)
	}
}

// A restore that was cut off between two renames goes on.
func TestARestoreGoesOnFromEveryState(t *testing.T) {
	for _, c := range []struct {
		name string
		cut  func(base, dir string) error
	}{
		{"before the first rename", func(string, string) error { return nil }},
		{"the broken one is out, the copy not in", func(base, dir string) error { return os.Rename(dir, filepath.Join(base, "broken")) }},
		{"the copy is in, the broken one not deleted", func(base, dir string) error {
			return errors.Join(os.Rename(dir, filepath.Join(base, "broken")), os.Rename(filepath.Join(base, "install"), dir))
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, in := installation(t)
			want := describe(t, in.Dir)
			if err := n.TakeSnapshot(t.Context(), in, false, quiet); err != nil {
				t.Fatal(err)
			}
			damage(t, n, in)
			base, err := n.SnapshotDir(in.Name, in.Dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := c.cut(base, in.Dir); err != nil {
				t.Fatal(err)
			}
			if err := n.Restore(t.Context(), in.Name, in.Dir); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, describe(t, in.Dir)); diff != "" {
				t.Error(diff)
			}
			if exists(filepath.Join(base, "broken")) {
				t.Error("the broken installation is still there")
			}
		})
	}
}

func TestTheSecondCopyBringsOnlyWhatChanged(t *testing.T) {
	n, in := installation(t)
	running := in
	running.Status = "running"
	past := time.Now().Add(-time.Hour)
	for _, f := range []string{"iris.cpf", "bin/irisdb"} {
		if err := os.Chtimes(filepath.Join(in.Dir, f), past, past); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.TakeSnapshot(t.Context(), running, true, quiet); err != nil {
		t.Fatal(err)
	}
	base, err := n.SnapshotDir(in.Name, in.Dir)
	if err != nil {
		t.Fatal(err)
	}
	put(t, filepath.Join(in.Dir, "iris.cpf"), "[config]\na=1\n", 0o664)
	c := treeCopy{src: in.Dir, dst: filepath.Join(base, "install")}
	need, err := c.need()
	if err != nil {
		t.Fatal(err)
	}
	if want := int64(len("[config]\na=1\n")); need != want {
		t.Errorf("the second copy needs %d bytes, want %d", need, want)
	}
	if err := n.TakeSnapshot(t.Context(), in, false, quiet); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(describe(t, in.Dir), describe(t, filepath.Join(base, "install"))); diff != "" {
		t.Error(diff)
	}
}

// A file that changes again in the tick in which it was copied has the same
// size and time as its copy, and is copied again all the same.
func TestAChangeInTheSameTickIsNotMissed(t *testing.T) {
	n, in := installation(t)
	running := in
	running.Status = "running"
	file := filepath.Join(in.Dir, "mgr/young")
	put(t, file, "one", 0o600)
	now := time.Now()
	if err := os.Chtimes(file, now, now); err != nil {
		t.Fatal(err)
	}
	if err := n.TakeSnapshot(t.Context(), running, true, quiet); err != nil {
		t.Fatal(err)
	}
	put(t, file, "two", 0o600)
	if err := errors.Join(os.Chtimes(file, now, now), n.TakeSnapshot(t.Context(), in, false, quiet)); err != nil {
		t.Fatal(err)
	}
	base, err := n.SnapshotDir(in.Name, in.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(filepath.Join(base, "install/mgr/young")); err != nil || string(data) != "two" {
		t.Errorf("the copy says %q, %v", data, err)
	}
}

func TestACopyOfARunningInstanceIsNeverComplete(t *testing.T) {
	n, in := installation(t)
	in.Status = "running"
	if err := n.TakeSnapshot(t.Context(), in, false, quiet); err == nil {
		t.Error("a running instance is copied as if it were down")
	}
}

func TestACancelledCopyEnds(t *testing.T) {
	n, in := installation(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := n.TakeSnapshot(ctx, in, false, quiet); !errors.Is(err, context.Canceled) {
		t.Errorf("TakeSnapshot() = %v", err)
	}
}

// What is mounted below a directory is somebody else's data.
func TestDeletingADirectoryLeavesWhatIsMountedInIt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("mounting needs root")
	}
	dir := filepath.Join(t.TempDir(), "data")
	put(t, filepath.Join(dir, "a/b"), "x", 0o600)
	put(t, filepath.Join(dir, "lost+found/x"), "x", 0o600)
	outside := filepath.Join(t.TempDir(), "outside")
	put(t, outside, "x", 0o600)
	mounted := filepath.Join(dir, "a/mounted")
	if err := errors.Join(os.Mkdir(mounted, 0o755), os.Symlink(outside, filepath.Join(dir, "link")), syscall.Mount("none", mounted, "tmpfs", 0, "")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(mounted, 0); err != nil {
			t.Error(err)
		}
	})
	put(t, filepath.Join(mounted, "theirs"), "x", 0o600)
	if err := RemoveData(dir); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		filepath.Join(mounted, "theirs"): true, filepath.Join(dir, "lost+found/x"): true, outside: true,
		filepath.Join(dir, "a/b"): false, filepath.Join(dir, "link"): false,
	} {
		if exists(path) != want {
			t.Errorf("%s there: %v, want %v", path, !want, want)
		}
	}
	for _, path := range []string{"/", "/usr", "/home/x", "relative"} {
		if err := RemoveData(path); err == nil {
			t.Errorf("RemoveData(%s) is accepted", path)
		}
	}
}
