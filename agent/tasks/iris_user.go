package tasks

import (
	"context"
	"fmt"
	"strconv"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/kind"
	"icm/internal/wire"
)

func irisUser(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookUser, Do: d.doUser}
}

// passwordMark begins the mark that says which password an account was given.
func passwordMark(user string) string { return "password of " + user + " is " }

// userIsSet reports whether the account has the password that is wanted. One
// without a mark is set once and for all.
func (d Deps) userIsSet(a kind.User) (bool, error) {
	have, err := d.IRIS.Marking(a.Instance.Name, passwordMark(a.Name))
	return have != "" && (a.Mark == "" || have == strconv.Quote(a.Mark)), err
}

func (d Deps) lookUser(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.User
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	if err := iris.CheckUser(a.Name); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there {
		return notInstalled("password of "+a.Name, "the deployment's"), nil
	}
	set, err := d.userIsSet(a)
	if err != nil || set {
		return wire.Look{Satisfied: set, NoSecrets: set}, err
	}
	return wire.Look{Diffs: []wire.Diff{{What: "password of " + a.Name, Before: "not set by icm", After: "the deployment's"}}}, nil
}

// doUser gives an account of the instance its password.
//
// Rerun: sets the same again.
// Undo: none; what the password was before nobody can tell.
func (d Deps) doUser(ctx context.Context, t *engine.Task) error {
	var a kind.User
	if err := t.Decode(&a); err != nil {
		return err
	}
	if err := iris.CheckUser(a.Name); err != nil {
		return err
	}
	if set, err := d.userIsSet(a); err != nil || set {
		return err
	}
	password, err := t.Secret(a.PasswordSecret)
	if err != nil {
		return err
	}
	in, err := d.serving(ctx, t, a.Instance)
	if err != nil {
		return err
	}
	if !iris.Running(in) {
		return fmt.Errorf("cannot set the password of %s: %s is %q, not running", a.Name, in.Name, in.Status)
	}
	if err := d.IRIS.SetPassword(ctx, in, a.Name, password); err != nil {
		return err
	}
	return d.IRIS.Mark(in.Name, passwordMark(a.Name)+strconv.Quote(a.Mark), passwordMark(a.Name))
}
