package tasks

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

// startDefault is how long an instance may take to serve when the task does not
// say: what the kits' own waiting script allows.
const startDefault = 300 * time.Second

// found is an instance as the machine tells of it, when it is there.
type found struct {
	wire.Instance
	there bool
}

func (d Deps) find(ctx context.Context, name string) (found, error) {
	in, err := d.IRIS.Find(ctx, name)
	if errors.Is(err, iris.ErrNoInstance) {
		return found{}, nil
	}
	return found{in, err == nil}, err
}

// must finds an instance that has to be there.
func (d Deps) must(ctx context.Context, i kind.Instance) (wire.Instance, error) {
	in, err := d.IRIS.Find(ctx, i.Name)
	if errors.Is(err, iris.ErrNoInstance) {
		return in, &hint.Error{Err: fmt.Errorf("there is no instance %s on this node", i.Name), Hint: "icm install brings it here"}
	}
	return in, err
}

// serving finds an instance that has to serve and waits until it does: when the
// node has just booted it may still be coming up. One that went down together
// with the agent is started again; one that is down otherwise is left to the
// caller.
func (d Deps) serving(ctx context.Context, t *engine.Task, i kind.Instance) (wire.Instance, error) {
	in, err := d.must(ctx, i)
	if err != nil {
		return in, err
	}
	if err := d.startAgain(ctx, t, in); err != nil {
		return in, err
	}
	if in, err = d.must(ctx, i); err != nil || iris.Down(in) {
		return in, err
	}
	if err := d.IRIS.UntilReady(ctx, in.Name, wait(t, 0)); err != nil {
		return in, err
	}
	return d.must(ctx, i)
}

// notInstalled is the look of a task whose instance is yet to come.
func notInstalled(what, after string) wire.Look {
	return wire.Look{Diffs: []wire.Diff{{What: what, Before: "not there", After: after}}}
}

func satisfiedBy(diffs []wire.Diff) wire.Look {
	return wire.Look{Satisfied: len(diffs) == 0, Diffs: diffs}
}

// wait is the wait of a task: its deadline, and its progress.
func wait(t *engine.Task, seconds int) iris.Wait {
	limit := startDefault
	if seconds > 0 {
		limit = time.Duration(seconds) * time.Second
	}
	return iris.Wait{Deadline: time.Now().Add(limit), Tell: t.Waits}
}

// halt stops an instance whatever it takes, for an instance whose memory nobody
// needs any more: an installation that is taken back or removed, an upgrade that
// failed. Each step that is harder than a plain stop is recorded.
func (d Deps) halt(ctx context.Context, t *engine.Task, name string) error {
	in, err := d.find(ctx, name)
	if err != nil || !in.there {
		return err
	}
	if err := d.stopUnit(ctx, t, in.Instance); err != nil {
		t.Logf("%v", err)
	}
	for _, step := range []struct {
		words string
		stop  func(context.Context) error
	}{
		{"", func(ctx context.Context) error { return d.IRIS.StopByHand(ctx, in.Instance) }},
		{"bypass", func(ctx context.Context) error { return d.IRIS.StopByHand(ctx, in.Instance, iris.StopBypass) }},
		{"force", func(ctx context.Context) error { return d.IRIS.Force(ctx, in.Instance) }},
	} {
		now, err := d.find(ctx, name)
		if err != nil || !now.there || iris.Down(now.Instance) {
			return err
		}
		if step.words != "" {
			t.Logf("%s is %q still, trying %s", name, now.Status, step.words)
		}
		if err := d.limited(ctx, step.stop); err != nil {
			t.Logf("%v", err)
		}
	}
	now, err := d.find(ctx, name)
	if err != nil || !now.there || iris.Down(now.Instance) || iris.Crashed(now.Instance) {
		return err
	}
	return fmt.Errorf("cannot stop %s: it is %q still", name, now.Status)
}

// stopLimit bounds one try to stop an instance: its own limit and a minute.
const stopLimit = 6 * time.Minute

func (d Deps) limited(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, stopLimit, fmt.Errorf("it did not end within %s", stopLimit))
	defer cancel()
	return f(ctx)
}

// stopUnit stops the instance's service when systemd believes that it runs:
// otherwise the next start would be none.
func (d Deps) stopUnit(ctx context.Context, t *engine.Task, in wire.Instance) error {
	name := iris.UnitName(in.Name)
	_, ours, err := d.Units.Read(name)
	if err != nil || !ours {
		return err
	}
	st, err := d.Units.Status(ctx, name)
	if err != nil {
		return err
	}
	if st.Active == "inactive" || st.Active == "failed" {
		return nil
	}
	if err := d.Units.Stop(ctx, name); err != nil {
		t.Logf("%v", err) // what counts is what the instance says afterwards
	}
	return nil
}

// wipe takes an installation of ours away, in whatever state it is.
func (d Deps) wipe(ctx context.Context, t *engine.Task, name, dir string) error {
	if err := d.halt(ctx, t, name); err != nil {
		return err
	}
	in, err := d.find(ctx, name)
	if err != nil {
		return err
	}
	if in.there {
		if !iris.IsOurs(in.Instance, dir) {
			return fmt.Errorf("cannot delete %s: it is in %s, not in %s", name, in.Dir, dir)
		}
		if err := d.IRIS.Unregister(ctx, in.Instance); err != nil {
			return err
		}
	}
	return iris.RemoveTree(dir)
}

func plural(list []wire.Diff) string {
	var parts []string
	for _, x := range list {
		parts = append(parts, fmt.Sprintf("%s is %s, not %s", x.What, x.Before, x.After))
	}
	return strings.Join(parts, "; ")
}

// once runs f and notes under key that it has; a rerun of the task finds the
// note. f may run twice when the agent dies in between.
func once(t *engine.Task, key string, f func() error) error {
	var done bool
	if _, err := t.Load(key, &done); err != nil || done {
		return err
	}
	if err := f(); err != nil {
		return err
	}
	return t.Note(key, true)
}

// begin notes, before the first change, that there is something to undo: a task
// that finds its work done must not undo what another one did.
func begin(t *engine.Task) error { return once(t, "begun", func() error { return nil }) }

// begun reports whether begin was called.
func begun(t *engine.Task) (yes bool, err error) {
	_, err = t.Load("begun", &yes)
	return yes, err
}
