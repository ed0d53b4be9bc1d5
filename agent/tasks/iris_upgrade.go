package tasks

import (
	"context"
	"fmt"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/wire"
)

func irisUpgrade(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookUpgrade, Do: d.doUpgrade, Undo: d.undoUpgrade}
}

func (d Deps) lookUpgrade(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Install
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there {
		look := notInstalled("instance "+a.Instance, a.Version)
		look.Refused, look.Hint = "there is no instance "+a.Instance+" to upgrade", "icm install brings it here"
		return look, nil
	}
	if iris.SameVersion(in.Version, a.Version) {
		return wire.Look{Satisfied: true}, nil
	}
	look := wire.Look{Diffs: []wire.Diff{{What: "version of " + in.Name, Before: in.Version, After: a.Version}}}
	if err := decideUpgrade(in.Instance, a); err != nil {
		look.Refused, look.Hint = hinted(err)
	}
	return look, nil
}

// decideUpgrade tells why an instance cannot be upgraded, or nil.
func decideUpgrade(in wire.Instance, a kind.Install) error {
	switch {
	case !iris.IsOurs(in, a.Dir):
		return fmt.Errorf("cannot upgrade %s: it is in %s, not in %s", in.Name, in.Dir, a.Dir)
	case kitname.Compare(in.Version, a.Version) > 0:
		return &hint.Error{
			Err:  fmt.Errorf("cannot upgrade %s: its version %s is newer than the kit's %s", in.Name, in.Version, a.Version),
			Hint: "there is no way to an older version over existing data",
		}
	case a.From != "" && !iris.SameVersion(in.Version, a.From):
		return &hint.Error{
			Err:  fmt.Errorf("cannot upgrade %s: its version is %s, the plan was made for %s", in.Name, in.Version, a.From),
			Hint: "somebody changed the node since; run the command again",
		}
	}
	return nil
}

// doUpgrade runs the newer kit's installer over the instance, which is down and
// was shut down cleanly.
//
// Rerun: what an interrupted installer left is nobody's version; the copy is put
// back first.
// Undo: puts the copy of the old version back.
func (d Deps) doUpgrade(ctx context.Context, t *engine.Task) error {
	var a kind.Install
	var began bool
	if err := t.Decode(&a); err != nil {
		return err
	}
	if _, err := t.Load("began", &began); err != nil {
		return err
	}
	if began {
		t.Logf("putting version %s back before another try", a.From)
		if err := d.restoreOld(ctx, t, a); err != nil {
			return err
		}
		if err := d.copyAgain(ctx, t, a); err != nil {
			return err
		}
	}
	in, err := d.must(ctx, kind.Instance{Name: a.Instance})
	if err != nil {
		return err
	}
	if iris.SameVersion(in.Version, a.Version) {
		return nil
	}
	if err := d.readyForUpgrade(in, a); err != nil {
		return err
	}
	dir, err := d.kitDir(a.Kit)
	if err != nil {
		return err
	}
	if err := t.Note("began", true); err != nil {
		return err
	}
	a.From = in.Version // makes the installer's command an upgrade's
	if err := d.IRIS.Install(ctx, iris.Installer{Args: a, KitDir: dir}, logLine(t)); err != nil {
		return err
	}
	return d.halt(ctx, t, a.Instance) // some kits start what they upgraded
}

func (d Deps) readyForUpgrade(in wire.Instance, a kind.Install) error {
	if err := decideUpgrade(in, a); err != nil {
		return err
	}
	if !iris.Down(in) {
		return fmt.Errorf("cannot upgrade %s: it is %q, not down", in.Name, in.Status)
	}
	if err := iris.ProveClean(in, 0); err != nil {
		return err
	}
	snap, ok, err := d.IRIS.FindSnapshot(in.Name, in.Dir)
	if err != nil {
		return err
	}
	if !ok || !snap.Complete || snap.Version != in.Version {
		return fmt.Errorf("cannot upgrade %s: there is no complete copy of version %s to go back to", in.Name, in.Version)
	}
	return nil
}

// copyAgain makes the copy that a restore used up anew.
func (d Deps) copyAgain(ctx context.Context, t *engine.Task, a kind.Install) error {
	in, err := d.must(ctx, kind.Instance{Name: a.Instance})
	if err != nil {
		return err
	}
	return d.IRIS.TakeSnapshot(ctx, in, false, bytesOf(t))
}

func (d Deps) undoUpgrade(ctx context.Context, t *engine.Task) error {
	var a kind.Install
	var began bool
	if err := t.Decode(&a); err != nil {
		return err
	}
	if _, err := t.Load("began", &began); err != nil || !began {
		return err
	}
	return d.restoreOld(ctx, t, a)
}

func (d Deps) restoreOld(ctx context.Context, t *engine.Task, a kind.Install) error {
	if err := d.halt(ctx, t, a.Instance); err != nil {
		return err
	}
	if err := d.IRIS.Restore(ctx, a.Instance, a.Dir); err != nil {
		return err
	}
	in, err := d.must(ctx, kind.Instance{Name: a.Instance})
	if err != nil {
		return err
	}
	if a.From != "" && !iris.SameVersion(in.Version, a.From) {
		return fmt.Errorf("cannot restore %s: iris qlist says %s, not %s", a.Instance, in.Version, a.From)
	}
	t.Logf("version %s is back", in.Version)
	return nil
}

func bytesOf(t *engine.Task) func(done, total int64) {
	return func(done, total int64) { t.Progress(done, total, "bytes", "") }
}
