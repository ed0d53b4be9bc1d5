package tasks

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/agent/kitfile"
	"icm/internal/atomicfile"
	"icm/internal/kitname"
	"icm/internal/wire"
)

func kitUnpack(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookUnpack, Do: d.doUnpack, Undo: d.undoUnpack}
}

func (d Deps) lookUnpack(_ context.Context, t *engine.Task) (wire.Look, error) {
	a, k, err := decodeKit(t)
	if err != nil {
		return wire.Look{}, err
	}
	if d.isUnpacked(k, a.SHA256) {
		return wire.Look{Satisfied: true}, nil
	}
	return wire.Look{Diffs: []wire.Diff{{What: d.unpacked(k), Before: "not there", After: "the unpacked kit"}}}, nil
}

// isUnpacked reports whether the kit was unpacked to its end, from the archive
// that is wanted.
func (d Deps) isUnpacked(k kitname.Kit, want string) bool {
	m, ok := readMark(d.unpacked(k) + ".ok")
	if !ok || !exists(d.unpacked(k)) || (want != "" && !strings.EqualFold(want, m.SHA256)) {
		return false
	}
	have, fetched := d.fetched(k, "")
	return !fetched || have.SHA256 == m.SHA256
}

// doUnpack unpacks the kit next to its final place, renames it there, and asks
// the kit whether it fits this system.
//
// Rerun: a half-unpacked directory is removed first, a finished one is kept.
// Undo: removes the directory, unless it was there before; instances installed
// from it are untouched.
func (d Deps) doUnpack(ctx context.Context, t *engine.Task) error {
	a, k, err := decodeKit(t)
	if err != nil {
		return err
	}
	if !d.isUnpacked(k, a.SHA256) {
		if err := begin(t); err != nil {
			return err
		}
		if err := d.unpack(ctx, t, k, a.SHA256); err != nil {
			return err
		}
	}
	dir, err := kitfile.FindInstaller(d.unpacked(k))
	if err != nil {
		return err
	}
	return checkPlatform(ctx, t, dir, k, a.Platform)
}

func (d Deps) unpack(ctx context.Context, t *engine.Task, k kitname.Kit, want string) error {
	mark, ok := d.fetched(k, want)
	if !ok {
		return fmt.Errorf("cannot unpack %s: it has not been fetched", k.Name)
	}
	dst, part := d.unpacked(k), d.unpacked(k)+".part"
	for _, path := range []string{part, dst} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("cannot unpack the kit: %v", err)
		}
	}
	if err := errors.Join(os.MkdirAll(d.kits(), 0o755), os.Chmod(d.kits(), 0o755), removeFiles(dst+".ok")); err != nil {
		return fmt.Errorf("cannot unpack the kit: %v", err)
	}
	if err := kitfile.Unpack(ctx, d.archive(k), part, kitfile.KitLimits, func(done int64) { t.Progress(done, 0, "bytes", "unpacking") }); err != nil {
		return errors.Join(err, os.RemoveAll(part))
	}
	// The mark says that the kit is whole: it must not reach the disk earlier.
	if err := errors.Join(os.Chmod(part, 0o755), host.SyncFS(part), os.Rename(part, dst), atomicfile.SyncDir(d.kits())); err != nil {
		return fmt.Errorf("cannot unpack the kit: %v", err)
	}
	return writeMark(dst+".ok", mark)
}

func (d Deps) undoUnpack(_ context.Context, t *engine.Task) error {
	_, k, err := decodeKit(t)
	if err != nil {
		return err
	}
	if did, err := begun(t); err != nil || !did {
		return err
	}
	return d.removeUnpacked(k)
}

func (d Deps) removeUnpacked(k kitname.Kit) error {
	dst := d.unpacked(k)
	if err := removeFiles(dst + ".ok"); err != nil { // first: without it the rest is worthless
		return err
	}
	for _, path := range []string{dst, dst + ".part"} {
		if err := os.RemoveAll(path); err != nil {
			return fmt.Errorf("cannot delete %s: %v", path, err)
		}
	}
	if entries, err := os.ReadDir(d.kits()); err == nil && len(entries) == 0 {
		// Kits may have a file system of their own, which stays.
		if err := removeFiles(d.kits()); !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
	return nil
}
