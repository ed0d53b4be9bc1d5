package tasks

import (
	"context"

	"icm/agent/engine"
	"icm/internal/wire"
)

func kitRemove(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookKitRemove, Do: d.doKitRemove}
}

func (d Deps) lookKitRemove(_ context.Context, t *engine.Task) (wire.Look, error) {
	_, k, err := decodeKit(t)
	if err != nil {
		return wire.Look{}, err
	}
	var diffs []wire.Diff
	for _, path := range []string{d.archive(k), d.archive(k) + ".part", d.unpacked(k), d.unpacked(k) + ".part"} {
		if exists(path) {
			diffs = append(diffs, wire.Diff{What: path, Before: "there", After: "removed"})
		}
	}
	return satisfiedBy(diffs), nil
}

// doKitRemove deletes archive and unpacked kit.
//
// Rerun: deletes what is left.
// Undo: none; the kit is fetched again when it is needed.
func (d Deps) doKitRemove(_ context.Context, t *engine.Task) error {
	_, k, err := decodeKit(t)
	if err != nil {
		return err
	}
	if err := d.removeUnpacked(k); err != nil {
		return err
	}
	path := d.archive(k)
	return removeFiles(path, path+".ok", path+".part")
}
