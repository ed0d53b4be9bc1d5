package tasks

import (
	"context"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/kind"
	"icm/internal/wire"
)

func irisRelease(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookRelease, Do: d.doRelease, Undo: d.undoRelease}
}

func (d Deps) lookRelease(_ context.Context, t *engine.Task) (wire.Look, error) {
	var i kind.Instance
	if err := t.Decode(&i); err != nil {
		return wire.Look{}, err
	}
	if err := iris.CheckName(i.Name); err != nil {
		return wire.Look{}, err
	}
	name := iris.UnitName(i.Name)
	// A service that somebody else wrote is theirs, as everything else there.
	if _, ours, err := d.Units.Read(name); err != nil || !ours {
		return wire.Look{Satisfied: true}, nil
	}
	return wire.Look{Diffs: []wire.Diff{{What: name, Before: "starts and stops " + i.Name + " with the machine", After: "removed, " + i.Name + " goes on as it is"}}}, nil
}

// doRelease takes icm's service of an instance away. The instance goes on as it
// is; nothing starts it with the machine any more.
//
// Rerun: a service that is gone is fine.
// Undo: writes and enables it again.
func (d Deps) doRelease(ctx context.Context, t *engine.Task) error {
	var i kind.Instance
	if err := t.Decode(&i); err != nil {
		return err
	}
	if err := iris.CheckName(i.Name); err != nil {
		return err
	}
	name := iris.UnitName(i.Name)
	text, ours, err := d.Units.Read(name)
	if err != nil {
		t.Logf("%v", err)
		return nil
	}
	if ours {
		if err := t.Note("before", text); err != nil {
			return err
		}
	}
	return d.Units.Abandon(ctx, name)
}

func (d Deps) undoRelease(ctx context.Context, t *engine.Task) error {
	var i kind.Instance
	var text string
	if err := t.Decode(&i); err != nil {
		return err
	}
	if known, err := t.Load("before", &text); err != nil || !known {
		return err
	}
	name := iris.UnitName(i.Name)
	if err := d.Units.Write(ctx, name, text); err != nil {
		return err
	}
	return d.Units.Enable(ctx, name)
}
