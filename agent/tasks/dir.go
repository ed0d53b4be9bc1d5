package tasks

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/internal/kind"
	"icm/internal/wire"
)

func dirEnsure(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookDir, Do: d.doDir, Undo: d.undoDir}
}

// dirState is what a directory is like.
type dirState struct {
	Exists bool        `json:"exists"`
	Mode   fs.FileMode `json:"mode"`
	UID    int         `json:"uid"`
	GID    int         `json:"gid"`
	Made   []string    `json:"made,omitempty"` // directories that were missing, outermost first
}

func owner(info fs.FileInfo) (uid, gid int) {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid), int(st.Gid)
	}
	return -1, -1
}

func (d Deps) dirState(path string) (dirState, error) {
	info, err := os.Lstat(d.path(path))
	if errors.Is(err, fs.ErrNotExist) {
		s := dirState{}
		for p := path; p != "/" && !exists(d.path(p)); p = filepath.Dir(p) {
			s.Made = append([]string{p}, s.Made...)
		}
		return s, nil
	}
	if err != nil {
		return dirState{}, fmt.Errorf("cannot look at %s: %v", path, err)
	}
	if !info.IsDir() {
		return dirState{}, fmt.Errorf("cannot use %s: it is not a directory", path)
	}
	uid, gid := owner(info)
	return dirState{Exists: true, Mode: info.Mode() & fs.ModePerm, UID: uid, GID: gid}, nil
}

// wantDir resolves names to numbers. The accounts may be made by a task before
// this one, so a look must bear that they are missing: then known is false.
func (d Deps) wantDir(a kind.Dir) (want dirState, known bool, err error) {
	if !filepath.IsAbs(a.Path) || filepath.Clean(a.Path) != a.Path || a.Path == "/" {
		return want, false, fmt.Errorf("directory %q must be an absolute path below the root", a.Path)
	}
	if a.Mode == 0 || a.Mode&^0o775 != 0 {
		return want, false, fmt.Errorf("mode %#o of %s lets everybody write or is empty", a.Mode, a.Path)
	}
	user, foundUser, err := host.FindAccount(d.Root, a.Owner)
	if err != nil {
		return want, false, err
	}
	group, foundGroup, err := host.FindGroup(d.Root, a.Group)
	want = dirState{Exists: true, Mode: fs.FileMode(a.Mode), UID: int(user.UID), GID: int(group.GID)}
	return want, foundUser && foundGroup, err
}

func (d Deps) lookDir(_ context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Dir
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	want, known, err := d.wantDir(a)
	if err != nil {
		return wire.Look{}, err
	}
	have, err := d.dirState(a.Path)
	if err != nil {
		return wire.Look{Refused: err.Error(), Hint: "move it away, or choose another path"}, nil
	}
	if known && have.Exists && have.Mode == want.Mode && have.UID == want.UID && have.GID == want.GID {
		return wire.Look{Satisfied: true}, nil
	}
	before := ""
	if have.Exists {
		before = fmt.Sprintf("%d:%d %#o", have.UID, have.GID, have.Mode)
	}
	return wire.Look{Diffs: []wire.Diff{{What: a.Path, Before: before, After: fmt.Sprintf("%s:%s %#o", a.Owner, a.Group, a.Mode)}}}, nil
}

// doDir makes a directory and gives it its owner and mode. What is in it is
// left alone.
//
// Rerun: the same again.
// Undo: gives back the owner and mode, and removes directories that were made
// and are empty.
func (d Deps) doDir(_ context.Context, t *engine.Task) error {
	var a kind.Dir
	if err := t.Decode(&a); err != nil {
		return err
	}
	want, known, err := d.wantDir(a)
	if err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("cannot make %s: there is no account %s or no group %s", a.Path, a.Owner, a.Group)
	}
	have, err := d.dirState(a.Path)
	if err != nil {
		return err
	}
	if noted, err := t.Load("before", &dirState{}); err != nil {
		return err
	} else if !noted {
		if err := t.Note("before", have); err != nil {
			return err
		}
	}
	if err := makeDirs(d.path(a.Path)); err != nil {
		return err
	}
	return d.setDir(a.Path, want)
}

// setDir goes through an open directory, so that a link put there meanwhile is
// not followed.
func (d Deps) setDir(path string, s dirState) error {
	f, err := os.OpenFile(d.path(path), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("cannot set the owner of %s: %v", path, err)
	}
	defer f.Close()
	if err := f.Chown(s.UID, s.GID); err != nil {
		return fmt.Errorf("cannot set the owner of %s: %v", path, err)
	}
	if err := f.Chmod(s.Mode); err != nil {
		return fmt.Errorf("cannot set the mode of %s: %v", path, err)
	}
	return nil
}

func (d Deps) undoDir(_ context.Context, t *engine.Task) error {
	var a kind.Dir
	var before dirState
	if err := t.Decode(&a); err != nil {
		return err
	}
	if known, err := t.Load("before", &before); err != nil || !known {
		return err
	}
	if before.Exists {
		if !exists(d.path(a.Path)) {
			return nil
		}
		return d.setDir(a.Path, before)
	}
	for i := len(before.Made) - 1; i >= 0; i-- {
		err := os.Remove(d.path(before.Made[i]))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Logf("Leaving %s: %s", before.Made[i], strings.TrimSpace(err.Error()))
			return nil
		}
	}
	return nil
}
