package tasks

import (
	"context"
	"fmt"
	"strings"

	"icm/agent/engine"
	"icm/agent/iris"
	"icm/agent/kitfile"
	"icm/internal/hint"
	"icm/internal/kind"
	"icm/internal/kitname"
	"icm/internal/wire"
)

func irisInstall(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookInstall, Do: d.doInstall, Undo: d.undoInstall}
}

func (d Deps) lookInstall(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var a kind.Install
	if err := t.Decode(&a); err != nil {
		return wire.Look{}, err
	}
	in, rec, err := d.known(ctx, a.Instance)
	if err != nil {
		return wire.Look{}, err
	}
	if !in.there || rec.Installing {
		look := notInstalled("instance "+a.Instance, a.Version+" in "+a.Dir)
		if err := iris.CheckTarget(a.Dir, rec.Installing); err != nil {
			look.Refused, look.Hint = hinted(err)
		}
		return look, nil
	}
	if err := decideInstalled(in.Instance, a); err != nil {
		look := wire.Look{Diffs: []wire.Diff{{What: "instance " + a.Instance, Before: in.Version + " in " + in.Dir, After: a.Version + " in " + a.Dir}}}
		look.Refused, look.Hint = hinted(err)
		return look, nil
	}
	return wire.Look{Satisfied: true}, nil
}

func (d Deps) known(ctx context.Context, name string) (found, iris.Record, error) {
	if err := iris.CheckName(name); err != nil {
		return found{}, iris.Record{}, err
	}
	rec, _, err := d.IRIS.Record(name)
	if err != nil {
		return found{}, rec, err
	}
	in, err := d.find(ctx, name)
	return in, rec, err
}

// decideInstalled tells why an instance that is there is not the wanted one.
func decideInstalled(in wire.Instance, a kind.Install) error {
	switch {
	case !iris.IsOurs(in, a.Dir):
		return &hint.Error{
			Err:  fmt.Errorf("instance %s is installed in %s already", in.Name, in.Dir),
			Hint: "set ISCInstallDir to that directory, or choose another instance name",
		}
	case iris.SameVersion(in.Version, a.Version):
		return nil
	case kitname.Compare(in.Version, a.Version) > 0:
		return &hint.Error{
			Err:  fmt.Errorf("instance %s has version %s, which is newer than the kit's %s", in.Name, in.Version, a.Version),
			Hint: "there is no way to an older version over existing data; set KitURL to a kit of the installed version or a newer one",
		}
	}
	return &hint.Error{
		Err:  fmt.Errorf("instance %s has version %s, the kit is %s", in.Name, in.Version, a.Version),
		Hint: "icm upgrade replaces the version",
	}
}

// doInstall runs the kit's installer.
//
// Rerun: what an interrupted installer left is deleted first; it never served.
// A finished installation is kept.
// Undo: unregisters the instance and deletes its directory.
func (d Deps) doInstall(ctx context.Context, t *engine.Task) error {
	var a kind.Install
	if err := t.Decode(&a); err != nil {
		return err
	}
	in, rec, err := d.known(ctx, a.Instance)
	if err != nil {
		return err
	}
	if in.there && !rec.Installing {
		return decideInstalled(in.Instance, a)
	}
	if err := iris.CheckTarget(a.Dir, rec.Installing); err != nil {
		return err
	}
	dir, err := d.kitDir(a.Kit)
	if err != nil {
		return err
	}
	if err := t.Note("began", true); err != nil {
		return err
	}
	if rec, err = d.clearTarget(ctx, t, a, rec); err != nil {
		return err
	}
	i := iris.Installer{Args: a, KitDir: dir, Password: iris.Throwaway()}
	if err := d.IRIS.Install(ctx, i, logLine(t)); err != nil {
		return err
	}
	rec.Installing = false
	return d.IRIS.Remember(rec)
}

// clearTarget removes what an interrupted installation left, and remembers that
// an installation is under way, and what it is going to bring.
func (d Deps) clearTarget(ctx context.Context, t *engine.Task, a kind.Install, rec iris.Record) (iris.Record, error) {
	brought := rec.Brought // what an interrupted installation put there was brought too
	var err error
	if rec.Installing {
		t.Logf("removing what an interrupted installation left in %s", a.Dir)
		err = d.wipe(ctx, t, a.Instance, a.Dir)
	} else {
		brought, err = d.absent()
	}
	if err != nil {
		return rec, err
	}
	rec = iris.Record{Name: a.Instance, Dir: a.Dir, Installing: true, Brought: brought}
	return rec, d.IRIS.Remember(rec)
}

func (d Deps) undoInstall(ctx context.Context, t *engine.Task) error {
	var a kind.Install
	var began bool
	if err := t.Decode(&a); err != nil {
		return err
	}
	if _, err := t.Load("began", &began); err != nil || !began {
		return err
	}
	rec, known, err := d.IRIS.Record(a.Instance)
	if err != nil || !known {
		return err // nothing was begun, or it is undone already
	}
	if err := d.wipe(ctx, t, a.Instance, a.Dir); err != nil {
		return err
	}
	if err := d.removeBrought(ctx, t, rec); err != nil {
		return err
	}
	return d.IRIS.Forget(a.Instance)
}

// logLine records an installer's output, without the lines that say nothing.
func logLine(t *engine.Task) func(string) {
	return func(s string) {
		if strings.Trim(s, " \t.-*=") != "" {
			t.Logf("%s", s)
		}
	}
}

// kitDir returns where the installer of an unpacked kit lies.
func (d Deps) kitDir(k kind.Kit) (string, error) {
	name, err := kitname.Parse(k.Name)
	if err != nil {
		return "", err
	}
	return kitfile.FindInstaller(d.unpacked(name))
}

// hinted takes an error apart for a look.
func hinted(err error) (text, next string) { return err.Error(), hint.Of(err) }
