package tasks

import (
	"context"
	"fmt"
	"path/filepath"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

func mirrorWait(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookMirrorWait, Do: d.doMirrorWait}
}

func (d Deps) lookMirrorWait(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.MirrorPlace
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	return d.lookPlace(ctx, a, a.Want)
}

func (d Deps) lookPlace(ctx context.Context, a kind.MirrorPlace, want string) (wire.Look, error) {
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	what := "place in mirror " + a.Mirror.Mirror
	if !in.there {
		return notInstalled(what, want), nil
	}
	ok, seen := d.IRIS.InPlace(ctx, in.Instance, want)
	if ok {
		return wire.Look{Satisfied: true}, nil
	}
	return wire.Look{Diffs: []wire.Diff{{What: what, Before: seen, After: want}}}, nil
}

// doMirrorWait waits until the member has its place, and changes nothing.
//
// Rerun: waits again.
// Undo: nothing was done.
func (d Deps) doMirrorWait(ctx context.Context, t *engine.Task) error {
	var a kind.MirrorPlace
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.must(ctx, a.Instance)
	if err != nil {
		return err
	}
	if err := d.IRIS.UntilMirror(ctx, in.Name, a.Want, wait(t, a.Seconds)); err != nil {
		return &hint.Error{Err: err, Hint: "look into " + iris.MessagesLog(in) + " on the members of the mirror; `icm ps` shows them"}
	}
	return nil
}

func mirrorTakeover(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookMirrorTakeover, Do: d.doMirrorTakeover}
}

func (d Deps) lookMirrorTakeover(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.MirrorPlace
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	return d.lookPlace(ctx, a, kind.WantPrimary)
}

// doMirrorTakeover waits until this member is the primary, because the other
// one is stopped at the same time.
//
// Rerun: waits again.
// Undo: none; this member hands over when it is stopped itself.
func (d Deps) doMirrorTakeover(ctx context.Context, t *engine.Task) error {
	var a kind.MirrorPlace
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.must(ctx, a.Instance)
	if err != nil {
		return err
	}
	if err := d.IRIS.UntilMirror(ctx, in.Name, kind.WantPrimary, wait(t, a.Seconds)); err != nil {
		return &hint.Error{Err: fmt.Errorf("the mirror has not failed over to this member: %w", err),
			Hint: "start the other member again if none is the primary now, and look into " + iris.MessagesLog(in)}
	}
	return nil
}

func mirrorLeave(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookMirrorLeave, Do: d.doMirrorLeave}
}

func (d Deps) lookMirrorLeave(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Mirror
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil || !in.there {
		return wire.Look{Satisfied: true}, err
	}
	is, refused := memberOf(in, a)
	if !is && refused == "" {
		return wire.Look{Satisfied: true}, nil
	}
	look := wire.Look{Refused: refused, Hint: hintLeave(refused),
		Diffs: []wire.Diff{{What: "mirror " + a.Mirror, Before: first(in.MirrorStatus, "member"), After: "no member"}}}
	if refused == "" && in.MirrorStatus == "Primary" {
		look.Refused = fmt.Sprintf("instance %s is the primary of mirror %s", in.Name, a.Mirror)
		look.Hint = "let the other member take over first: stop this instance and start it again"
	}
	return look, nil
}

// doMirrorLeave takes the member out of its mirror and starts it anew. Its
// databases keep what they hold.
//
// Rerun: one that has left is left alone.
// Undo: none; to come back it has to join anew.
func (d Deps) doMirrorLeave(ctx context.Context, t *engine.Task) error {
	var a kind.Mirror
	if err := t.Decode(&a); err != nil {
		return err
	}
	if err := checkNames(a); err != nil {
		return err
	}
	in, err := d.serving(ctx, t, a.Instance)
	if err != nil {
		return err
	}
	if in.MirrorStatus == "Primary" {
		return fmt.Errorf("cannot leave mirror %s: %s has become its primary", a.Mirror, in.Name)
	}
	return d.leave(ctx, t, in, a)
}

func mirrorDatabase(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookMirrorDatabase, Do: d.doMirrorDatabase}
}

// unmirrored lists what a mirrored database lacks on this member.
func unmirrored(in wire.Instance, a kind.MirroredDatabase) []wire.Diff {
	diffs := iris.Missing(in, a.Name, a.Dir)
	name := first(a.MirrorName, a.Name)
	if have := iris.MirroredDatabase(in, a.Mirror.Mirror, name); have != filepath.Clean(a.Dir) {
		diffs = append(diffs, wire.Diff{What: "database " + a.Name, Before: first(have, "not mirrored"), After: "in mirror " + a.Mirror.Mirror})
	}
	return diffs
}

func (d Deps) lookMirrorDatabase(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.MirroredDatabase
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there {
		return notInstalled("namespace "+a.Name, "mirrored database in "+a.Dir), nil
	}
	look := satisfiedBy(unmirrored(in.Instance, a))
	if err := foreignData(in.Instance, a); err != nil && !look.Satisfied {
		look.Refused, look.Hint = err.Error(), hint.Of(err)
	}
	return look, nil
}

// foreignData refuses to mirror, on a member that is not the primary, data that
// was not mirrored: it need not be the primary's.
func foreignData(in wire.Instance, a kind.MirroredDatabase) error {
	there := exists(filepath.Join(a.Dir, "IRIS.DAT"))
	mirrored := iris.MirroredDatabase(in, a.Mirror.Mirror, first(a.MirrorName, a.Name)) != ""
	elsewhere := in.MirrorStatus != "" && in.MirrorStatus != "Primary"
	if !there || mirrored || !elsewhere {
		return nil
	}
	return &hint.Error{
		Err:  fmt.Errorf("%s holds a database that is not mirrored, and %s is %q: whether it is the primary's is not known", a.Dir, in.Name, in.MirrorStatus),
		Hint: "move it away; then put a backup of the primary's database there, or let icm make a new one",
	}
}

// doMirrorDatabase makes a mirrored database and a namespace over it. On the
// primary one that is there becomes part of the mirror.
//
// Rerun: makes what is missing.
// Undo: none; what is in the mirror stays there.
func (d Deps) doMirrorDatabase(ctx context.Context, t *engine.Task) error {
	var a kind.MirroredDatabase
	if err := t.Decode(&a); err != nil {
		return err
	}
	if err := checkNames(a.Mirror); err != nil {
		return err
	}
	in, err := d.serving(ctx, t, a.Instance)
	if err != nil || len(unmirrored(in, a)) == 0 {
		return err
	}
	if is, _ := memberOf(found{in, true}, a.Mirror); !is || !iris.Running(in) {
		return fmt.Errorf("cannot mirror database %s: %s is %q, and no running member of mirror %s", a.Name, in.Name, in.Status, a.Mirror.Mirror)
	}
	if err := foreignData(in, a); err != nil {
		return err
	}
	existing := exists(filepath.Join(a.Dir, "IRIS.DAT"))
	if err := makeOwned(a.Dir, a.Instance.Owner, a.Instance.Group); err != nil {
		return err
	}
	if err := d.IRIS.MakeMirrored(ctx, in, a, existing); err != nil {
		return err
	}
	if missing := unmirrored(in, a); len(missing) > 0 {
		return fmt.Errorf("cannot mirror database %s: the instance says it did, but %s", a.Name, plural(missing))
	}
	return nil
}
