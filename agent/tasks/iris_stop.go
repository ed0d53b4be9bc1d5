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

func irisStop(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookStop, Do: d.doStop, Undo: d.undoStop}
}

func (d Deps) lookStop(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Start
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there || iris.Down(in.Instance) {
		return wire.Look{Satisfied: true}, nil
	}
	return wire.Look{Diffs: []wire.Diff{{What: "instance " + in.Name, Before: in.Status, After: "down"}}}, nil
}

// stopBefore is what the task found.
type stopBefore struct {
	Running bool  `json:"running"`
	Offset  int64 `json:"offset"` // of messages.log before the stop
}

// doStop stops the instance and, when asked, proves that it was stopped cleanly.
//
// Rerun: an instance that is down is only proved.
// Undo: starts it again, if it ran.
func (d Deps) doStop(ctx context.Context, t *engine.Task) error {
	var a kind.Start
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil || !in.there {
		return err
	}
	before, err := d.noteStop(t, in.Instance)
	if err != nil {
		return err
	}
	if a.NoFailover { // the service's own stop knows no such word
		if err := d.stopByHand(ctx, t, in.Name, iris.StopNoFailover); err != nil {
			return err
		}
	}
	if err := d.stopUnit(ctx, t, in.Instance); err != nil {
		return err
	}
	if err := d.stopByHand(ctx, t, in.Name); err != nil {
		return err
	}
	if err := d.IRIS.UntilDown(ctx, in.Name, wait(t, a.Seconds)); err != nil {
		return err
	}
	if !a.Clean {
		return nil
	}
	return iris.ProveClean(in.Instance, before.Offset)
}

func (d Deps) noteStop(t *engine.Task, in wire.Instance) (stopBefore, error) {
	var before stopBefore
	if known, err := t.Load("before", &before); err != nil || known {
		return before, err
	}
	if !iris.Down(in) {
		offset, err := iris.LogEnd(in)
		if err != nil {
			return before, fmt.Errorf("cannot look at the messages of %s: %v", in.Name, err)
		}
		before = stopBefore{Running: true, Offset: offset}
	}
	return before, t.Note("before", before)
}

// stopByHand stops what runs beside its service, or does not let sessions in.
func (d Deps) stopByHand(ctx context.Context, t *engine.Task, name string, words ...string) error {
	in, err := d.find(ctx, name)
	if err != nil || !in.there || iris.Down(in.Instance) {
		return err
	}
	if iris.Inhibited(in.Instance) {
		t.Logf("%s is %q, stopping it with bypass", name, in.Status)
		words = append(words, iris.StopBypass)
	}
	err = d.limited(ctx, func(ctx context.Context) error { return d.IRIS.StopByHand(ctx, in.Instance, words...) })
	if err == nil {
		return nil
	}
	return &hint.Error{Err: err, Hint: "an instance that is hung needs `iris force " + name + "` by hand; its journal is recovered at the next start"}
}

func (d Deps) undoStop(ctx context.Context, t *engine.Task) error {
	var a kind.Start
	var before stopBefore
	if err := t.Decode(&a); err != nil {
		return err
	}
	if _, err := t.Load("before", &before); err != nil || !before.Running {
		return err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil || !in.there {
		return err
	}
	if !iris.Running(in.Instance) {
		if err := d.startUnit(ctx, t, in.Instance); err != nil {
			return err
		}
	}
	return d.IRIS.UntilReady(ctx, in.Name, wait(t, 0))
}
