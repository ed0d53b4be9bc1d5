package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"icm/plugins/lab/internal/await"
)

// killLimit is how long killed processes may take to vanish: one that waits
// for a disk ends only when the disk answers.
const killLimit = 30 * time.Second

// Kill ends all processes of the group at the same moment and waits until they
// are gone. A frozen group is thawed.
func (g Group) Kill(ctx context.Context) error {
	if _, err := os.Stat(g.anchor()); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return await.Until(ctx, "the processes of "+g.path+" to end", killLimit, func() (bool, string, error) {
		if err := g.killOnce(); err != nil {
			return false, "", err
		}
		pids, err := g.Processes()
		return len(pids) == 0, fmt.Sprint(pids), err
	})
}

// killOnce kills what is there now. Without the kernel's own kill switch the
// group is frozen meanwhile, so that nothing forks away from under us.
func (g Group) killOnce() error {
	err := write(filepath.Join(g.anchor(), "cgroup.kill"), "1")
	if err == nil || !gone(err) {
		return errors.Join(err, g.Thaw())
	}
	if err := g.Freeze(); err != nil && !errors.Is(err, ErrNoFreezer) {
		return err
	}
	pids, err := g.Processes()
	for _, pid := range pids {
		// An error means that it has just ended.
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	return errors.Join(err, g.Thaw())
}

// ErrNoFreezer means that this machine cannot freeze groups.
var ErrNoFreezer = errors.New("this machine has no cgroup freezer")

// Freeze stops all processes of the group where they are.
func (g Group) Freeze() error { return g.setFrozen("FROZEN", "1") }

// Thaw lets a frozen group go on. Without a freezer there is nothing to do.
func (g Group) Thaw() error {
	if err := g.setFrozen("THAWED", "0"); !errors.Is(err, ErrNoFreezer) && !gone(err) {
		return err
	}
	return nil
}

func (g Group) setFrozen(legacy, unified string) error {
	dir, v1, err := g.freezer()
	if err != nil {
		return err
	}
	if v1 {
		return write(filepath.Join(dir, "freezer.state"), legacy)
	}
	return write(filepath.Join(dir, "cgroup.freeze"), unified)
}

// Frozen reports whether the group is, or is being, frozen.
func (g Group) Frozen() bool {
	dir, v1, err := g.freezer()
	if err != nil {
		return false
	}
	if v1 {
		text, _ := os.ReadFile(filepath.Join(dir, "freezer.self_freezing"))
		return strings.TrimSpace(string(text)) == "1"
	}
	text, _ := os.ReadFile(filepath.Join(dir, "cgroup.freeze"))
	return strings.TrimSpace(string(text)) == "1"
}

// freezer is the directory whose freezer acts on the group's processes: v1's
// own hierarchy where there is one, as the node may have containers of its own
// placed there.
func (g Group) freezer() (dir string, v1 bool, err error) {
	unified := ""
	for i, t := range g.trees {
		if t.Has("freezer") {
			return g.Dirs()[i], true, nil
		}
		if t.Unified {
			unified = g.Dirs()[i]
		}
	}
	if unified == "" {
		return "", false, ErrNoFreezer
	}
	return unified, false, nil
}

// Remove removes the group and all groups below it, and the parents that are
// empty then. Its processes must have ended.
func (g Group) Remove(ctx context.Context) error {
	return await.Until(ctx, "the control groups of "+g.path+" to go", killLimit, func() (bool, string, error) {
		var last error
		for _, dir := range g.Dirs() {
			if err := removeTree(dir); err != nil {
				last = err
			}
		}
		if last != nil && !errors.Is(last, syscall.EBUSY) {
			return false, "", last
		}
		return last == nil, fmt.Sprint(last), nil
	})
}

// removeTree removes directories only: the files in them are the kernel's.
func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if gone(err) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	if err := syscall.Rmdir(dir); err != nil && !gone(err) {
		return fmt.Errorf("cannot remove %s: %w", dir, err)
	}
	return nil
}

// Prune removes the group's directories where they are empty, and says nothing
// where they are not: others may live below the same path.
func (g Group) Prune() {
	for _, dir := range g.Dirs() {
		_ = syscall.Rmdir(dir)
	}
}

func write(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
