package iris

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"icm/internal/atomicfile"
	"icm/internal/hint"
	"icm/internal/wire"
)

// A snapshot is a copy of an installation directory, the list of instances and
// the iris command, from which a failed upgrade is undone. Databases on data
// volumes are no part of it.
//
//	.irissys.icm-snapshot/   beside /usr/irissys, so that it can share bytes and
//	    snapshot.json        be renamed into place
//	    install/
//	    registry/
//	    iris                 the iris command
//	    broken/              during a restore: what the upgrade left

// spaceMargin must stay free when a snapshot has been made.
const spaceMargin = 64 << 20

// Snapshot says what a copy holds.
type Snapshot struct {
	Format   int    `json:"format"`
	Instance string `json:"instance"`
	Dir      string `json:"dir"`
	Version  string `json:"version"`
	// Complete says that the copy was made while the instance was down; a warm
	// copy is only a head start.
	Complete bool `json:"complete"`
}

// SnapshotDir returns where the copy of an installation lies: beside it, or in
// the agent's directory when something is mounted there, which cannot be renamed.
func (n *Node) SnapshotDir(name, dir string) (string, error) {
	mounted, err := mountsBelow(dir)
	if err != nil {
		return "", err
	}
	if mounted {
		return filepath.Join(n.Home, "snapshots", strings.ToLower(name)), nil
	}
	return filepath.Join(filepath.Dir(dir), "."+filepath.Base(dir)+".icm-snapshot"), nil
}

// FindSnapshot returns the copy of an installation, and whether there is one.
func (n *Node) FindSnapshot(name, dir string) (Snapshot, bool, error) {
	base, err := n.SnapshotDir(name, dir)
	if err != nil {
		return Snapshot{}, false, err
	}
	data, err := os.ReadFile(filepath.Join(base, "snapshot.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return Snapshot{}, false, nil
	}
	var s Snapshot
	if err == nil {
		err = json.Unmarshal(data, &s)
	}
	if err == nil && s.Format > recordFormat {
		err = errors.New("a newer icm-agent wrote it")
	}
	if err != nil {
		return Snapshot{}, false, fmt.Errorf("cannot read the copy of %s: %v", name, err)
	}
	return s, true, nil
}

// HasSnapshotFiles reports whether anything of a copy is there, complete or not.
func (n *Node) HasSnapshotFiles(name, dir string) (bool, error) {
	base, err := n.SnapshotDir(name, dir)
	return err == nil && exists(base), err
}

// TakeSnapshot copies an installation. warm copies a running instance; without
// it the instance must be down, and the copy is complete afterwards.
func (n *Node) TakeSnapshot(ctx context.Context, in wire.Instance, warm bool, tell func(done, total int64)) error {
	if !warm && !Down(in) {
		return fmt.Errorf("cannot complete the copy of %s: it is %q, not down", in.Name, in.Status)
	}
	base, err := n.SnapshotDir(in.Name, in.Dir)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(base, 0o700); err != nil {
		return fmt.Errorf("cannot copy %s: %v", in.Name, err)
	}
	info := Snapshot{Format: recordFormat, Instance: in.Name, Dir: in.Dir, Version: in.Version}
	if err := writeInfo(base, info); err != nil { // not complete while it is being made
		return err
	}
	c := treeCopy{src: in.Dir, dst: filepath.Join(base, "install"), live: warm}
	need, err := c.need()
	if err == nil {
		err = checkSpace(base, need, in.Name)
	}
	if err != nil {
		return err
	}
	c.tell = func(done int64) { tell(done, 0) }
	if err := c.run(ctx); err != nil {
		return fmt.Errorf("cannot copy %s: %w", in.Dir, err)
	}
	if warm {
		return nil
	}
	if err := n.copyRegistry(ctx, base); err != nil {
		return err
	}
	info.Complete = true
	return writeInfo(base, info)
}

func (n *Node) copyRegistry(ctx context.Context, base string) error {
	r := treeCopy{src: n.registry(), dst: filepath.Join(base, "registry")}
	if exists(r.src) {
		if err := r.run(ctx); err != nil {
			return fmt.Errorf("cannot copy %s: %w", r.src, err)
		}
	}
	return n.copyProgram(n.usrBin(), filepath.Join(base, "iris"))
}

func (n *Node) usrBin() string { return filepath.Join(n.Root, "usr/bin/iris") }

// copyProgram copies the iris command, a file or a link.
func (n *Node) copyProgram(src, dst string) error {
	st, err := os.Lstat(src)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	c := treeCopy{src: src, dst: dst, content: true, links: map[uint64]string{}}
	if st.Mode()&fs.ModeSymlink != 0 {
		return c.symlink(src, dst, st)
	}
	return c.file(context.Background(), src, dst, st)
}

func writeInfo(base string, s Snapshot) error {
	data, err := json.Marshal(s)
	if err == nil {
		err = atomicfile.Write(filepath.Join(base, "snapshot.json"), data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("cannot copy %s: %v", s.Instance, err)
	}
	return nil
}

func checkSpace(base string, need int64, name string) error {
	if canShare(base) {
		return nil
	}
	var st syscall.Statfs_t
	if err := syscall.Statfs(base, &st); err != nil {
		return fmt.Errorf("cannot tell how much space is free at %s: %v", base, err)
	}
	free := int64(st.Bavail) * st.Bsize
	if free >= need+spaceMargin {
		return nil
	}
	return &hint.Error{
		Err:  fmt.Errorf("cannot copy %s: %s has %d MB free, the copy needs %d MB", name, base, free>>20, (need+spaceMargin)>>20),
		Hint: "without the copy an upgrade could not be undone; free some space and run the command again",
	}
}

// DropSnapshot deletes the copy of an installation.
func (n *Node) DropSnapshot(name, dir string) error {
	base, err := n.SnapshotDir(name, dir)
	if err != nil {
		return err
	}
	if err := removeTree(base); err != nil {
		return fmt.Errorf("cannot delete the copy of %s: %v", name, err)
	}
	return nil
}
