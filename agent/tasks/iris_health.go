package tasks

import (
	"context"
	"fmt"
	"time"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

func irisHealth(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookHealth, Do: d.doHealth}
}

func (d Deps) lookHealth(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Start
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there {
		return notInstalled("instance "+a.Instance.Name, "ready"), nil
	}
	ok, seen := d.IRIS.Healthy(ctx, in.Instance)
	if ok {
		return wire.Look{Satisfied: true}, nil
	}
	return wire.Look{Diffs: []wire.Diff{{What: "instance " + in.Name, Before: seen, After: "ready"}}}, nil
}

// doHealth waits until the instance serves and has no alert.
//
// Rerun: starts what went down with the node, and waits again.
// Undo: there is nothing to undo.
func (d Deps) doHealth(ctx context.Context, t *engine.Task) error {
	var a kind.Start
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.must(ctx, a.Instance)
	if err != nil {
		return err
	}
	if err := d.startAgain(ctx, t, in); err != nil {
		return err
	}
	// What was said before this start is history.
	if err := d.IRIS.UntilHealthy(ctx, in.Name, wait(t, a.Seconds)); err != nil {
		return withAlerts(err, in, 0)
	}
	return nil
}

// startAgain starts an instance that went down together with the agent. One that
// goes down while the agent watches has failed.
func (d Deps) startAgain(ctx context.Context, t *engine.Task, in wire.Instance) error {
	var rerun bool
	if _, err := t.Load("waiting", &rerun); err != nil {
		return err
	}
	if !rerun {
		return t.Note("waiting", true)
	}
	if !iris.Down(in) && !iris.Crashed(in) {
		return nil
	}
	t.Logf("%s went down with the node; starting it", in.Name)
	return d.startUnit(ctx, t, in)
}

func irisVerify(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookVerify, Do: d.doVerify}
}

// unverified lists what iris.cpf and qlist do not say as they were asked to.
func (d Deps) unverified(ctx context.Context, t *engine.Task) ([]wire.Diff, error) {
	var a kind.Configure
	if err := t.Decode(&a); err != nil {
		return nil, err
	}
	want, err := iris.Settings(a)
	if err != nil {
		return nil, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return nil, err
	}
	if !in.there {
		return []wire.Diff{{What: "instance " + a.Instance.Name, Before: "not there", After: "installed"}}, nil
	}
	f, err := iris.ReadCPF(in.Instance)
	if err != nil {
		return nil, err
	}
	out := iris.Unmet(f, want)
	if v := a.Instance.Version; v != "" && !iris.SameVersion(in.Version, v) {
		out = append(out, wire.Diff{What: "version of " + in.Name, Before: in.Version, After: v})
	}
	return out, nil
}

func (d Deps) lookVerify(ctx context.Context, t *engine.Task) (wire.Look, error) {
	diffs, err := d.unverified(ctx, t)
	return satisfiedBy(diffs), err
}

// verifyLimit is how long a setting may take to show: an instance writes its
// configuration a moment after it says that it runs.
const verifyLimit = 10 * time.Second

// doVerify reads back what was configured.
//
// Rerun: reads again.
// Undo: there is nothing to undo.
func (d Deps) doVerify(ctx context.Context, t *engine.Task) error {
	var diffs []wire.Diff
	var err error
	poll(ctx, time.Second/2, verifyLimit, func() bool {
		diffs, err = d.unverified(ctx, t)
		return err != nil || len(diffs) == 0
	})
	if err != nil {
		return err
	}
	if len(diffs) > 0 {
		return &hint.Error{
			Err:  fmt.Errorf("cannot verify the configuration: %s", plural(diffs)),
			Hint: "the instance did not take what it was given; its messages.log may say why",
		}
	}
	return nil
}
