package tasks

import (
	"context"
	"fmt"
	"strings"

	"icm/agent/engine"
	"icm/agent/host"
	"icm/agent/iris"
	"icm/agent/unit"
	"icm/internal/cpf"
	"icm/internal/kind"
	"icm/internal/wire"
)

func irisUnit(d Deps) engine.Kind {
	return engine.Kind{Look: d.lookUnit, Do: d.doUnit, Undo: d.undoUnit}
}

// checkUnit refuses what would be another line, or another command, of a unit.
func checkUnit(i kind.Unit) error {
	if err := iris.CheckName(i.Name); err != nil {
		return err
	}
	if i.Owner != "" && !host.ValidAccountName(i.Owner) {
		return fmt.Errorf("%q cannot be the name of an account", i.Owner)
	}
	for _, path := range append([]string{i.Dir}, i.Mounts...) {
		if strings.ContainsAny(path, "\n\r\x00") {
			return fmt.Errorf("%q cannot be a directory of an instance", path)
		}
	}
	return nil
}

// unitText is what the unit of an instance must say, once it is installed.
func (d Deps) unitText(ctx context.Context, i kind.Unit) (string, error) {
	if err := checkUnit(i); err != nil {
		return "", err
	}
	in, err := d.find(ctx, i.Name)
	if err != nil {
		return "", err
	}
	f := cpf.Parse(nil)
	if in.there {
		pending, err := d.IRIS.Pending(i.Name)
		if err != nil {
			return "", err
		}
		if f, err = iris.ReadCPF(in.Instance); err != nil {
			return "", err
		}
		f = iris.WithPending(f, pending)
	}
	return unit.Marker + d.IRIS.UnitText(i.Instance, iris.UnitDirs(i, f), iris.ShutdownTimeout(f)), nil
}

func (d Deps) lookUnit(ctx context.Context, t *engine.Task) (wire.Look, error) {
	var i kind.Unit
	if err := t.Decode(&i); err != nil {
		return wire.Look{}, err
	}
	name := iris.UnitName(i.Name)
	want, err := d.unitText(ctx, i)
	if err != nil {
		return wire.Look{}, err
	}
	have, there, err := d.Units.Read(name)
	if err != nil {
		look := wire.Look{Diffs: []wire.Diff{{What: name, Before: "somebody else's", After: "icm's"}}}
		look.Refused, look.Hint = err.Error(), "move "+unit.Dir+"/"+name+" away"
		return look, nil
	}
	if !there {
		return notInstalled(name, "runs "+i.Name+", enabled"), nil
	}
	diffs := lineDiffs(name, have, want)
	st, err := d.Units.Status(ctx, name)
	if err != nil {
		return wire.Look{}, err
	}
	if st.File != "enabled" {
		diffs = append(diffs, wire.Diff{What: name, Before: "not enabled", After: "enabled"})
	}
	return satisfiedBy(diffs), nil
}

// lineDiffs tells which lines of a unit go and come.
func lineDiffs(name, have, want string) []wire.Diff {
	var out []wire.Diff
	for _, side := range []struct{ a, b, before, after string }{{have, want, "there", "removed"}, {want, have, "not there", "added"}} {
		other := map[string]bool{}
		for l := range strings.Lines(side.b) {
			other[l] = true
		}
		for l := range strings.Lines(side.a) {
			if !other[l] {
				out = append(out, wire.Diff{What: name + ": " + strings.TrimSpace(l), Before: side.before, After: side.after})
			}
		}
	}
	return out
}

// unitBefore is what undo puts back.
type unitBefore struct {
	Text  string `json:"text"`
	There bool   `json:"there"`
	// Disabled says that the unit that was there did not start at boot.
	Disabled bool `json:"disabled,omitempty"`
}

// doUnit writes the instance's service and enables it.
//
// Rerun: writes the same again.
// Undo: puts back the service that was there, or removes ours.
func (d Deps) doUnit(ctx context.Context, t *engine.Task) error {
	var i kind.Unit
	if err := t.Decode(&i); err != nil {
		return err
	}
	name := iris.UnitName(i.Name)
	have, there, err := d.Units.Read(name)
	if err != nil {
		return err
	}
	var before unitBefore
	if known, err := t.Load("before", &before); err != nil {
		return err
	} else if !known {
		st, err := d.Units.Status(ctx, name)
		if err != nil {
			return err
		}
		if err := t.Note("before", unitBefore{have, there, st.File != "enabled"}); err != nil {
			return err
		}
	}
	text, err := d.unitText(ctx, i)
	if err != nil {
		return err
	}
	if err := d.Units.Write(ctx, name, text); err != nil {
		return err
	}
	return d.Units.Enable(ctx, name)
}

func (d Deps) undoUnit(ctx context.Context, t *engine.Task) error {
	var i kind.Unit
	var before unitBefore
	if err := t.Decode(&i); err != nil {
		return err
	}
	if known, err := t.Load("before", &before); err != nil || !known {
		return err
	}
	name := iris.UnitName(i.Name)
	if !before.There {
		return d.Units.Remove(ctx, name)
	}
	if before.Disabled {
		if err := d.Units.Disable(ctx, name); err != nil {
			return err
		}
	}
	return d.Units.Write(ctx, name, before.Text)
}
