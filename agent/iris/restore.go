package iris

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"icm/internal/atomicfile"
)

// Restore puts the copied installation back: directory, list of instances,
// iris command. The instance must be down. Run again after having been cut off,
// it goes on.
func (n *Node) Restore(ctx context.Context, name, dir string) error {
	info, ok, err := n.FindSnapshot(name, dir)
	if err != nil {
		return err
	}
	if !ok || !info.Complete {
		return fmt.Errorf("cannot restore %s: there is no complete copy of it", name)
	}
	base, err := n.SnapshotDir(name, dir)
	if err != nil {
		return err
	}
	if filepath.Dir(base) == filepath.Dir(dir) {
		err = swapDirs(base, dir)
	} else {
		err = (&treeCopy{src: filepath.Join(base, "install"), dst: dir, content: true}).run(ctx)
	}
	if err != nil {
		return fmt.Errorf("cannot restore %s: %w", dir, err)
	}
	return n.restoreRegistry(ctx, base)
}

// swapDirs moves the broken installation out and the copy in. Each arrow is one
// rename, and each state tells what is left to do:
//
//	dir=new, install        ──▶ broken=new, install      ──▶ dir=old, broken=new ──▶ dir=old
//	(nothing restored yet)      (dir is missing)              (install is gone)        (done)
func swapDirs(base, dir string) error {
	install, broken := filepath.Join(base, "install"), filepath.Join(base, "broken")
	if exists(install) {
		if exists(dir) {
			if err := removeTree(broken); err != nil {
				return err
			}
			if err := os.Rename(dir, broken); err != nil {
				return err
			}
		}
		if err := os.Rename(install, dir); err != nil {
			return err
		}
		if err := errors.Join(atomicfile.SyncDir(filepath.Dir(dir)), atomicfile.SyncDir(base)); err != nil {
			return err
		}
	} else if !exists(dir) {
		return &fs.PathError{Op: "restore", Path: install, Err: fs.ErrNotExist}
	}
	return removeTree(broken)
}

func (n *Node) restoreRegistry(ctx context.Context, base string) error {
	r := treeCopy{src: filepath.Join(base, "registry"), dst: n.registry(), content: true}
	if exists(r.src) {
		if err := r.run(ctx); err != nil {
			return fmt.Errorf("cannot restore %s: %w", r.dst, err)
		}
	}
	if src := filepath.Join(base, "iris"); exists(src) {
		if err := n.copyProgram(src, n.usrBin()); err != nil {
			return fmt.Errorf("cannot restore the iris command: %w", err)
		}
	}
	return nil
}
