package tasks

import (
	"context"
	"fmt"
	"os"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/internal/kind"
	"icm/internal/wire"
)

func irisNamespace(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookNamespace, Do: d.doNamespace}
}

func (d Deps) lookNamespace(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Namespace
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, err := d.find(ctx, a.Instance.Name)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there {
		return notInstalled("namespace "+a.Name, "database in "+a.Dir), nil
	}
	return satisfiedBy(iris.Missing(in.Instance, a.Name, a.Dir)), nil
}

// doNamespace makes a database and a namespace of one name.
//
// Rerun: makes what is missing.
// Undo: none; an empty namespace does no harm, and one that is not empty must
// not be deleted.
func (d Deps) doNamespace(ctx context.Context, t *engine.Task) error {
	var a kind.Namespace
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, err := d.serving(ctx, t, a.Instance)
	if err != nil {
		return err
	}
	if len(iris.Missing(in, a.Name, a.Dir)) == 0 {
		return nil
	}
	if !iris.Running(in) {
		return fmt.Errorf("cannot make namespace %s: %s is %q, not running", a.Name, in.Name, in.Status)
	}
	if err := makeOwned(a.Dir, a.Instance.Owner, a.Instance.Group); err != nil {
		return err
	}
	if err := d.IRIS.MakeDatabase(ctx, in, a.Name, a.Dir, a.Merge); err != nil {
		return err
	}
	if missing := iris.Missing(in, a.Name, a.Dir); len(missing) > 0 {
		return fmt.Errorf("cannot make namespace %s: the instance says it did, but %s", a.Name, plural(missing))
	}
	return nil
}

// makeOwned makes a directory of the instance's; one that is there is only
// given to it.
func makeOwned(dir, owner, group string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("cannot make %s: %v", dir, err)
	}
	return iris.Own(dir, owner, group, 0o775)
}
