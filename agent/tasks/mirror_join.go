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

func mirrorJoin(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookMirrorJoin, Do: d.doMirrorJoin, Undo: d.undoMember}
}

func (d Deps) lookMirrorJoin(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.JoiningMember
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	as := map[string]string{kind.Failover: "failover member", kind.DRAsync: "disaster recovery async"}[a.Type]
	if as == "" {
		return wire.Look{}, fmt.Errorf("cannot join a mirror as %q: %s or %s", a.Type, kind.Failover, kind.DRAsync)
	}
	return d.lookMember(ctx, a.MirrorMember, as)
}

// doMirrorJoin makes the instance a member of a mirror, starts it anew when it
// is a failover member, and waits until it has found its place.
//
// Rerun: goes on where it was: a member is not joined again, and started anew
// once.
// Undo: leaves the mirror, if this task joined it.
func (d Deps) doMirrorJoin(ctx context.Context, t *engine.Task) error {
	var a kind.JoiningMember
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.becomeMember(ctx, t, a.MirrorMember, func(in wire.Instance) error {
		if err := checkNames(a.Mirror, a.First.Member, a.First.Instance); err != nil {
			return err
		}
		if err := d.IRIS.CheckAgent(ctx, a.First.Address, a.First.AgentPort); err != nil {
			return err
		}
		if err := t.Note("joined", true); err != nil {
			return err
		}
		return d.IRIS.JoinMirror(ctx, in, a)
	})
	if err != nil {
		return err
	}
	var joined bool
	if _, err := t.Load("joined", &joined); err != nil {
		return err
	}
	if joined && a.Type == kind.Failover {
		if err := once(t, "restarted", func() error { return d.restart(ctx, t, in, a.Seconds) }); err != nil {
			return err
		}
	}
	if err := d.IRIS.UntilJoined(ctx, in.Name, a.TLSDir != "", wait(t, a.Seconds)); err != nil {
		return &hint.Error{Err: err, Hint: "look into " + iris.MessagesLog(in) + " here and on " + a.First.Member}
	}
	return nil
}

func mirrorAdmit(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookMirrorAdmit, Do: d.doMirrorAdmit}
}

// toAdmit are the members that this instance was not seen to admit.
func (d Deps) toAdmit(a kind.Admission) ([]kind.NewMember, error) {
	var missing []kind.NewMember
	for _, m := range a.Members {
		if err := checkNames(a.Mirror, m.Member); err != nil {
			return nil, err
		}
		done, err := d.IRIS.Marked(a.Instance.Name, admitted(m))
		if err != nil {
			return nil, err
		}
		if !done {
			missing = append(missing, m)
		}
	}
	return missing, nil
}

func admitted(m kind.NewMember) string { return "admitted " + m.Member + " " + m.DN }

func (d Deps) lookMirrorAdmit(_ context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Admission
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	missing, err := d.toAdmit(a)
	if err != nil {
		return wire.Look{}, err
	}
	var diffs []wire.Diff
	for _, m := range missing {
		diffs = append(diffs, wire.Diff{What: "member " + m.Member, Before: "not admitted", After: "admitted to mirror " + a.Mirror.Mirror})
	}
	return satisfiedBy(diffs), nil
}

// doMirrorAdmit lets members into a mirror with TLS.
//
// Rerun: members that are in are left alone.
// Undo: none; a member that was admitted and does not come does no harm.
func (d Deps) doMirrorAdmit(ctx context.Context, t *engine.Task) error {
	var a kind.Admission
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.primary(ctx, t, a.Mirror)
	if err != nil {
		return err
	}
	missing, err := d.toAdmit(a)
	if err != nil {
		return err
	}
	for _, m := range missing {
		if err := d.IRIS.AdmitMember(ctx, in, m); err != nil {
			return err
		}
		if err := d.IRIS.Mark(in.Name, admitted(m), ""); err != nil {
			return err
		}
	}
	return nil
}

// primary finds an instance that must be the mirror's primary now.
func (d Deps) primary(ctx context.Context, t *engine.Task, m kind.Mirror) (wire.Instance, error) {
	if err := checkNames(m); err != nil {
		return wire.Instance{}, err
	}
	in, err := d.serving(ctx, t, m.Instance)
	if err != nil {
		return in, err
	}
	if in.MirrorStatus != "Primary" {
		return in, &hint.Error{Err: fmt.Errorf("cannot change mirror %s here: %s is %q, not the primary", m.Mirror, in.Name, first(in.MirrorStatus, "no member")),
			Hint: "run the command again: it asks anew who is the primary"}
	}
	return in, nil
}

func first(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func mirrorArbiter(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookMirrorArbiter, Do: d.doMirrorArbiter, Undo: d.undoMirrorArbiter}
}

func (d Deps) lookMirrorArbiter(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Arbiter
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	diff := wire.Diff{What: "arbiter of mirror " + a.Mirror.Mirror, Before: "not known", After: first(a.Arbiter, "none")}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil || !in.there || !iris.Running(in.Instance) {
		return wire.Look{Diffs: []wire.Diff{diff}}, err
	}
	s, err := d.IRIS.MirrorState(ctx, in.Instance)
	if err != nil {
		return wire.Look{Diffs: []wire.Diff{diff}}, nil
	}
	diff.Before = first(s.Arbiter, "none")
	return wire.Look{Satisfied: s.Arbiter == a.Arbiter, Diffs: []wire.Diff{diff}}, nil
}

// doMirrorArbiter sets the mirror's arbiter, on the primary.
//
// Rerun: sets the same again.
// Undo: sets the arbiter that was there.
func (d Deps) doMirrorArbiter(ctx context.Context, t *engine.Task) error {
	var a kind.Arbiter
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.primary(ctx, t, a.Mirror)
	if err != nil {
		return err
	}
	s, err := d.IRIS.MirrorState(ctx, in)
	if err != nil || s.Arbiter == a.Arbiter {
		return err
	}
	if err := once(t, "begun", func() error { return t.Note("before", s.Arbiter) }); err != nil {
		return err
	}
	return d.IRIS.SetArbiter(ctx, in, a.Mirror.Mirror, a.Arbiter)
}

func (d Deps) undoMirrorArbiter(ctx context.Context, t *engine.Task) error {
	var a kind.Arbiter
	var before string
	if err := t.Decode(&a); err != nil {
		return err
	}
	if known, err := t.Load("before", &before); err != nil || !known {
		return err
	}
	in, err := d.primary(ctx, t, a.Mirror)
	if err != nil {
		return err
	}
	return d.IRIS.SetArbiter(ctx, in, a.Mirror.Mirror, before)
}
