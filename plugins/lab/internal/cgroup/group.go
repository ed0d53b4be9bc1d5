package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Launcher is the group's leaf for the launching shell. It cannot stay in the
// group itself: cgroup v2 hands no controllers down from a group with
// processes of its own.
const Launcher = "launcher"

// Group is the same path in all hierarchies.
type Group struct {
	path  string
	trees []Hierarchy
}

// New returns the group with the relative path, such as "icm-lab/ICM-1/NODE".
// Nothing is made.
func New(path string) (Group, error) {
	trees, err := Hierarchies()
	return Group{path, trees}, err
}

// Dirs are the group's directories, one for each hierarchy.
func (g Group) Dirs() []string {
	var dirs []string
	for _, t := range g.trees {
		dirs = append(dirs, filepath.Join(t.Mount, g.path))
	}
	return dirs
}

// Create makes the group and its launcher leaf in every hierarchy.
func (g Group) Create() error {
	for _, t := range g.trees {
		if err := createIn(t, g.path); err != nil {
			return fmt.Errorf("cannot make a control group: %w", err)
		}
	}
	return nil
}

func createIn(t Hierarchy, path string) error {
	dir := t.Mount
	for part := range strings.SplitSeq(filepath.Join(path, Launcher), "/") {
		parent := dir
		dir = filepath.Join(dir, part)
		if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		if t.Has("cpuset") {
			if err := inheritCPUSet(parent, dir); err != nil {
				return err
			}
		}
	}
	return nil
}

// inheritCPUSet copies what the parent allows. A new v1 cpuset allows nothing
// and refuses every process.
func inheritCPUSet(parent, dir string) error {
	for _, name := range []string{"cpuset.cpus", "cpuset.mems"} {
		allowed, err := os.ReadFile(filepath.Join(parent, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, name), allowed, 0); err != nil {
			return err
		}
	}
	return nil
}

// anchor is the directory that is asked for the group's processes.
func (g Group) anchor() string { return g.Dirs()[0] }

// Processes are the ids of all processes in the group and below it.
func (g Group) Processes() ([]int, error) {
	var pids []int
	err := filepath.WalkDir(g.anchor(), func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Base(path) == "cgroup.procs" {
			var more []int
			more, err = readPids(path)
			pids = append(pids, more...)
		}
		if gone(err) {
			return nil // the node's own systemd removes groups all the time
		}
		return err
	})
	return pids, err
}

func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENODEV)
}

func readPids(path string) ([]int, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, syscall.EOPNOTSUPP) {
		return nil, nil // a threaded group: its processes are listed further up
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for word := range strings.FieldsSeq(string(text)) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			return nil, fmt.Errorf("cannot read %s: %w", path, err)
		}
		pids = append(pids, pid)
	}
	return pids, nil
}
