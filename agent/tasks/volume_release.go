package tasks

import (
	"context"
	"fmt"
	"strings"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/agent/unit"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

func volumeRelease(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookVolumeRelease, Do: d.doVolumeRelease, Undo: d.undoVolumeRelease}
}

// releaseBefore is what undo goes back to.
type releaseBefore struct {
	Unit    string `json:"unit"`
	Mounted bool   `json:"mounted"`
}

func (d Deps) lookVolumeRelease(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var v kind.Volume
	if err := t.Decode(&v); err != nil {
		return wire.Look{}, err
	}
	before, err := d.releaseState(v)
	if err != nil || before.Unit == "" {
		return wire.Look{Satisfied: err == nil}, err
	}
	state := "not mounted"
	if before.Mounted {
		state = "mounted"
	}
	return wire.Look{Diffs: []wire.Diff{{What: v.MountPoint, Before: state, After: "unmounted, the data stays on its device"}}}, nil
}

// doVolumeRelease unmounts a volume and removes its mount unit. The data stays
// on the device. Only mounts of ours are touched; a plain directory is left as
// it is.
//
// Rerun: a unit that is gone already is fine.
// Undo: writes the unit again and mounts.
func (d Deps) doVolumeRelease(ctx context.Context, t *engine.Task) error {
	var v kind.Volume
	if err := t.Decode(&v); err != nil {
		return err
	}
	before, err := d.releaseState(v)
	if err != nil {
		return err
	}
	if before.Unit == "" {
		return nil
	}
	if known, err := t.Load("before", &releaseBefore{}); err != nil {
		return err
	} else if !known {
		if err := t.Note("before", before); err != nil {
			return err
		}
	}
	if err := d.Units.Remove(ctx, unit.MountName(v.MountPoint)); err != nil {
		return &hint.Error{Err: fmt.Errorf("cannot release %s: %w", v.MountPoint, err),
			Hint: "see who uses it: fuser -vm " + v.MountPoint}
	}
	return nil
}

func (d Deps) undoVolumeRelease(ctx context.Context, t *engine.Task) error {
	var v kind.Volume
	var before releaseBefore
	if err := t.Decode(&v); err != nil {
		return err
	}
	if known, err := t.Load("before", &before); err != nil || !known {
		return err
	}
	name := unit.MountName(v.MountPoint)
	if err := d.Units.Write(ctx, name, before.Unit); err != nil {
		return err
	}
	if err := d.Units.Enable(ctx, name); err != nil || !before.Mounted {
		return err
	}
	return d.Units.Start(ctx, name)
}

func (d Deps) releaseState(v kind.Volume) (releaseBefore, error) {
	if v.Device == "null" || v.MountPoint == "" {
		return releaseBefore{}, nil
	}
	text, found, err := d.Units.Read(unit.MountName(v.MountPoint))
	if err != nil {
		return releaseBefore{}, err
	}
	if found && !strings.Contains(text, v.UUID) {
		return releaseBefore{}, fmt.Errorf("cannot release %s: the volume mounted there is another one than %s", v.MountPoint, v.UUID)
	}
	mounts, err := d.Blocks.Mounts()
	if err != nil {
		return releaseBefore{}, err
	}
	_, mounted := host.MountAt(mounts, v.MountPoint)
	return releaseBefore{Unit: text, Mounted: mounted}, nil
}
