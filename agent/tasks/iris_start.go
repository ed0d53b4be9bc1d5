package tasks

import (
	"context"
	"fmt"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

func irisStart(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookStart, Do: d.doStart, Undo: d.undoStart}
}

func (d Deps) lookStart(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Start
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there {
		return notInstalled("instance "+a.Instance.Name, "running"), nil
	}
	if iris.Running(in.Instance) {
		return wire.Look{Satisfied: true}, nil
	}
	return wire.Look{Diffs: []wire.Diff{{What: "instance " + in.Name, Before: in.Status, After: "running"}}}, nil
}

// doStart starts the instance through its service and waits until it serves.
//
// Rerun: an instance that runs is only waited for.
// Undo: stops it again, if this task started it.
func (d Deps) doStart(ctx context.Context, t *engine.Task) error {
	var a kind.Start
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.must(ctx, a.Instance)
	if err != nil {
		return err
	}
	offset, err := iris.LogEnd(in)
	if err != nil {
		return fmt.Errorf("cannot look at the messages of %s: %v", in.Name, err)
	}
	if !iris.Running(in) {
		if err := t.Note("started", true); err != nil {
			return err
		}
		if err := d.startUnit(ctx, t, in); err != nil {
			return withAlerts(err, in, offset)
		}
	}
	if err := d.IRIS.UntilReady(ctx, in.Name, wait(t, a.Seconds)); err != nil {
		return withAlerts(err, in, offset)
	}
	return d.settlePending(ctx, t, in.Name)
}

// startUnit starts the service, or the instance itself where there is none.
func (d Deps) startUnit(ctx context.Context, t *engine.Task, in wire.Instance) error {
	name := iris.UnitName(in.Name)
	_, ours, err := d.Units.Read(name)
	if err != nil {
		return err
	}
	if !ours {
		t.Logf("there is no service %s, starting the instance itself", name)
		merge := ""
		if pending, err := d.IRIS.Pending(in.Name); err != nil {
			return err
		} else if len(pending) > 0 {
			merge = d.IRIS.MergePath(in.Name)
		}
		return d.IRIS.StartByHand(ctx, in, merge)
	}
	// systemd may believe that an instance runs which was stopped by hand or
	// crashed; starting it would then do nothing.
	if err := d.stopUnit(ctx, t, in); err != nil {
		return err
	}
	return d.Units.Start(ctx, name)
}

// withAlerts adds what the instance itself complained of.
func withAlerts(err error, in wire.Instance, offset int64) error {
	lines := iris.LastAlerts(in, offset, 2)
	if len(lines) == 0 {
		return &hint.Error{Err: err, Hint: "look into " + iris.MessagesLog(in)}
	}
	for i, l := range lines {
		if i == 0 {
			err = fmt.Errorf("%w; messages.log says: %s", err, l)
		} else {
			err = fmt.Errorf("%w | %s", err, l)
		}
	}
	return &hint.Error{Err: err, Hint: "look into " + iris.MessagesLog(in)}
}

// settlePending proves that the start took the configuration that waited for it,
// and forgets it. An instance that started without it gets it now.
func (d Deps) settlePending(ctx context.Context, t *engine.Task, name string) error {
	merge, err := d.IRIS.Pending(name)
	if err != nil || len(merge) == 0 {
		return err
	}
	in, err := d.IRIS.Find(ctx, name)
	if err != nil {
		return err
	}
	if missing := iris.PendingUnmet(in, merge); len(missing) > 0 {
		t.Logf("the start did not merge everything: %s", plural(missing))
		said, err := d.IRIS.Merge(ctx, in, merge)
		if err != nil {
			return err
		}
		if missing := iris.PendingUnmet(in, merge); len(missing) > 0 {
			return fmt.Errorf("cannot configure %s: after the merge %s; it said: %s", name, plural(missing), said)
		}
	}
	if iris.HasOSAuth(merge) {
		ok, err := d.IRIS.OSAuthWorks(ctx, in)
		if err == nil && !ok {
			err = fmt.Errorf("cannot configure %s: it asks its owner for a password, although operating system authentication was merged", name)
		}
		if err != nil {
			return err
		}
	}
	if err := d.rememberMerged(name, merge); err != nil {
		return err
	}
	return d.IRIS.ClearPending(name)
}

func (d Deps) rememberMerged(name string, merge []byte) error {
	rec, known, err := d.IRIS.Record(name)
	if err != nil || !known {
		return err
	}
	rec.PasswordSet = rec.PasswordSet || iris.HasPassword(merge)
	rec.OSAuth = rec.OSAuth || iris.HasOSAuth(merge)
	return d.IRIS.Remember(rec)
}

func (d Deps) undoStart(ctx context.Context, t *engine.Task) error {
	var a kind.Start
	var started bool
	if err := t.Decode(&a); err != nil {
		return err
	}
	if _, err := t.Load("started", &started); err != nil || !started {
		return err
	}
	return d.halt(ctx, t, a.Instance.Name)
}
