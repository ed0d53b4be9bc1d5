package tasks

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/wire"
)

// Names as IRIS takes them; checked here, because they end up in code.
var (
	mirrorName = regexp.MustCompile(`^[A-Z0-9]{1,15}$`)
	memberName = regexp.MustCompile(`^[A-Za-z0-9_./-]{1,32}$`)
)

func checkNames(m kind.Mirror, members ...string) error {
	if !mirrorName.MatchString(m.Mirror) {
		return fmt.Errorf("cannot use %q as the name of a mirror: 1 to 15 digits and capital letters", m.Mirror)
	}
	for _, name := range members {
		if !memberName.MatchString(name) {
			return fmt.Errorf("cannot use %q as the name of a mirror member: 1 to 32 letters, digits, and . _ - /", name)
		}
	}
	return nil
}

// memberOf finds out whether the instance is in the mirror. One that is in
// another mirror is refused: it would have to leave that first.
func memberOf(in found, m kind.Mirror) (is bool, refused string) {
	if !in.there {
		return false, ""
	}
	have := iris.MembershipOf(in.Instance)
	if have.Mirror != "" && !strings.EqualFold(have.Mirror, m.Mirror) {
		return false, fmt.Sprintf("instance %s is a member of mirror %s, not of %s", in.Name, have.Mirror, m.Mirror)
	}
	return have.Mirror != "", ""
}

// lookMember is the look of the kinds that make a member.
func (d Deps) lookMember(ctx context.Context, m kind.MirrorMember, as string) (wire.Look, error) {
	if err := checkNames(m.Mirror, m.Member); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, m.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	is, refused := memberOf(in, m.Mirror)
	if is {
		return wire.Look{Satisfied: true}, nil
	}
	return wire.Look{Refused: refused, Hint: hintLeave(refused),
		Diffs: []wire.Diff{{What: "mirror " + m.Mirror.Mirror, Before: "no member", After: as + " " + m.Member}}}, nil
}

func hintLeave(refused string) string {
	if refused == "" {
		return ""
	}
	return "correct MirrorSetName, or take the instance out of that mirror"
}

func mirrorCreate(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookMirrorCreate, Do: d.doMirrorCreate, Undo: d.undoMember}
}

func (d Deps) lookMirrorCreate(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.MirrorMember
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	return d.lookMember(ctx, a, "first failover member")
}

// doMirrorCreate makes a mirror whose only member, and primary, this instance
// is.
//
// Rerun: a mirror that is there is only waited for.
// Undo: dissolves it, if this task made it.
func (d Deps) doMirrorCreate(ctx context.Context, t *engine.Task) error {
	var a kind.MirrorMember
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.becomeMember(ctx, t, a, func(in wire.Instance) error { return d.IRIS.CreateMirror(ctx, in, a) })
	if err != nil {
		return err
	}
	return d.IRIS.UntilMirror(ctx, in.Name, kind.WantPrimary, wait(t, 0))
}

// becomeMember does what creating and joining have in common. What was there
// before is noted first.
func (d Deps) becomeMember(ctx context.Context, t *engine.Task, a kind.MirrorMember, join func(wire.Instance) error) (wire.Instance, error) {
	if err := checkNames(a.Mirror, a.Member); err != nil {
		return wire.Instance{}, err
	}
	in, err := d.serving(ctx, t, a.Instance)
	if err != nil {
		return in, err
	}
	is, refused := memberOf(found{in, true}, a.Mirror)
	if is || refused != "" {
		if refused != "" {
			err = &hint.Error{Err: fmt.Errorf("cannot make a mirror member: %s", refused), Hint: hintLeave(refused)}
		}
		return in, err
	}
	if !iris.Running(in) {
		return in, fmt.Errorf("cannot make %s a mirror member: it is %q, not running", in.Name, in.Status)
	}
	if err := d.IRIS.CheckAgent(ctx, "127.0.0.1", a.AgentPort); err != nil {
		return in, err
	}
	served, err := d.IRIS.MirrorServed(ctx, in)
	if err != nil {
		return in, err
	}
	if err := once(t, "begun", func() error { return t.Note("served", served) }); err != nil {
		return in, err
	}
	if !served {
		if err := d.IRIS.ServeMirror(ctx, in, true); err != nil {
			return in, err
		}
	}
	return in, join(in)
}

// undoMember leaves a mirror that this task had created or joined.
func (d Deps) undoMember(ctx context.Context, t *engine.Task) error {
	var a kind.JoiningMember // holds those of mirror.create too
	var begun, served bool
	if err := t.Decode(&a); err != nil {
		return err
	}
	if _, err := t.Load("begun", &begun); err != nil || !begun {
		return err
	}
	if _, err := t.Load("served", &served); err != nil {
		return err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil || !in.there || !iris.Running(in.Instance) {
		return err
	}
	if err := d.leave(ctx, t, in.Instance, a.Mirror); err != nil || served {
		return err
	}
	now, err := d.must(ctx, a.Instance)
	if err != nil {
		return err
	}
	return d.IRIS.ServeMirror(ctx, now, false)
}

// leave takes the instance out of its mirror and starts it anew.
func (d Deps) leave(ctx context.Context, t *engine.Task, in wire.Instance, m kind.Mirror) error {
	if is, _ := memberOf(found{in, true}, m); !is {
		return nil
	}
	if err := d.IRIS.LeaveMirror(ctx, in); err != nil {
		return err
	}
	return d.restart(ctx, t, in, 0)
}

// restart stops an instance and starts it anew, without a failover.
func (d Deps) restart(ctx context.Context, t *engine.Task, in wire.Instance, seconds int) error {
	t.Logf("%s is started anew", in.Name)
	if err := d.stopUnit(ctx, t, in); err != nil {
		return err
	}
	if err := d.stopByHand(ctx, t, in.Name); err != nil {
		return err
	}
	if err := d.IRIS.UntilDown(ctx, in.Name, wait(t, seconds)); err != nil {
		return err
	}
	offset, err := iris.LogEnd(in)
	if err != nil {
		return fmt.Errorf("cannot look at the messages of %s: %v", in.Name, err)
	}
	if err := d.startUnit(ctx, t, in); err != nil {
		return withAlerts(err, in, offset)
	}
	if err := d.IRIS.UntilReady(ctx, in.Name, wait(t, seconds)); err != nil {
		return withAlerts(err, in, offset)
	}
	return nil
}
