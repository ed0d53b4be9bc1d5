package tasks

import (
	"context"

	"icm/agent/engine"
	"icm/internal/kind"
	"icm/internal/wire"
)

func irisSnapshot(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookSnapshot, Do: d.doSnapshot, Undo: d.undoSnapshot}
}

func irisDiscard(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookDiscard, Do: d.undoSnapshot}
}

func (d Deps) lookSnapshot(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Snapshot
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there {
		look := notInstalled("instance "+a.Instance.Name, "copied")
		look.Refused = "there is no instance " + a.Instance.Name + " to copy"
		return look, nil
	}
	// A copy is never good enough to be kept: the instance has run since.
	return wire.Look{Diffs: []wire.Diff{{What: "copy of " + in.Dir, Before: "none of now", After: "version " + in.Version}}}, nil
}

// doSnapshot copies the installation, warm or for good.
//
// Rerun: what is copied already and has not changed is kept.
// Undo: deletes the copy.
func (d Deps) doSnapshot(ctx context.Context, t *engine.Task) error {
	var a kind.Snapshot
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.must(ctx, a.Instance)
	if err != nil {
		return err
	}
	return d.IRIS.TakeSnapshot(ctx, in, a.Warm, bytesOf(t))
}

// undoSnapshot deletes the copy. It is iris.discard's do as well.
//
// Rerun: deletes what is left.
// Undo: there is none; a deleted copy is gone.
func (d Deps) undoSnapshot(_ context.Context, t *engine.Task) error {
	var a kind.Snapshot
	if err := t.Decode(&a); err != nil {
		return err
	}
	return d.IRIS.DropSnapshot(a.Instance.Name, a.Instance.Dir)
}

func (d Deps) lookDiscard(_ context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Snapshot
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	have, err := d.IRIS.HasSnapshotFiles(a.Instance.Name, a.Instance.Dir)
	if err != nil || !have {
		return wire.Look{Satisfied: err == nil}, err
	}
	return wire.Look{Diffs: []wire.Diff{{What: "copy of the old version", Before: "kept", After: "deleted"}}}, nil
}
